#include "cli/commands.hpp"
#include "cli/progress.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <boost/json.hpp>

namespace hawser {
namespace {

namespace json = boost::json;

/// A line for each blob that was not what its tar says.
std::string wrong_blobs(const std::string& prefix, const ImportReport& report) {
  std::string text;
  for (const Digest& digest : report.wrong)
    text += prefix + "not what it claims to be, not taken: " + digest.to_string() + "\n";
  return text;
}

json::object to_json(const std::string& file, const ImportReport& report) {
  json::array names, wrong, lost_links, left_out;
  for (const auto& [digest, layer] : report.left_out) left_out.emplace_back(digest.to_string());
  for (const std::string& name : report.names) names.emplace_back(name);
  for (const Digest& digest : report.wrong) wrong.emplace_back(digest.to_string());
  for (const std::string& link : report.lost_links) lost_links.emplace_back(link);
  return {{"file", file},
          {"images", std::move(names)},
          {"layers", report.layers},
          {"uncompressed_layers", report.uncompressed},
          {"bytes", report.bytes},
          {"documents", report.documents},
          {"known", report.known},
          {"busy", report.busy},
          {"missing", report.missing},
          {"left_out", std::move(left_out)},
          {"lost_links", std::move(lost_links)},
          {"wrong", std::move(wrong)}};
}

}  // namespace

std::string import_summary(const std::string& file, const ImportReport& report) {
  std::string text = printable(file, 4096) + ": " + counted(report.layers, "layer") + " taken, " +
                     format_bytes(report.bytes) + "; " + counted(report.known, "blob") + " there already\n";
  for (const std::string& name : report.names) text += "  " + printable(name) + "\n";
  if (report.uncompressed > 0)
    text +=
        "  " + counted(report.uncompressed, "layer") + " of these uncompressed: a pull with --uncompressed uses them\n";
  if (report.lacking > 0)
    text +=
        "  the tar is not whole: it lacks " + counted(report.lacking, "blob") + " of the images in its manifest.json\n";
  else if (report.missing > 0)
    text += "  " + counted(report.missing, "blob") + " that it names are not in it\n";
  if (!report.left_out.empty())
    text += "  it is a delta, and lacks " + counted(report.left_out.size(), "layer") + " that the cache lacks, too:\n" +
            describe_layers(report.left_out, "    ");
  for (const std::string& link : report.lost_links) text += "  " + link + "\n";
  if (report.busy > 0)
    text += "  " + counted(report.busy, "blob") + " left out (being fetched, or damaged in the cache): run it again\n";
  return text + wrong_blobs("  ", report);
}

Outcome run_import_command(const Command& command) {
  BlobStore store(command.cache_directory);
  Progress progress(command);
  std::vector<ExitCode> codes;
  json::array files;
  Outcome outcome;
  for (const std::string& file : command.words) {
    const std::string name = printable(file, 4096);
    try {
      const ImportReport found = import_tar(store, file, [&](std::string_view line) { progress.message(line); });
      if (!found.is_sound()) codes.push_back(ExitCode::integrity);
      files.push_back(to_json(file, found));
      outcome.text += command.quiet ? wrong_blobs(name + ": ", found) : import_summary(file, found);
    } catch (const Error& error) {
      codes.push_back(report(error.in(name)));
    }
  }
  if (command.json) outcome.text = json_line(json::object{{"files", std::move(files)}});
  outcome.exit = most_severe(codes);
  return outcome;
}

}  // namespace hawser
