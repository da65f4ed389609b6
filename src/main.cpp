// hawser's executable: the steps of a run, in order.
#include "cli/cache_command.hpp"
#include "cli/exit_code.hpp"
#include "cli/import_command.hpp"
#include "cli/inspect.hpp"
#include "cli/options.hpp"
#include "cli/process.hpp"
#include "cli/progress.hpp"
#include "cli/pull_command.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <csignal>
#include <cstdio>
#include <ios>
#include <string>
#include <vector>

namespace {

using namespace hawser;

/// A command's implementation; each is found by overload.
int run(const HelpCommand& help) {
  write_out(help_text(help.topic));
  return 0;
}

int run(const VersionCommand&) {
  write_out(version_text());
  return 0;
}

int run(const CacheCommand& command) {
  Progress progress(command.style.quiet);
  const CacheOutcome outcome = run_cache_command(command, [&](std::string_view line) { progress.message(line); });
  progress.finish();
  write_out(outcome.text);
  return static_cast<int>(outcome.exit);
}

int run(const PullCommand& command) {
  return static_cast<int>(run_pull_command(command, take_from_environment("HAWSER_PASSWORD")));
}

int run(const InspectCommand& command) {
  return static_cast<int>(run_inspect_command(command, take_from_environment("HAWSER_PASSWORD")));
}

int run(const TagsCommand& command) {
  return static_cast<int>(run_tags_command(command, take_from_environment("HAWSER_PASSWORD")));
}

/// The text line by line: errors that point at something have several.
std::string printable_lines(std::string_view text) {
  std::string result;
  for (;;) {
    const auto end = text.find('\n');
    result += printable(text.substr(0, end), 2000);
    if (end == std::string_view::npos) return result;
    result += '\n';
    text.remove_prefix(end + 1);
  }
}

int report(const std::exception& failure) {
  std::fprintf(stderr, "hawser: %s\n", printable_lines(failure.what()).c_str());
  const auto* error = dynamic_cast<const Error*>(&failure);
  if (error != nullptr && !error->hint().empty())
    std::fprintf(stderr, "        %s\n", printable_lines(error->hint()).c_str());
  return static_cast<int>(exit_code(failure));
}

int run(const ImportCommand& command) {
  Progress progress(command.style.quiet);
  const ImportOutcome outcome = run_import_command(
      command, [&](std::string_view line) { progress.message(line); }, [](const Error& error) { report(error); });
  progress.finish();
  write_out(outcome.text);
  return static_cast<int>(outcome.exit);
}

}  // namespace

int main(int argc, char** argv) try {
  forbid_dumps();
  meet_limits();
  std::ios::sync_with_stdio(false);  // else std::cin takes a read error for the end
  std::signal(SIGPIPE, SIG_IGN);     // a reader that is gone is an error like others
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  scrub_arguments(argc, argv);
  const ParsedCommand command = parse_command_line(arguments);
  return std::visit([](const auto& parsed) { return run(parsed); }, command);
} catch (const std::exception& failure) {
  return report(failure);
}
