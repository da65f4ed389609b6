#include "cli/named_files.hpp"

#include "archive/output_file.hpp"
#include "pull/output.hpp"
#include "util/platform/file.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace hawser {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view list = "--from-file", failed_file = "--failed-file", output = "the output";

/// A path, and the option that names it.
struct NamedFile {
  std::string_view option;
  fs::path path;

  std::string text() const { return std::string(option) + " " + printable(path.string(), 300); }
};

std::vector<NamedFile> files_read(const Command& command) {
  std::vector<NamedFile> files;
  for (const std::string& each : command.lists)
    if (each != "-") files.push_back({list, each});
  if (!command.locked.empty()) files.push_back({"--locked", command.locked});
  for (const std::string& each : command.haves) files.push_back({"--without", each});
  return files;
}

/// What is written beside the outputs. An option that names another such file joins here.
std::vector<NamedFile> files_beside(const Command& command) {
  std::vector<NamedFile> files;
  const auto add = [&](std::string_view option, const std::string& path) {
    if (!path.empty()) files.push_back({option, path});
  };
  add("--lock", command.lock);
  add(failed_file, command.failed_file);
  add("--timeline", command.timeline);
  add("--trace-http", command.trace_http);
  return files;
}

/// The files, by what they really are.
class NamedFiles {
 public:
  explicit NamedFiles(const Command& command) : cache_(real_path(command.cache_directory)) {
    for (const NamedFile& file : files_read(command)) files_.emplace(real_path(file.path), file);
  }

  void write(const NamedFile& file, const fs::path& real) {
    if (is_within(real, cache_))
      throw Error(Errc::usage, file.text() + " is the cache itself, or lies in it",
                  "name another place, or another cache with --cache-dir");
    const auto& [place, added] = files_.emplace(real, file);
    NamedFile& other = place->second;
    const bool may_be_one = other.option == file.option || (file.option == failed_file && other.option == list);
    if (!added && !may_be_one)
      throw Error(Errc::usage, file.text() + " is the same file as " + other.text(), "give each a name of its own");
    other = file;
  }

 private:
  const fs::path cache_;
  std::map<fs::path, NamedFile> files_;
};

}  // namespace

void check_named_files(const Command& command, const std::vector<RequestedImage>& images) {
  NamedFiles files(command);
  for (const NamedFile& file : files_beside(command)) files.write(file, real_path(resolved_output(file.path)));
  PullRequest request = command;
  request.references = images;
  if (!command.haves.empty()) request.without.resize(1);  // outputs are called otherwise then
  for (const Output& each : plan_outputs(request)) {
    if (each.path.empty() || each.path == "-") continue;
    const fs::path path = each.path;
    // A link in a directory is replaced itself.
    files.write({output, path},
                each.directory ? real_path(directory_of(path)) / path.filename() : real_path(resolved_output(path)));
  }
}

}  // namespace hawser
