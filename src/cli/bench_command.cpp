#include "archive/output_file.hpp"
#include "bench/report.hpp"
#include "bench/runner.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/login.hpp"
#include "cli/registries.hpp"
#include "cli/report_page.hpp"
#include "cli/runtime.hpp"
#include "cli/terminal.hpp"
#include "util/async.hpp"
#include "util/atomic_file.hpp"
#include "util/platform/terminal.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <atomic>
#include <string>

namespace hawser {
namespace {

namespace asio = boost::asio;

constexpr std::uint64_t much = 1'000'000'000;  // bytes

/// A bench, as the command line wants it.
class BenchTask {
 public:
  BenchTask(Runtime& runtime, const Command& command, PullRequest request)
      : command_(command),
        progress_(runtime.progress()),
        pool_(runtime.pool()),
        bench_(runtime.executor(), runtime.pool(), std::move(request), command.bench,
               {[this](const std::string& line) { progress_.set_status(line); },
                [this](const std::string& line) { progress_.message(line); }}) {}

  asio::awaitable<void> run() {
    co_await bench_.prepare();
    const BenchResult& result = bench_.result();
    progress_.message(result.image + ": " + counted(result.settings.size(), "setting") + ", " +
                      counted(result.rounds, "round") + " and a warm-up: " + format_bytes(bench_.planned_bytes()) +
                      " will be downloaded, nothing kept");
    for (const std::string& warning : result.warnings) progress_.tell(Importance::warning, warning);
    if (bench_.planned_bytes() > much && !command_.yes) {
      auto confirm = [&] { confirm_download(); };
      co_await run_on(pool_, confirm);
    }
    co_await bench_.run();
  }

  void stop() {
    stopped_ = true;
    bench_.stop();
  }

  const Bench& bench() const { return bench_; }

 private:
  void confirm_download() {
    const std::string amount = format_bytes(bench_.planned_bytes());
    if (!is_terminal(StandardStream::input))
      throw Error(Errc::usage, "the bench would download " + amount + ", and there is nobody to ask",
                  "--yes allows it; --max-bytes, --runs and fewer --connections make it less");
    const std::string answer = ask_on_terminal("Download " + amount + "? [y/N] ", false, stopped_);
    if (answer != "y" && answer != "Y" && answer != "yes")
      throw Error(Errc::usage, "nothing was downloaded", "--max-bytes, --runs and fewer --connections make it less");
  }

  const Command& command_;
  Progress& progress_;
  asio::thread_pool& pool_;
  Bench bench_;
  std::atomic<bool> stopped_{false};
};

std::string text_of(const Command& command, const BenchResult& result, const BenchSummary& summary) {
  if (command.json) return json_line(bench_json(result, summary));
  if (command.csv) return bench_csv(result);
  return command.markdown ? bench_markdown(result, summary) : bench_table(result, summary);
}

/// Where that fails, what was measured is still told.
ExitCode write_page(const std::string& path, const BenchResult& result, const BenchSummary& summary) {
  try {
    AtomicFile file(check_output(resolved_output(path)));
    file.file().write(as_bytes(report_page(bench_json(result, summary))));
    file.commit();
    return ExitCode::done;
  } catch (const Error& failure) {
    return report(failure);
  }
}

}  // namespace

Outcome run_bench_command(const Command& command, const Environment& environment) {
  if (!command.html.empty()) check_output(resolved_output(command.html));  // before the work, not after it
  Runtime runtime(command, environment);
  Progress& progress = runtime.progress();
  const auto registries = read_registries(command, environment, progress);
  const ResolvedName name = image_names(registries, progress)(command.words.front());
  if (name.candidates.size() > 1)
    throw Error(Errc::usage, "the short name " + command.words.front() + " stands for several images",
                "name the registry: " + name.candidates.front().name_with_tag());
  PullRequest request = command;
  request.references = {name.candidates.front()};
  request.access = registry_access(command, name.candidates, environment, registries, progress);
  if (command.to_tar) request.output.emplace("tar");  // where, the bench knows
  BenchTask task(runtime, command, std::move(request));
  const int signal = runtime.run(task.run(), [&] { task.stop(); });
  BenchResult result = task.bench().result();
  for (std::string& warning : result.warnings) warning = printable(progress.masked(warning), 2000);
  result.ended = printable(progress.masked(result.ended), 2000);
  const BenchSummary summary = summarize(result);
  Outcome outcome;
  if (!result.digest.empty()) outcome.text = text_of(command, result, summary);
  if (!result.digest.empty() && !command.html.empty()) outcome.exit = write_page(command.html, result, summary);
  if (command.save && signal == 0) {
    const std::string saved = task.bench().save(summary, environment.state.string());
    std::fputs(("hawser: " + printable(progress.masked(saved), 2000) + "\n").c_str(), stderr);
  }
  if (signal != 0)
    outcome.exit = exit_code_of_signal(signal);
  else if (const auto& failure = task.bench().failure())
    outcome.exit = exit_code(*failure);
  return outcome;
}

}  // namespace hawser
