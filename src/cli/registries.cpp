#include "cli/registries.hpp"

#include "cli/login.hpp"
#include "cli/runtime.hpp"
#include "pull/session.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace hawser {
namespace {

/// Why an image is not there; nothing where it is.
asio::awaitable<std::optional<Error>> ask_for(Session& session, Reference image) {
  std::optional<Error> failure;
  try {
    (void)co_await session.head_manifest(image);
  } catch (const Error& error) {
    failure = error;
  }
  co_return failure;
}

asio::awaitable<Reference> choose(Session& session, const std::vector<Reference>& candidates, Progress& progress) {
  std::vector<std::pair<Reference, Error>> failures;
  for (const Reference& candidate : candidates) {
    std::optional<Error> failure = co_await ask_for(session, candidate);
    if (!failure) {
      progress.message("pulling " + candidate.name_with_tag());
      Reference chosen = candidate;
      co_return chosen;
    }
    failures.emplace_back(candidate, std::move(*failure));
  }
  throw none_has_it(failures);
}

}  // namespace

std::shared_ptr<const Registries> read_registries(const Command& command, const Environment& environment,
                                                  Progress& progress) {
  const RegistryFiles files = command.registry_config ? environment.registry_files : RegistryFiles();
  return std::make_shared<const Registries>(
      command.registries, files, [&progress](const std::string& text) { progress.tell(Importance::warning, text); });
}

ImageNames image_names(std::shared_ptr<const Registries> registries, Progress& progress) {
  return [registries = std::move(registries), &progress](std::string_view name) {
    ResolvedName resolved = registries->resolve(name);
    if (!resolved.configured_at.empty() && resolved.candidates.size() == 1)
      progress.tell(Importance::detail, printable(name, 300) + " is " + resolved.candidates.front().name_with_tag() +
                                            " by " + resolved.configured_at);
    return resolved;
  };
}

Error none_has_it(const std::vector<std::pair<Reference, Error>>& failures) {
  if (failures.size() == 1) return failures.front().second;
  std::string text = "none of the registries to search has it:";
  // What kept one from answering says more than that another has no such image.
  const Error* told = &failures.back().second;
  for (const auto& [image, error] : failures) {
    text += "\n  " + image.name_with_tag() + ": " + error.what();
    if (told->code() == Errc::not_found) told = &error;
  }
  return {told->code(), text, "name the registry: " + failures.front().first.name_with_tag()};
}

ChosenImages choose_images(const std::vector<ResolvedName>& names, const Command& command,
                           const Environment& environment, std::shared_ptr<const Registries> registries) {
  ChosenImages chosen;
  const auto is_plain = [](const ResolvedName& name) { return name.candidates.size() == 1; };
  for (const ResolvedName& name : names)
    if (is_plain(name)) chosen.images.push_back(name.candidates.front());
  if (chosen.images.size() == names.size()) return chosen;
  if (command.username) {
    const auto several = std::ranges::find_if_not(names, is_plain);
    throw Error(
        Errc::usage,
        "--username is for one registry, but a short name is looked for at several by " + several->configured_at,
        "name the registry: " + several->candidates.front().name_with_tag());
  }
  chosen.images.clear();
  Runtime runtime(command, environment);
  RegistryAccess access = registry_access(command, {}, environment, std::move(registries), runtime.progress());
  access.max_connections = 1;
  access.retries = std::min(access.retries, 1U);
  Session session(runtime.executor(), runtime.pool(), std::move(access), runtime.progress());
  const auto task = [&]() -> asio::awaitable<void> {
    for (const ResolvedName& name : names) {
      Reference image = name.candidates.front();
      if (!is_plain(name)) image = co_await choose(session, name.candidates, runtime.progress());
      chosen.images.push_back(std::move(image));
    }
  };
  chosen.signal = runtime.run(task(), [&] { session.stop(); });
  return chosen;
}

}  // namespace hawser
