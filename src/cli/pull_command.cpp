#include "archive/output_file.hpp"
#include "cli/commands.hpp"
#include "cli/have.hpp"
#include "cli/image_list.hpp"
#include "cli/image_lock.hpp"
#include "cli/login.hpp"
#include "cli/named_files.hpp"
#include "cli/pull_run.hpp"
#include "cli/registries.hpp"
#include "cli/runtime.hpp"
#include "cli/traffic_files.hpp"
#include "pull/output.hpp"
#include "util/atomic_file.hpp"
#include "util/platform/file.hpp"
#include "util/platform/process.hpp"
#include "util/text.hpp"

#include <hawser/pull/pull.hpp>
#include <hawser/util/error.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser {
namespace {

/// --import-tar: what is in the tars need not be fetched.
void import_tars(const Command& command, Progress& progress) {
  if (command.import_tars.empty()) return;
  if (!command.use_cache)
    throw Error(Errc::disk, "--import-tar needs a cache that can be written", "choose another one with --cache-dir");
  BlobStore cache(command.cache_directory);
  for (const std::string& file : command.import_tars) {
    const ImportReport report =
        import_tar(cache, file, [&](std::string_view line) { progress.tell(Importance::detail, line); });
    std::istringstream lines(import_summary(file, report));
    for (std::string line; std::getline(lines, line);)
      report.is_sound() ? progress.message(line) : progress.tell(Importance::warning, line);
  }
}

/// Says something when the pull, and with it its progress, is over.
void warn(const Command& command, const std::string& text) {
  if (!command.quiet) std::fputs(("warning: " + printable(text, 2000) + "\n").c_str(), stderr);
}

/// The lock that an earlier call has left; none where there is nothing. Throws where it can't be replaced: what is no
/// lock was meant for something else.
ImageLock earlier_lock(const Command& command) {
  std::error_code ignored;
  if (command.lock.empty() || !std::filesystem::exists(check_output(resolved_output(command.lock)), ignored)) return {};
  try {
    return ImageLock::read(command.lock);
  } catch (const Error&) {
    throw Error(Errc::usage, "--lock " + printable(command.lock) + ": there is a file that is no lock",
                "name another file, or remove it");
  }
}

/// What the tags stood for; of what failed it keeps what the earlier one has.
void write_lock(const Command& command, const ImageLock& earlier, const std::vector<ListedImage>& images,
                const std::vector<ImageResult>& results) {
  if (command.lock.empty()) return;
  ImageLock lock;
  for (std::size_t i = 0; i < images.size(); ++i) {
    const Reference& reference = images[i].name.candidates.front();
    if (results[i].pinned && !lock.add(reference, *results[i].pinned))
      warn(command, reference.name_with_tag() + " has moved during the pull: the lock has what it stood for first");
  }
  std::size_t kept = 0, missing = 0;
  for (std::size_t i = 0; i < images.size(); ++i) {
    if (results[i].pinned) continue;
    std::vector<Reference> before;
    if (!images[i].name.candidates.front().digest) before = images_in_lock(earlier, images[i], command.latest);
    for (const Reference& each : before) lock.add(each, *each.digest);
    ++(before.empty() ? missing : kept);
  }
  lock.write(command.lock);
  const auto tell = [&](std::size_t count, const std::string& what) {
    if (count > 0) warn(command, "the lock " + command.lock + what + counted(count, "image") + " that failed");
  };
  tell(kept, " has what it had before of ");
  tell(missing, " lacks ");
}

/// The list of what failed, a line and a reason for each image. Where nothing has, it is empty: an older one would be
/// wrong.
class FailedFile {
 public:
  explicit FailedFile(const Command& command) : path_(command.failed_file) {}

  /// Throws where it can't be written, or what is there is no such list and was meant for something else.
  void check() const {
    constexpr std::size_t longest_line = 64 * 1024;
    std::error_code ignored;
    if (path_.empty() || !std::filesystem::exists(check_output(resolved_output(path_)), ignored)) return;
    const std::string text = File(path_).read_text(longest_line);
    const std::string_view first = std::string_view(text).substr(0, text.find('\n'));
    const auto says = [&](const char* why) { return first.find(std::string(comment) + why) != std::string_view::npos; };
    if (!text.empty() && !says(not_finished) && !says(exit_code_is))
      throw Error(Errc::usage, "--failed-file " + printable(path_) + ": there is a file that is no list of what failed",
                  "name another file, or remove it");
  }

