#include "cli/pull_command.hpp"

#include "cli/image_list.hpp"
#include "cli/import_command.hpp"
#include "cli/login.hpp"
#include "cli/output.hpp"
#include "cli/runtime.hpp"
#include "cli/statistics.hpp"
#include "pull/pull_run.hpp"
#include "pull/session.hpp"
#include "pull/temporary_store.hpp"
#include "util/file.hpp"

#include <hawser/util/error.hpp>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>

#include <unistd.h>

namespace hawser {
namespace {

namespace fs = std::filesystem;

/// The blobs of a call: a cache, a store for this call alone beside it or in its place, or none where they go straight
/// into the output.
struct Storage {
  std::optional<BlobStore> cache;
  std::unique_ptr<TemporaryStore> temporary;
  fs::path rehearsed;  // of a dry run: where the pull would have what it fetches

  bool keeps() const { return cache && cache->writable(); }
  PullStores stores() {
    BlobStore* own = temporary ? &temporary->store() : nullptr;
    return {cache ? &*cache : own, keeps() ? &*cache : own, rehearsed};
  }
};

/// Whether one tar takes all blobs as they come: then they need no other place, where no cache takes them.
bool goes_straight_into_output(const PullCommand& command, const std::vector<OutputPlan>& plans) {
  return command.format != OutputFormat::oci_dir && !command.uncompressed && plans.size() == 1 &&
         plans.front().path != "-";
}

fs::path scratch_directory(const std::vector<OutputPlan>& plans) {
  const std::string& path = plans.front().path;
  return path == "-" ? fs::temp_directory_path() : directory_of(path);
}

/// Provides for what takes a call's blobs where no cache can; for nothing where nothing needs to.
void add_scratch(Storage& storage, const PullCommand& command, const std::vector<OutputPlan>& plans) {
  if (goes_straight_into_output(command, plans)) return;
  if (command.dry_run)
    storage.rehearsed = scratch_directory(plans);
  else
    storage.temporary = std::make_unique<TemporaryStore>(scratch_directory(plans));
}

bool may_write(const fs::path& directory) {
  return ::access(directory.c_str(), W_OK | X_OK) == 0;
}

bool is_a_cache(const fs::path& directory) {
  std::error_code ignored;
  return fs::exists(directory / "oci-layout", ignored);
}

/// Refuses a cache that can't be made where there is none, and makes nothing. Returns the directory that is there.
fs::path check_new_cache(const fs::path& directory) {
  std::error_code ignored;
  fs::path there = fs::absolute(directory);
  while (!fs::exists(there, ignored) && there.has_relative_path()) there = there.parent_path();
  if (!fs::is_directory(there, ignored)) throw disk_error(ENOTDIR, "make the cache", directory.native());
  if (!may_write(there)) throw disk_error(errno, "make the cache", directory.native());
  return there;
}

/// The cache of a dry run is read, and neither made nor written; it is refused where the pull's would be.
void rehearse_cache(Storage& storage, const fs::path& directory) {
  std::error_code ignored;
  if (!fs::exists(directory, ignored)) {
    storage.rehearsed = check_new_cache(directory);
    return;
  }
  storage.cache.emplace(directory, false);
  // What is a cache already is at least read.
  if (may_write(directory))
    storage.rehearsed = directory;
  else if (const int error = errno; !is_a_cache(directory))
    throw disk_error(error, "write into", directory.native());
}

Storage open_storage(const PullCommand& command, const std::vector<OutputPlan>& plans, Log& log) {
  Storage storage;
  if (!command.use_cache) {
    add_scratch(storage, command, plans);
    return storage;
  }
  try {
    if (command.dry_run)
      rehearse_cache(storage, command.cache_directory);
    else
      storage.cache.emplace(command.cache_directory);
  } catch (const Error& error) {
    // A cache that can be read but not written still saves what it has.
    if (error.code() != Errc::disk || !is_a_cache(command.cache_directory))
      throw Error(error.code(), error.what(),
                  error.hint().empty() ? "choose another directory with --cache-dir, or do without by --no-cache"
                                       : error.hint());
    storage.cache.emplace(command.cache_directory, false);
    log.warning(error.what());
  }
  if (!storage.keeps() && storage.rehearsed.empty()) {
    log.warning("the cache " + command.cache_directory + " can't be written; it is only read");
    add_scratch(storage, command, plans);
  }
  return storage;
}

/// Layers hold bytes of all kinds, sequences that steer a terminal among them.
void refuse_a_terminal(const PullCommand& command) {
  if (command.output != "-" || ::isatty(STDOUT_FILENO) != 1) return;
  throw Error(Errc::usage, "--output -: standard output is a terminal, and a tar does not go to one",
              "redirect it to a file, or pipe it into docker load");
}

/// Tells the result on standard output, or where that is the archive's on standard error.
void say(const PullCommand& command, const PullStatistics& statistics) {
  // With --quiet the log was silent.
  if (command.style.quiet) std::fputs(format_failures(statistics).c_str(), stderr);
  if (command.style.quiet && !command.style.json) return;
  const std::string text = command.style.json ? statistics_json(statistics) : format_statistics(statistics);
  if (command.output == "-")
    std::fputs(text.c_str(), stderr);
  else
    write_out(text);
}

/// --import-tar: what is in the tars need not be fetched.
void import_tars(const PullCommand& command, Storage& storage, Log& log) {
  if (command.import_tars.empty()) return;
  if (!storage.keeps())
    throw Error(Errc::disk, "--import-tar needs a cache that can be written", "choose another one with --cache-dir");
  for (const std::string& file : command.import_tars) {
    const ImportReport report = import_tar(*storage.cache, file, [&](std::string_view line) { log.detail(line); });
    std::istringstream lines(import_summary(file, report));
    for (std::string line; std::getline(lines, line);) report.is_sound() ? log.note(line) : log.warning(line);
  }
}

}  // namespace

ExitCode run_pull_command(const PullCommand& command, const std::optional<std::string>& environment_password) {
  const auto begin = std::chrono::steady_clock::now();
  refuse_a_terminal(command);
  const std::vector<Reference> references = collect_images(command, std::cin);
  const std::vector<OutputPlan> plans = plan_outputs(command, references);
  Runtime runtime(command.style);
  CredentialSource credentials = credential_source(command.access, references, environment_password, std::cin,
                                                   runtime.log(), docker_config_source(runtime.pool()));
  Storage storage = open_storage(command, plans, runtime.log());
  import_tars(command, storage, runtime.log());
  Session session(runtime.executor(), command.access, command.max_connections, std::move(credentials),
                  storage.cache ? &*storage.cache : nullptr, runtime.progress(), runtime.log());
  PullRun pull(runtime.executor(), runtime.pool(), command, references, plans, session, storage.stores(),
               runtime.progress(), runtime.log());
  const int signal = runtime.run(pull.run(), [&] { pull.stop(); });

  PullStatistics statistics;
  statistics.images = pull.results();
  for (ImageResult& image : statistics.images) {
    image.error = runtime.log().masked(image.error);
    image.hint = runtime.log().masked(image.hint);
  }
  statistics.add(runtime.progress());
  statistics.elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
  statistics.dry_run = command.dry_run;
  statistics.format = command.format;
  if (signal != 0) {
    if (!command.style.quiet)
      std::fputs(storage.keeps() && !command.dry_run
                     ? "stopped; what has arrived is kept in the cache, and the same command goes on from there\n"
                     : "stopped\n",
                 stderr);
    return exit_code_of_signal(signal);
  }
  say(command, statistics);
  return statistics.exit();
}

}  // namespace hawser
