// `hawser import`, and the words in which an import is reported.
#pragma once

#include "cli/options.hpp"
#include "cli/output.hpp"
#include "pull/import.hpp"

#include <string>

namespace hawser {

/// The report in words: some lines, the last one ended too.
std::string import_summary(const std::string& file, const ImportReport& report);

/// Carries `command` out; tells its progress, and why a tar can't be taken, on standard error. Such a tar does not stop
/// the others. Ends in `integrity` where a blob was not what its tar says, or a tar was cut short. Throws Error{disk}
/// where the cache can't be opened.
Outcome run_import_command(const ImportCommand& command);

}  // namespace hawser
