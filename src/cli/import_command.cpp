#include "cli/import_command.hpp"

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
  json::array names, wrong;
  for (const std::string& name : report.names) names.emplace_back(name);
  for (const Digest& digest : report.wrong) wrong.emplace_back(digest.to_string());
  return {{"file", file},
          {"images", std::move(names)},
          {"layers", report.layers},
          {"uncompressed_layers", report.uncompressed},
          {"bytes", report.bytes},
          {"documents", report.documents},
          {"known", report.known},
          {"busy", report.busy},
          {"missing", report.missing},
          {"wrong", std::move(wrong)}};
}

}  // namespace

std::string import_summary(const std::string& file, const ImportReport& report) {
  std::string text = printable(file, 4096) + ": " + counted(report.layers, "layer") + " taken, " +
                     format_bytes(report.bytes) + "; " + counted(report.known, "blob") + " there already\n";
  for (const std::string& name : report.names) text += "  " + printable(name) + "\n";
  if (report.uncompressed > 0)
    text += "  " + counted(report.uncompressed, "layer") + " of these uncompressed, kept under the diff ID: a pull " +
            "uses them only\n  where a registry serves the layer uncompressed, which few do\n";
  if (report.lacking > 0)
    text +=
        "  the tar is not whole: it lacks " + counted(report.lacking, "blob") + " of the images in its manifest.json\n";
  else if (report.missing > 0)
    text += "  " + counted(report.missing, "blob") + " that it names are not in it\n";
  if (report.busy > 0)
    text += "  " + counted(report.busy, "blob") + " left out (being fetched, or damaged in the cache): run it again\n";
  return text + wrong_blobs("  ", report);
}

ImportOutcome run_import_command(const ImportCommand& command, const std::function<void(std::string_view)>& progress,
                                 const std::function<void(const Error&)>& complain) {
  BlobStore store(command.cache_directory);
  std::vector<ExitCode> codes;
  json::array files;
  ImportOutcome outcome;
  for (const std::string& file : command.files) {
    try {
      const ImportReport report = import_tar(store, file, progress);
      if (!report.is_sound()) codes.push_back(ExitCode::integrity);
      files.push_back(to_json(file, report));
      outcome.text +=
          command.style.quiet ? wrong_blobs(printable(file, 4096) + ": ", report) : import_summary(file, report);
    } catch (const Error& error) {
      codes.push_back(exit_code(error.code()));
      complain(error.in(printable(file, 4096)));
    }
  }
  if (command.style.json)
    outcome.text = printable_json(json::serialize(json::object{{"files", std::move(files)}})) + "\n";
  outcome.exit = most_severe(codes);
  return outcome;
}

}  // namespace hawser
