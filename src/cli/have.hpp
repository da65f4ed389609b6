// What the place that an output is for has already: files of many kinds that tell it, for --without.
#pragma once

#include <hawser/pull/pull.hpp>

#include <filesystem>
#include <string_view>

namespace hawser {

/// Reads what `file` tells: an image tar or an image layout which has layers itself, a lock, or what `docker image
/// inspect`, `podman image inspect`, `ctr image ls` or `ctr content ls` have printed. Of a delta what it was made
/// against counts, too. Layers are not hashed: that is done where they are used. Throws Error{malformed}, Error{usage},
/// Error{too_large} or Error{disk}, with the file's name.
Have read_have(const std::filesystem::path& file);

/// The same of a text, which the result calls `name`. Errors do not.
Have parse_have(std::string_view text, std::string_view name);

}  // namespace hawser
