// Standard output as the place of results: what could not be written must not end as a success.
#pragma once

#include <cstdio>
#include <string_view>

namespace hawser {

/// Writes all of `text` to `stream` and flushes it. Throws Error{disk} or Error{disk_full} "cannot write to standard
/// output: ..." where that fails, be it that nobody reads any more (SIGPIPE must be ignored then).
void write_out(std::string_view text, std::FILE* stream = stdout);

}  // namespace hawser
