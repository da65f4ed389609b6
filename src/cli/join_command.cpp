#include "archive/output_file.hpp"
#include "archive/parts.hpp"
#include "cli/commands.hpp"
#include "cli/runtime.hpp"
#include "util/async.hpp"
#include "util/text.hpp"

#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/json.hpp>

namespace hawser {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr const char* missing_hint = "        bring these again from where they were written; nothing was joined\n";

/// Where the archive goes: by default under the list's name, without its ending, into the working directory.
fs::path archive_path(const Command& command, const GivenParts& given) {
  const fs::path name = given.list_file.stem();
  if (!command.output) return name;
  std::error_code ignored;
  const bool is_directory = !fs::path(*command.output).has_filename() || fs::is_directory(*command.output, ignored);
  return is_directory ? fs::path(*command.output) / name : resolved_output(*command.output);
}

/// "app.tar.002, app.tar.004".
std::string missing_parts(const GivenParts& given, const PartsReport& report) {
  std::string names;
  for (std::size_t part = 0; part < report.there.size(); ++part)
    if (!report.there[part]) names += (names.empty() ? "" : ", ") + given.list.name_of(part);
  return names;
}

std::string to_json(const GivenParts& given, const PartsReport& report, const std::optional<fs::path>& output) {
  json::array missing, refused;
  for (std::size_t part = 0; part < report.there.size(); ++part)
    if (!report.there[part]) missing.emplace_back(given.list.name_of(part));
  for (const auto& [file, why] : report.refused)
    refused.push_back(json::object{{"file", file.string()}, {"error", why}});
  return json_line(json::object{{"list", given.list_file.string()},
                                {"parts", given.list.digests.size()},
                                {"bytes", given.list.size},
                                {"missing", std::move(missing)},
                                {"refused", std::move(refused)},
                                {"output", output ? json::value(output->string()) : json::value(nullptr)}});
}

/// Reads the parts beside the event loop, so that a signal ends it and leaves nothing behind. Whoever is told is told
/// on the loop's thread.
asio::awaitable<void> read_parts(Runtime& runtime, const Command& command, const GivenParts& given,
                                 const fs::path& output, PartsReport& report) {
  const PartTold told = [&](const std::string& line, bool sound) {
    asio::post(runtime.executor(), [&progress = runtime.progress(), line, sound] {
      sound ? progress.message(line) : progress.tell(Importance::error, line);
    });
  };
  auto read = [&] { report = command.check ? check_parts(given, told) : join_parts(given, output, told); };
  co_await run_on(runtime.pool(), read);
}

}  // namespace

Outcome run_join_command(const Command& command, const Environment& environment) {
  const GivenParts given = find_parts({command.words.begin(), command.words.end()});
  const fs::path output = archive_path(command, given);
  PartsReport report;
  Runtime runtime(command, environment);
  if (const int signal = runtime.run(read_parts(runtime, command, given, output, report), [] {}))
    return {"", exit_code_of_signal(signal)};
  const bool whole = report.is_whole(), written = whole && !command.check;
  const std::string parts = counted(given.list.digests.size(), "part");
  // A check is of the parts that are given; by the list alone of all of them.
  const bool sound = command.check ? report.refused.empty() && (whole || !given.by_list) : whole;
  Outcome outcome;
  outcome.exit = sound ? ExitCode::done : ExitCode::integrity;
  if (!whole) {
    const std::string missing = printable(missing_parts(given, report), 2000);
    if (sound && !command.quiet) std::fputs((missing + ": not given, of " + parts + "\n").c_str(), stderr);
    if (!sound) std::fputs(("hawser: " + missing + ": missing, of " + parts + "\n" + missing_hint).c_str(), stderr);
  }
  if (command.json)
    outcome.text = to_json(given, report, written ? std::optional(output) : std::nullopt);
  else if (written && !command.quiet)
    outcome.text =
        "joined " + parts + ", " + format_bytes(given.list.size) + ": " + printable(output.string(), 4096) + "\n";
  else if (whole && sound && !command.quiet)
    outcome.text = parts + ", all sound\n";
  return outcome;
}

}  // namespace hawser
