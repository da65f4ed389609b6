// `hawser import`, and the words in which an import is reported.
#pragma once

#include "cli/exit_code.hpp"
#include "cli/options.hpp"
#include "pull/import.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace hawser {

/// The report in words: some lines, the last one ended too.
std::string import_summary(const std::string& file, const ImportReport& report);

/// What an import ends in.
struct ImportOutcome {
  std::string text;  ///< for stdout
  ExitCode exit = ExitCode::done;
};

/// Carries `command` out. A tar that can't be taken does not stop the others: `complain` is told why. Ends in
/// `integrity` where a blob was not what its tar says, or a tar was cut short. Throws Error{disk} where the cache can't
/// be opened.
ImportOutcome run_import_command(const ImportCommand& command, const std::function<void(std::string_view)>& progress,
                                 const std::function<void(const Error&)>& complain);

}  // namespace hawser
