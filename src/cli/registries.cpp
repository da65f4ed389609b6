#include "cli/registries.hpp"

#include "cli/image_list.hpp"
#include "cli/runtime.hpp"
#include "cli/tag_pattern.hpp"
#include "pull/session.hpp"
#include "store/blob_store.hpp"
#include "util/async.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <system_error>
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

/// The tags of a repository and no error, or an error.
asio::awaitable<std::pair<std::vector<std::string>, std::optional<Error>>> ask_for_tags(Session& session,
                                                                                        Reference image) {
  std::pair<std::vector<std::string>, std::optional<Error>> answer;
  try {
    std::vector<std::string> tags = co_await session.list_tags(image);
    answer.first = std::move(tags);
  } catch (const Error& error) {
    answer.second = error;
  }
  // A registry need not have tags/list, and a proxy often has none.
  const bool none =
      answer.second && (answer.second->code() == Errc::not_found || answer.second->code() == Errc::bad_request);
  if (none && answer.second->hint().empty())
    answer.second = Error(answer.second->code(), answer.second->what(),
                          "the repository is not there, or the registry lists no tags: name them one by one");
  co_return answer;
}

/// What a name with a pattern stands for, where the repository has `tags`.
std::vector<Reference> images_of(const Reference& repository, const std::vector<std::string>& tags,
                                 const ListedImage& listed, const Command& command) {
  std::vector<Reference> images;
  for (std::string& tag : matching_tags(tags, listed.tags, command.latest)) {
    try {
      images.push_back(Reference::parse(repository.domain + "/" + repository.path + ":" + tag));
    } catch (const Error&) {
      // The registry calls something a tag that is none.
    }
  }
  const std::string pattern = repository.domain + "/" + repository.path + ":" + listed.tags;
  if (images.empty())
    throw Error(Errc::not_found, "none of " + counted(tags.size(), "tag") + " is like " + pattern,
                "hawser tags shows the tags of a repository");
  if (images.size() > max_pattern_images)
    throw Error(Errc::too_large,
                pattern + " stands for " + std::to_string(images.size()) + " images, more than " +
                    std::to_string(max_pattern_images),
                "--latest N takes the newest, or narrow the pattern");
  return images;
}

/// What a name stands for, from the answers to questions about each candidate.
asio::awaitable<std::vector<Reference>> ask_about(Session& session, const ListedImage& listed, const Command& command,
                                                  Progress& progress) {
  const std::vector<Reference>& candidates = listed.name.candidates;
  std::vector<Reference> images;
  if (listed.tags.empty() && candidates.size() == 1) images = candidates;
  std::vector<std::pair<Reference, Error>> failures;
  for (const Reference& candidate : candidates) {
    if (!images.empty()) break;
    std::optional<Error> failure;
    if (listed.tags.empty()) {
      failure = co_await ask_for(session, candidate);
      if (!failure) images = {candidate};
    } else {
      const auto answer = co_await ask_for_tags(session, candidate);
      failure = answer.second;
      if (!failure) images = images_of(candidate, answer.first, listed, command);
    }
    if (failure) failures.emplace_back(candidate, std::move(*failure));
    if (!images.empty() && candidates.size() > 1) progress.message("pulling " + images.front().name_with_tag());
  }
  if (images.empty()) throw none_has_it(failures);
  co_return images;
}

/// What became of one name.
struct Answer {
  std::vector<Reference> images;
  std::optional<Error> failure;
};

asio::awaitable<void> find_out(Session& session, const ListedImage& listed, const Command& command, Progress& progress,
                               Answer& result) {
  try {
    std::vector<Reference> images = co_await ask_about(session, listed, command, progress);
    result.images = std::move(images);
  } catch (const Error& error) {
    result.failure = progress.masked(error);
  }
}

/// Gives names their digests, and patterns their tags, as the lock has them.
std::vector<Answer> answers_of_lock(const std::vector<ListedImage>& names, const Command& command) {
  const ImageLock lock = ImageLock::read(command.locked);
  std::vector<Answer> answers(names.size());
  std::string missing;
  for (std::size_t i = 0; i < names.size(); ++i) {
    answers[i].images = images_in_lock(lock, names[i], command.latest);
    if (answers[i].images.empty())
      missing += "\n  " + image_list_line(ListedImage{names[i].name, names[i].tags, names[i].word});
  }
  if (missing.empty()) return answers;
  throw Error(Errc::usage, "images are missing in the lock " + printable(command.locked) + ":" + missing,
              "--lock FILE writes one of what the tags stand for now");
}

