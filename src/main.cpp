// hawser's executable: the steps of a run, in order.
#include "cli/cache_command.hpp"
#include "cli/import_command.hpp"
#include "cli/inspect.hpp"
#include "cli/options.hpp"
#include "cli/output.hpp"
#include "cli/process.hpp"
#include "cli/pull_command.hpp"

#include <exception>
#include <string>
#include <variant>
#include <vector>

namespace {

using namespace hawser;

/// Carries a command out; each is found by overload.
struct Run {
  const Environment& environment;

  Outcome operator()(const HelpCommand& help) const { return {help_text(help.topic)}; }
  Outcome operator()(const VersionCommand&) const { return {version_text()}; }
  Outcome operator()(const CacheCommand& cache) const { return run_cache_command(cache); }
  Outcome operator()(const ImportCommand& import) const { return run_import_command(import); }
  Outcome operator()(const InspectCommand& inspect) const { return run_inspect_command(inspect, environment); }
  Outcome operator()(const TagsCommand& tags) const { return run_tags_command(tags, environment); }
  Outcome operator()(const PullCommand& pull) const { return {"", run_pull_command(pull, environment)}; }
};

}  // namespace

int main(int argc, char** argv) try {
  prepare_process();
  const std::vector<std::string> arguments = take_arguments(argc, argv);
  const Environment environment = take_environment();
  const ParsedCommand command = parse_command_line(arguments);
  const Outcome outcome = std::visit(Run{environment}, command);
  write_out(outcome.text);
  return static_cast<int>(outcome.exit);
} catch (const std::exception& failure) {
  return static_cast<int>(report(failure));
}
