#include "archive/archive_layout.hpp"

#include "archive/tar_header.hpp"
#include "image/image_layout.hpp"

#include <hawser/util/error.hpp>

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

void check(ArchiveFormat format, const std::vector<ArchiveImage>& images) {
  if (images.empty()) throw Error(Errc::usage, "no image to put into the archive");
  for (const ArchiveImage& image : images) {
    if (format == ArchiveFormat::docker_archive && !image.indexes.empty())
      throw Error(Errc::usage, "the docker-archive format holds one platform of an image",
                  "use --format oci-archive or oci-dir with --all-platforms");
    if (image.manifests.empty() || (image.manifests.size() > 1 && image.indexes.empty()))
      throw Error(Errc::usage, "an image of an archive has one manifest, or an index over several");
  }
}

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

}  // namespace

std::string ArchiveEntry::header() const {
  if (std::holds_alternative<Directory>(content)) return tar_directory_header(path);
  if (std::holds_alternative<Digest>(content) && size >= aligned_from)
    return tar_file_header(path, size, header_offset, filesystem_block);
  return tar_file_header(path, size);
}

void ArchiveEntry::check_source(const File& source) const {
  if (const std::uint64_t found = source.size(); found != size)
    throw Error(Errc::size_mismatch, source.path().native() + " has " + std::to_string(found) + " bytes where " +
                                         std::get<Digest>(content).to_string() + " has " + std::to_string(size));
}

ArchiveLayout::ArchiveLayout(ArchiveFormat format, const std::vector<ArchiveImage>& given) {
  check(format, given);
  const std::vector<ArchiveImage> images = merge_images(given);
  add("oci-layout", std::string(oci_layout_document()));
  add("index.json", layout_index(layout_descriptors(images)));
  if (format == ArchiveFormat::docker_archive) add("manifest.json", docker_manifest(images));
  const std::vector<Blob> blobs = blobs_of(images);
  std::set<std::string> directories{"blobs/"};
  for (const Blob& blob : blobs) directories.insert("blobs/" + std::string(blob.digest.algorithm_name()) + "/");
  for (const std::string& directory : directories) add(directory, ArchiveEntry::Directory{});
  for (const Blob& blob : blobs) add_blob(blob);
  total_size_ += tar_trailer_size;
}

/// Documents first, then the layers.
std::vector<ArchiveLayout::Blob> ArchiveLayout::blobs_of(const std::vector<ArchiveImage>& images) {
  std::vector<Blob> documents, layers;
  for (const ArchiveImage& image : images) {
    for (const ArchiveIndex& index : image.indexes)
      documents.push_back({index.descriptor.digest, index.descriptor.size, &index.bytes});
    for (const ArchiveManifest& entry : image.manifests) {
      const Descriptor& config = entry.manifest.config;
      documents.push_back({entry.descriptor.digest, entry.descriptor.size, &entry.bytes});
      documents.push_back({config.digest, config.size, entry.config_bytes.empty() ? nullptr : &entry.config_bytes});
      for (const Descriptor& layer : entry.manifest.layers) layers.push_back({layer.digest, layer.size, nullptr});
    }
  }
  documents.insert(documents.end(), layers.begin(), layers.end());
  return documents;
}

void ArchiveLayout::add_blob(const Blob& blob) {
  const auto [known, fresh] = blobs_.emplace(blob.digest, entries_.size());
  const std::uint64_t size = !fresh ? entries_[known->second].size : blob.bytes ? blob.bytes->size() : blob.size;
  if (size != blob.size)
    throw Error(Errc::malformed, "the size of " + blob.digest.to_string() + " is " + std::to_string(size) +
                                     " bytes in one place and " + std::to_string(blob.size) + " in another");
  if (!fresh) return;
  if (blob.bytes)
    add(blob_path(blob.digest), *blob.bytes);
  else
    add(blob_path(blob.digest), blob.digest, size);
}

void ArchiveLayout::add(std::string path, decltype(ArchiveEntry::content) content, std::uint64_t size) {
  if (const auto* text = std::get_if<std::string>(&content)) size = text->size();
  if (size > max_blob_size) throw Error(Errc::too_large, "an archive entry of " + std::to_string(size) + " bytes");
  ArchiveEntry entry;
  entry.path = std::move(path);
  entry.content = std::move(content);
  entry.size = size;
  entry.header_offset = total_size_;
  entry.data_offset = total_size_ + entry.header().size();
  total_size_ = entry.data_offset + tar_padded(size);
  entries_.push_back(std::move(entry));
}

const ArchiveEntry* ArchiveLayout::find(const Digest& digest) const {
  const auto found = blobs_.find(digest);
  if (found == blobs_.end() || !std::holds_alternative<Digest>(entries_[found->second].content)) return nullptr;
  return &entries_[found->second];
}

std::vector<Digest> ArchiveLayout::missing(const std::set<Digest>& filled) const {
  std::vector<Digest> result;
  for (const ArchiveEntry& entry : entries_)
    if (const Digest* blob = std::get_if<Digest>(&entry.content); blob && !filled.contains(*blob))
      result.push_back(*blob);
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
  std::map<std::string, std::string> tags;  // tag → the full name that has it
  for (const ArchiveImage& image : images) {
    const Descriptor& root = image.root();
    // Annotations, platform and urls that the registry gave the descriptor describe its place there, not here.
    const Descriptor plain{root.media_type, root.digest, root.size};
    bool named = false;
    for (const Reference& reference : image.references) {
      Descriptor entry = plain;
      // Tools that choose an image by its ref.name need it to be the only one.
      if (reference.tag &&
          tags.emplace(*reference.tag, reference.name_with_tag()).first->second == reference.name_with_tag())
        entry.annotations[annotation::ref_name] = *reference.tag;
      else if (reference.tag)
        entry.annotations[annotation::ref_name] = reference.name_with_tag();
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
