#include "cli/commands.hpp"
#include "cli/progress.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <map>

#include <boost/json.hpp>

namespace hawser {
namespace {

namespace json = boost::json;

/// Bytes of the image's layers and configs as its manifest says; of an index, of the manifests that the cache has.
std::uint64_t image_bytes(const BlobStore& store, const Digest& digest, int depth = 0) {
  constexpr int deepest = 4;
  const std::optional<std::string> bytes = depth < deepest ? store.get(digest) : std::nullopt;
  if (!bytes) return 0;
  std::map<Digest, std::uint64_t> sizes;
  std::uint64_t sum = 0;
  try {
    const auto document = parse_manifest(*bytes, "");
    if (const auto* manifest = std::get_if<Manifest>(&document)) {
      sizes[manifest->config.digest] = manifest->config.size;
      for (const Descriptor& layer : manifest->layers) sizes[layer.digest] = layer.size;
    } else {
      for (const Descriptor& entry : std::get<Index>(document).manifests)
        sizes[entry.digest] = image_bytes(store, entry.digest, depth + 1);
    }
  } catch (const Error&) {
    return 0;  // of another tool
  }
  for (const auto& [blob, size] : sizes) sum += size;
  return sum;
}

Outcome list(const Command& command) {
  const BlobStore store(command.cache_directory, false);
  std::vector<std::pair<BlobStore::Image, std::uint64_t>> images;  // and what they weigh
  for (BlobStore::Image& image : store.images()) {
    const std::uint64_t size = image_bytes(store, image.digest);
    images.emplace_back(std::move(image), size);
  }
  const std::vector<BlobStore::Entry> entries = store.list();
  std::uint64_t bytes = 0;
  for (const auto& entry : entries) bytes += entry.size;
  if (command.json) {
    json::array named, blobs;
    for (const auto& [image, size] : images)
      named.push_back(json::object{{"name", image.name}, {"digest", image.digest.to_string()}, {"size", size}});
    for (const auto& entry : entries)
      blobs.push_back(
          json::object{{"digest", entry.digest.to_string()}, {"size", entry.size}, {"complete", entry.complete}});
    return {json_line(json::object{{"images", std::move(named)}, {"blobs", std::move(blobs)}, {"bytes", bytes}})};
  }
  std::vector<std::vector<std::string>> named{{"IMAGE", "DIGEST", ">SIZE"}}, blobs{{"BLOB", ">SIZE", "STATE"}};
  for (const auto& [image, size] : images)
    named.push_back({image.name, image.digest.to_string(), size > 0 ? format_bytes(size) : "-"});
  for (const auto& entry : entries)
    blobs.push_back({entry.digest.to_string(), format_bytes(entry.size), entry.complete ? "complete" : "resumable"});
  std::string out;
  if (!images.empty()) out += table(std::move(named)) + "\n";
  if (!entries.empty()) out += table(std::move(blobs)) + "\n";
  out += counted(images.size(), "image") + ", " + counted(entries.size(), "blob") + ", " + format_bytes(bytes) + "\n";
  return {out};
}

Outcome verify(const Command& command) {
  BlobStore store(command.cache_directory);
  Progress progress(command);
  const auto report = store.verify([&](const Digest& digest, std::uint64_t size) {
    progress.message("verifying " + digest.short_string() + ", " + format_bytes(size));
  });
  return {verify_report(report, command), report.corrupt.empty() ? ExitCode::done : ExitCode::integrity};
}

Outcome prune(const Command& command) {
  BlobStore store(command.cache_directory);
  const std::uint64_t freed = store.prune(command.older_than);
  if (command.json) return {json_line(json::object{{"freed_bytes", freed}})};
  return {command.quiet ? "" : "freed " + format_bytes(freed) + "\n"};
}

}  // namespace

Outcome run_cache_command(const Command& command) {
  // A cache that is not there is a mistyped name rather than an empty cache to be made.
  BlobStore(command.cache_directory, false);
  const std::string& action = command.words.front();
  if (action == "verify") return verify(command);
  return action == "prune" ? prune(command) : list(command);
}

std::string verify_report(const BlobStore::VerifyReport& report, const Command& command) {
  json::array corrupt;
  std::string out;
  for (const Digest& digest : report.corrupt) {
    corrupt.emplace_back(digest.to_string());
    out += (report.quarantines ? "corrupt, quarantined: " : "corrupt: ") + digest.to_string() + "\n";
  }
  if (command.json)
    return json_line(json::object{{"blobs", report.blobs}, {"bytes", report.bytes}, {"corrupt", std::move(corrupt)}});
  if (command.quiet) return out;
  return out + counted(report.blobs, "blob") + ", " + format_bytes(report.bytes) + " verified, " +
         std::to_string(report.corrupt.size()) + " corrupt\n";
}

}  // namespace hawser