/// What the cache's index has of the names.
std::vector<Answer> answers_of_cache(const std::vector<ListedImage>& names, const Command& command) {
  std::vector<Reference> cached;
  if (std::error_code ignored; command.use_cache && std::filesystem::exists(command.cache_directory, ignored))
    for (const BlobStore::Image& image : BlobStore(command.cache_directory, false).images()) {
      try {
        cached.push_back(Reference::parse(image.name));
      } catch (const Error&) {
        // of another tool
      }
    }
  std::vector<Answer> answers(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::vector<Reference>& candidates = names[i].name.candidates;
    for (const Reference& candidate : candidates) {
      std::vector<std::string> tags;
      for (const Reference& image : cached)
        if (image.domain == candidate.domain && image.path == candidate.path && image.tag) tags.push_back(*image.tag);
      const bool here = std::ranges::find(tags, candidate.tag.value_or("")) != tags.end();
      if (!answers[i].images.empty() || (names[i].tags.empty() ? !here : tags.empty())) continue;
      try {
        std::vector<Reference> images{candidate};
        if (!names[i].tags.empty()) images = images_of(candidate, tags, names[i], command);
        answers[i] = {std::move(images), {}};
      } catch (const Error& error) {
        answers[i] = {{}, error};
      }
    }
    // The pull says what is missing of an image.
    if (answers[i].images.empty() && names[i].tags.empty()) answers[i].images = {candidates.front()};
    if (answers[i].images.empty() && !answers[i].failure)
      answers[i].failure = Error(
          Errc::not_found, "the cache has no image of " + candidates.front().path + ", and --offline asks no registry");
  }
  return answers;
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

std::vector<Reference> images_in_lock(const ImageLock& lock, const ListedImage& listed,
                                      std::optional<std::size_t> latest) {
  std::vector<Reference> images;
  for (const Reference& candidate : listed.name.candidates) {
    if (!images.empty()) break;
    if (listed.tags.empty()) {
      if (const auto locked = lock.find(candidate)) images = {*locked};
      continue;
    }
    for (const std::string& tag : matching_tags(lock.tags_of(candidate), listed.tags, latest)) {
      Reference image = candidate;
      image.tag = tag;
      images.push_back(*lock.find(image));
    }
  }
  return images;
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

RequestedImage ListedImage::request(Reference reference) const {
  RequestedImage image(std::move(reference));
  image.platform = platform;
  image.tag_as = tag_as;
  image.output = output;
  return image;
}

namespace {

/// Puts together what the names stand for; nothing is pulled twice, be it that two patterns stand for it.
ChosenImages put_together(const std::vector<ListedImage>& names, std::vector<Answer> answers, const Shard& shard) {
  ChosenImages chosen;
  std::set<std::string> known;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (answers[i].failure) chosen.unknown.emplace_back(names[i], *answers[i].failure);
    for (Reference& reference : answers[i].images) {
      Reference name = reference;
      name.digest.reset();
      if (!names[i].tags.empty() && !is_in_shard(name, shard)) continue;
      ListedImage same = names[i];
      same.name.candidates = {reference};
      same.tags.clear();
      if (known.insert(image_list_line(same)).second) chosen.images.push_back(names[i].request(std::move(reference)));
    }
  }
  return chosen;
}

}  // namespace

ChosenImages choose_images(const std::vector<ListedImage>& names, const Command& command,
                           const Environment& environment, RegistryAccess access, Progress& progress) {
  if (!command.locked.empty()) return put_together(names, answers_of_lock(names, command), command.shard);
  if (access.offline) return put_together(names, answers_of_cache(names, command), command.shard);
  std::vector<Answer> answers(names.size());
  const auto is_plain = [](const ListedImage& listed) {
    return listed.name.candidates.size() == 1 && listed.tags.empty();
  };
  if (std::ranges::all_of(names, is_plain)) {
    for (std::size_t i = 0; i < names.size(); ++i) answers[i].images = names[i].name.candidates;
    return put_together(names, std::move(answers), command.shard);
  }
  constexpr std::size_t connections = 4;
  access.max_connections = connections;
  access.retries = std::min(access.retries, 1U);
  Runtime runtime(command, environment);
  Session session(runtime.executor(), runtime.pool(), std::move(access), progress);
  const auto task = [&]() -> asio::awaitable<void> {
    TaskGroup group(runtime.executor());
    for (std::size_t i = 0; i < names.size(); ++i)
      group.start(find_out(session, names[i], command, progress, answers[i]));
    co_await group.join();
  };
  const int signal = runtime.run(task(), [&] { session.stop(); });
  if (signal != 0) {
    ChosenImages none;
    none.signal = signal;
    return none;
  }
  return put_together(names, std::move(answers), command.shard);
}

}  // namespace hawser
