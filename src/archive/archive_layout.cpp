#include "archive/archive_layout.hpp"

#include "archive/tar_header.hpp"
#include "image/image_layout.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <map>
#include <set>

#include <boost/json.hpp>

namespace hawser {
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

/// Every directory that a blob lies in, once, in order.
std::set<std::string> blob_directories(const std::vector<ArchiveImage>& images) {
  std::set<std::string> result;
  const auto add = [&](const Digest& digest) { result.insert("blobs/" + std::string(digest.algorithm_name()) + "/"); };
  for (const ArchiveImage& image : images) {
    for (const ArchiveIndex& index : image.indexes) add(index.descriptor.digest);
    for (const ArchiveManifest& manifest : image.manifests) {
      add(manifest.descriptor.digest);
      add(manifest.manifest.config.digest);
      for (const Descriptor& layer : manifest.manifest.layers) add(layer.digest);
    }
  }
  return result;
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
  const auto add_text = [this](std::string path, std::string text) {
    const std::uint64_t size = text.size();
    add(std::move(path), std::move(text), size);
  };
  add_text("oci-layout", std::string(oci_layout_document()));
  add_text("index.json", layout_index(layout_descriptors(images)));
  if (format == ArchiveFormat::docker_archive) add_text("manifest.json", docker_manifest(images));
  add("blobs/", ArchiveEntry::Directory{}, 0);
  for (const std::string& directory : blob_directories(images)) add(directory, ArchiveEntry::Directory{}, 0);
  add_documents(images);
  add_layers(images);
  total_size_ += tar_trailer_size;
}

void ArchiveLayout::add_documents(const std::vector<ArchiveImage>& images) {
  for (const ArchiveImage& image : images) {
    for (const ArchiveIndex& index : image.indexes)
      add_blob(index.descriptor.digest, index.descriptor.size, &index.bytes);
    for (const ArchiveManifest& entry : image.manifests) {
      add_blob(entry.descriptor.digest, entry.descriptor.size, &entry.bytes);
      const Descriptor& config = entry.manifest.config;
      add_blob(config.digest, config.size, entry.config_bytes.empty() ? nullptr : &entry.config_bytes);
    }
  }
}

void ArchiveLayout::add_layers(const std::vector<ArchiveImage>& images) {
  for (const ArchiveImage& image : images)
    for (const ArchiveManifest& entry : image.manifests)
      for (const Descriptor& layer : entry.manifest.layers) add_blob(layer.digest, layer.size, nullptr);
}

void ArchiveLayout::add_blob(const Digest& digest, std::uint64_t size, const std::string* bytes) {
  std::string path = blob_path(digest);
  const auto same =
      std::find_if(entries_.begin(), entries_.end(), [&](const auto& entry) { return entry.path == path; });
  const std::uint64_t known = same != entries_.end() ? same->size : bytes ? bytes->size() : size;
  if (known != size)
    throw Error(Errc::malformed, "the size of " + digest.to_string() + " is " + std::to_string(known) +
                                     " bytes in one place and " + std::to_string(size) + " in another");
  if (same != entries_.end()) return;
  if (bytes)
    add(std::move(path), *bytes, size);
  else
    add(std::move(path), digest, size);
}

void ArchiveLayout::add(std::string path, decltype(ArchiveEntry::content) content, std::uint64_t size) {
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
  for (const ArchiveEntry& entry : entries_)
    if (const Digest* blob = std::get_if<Digest>(&entry.content); blob && *blob == digest) return &entry;
  return nullptr;
}

std::vector<ArchiveImage> merge_images(const std::vector<ArchiveImage>& images) {
  std::vector<ArchiveImage> result;
  for (const ArchiveImage& image : images) {
    const auto same = std::find_if(result.begin(), result.end(), [&](const ArchiveImage& other) {
      return other.root().digest == image.root().digest;
    });
    if (same == result.end())
      result.push_back(image);
    else
      same->references.insert(same->references.end(), image.references.begin(), image.references.end());
  }
  return result;
}

namespace json = boost::json;

std::vector<Descriptor> layout_descriptors(const std::vector<ArchiveImage>& images) {
  std::vector<Descriptor> result;
  const auto add = [&](Descriptor descriptor) {
    const bool there = std::any_of(result.begin(), result.end(), [&](const Descriptor& other) {
      return other.digest == descriptor.digest && other.annotations == descriptor.annotations;
    });
    if (!there) result.push_back(std::move(descriptor));
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

std::vector<std::string> familiar_tags(const std::vector<Reference>& references) {
  std::vector<std::string> tags;
  for (const Reference& reference : references) {
    if (!reference.tag) continue;
    std::string tag = reference.familiar();
    if (std::find(tags.begin(), tags.end(), tag) == tags.end()) tags.push_back(std::move(tag));
  }
  return tags;
}

json::value repo_tags(const std::vector<Reference>& references) {
  const std::vector<std::string> tags = familiar_tags(references);
  if (tags.empty()) return nullptr;
  return json::array(tags.begin(), tags.end());
}

}  // namespace hawser
