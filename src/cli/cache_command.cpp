#include "cli/commands.hpp"
#include "cli/progress.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <chrono>
#include <map>
#include <utility>
#include <vector>

#include <boost/json.hpp>

namespace hawser {
namespace {

namespace json = boost::json;

/// Bytes of the image's layers and configs as its manifest says; 0 where that is not there.
std::uint64_t image_bytes(const BlobStore& store, const Digest& digest) {
  std::uint64_t sum = 0;
  const auto blobs = store.blobs_of_image(digest);
  for (const auto& [blob, size] : blobs)
    if (blob != digest) sum += size;
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

/// An image in the cache, and what it takes there.
struct ImageUse {
  BlobStore::Image image;
  std::uint64_t bytes = 0;  ///< of its blobs that are there
  std::uint64_t alone = 0;  ///< of these, what no other image has
  std::size_t missing = 0;  ///< blobs that are not there
  std::chrono::system_clock::time_point last_use = {};
};

struct CacheUse {
  std::vector<ImageUse> images;
  std::size_t blobs = 0;
  std::uint64_t bytes = 0;         ///< of all blobs, those that have begun, too
  std::uint64_t unreferenced = 0;  ///< of complete ones that no image has
  std::uint64_t begun = 0;         ///< of those that are not complete
};

CacheUse use_of(const BlobStore& store) {
  CacheUse use;
  std::map<Digest, BlobStore::Entry> there;
  for (const BlobStore::Entry& entry : store.list()) {
    ++use.blobs;
    use.bytes += entry.size;
    if (entry.complete)
      there.emplace(entry.digest, entry);
    else
      use.begun += entry.size;
  }
  std::map<Digest, std::size_t> images_with;
  std::vector<std::map<Digest, std::uint64_t>> blobs_of;
  const std::vector<BlobStore::Image> images = store.images();
  for (const BlobStore::Image& image : images) {
    blobs_of.push_back(store.blobs_of_image(image.digest));
    for (const auto& [digest, size] : blobs_of.back()) ++images_with[digest];
  }
  for (std::size_t i = 0; i < images.size(); ++i) {
    ImageUse& image = use.images.emplace_back(ImageUse{images[i]});
    for (const auto& [digest, size] : blobs_of[i]) {
      const auto found = there.find(digest);
      if (found == there.end()) {
        ++image.missing;
        continue;
      }
      image.bytes += found->second.size;
      if (images_with[digest] == 1) image.alone += found->second.size;
      if (digest == images[i].digest) image.last_use = found->second.last_use;
    }
  }
  for (const auto& [digest, entry] : there)
    if (!images_with.contains(digest)) use.unreferenced += entry.size;
  return use;
}

Outcome disk_use(const Command& command) {
  const CacheUse use = use_of(BlobStore(command.cache_directory, false));
  if (command.json) {
    json::array images;
    for (const ImageUse& each : use.images) {
      const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(each.last_use.time_since_epoch()).count();
      images.push_back(json::object{{"name", each.image.name},
                                    {"digest", each.image.digest.to_string()},
                                    {"size", each.bytes},
                                    {"alone", each.alone},
                                    {"missing_blobs", each.missing},
                                    {"last_use", seconds}});
    }
    return {json_line(json::object{{"images", std::move(images)},
                                   {"blobs", use.blobs},
                                   {"bytes", use.bytes},
                                   {"unreferenced_bytes", use.unreferenced},
                                   {"begun_bytes", use.begun}})};
  }
  std::vector<std::vector<std::string>> rows{{"IMAGE", ">SIZE", ">ALONE", "LAST USED", ""}};
  for (const ImageUse& each : use.images)
    rows.push_back({each.image.name, format_bytes(each.bytes), format_bytes(each.alone),
                    format_local_time(each.last_use),
                    each.missing > 0 ? "lacks " + counted(each.missing, "blob") : ""});
  std::string out = use.images.empty() ? "" : table(std::move(rows)) + "\n";
  out += counted(use.images.size(), "image") + ", " + counted(use.blobs, "blob") + ", " + format_bytes(use.bytes);
  out += "; in no image: " + format_bytes(use.unreferenced) + ", begun: " + format_bytes(use.begun) + "\n";
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
  const PruneReport report = store.prune(command.prune);
  const bool too_large = command.prune.max_bytes && report.left > *command.prune.max_bytes;
  if (command.json) return {json_line(json::object{{"freed_bytes", report.freed}, {"left_bytes", report.left}})};
  std::string out =
      command.quiet ? "" : "freed " + format_bytes(report.freed) + ", " + format_bytes(report.left) + " left\n";
  if (too_large && !command.quiet)
    out += std::string("that is more than --max-size: the rest is in use") +
           (command.prune.keep_referenced ? ", or referenced by images\n" : "\n");
  return {out};
}

}  // namespace

Outcome run_cache_command(const Command& command) {
  // A cache that is not there is a mistyped name rather than an empty cache to be made.
  BlobStore(command.cache_directory, false);
  const std::string& action = command.words.front();
  if (action == "verify") return verify(command);
  if (action == "du") return disk_use(command);
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
