#include <hawser/app/inspect.hpp>
#include <hawser/app/login.hpp>
#include <hawser/app/registry_commands.hpp>
#include <hawser/app/runtime.hpp>
#include <hawser/app/session.hpp>
#include <hawser/app/standard_output.hpp>
#include <hawser/util/text.hpp>

#include <functional>
#include <iostream>

#include <unistd.h>

namespace hawser {
namespace {

/// Runs `ask` with a session for `reference` and prints the text that it returns.
ExitCode ask_registry(const AccessOptions& access, const OutputStyle& style, const Reference& reference,
                      const std::optional<std::string>& environment_password,
                      const std::function<asio::awaitable<std::string>(Session&)>& ask) {
  Runtime runtime(style);
  CredentialSource credentials = credential_source(access, {reference}, environment_password, std::cin, runtime.log(),
                                                   docker_config_source(runtime.pool()));
  Session session(runtime.executor(), access, 1, std::move(credentials), nullptr, runtime.progress(), runtime.log());
  std::string text;
  const auto task = [&]() -> asio::awaitable<void> { text = co_await ask(session); };
  const int signal = runtime.run(task(), [&] { session.stop(); });
  if (signal != 0) return exit_code_of_signal(signal);
  write_out(text);
  return ExitCode::done;
}

}  // namespace

ExitCode run_inspect_command(const InspectCommand& command, const std::optional<std::string>& environment_password) {
  const Reference reference = Reference::parse(command.image);
  ImageSource source;
  const auto ask = [&](Session& session) -> asio::awaitable<std::string> {
    source.get_manifest = [&](std::string selector) { return session.get_manifest(reference, selector); };
    source.get_blob = [&](Descriptor descriptor) { return session.get_blob(reference, descriptor); };
    std::string text = co_await inspect_image(source, reference, command);
    // A document's own bytes could do anything to a terminal.
    if (command.raw && ::isatty(STDOUT_FILENO) == 1) text = printable_json(text);
    co_return text;
  };
  return ask_registry(command.access, command.style, reference, environment_password, ask);
}

ExitCode run_tags_command(const TagsCommand& command, const std::optional<std::string>& environment_password) {
  const Reference reference = Reference::parse(command.repository);
  const auto ask = [&](Session& session) -> asio::awaitable<std::string> {
    const std::vector<std::string> tags = co_await session.list_tags(reference);
    co_return tags_text(tags, command.style.json);
  };
  return ask_registry(command.access, command.style, reference, environment_password, ask);
}

}  // namespace hawser
