#include "cli/pull_run.hpp"

#include "cli/output.hpp"
#include "util/platform/terminal.hpp"

#include <hawser/util/error.hpp>

#include <cstdio>
#include <string>

namespace hawser {

void refuse_a_terminal(const Command& command) {
  if (command.output != "-" || !is_terminal(StandardStream::output)) return;
  throw Error(Errc::usage, "--output -: standard output is a terminal, and a tar does not go to one",
              "redirect it to a file, or pipe it into docker load");
}

PullStatistics statistics_of(const Command& command, const Pull& pull, const Progress& progress,
                             std::chrono::steady_clock::time_point begin) {
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
  statistics.uncompressed = command.uncompressed;
  statistics.delta = !command.haves.empty();
  return statistics;
}

void say(const Command& command, const PullStatistics& statistics) {
  if (command.quiet && !command.json) return;
  const std::string text = command.json ? statistics_json(statistics) : format_statistics(statistics);
  if (command.output == "-")
    std::fputs(text.c_str(), stderr);
  else
    write_out(text);
}

ExitCode stopped(const Command& command, const Pull& pull, int signal) {
  if (!command.quiet)
    std::fputs(pull.fills_cache()
                   ? "stopped; what has arrived is kept in the cache, and the same command goes on from there\n"
                   : "stopped\n",
               stderr);
  return exit_code_of_signal(signal);
}

}  // namespace hawser
