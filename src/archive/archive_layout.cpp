#include "archive/archive_layout.hpp"

#include "archive/tar_header.hpp"
#include "image/image_layout.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <boost/json.hpp>

namespace hawser {
namespace json = boost::json;
namespace {

/// A blob of some size begins at a block of the filesystem, and can then share its blocks with the cache's file where
/// the filesystem has reflinks (XFS, Btrfs). It costs 4.5 KiB at most.
constexpr std::uint64_t filesystem_block = 4096;
constexpr std::uint64_t aligned_from = 64 * 1024;

/// The text of docker's manifest.json: Config, RepoTags in docker's familiar form (null without a tag), Layers.
std::string docker_manifest(const std::vector<ArchiveImage>& images) {
  json::array document;
  for (const ArchiveImage& image : images) {
    const Manifest& manifest = image.manifests.front().manifest;
    json::object entry;
    entry["Config"] = blob_path(manifest.config.digest);
    entry["RepoTags"] = repo_tags(image.references);
    json::array& layers = entry["Layers"].emplace_array();
    for (const Descriptor& layer : manifest.layers) layers.push_back(json::value(blob_path(layer.digest)));
    document.push_back(std::move(entry));
  }
  return json::serialize(document);
}

/// What goes in under a digest.
struct Blob {
  Digest digest;
  decltype(ArchiveEntry::content) content;
  std::uint64_t size = 0;  ///< where the content is the digest itself
};

/// Documents first, then the layers.
std::vector<Blob> blobs_of(const std::vector<ArchiveImage>& images) {
  std::vector<Blob> documents, layers;
  for (const ArchiveImage& image : images) {
    for (const ArchiveIndex& index : image.indexes) documents.push_back({index.descriptor.digest, index.bytes});
    for (const ArchiveManifest& entry : image.manifests) {
      const Descriptor& config = entry.manifest.config;
      documents.push_back({entry.descriptor.digest, entry.bytes});
      documents.push_back({config.digest, config.digest, config.size});
      for (const Descriptor& layer : entry.manifest.layers) layers.push_back({layer.digest, layer.digest, layer.size});
    }
  }
  documents.insert(documents.end(), layers.begin(), layers.end());
  return documents;
}

}  // namespace

std::string ArchiveEntry::header() const {
  if (std::holds_alternative<Directory>(content)) return tar_directory_header(path);
  if (std::holds_alternative<Digest>(content) && size >= aligned_from)
    return tar_file_header(path, size, header_offset, filesystem_block);
  return tar_file_header(path, size);
}

ArchiveLayout::ArchiveLayout(OutputFormat format, const std::vector<ArchiveImage>& images,
                             const std::optional<Delta>& delta) {
  const bool for_docker = format == OutputFormat::docker_archive;
  if (for_docker && std::ranges::any_of(images, [](const ArchiveImage& image) { return !image.indexes.empty(); }))
    throw Error(Errc::usage, "the docker-archive format holds one platform of an image",
                "use --format oci-archive or oci-dir with --all-platforms");
  add("oci-layout", std::string(oci_layout_document()));
  LayoutIndex index;
  index.put(layout_descriptors(images));
  if (delta) index.annotate(delta_annotation, delta_file);
  add("index.json", index.text().value());
  if (for_docker) add("manifest.json", docker_manifest(images));
  if (delta) add(std::string(delta_file), delta->text());
  std::vector<Blob> blobs = blobs_of(images);
  if (delta) std::erase_if(blobs, [&](const Blob& blob) { return delta->left_out.contains(blob.digest); });
  if (delta)
    for (const auto& [digest, layer] : delta->left_out)
      if (layer.patch) blobs.push_back({layer.patch->digest, layer.patch->digest, layer.patch->size});
  std::set<std::string> directories{"blobs/"};
  for (const Blob& blob : blobs) directories.insert("blobs/" + std::string(blob.digest.algorithm_name()) + "/");
  for (const std::string& directory : directories) add(directory, ArchiveEntry::Directory{});
  for (const Blob& blob : blobs)
    if (places_.emplace(blob.digest, entries_.size()).second) add(blob_path(blob.digest), blob.content, blob.size);
  total_size_ += tar_trailer_size;
}

void ArchiveLayout::add(std::string path, decltype(ArchiveEntry::content) content, std::uint64_t size) {
  if (const auto* text = std::get_if<std::string>(&content)) size = text->size();
  ArchiveEntry entry;
  entry.path = std::move(path);
  entry.content = std::move(content);
  entry.size = size;
  entry.header_offset = total_size_;
  entry.data_offset = total_size_ + entry.header().size();
  total_size_ = entry.data_offset + tar_padded(size);
  entries_.push_back(std::move(entry));
}

const ArchiveEntry& ArchiveLayout::at(const Digest& digest) const {
  const auto found = places_.find(digest);
  if (found == places_.end() || !std::holds_alternative<Digest>(entries_[found->second].content))
    throw Error(Errc::malformed, "no entry of the archive is for " + digest.to_string());
  return entries_[found->second];
}

std::vector<Digest> ArchiveLayout::blobs() const {
  std::vector<Digest> result;
  for (const ArchiveEntry& entry : entries_)
    if (const Digest* blob = std::get_if<Digest>(&entry.content)) result.push_back(*blob);
  return result;
}

std::vector<ArchiveImage> merge_images(const std::vector<ArchiveImage>& images) {
  std::vector<ArchiveImage> result;
  std::map<Digest, std::size_t> places;
  for (const ArchiveImage& image : images) {
    const auto [place, fresh] = places.emplace(image.root().digest, result.size());
    if (fresh) {
      result.push_back(image);
    } else {
      std::vector<Reference>& references = result[place->second].references;
      references.insert(references.end(), image.references.begin(), image.references.end());
    }
  }
  return result;
}

std::vector<Descriptor> layout_descriptors(const std::vector<ArchiveImage>& images) {
  std::vector<Descriptor> result;
  std::set<std::pair<Digest, std::map<std::string, std::string>>> seen;
  const auto add = [&](Descriptor descriptor) {
    if (seen.emplace(descriptor.digest, descriptor.annotations).second) result.push_back(std::move(descriptor));
  };
  for (const ArchiveImage& image : images) {
    const Descriptor& root = image.root();
    // Annotations, platform and urls that the registry gave the descriptor describe its place there, not here.
    const Descriptor plain{root.media_type, root.digest, root.size};
    bool named = false;
    for (const Reference& reference : image.references) {
      Descriptor entry = plain;
      if (reference.tag) entry.annotations[annotation::ref_name] = *reference.tag;
      if (reference.tag || reference.digest == root.digest)
        entry.annotations[annotation::image_name] = reference.name_with_tag();
      if (entry.annotations.empty()) continue;
      named = true;
      add(std::move(entry));
    }
    if (!named) add(plain);
  }
  return result;
}

std::vector<std::string> familiar_tags(const std::vector<Reference>& references) {
  std::vector<std::string> tags;
  std::set<std::string> seen;
  for (const Reference& reference : references)
    if (reference.tag && seen.insert(reference.familiar()).second) tags.push_back(reference.familiar());
  return tags;
}

json::value repo_tags(const std::vector<Reference>& references) {
  const std::vector<std::string> tags = familiar_tags(references);
  if (tags.empty()) return nullptr;
  return json::array(tags.begin(), tags.end());
}

}  // namespace hawser
