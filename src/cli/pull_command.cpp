#include "cli/commands.hpp"
#include "cli/image_list.hpp"
#include "cli/login.hpp"
#include "cli/registries.hpp"
#include "cli/runtime.hpp"
#include "cli/statistics.hpp"

#include <hawser/pull/pull.hpp>
#include <hawser/util/error.hpp>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <sstream>

#include <unistd.h>

namespace hawser {
namespace {

/// Layers hold bytes of all kinds, sequences that steer a terminal among them.
void refuse_a_terminal(const Command& command) {
  if (command.output != "-" || ::isatty(STDOUT_FILENO) != 1) return;
  throw Error(Errc::usage, "--output -: standard output is a terminal, and a tar does not go to one",
              "redirect it to a file, or pipe it into docker load");
}

/// Tells the result on standard output, or where that is the archive's on standard error.
void say(const Command& command, const PullStatistics& statistics) {
  if (command.quiet && !command.json) return;
  const std::string text = command.json ? statistics_json(statistics) : format_statistics(statistics);
  if (command.output == "-")
    std::fputs(text.c_str(), stderr);
  else
    write_out(text);
}

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

/// Where there are more parts than images (--shard). That is a success: the machines of a fleet all run one command.
ExitCode pull_nothing(const Command& command, Progress& progress) {
  import_tars(command, progress);
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

}  // namespace

ExitCode run_pull_command(const Command& command, const Environment& environment) {
  const auto begin = std::chrono::steady_clock::now();
  refuse_a_terminal(command);
  PullRequest request = command;
  if (!command.use_cache) request.cache_directory.clear();
  Runtime runtime(command, environment);
  Progress& progress = runtime.progress();
  const auto registries = read_registries(command, environment, progress);
  const auto names = collect_images(command, std::cin, image_names(registries, progress));
  if (names.empty()) return pull_nothing(command, progress);
  ChosenImages chosen = choose_images(names, command, environment, registries);
  if (chosen.signal != 0) return exit_code_of_signal(chosen.signal);
  request.references = std::move(chosen.images);
  request.access = registry_access(command, request.references, environment, registries, progress);
  import_tars(command, progress);
  Pull pull(runtime.executor(), runtime.pool(), std::move(request), progress);
  const int signal = runtime.run(command.dry_run ? pull.plan() : pull.run(), [&] { pull.stop(); });

  PullStatistics statistics;
  statistics.images = pull.results();
  for (ImageResult& image : statistics.images)
    if (image.error) image.error = progress.masked(*image.error);
  statistics.sources = pull.sources();
  for (SourceResult& source : statistics.sources) source.trouble = progress.masked(source.trouble);
  statistics.verbose = command.verbose;
  statistics.received = progress.received();
  statistics.resumed = progress.totals().resumed_bytes;
  statistics.retries = progress.retries();
  statistics.elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
  statistics.dry_run = command.dry_run;
  statistics.format = command.format;
  if (signal != 0) {
    if (!command.quiet)
      std::fputs(pull.fills_cache()
                     ? "stopped; what has arrived is kept in the cache, and the same command goes on from there\n"
                     : "stopped\n",
                 stderr);
    return exit_code_of_signal(signal);
  }
  say(command, statistics);
  return statistics.exit();
}

}  // namespace hawser