  /// Before the pull: everything has yet to be done, whatever ends the process.
  void begin(const std::vector<ListedImage>& images) const {
    std::string text;
    for (const ListedImage& image : images) text += line(image, not_finished);
    write(text);
  }

  void end(const std::vector<ListedImage>& images, const std::vector<ImageResult>& results) const {
    std::string text;
    for (std::size_t i = 0; i < images.size(); ++i)
      if (const auto& error = results[i].error)
        text +=
            line(images[i], exit_code_is + std::to_string(static_cast<int>(exit_code(*error))) + ": " + error->what());
    write(text);
  }

 private:
  static constexpr const char *comment = "  # ", *not_finished = "not finished", *exit_code_is = "exit code ";

  static std::string line(const ListedImage& image, std::string why) {
    std::ranges::replace(why, '\n', ' ');
    return image_list_line(image) + comment + printable(why) + "\n";
  }

  void write(const std::string& text) const {
    if (path_.empty()) return;
    AtomicFile file(check_output(resolved_output(path_)));
    file.file().write(as_bytes(text));
    file.commit();
  }

  const std::string& path_;
};

/// Where there are more parts than images (--shard). That is a success: the machines of a fleet all run one command.
ExitCode pull_nothing(const Command& command, Progress& progress) {
  import_tars(command, progress);
  FailedFile(command).end({}, {});
  progress.message("nothing to pull: shard " + std::to_string(command.shard.index) + "/" +
                   std::to_string(command.shard.count) + " has no image");
  if (command.json) {
    PullStatistics none;
    none.dry_run = command.dry_run;
    none.format = command.format;
    say(command, none);
  }
  return ExitCode::done;
}

/// A name that nobody could tell what it stands for, as a result.
ImageResult result_of(const UnknownImage& unknown, Progress& progress) {
  const auto& [listed, error] = unknown;
  const Reference& name = listed.name.candidates.front();
  ImageResult result;
  result.reference =
      listed.tags.empty() ? name.familiar() : image_list_line(ListedImage{listed.name, listed.tags, listed.word});
  result.error = error;
  result.told = true;
  // An error that names several places has a line for each.
  std::istringstream lines(error.what());
  std::string line;
  std::getline(lines, line);
  progress.tell(Importance::error, result.reference + ": " + line);
  while (std::getline(lines, line)) progress.tell(Importance::hint, line);
  if (!error.hint().empty()) progress.tell(Importance::hint, error.hint());
  return result;
}

/// What an image was listed as, so that a list can name it again.
ListedImage listed_again(const RequestedImage& image) {
  ListedImage listed;
  listed.name.candidates = {image.reference};
  listed.platform = image.platform;
  listed.tag_as = image.tag_as;
  listed.output = image.output;
  return listed;
}

/// Those images whose outputs' names are known before a registry was asked what they are.
std::vector<RequestedImage> images_of_known_outputs(const std::vector<ListedImage>& names) {
  std::vector<RequestedImage> images;
  for (const ListedImage& listed : names)
    if (!listed.output.empty() || (listed.tags.empty() && listed.name.candidates.size() == 1))
      images.push_back(listed.request(listed.name.candidates.front()));
  return images;
}

/// Where the names are, for credentials: those of short names are not known yet, and are shown no password.
std::vector<Reference> known_places(const std::vector<ListedImage>& names, const Command& command) {
  std::vector<Reference> references;
  for (const ListedImage& listed : names) {
    const Reference& first = listed.name.candidates.front();
    if (listed.name.candidates.size() == 1)
      references.push_back(first);
    else if (command.username)
      throw Error(
          Errc::usage,
          "--username is for one registry, but a short name is looked for at several by " + listed.name.configured_at,
          "name the registry: " + first.name_with_tag());
  }
  return references;
}

/// An archive is written with all of its images or not at all: those that would share one with a name that nobody could
/// tell what it stands for fail, too.
void leave_out_incomplete(ChosenImages& chosen, const PullRequest& request) {
  PullRequest all = request;
  all.references = chosen.images;
  for (const UnknownImage& each : chosen.unknown) {
    all.references.emplace_back(each.first.name.candidates.front());
    all.references.back().output = each.first.output;
  }
  const bool share_all = shared_output(all).has_value();
  std::vector<UnknownImage> others;
  for (const UnknownImage& unknown : chosen.unknown) {
    const ListedImage& listed = unknown.first;
    const auto shares = [&](const RequestedImage& image) {
      return share_all || (!listed.output.empty() && image.output == listed.output);
    };
    for (const RequestedImage& image : chosen.images)
      if (shares(image))
        others.emplace_back(listed_again(image),
                            Error(unknown.second.code(), "not written, since " + image_list_line(listed) + " failed"));
    std::erase_if(chosen.images, shares);
  }
  chosen.unknown.insert(chosen.unknown.end(), others.begin(), others.end());
}

std::optional<std::string> variable(const std::string& name) {
  const char* const value = environment_variable(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

std::vector<std::string> names_of(const std::vector<ListedImage>& listed) {
  std::vector<std::string> names;
  for (const ListedImage& each : listed) names.push_back(image_list_line(ListedImage{each.name, each.tags, each.word}));
  return names;
}

/// All of a pull but what is written of its traffic when it is over. `images` is then what was to be pulled, as far as
/// it was found out.
ExitCode pull_images(const Command& command, const Environment& environment, Runtime& runtime, TrafficFiles& files,
                     std::vector<std::string>& images) {
  const auto begin = std::chrono::steady_clock::now();
  const FailedFile failed(command);
  failed.check();
  const ImageLock earlier = earlier_lock(command);
  PullRequest request = command;
  for (const std::string& file : command.haves) request.without.push_back(read_have(file));
  if (!command.use_cache) request.cache_directory.clear();
  Progress& progress = runtime.progress();
  const auto registries = read_registries(command, environment, progress);
  const ImageNames resolve = image_names(registries, progress);
  const auto names =
      collect_images(command, {std::cin, variable, resolve, [&](const std::string& line) { progress.message(line); }});
  const auto check_files = [&](const std::vector<RequestedImage>& of) {
    files.allow(false);
    check_named_files(command, of);
    files.allow(true);
  };
  check_files(images_of_known_outputs(names));
  if (names.empty()) return pull_nothing(command, progress);
  images = names_of(names);
  failed.begin(names);
  request.access = registry_access(command, known_places(names, command), environment, registries, progress);
  request.access.traffic = files.record();
  ChosenImages chosen = choose_images(names, command, environment, request.access, progress);
  if (chosen.signal != 0) return exit_code_of_signal(chosen.signal);
  if (chosen.images.empty() && chosen.unknown.empty()) return pull_nothing(command, progress);
  check_files(chosen.images);
  leave_out_incomplete(chosen, request);
  request.references = chosen.images;
  import_tars(command, progress);
  const bool nothing = chosen.images.empty();
  if (nothing) request.output.reset();  // to be told of, not to be written
  Pull pull(runtime.executor(), runtime.pool(), std::move(request), progress);
  int signal = 0;
  const auto stop = [&] {
    pull.stop();
    try {
      files.write(images, std::nullopt, progress);  // it may not end in the time that is left
    } catch (const std::exception&) {
      // Told where it does.
    }
  };
  if (!nothing) signal = runtime.run(command.dry_run ? pull.plan() : pull.run(), stop);

  PullStatistics statistics = statistics_of(command, pull, progress, begin);
  std::vector<ListedImage> listed;
  for (const RequestedImage& image : chosen.images) listed.push_back(listed_again(image));
  for (const UnknownImage& unknown : chosen.unknown) {
    statistics.images.push_back(result_of(unknown, progress));
    listed.push_back(unknown.first);
  }
  if (signal == 0) write_lock(command, earlier, listed, statistics.images);
  images = names_of(listed);
  failed.end(listed, statistics.images);
  if (signal != 0) return stopped(command, pull, signal);
  say(command, statistics);
  return statistics.exit();
}

}  // namespace

ExitCode run_pull_command(const Command& command, const Environment& environment) {
  refuse_a_terminal(command);
  TrafficFiles files(command);
  Runtime runtime(command, environment);
  std::vector<std::string> images;
  ExitCode exit = ExitCode::done;
  try {
    exit = pull_images(command, environment, runtime, files, images);
  } catch (const std::exception& failure) {
    try {
      files.write(images, exit_code(failure), runtime.progress());
    } catch (const std::exception& unwritten) {
      warn(command, unwritten.what());
    }
    throw;
  }
  files.write(images, exit, runtime.progress());
  return exit;
}

}  // namespace hawser
