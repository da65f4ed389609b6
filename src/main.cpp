// hawser's executable: the steps of a run, in order.
#include "cli/commands.hpp"

#include <exception>
#include <string>
#include <vector>

namespace {

using namespace hawser;

Outcome run(const Command& command, const Environment& environment) {
  switch (command.name) {
    case CommandName::pull:
      return {"", run_pull_command(command, environment)};
    case CommandName::apply:
      return {"", run_apply_command(command, environment)};
    case CommandName::inspect:
    case CommandName::manifest:
      return run_inspect_command(command, environment);
    case CommandName::digest:
      return run_digest_command(command, environment);
    case CommandName::ratelimit:
      return run_ratelimit_command(command, environment);
    case CommandName::bench:
      return run_bench_command(command, environment);
    case CommandName::config:
      return run_config_command(command, environment);
    case CommandName::tags:
      return run_tags_command(command, environment);
    case CommandName::cache:
      return run_cache_command(command);
    case CommandName::import:
      return run_import_command(command);
    case CommandName::join:
      return run_join_command(command, environment);
    case CommandName::login:
      return run_login_command(command, environment);
    case CommandName::logout:
      return run_logout_command(command, environment);
    case CommandName::help:
      return {help_text(command.words.empty() ? "" : command.words.front())};
    case CommandName::version:
      return {version_text()};
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) try {
  prepare_process();
  const std::vector<std::string> arguments = take_arguments(argc, argv);
  const Environment environment = take_environment();
  const Outcome outcome = run(parse_command_line(arguments), environment);
  write_out(outcome.text);
  return static_cast<int>(outcome.exit);
} catch (const std::exception& failure) {
  return static_cast<int>(report(failure));
}
