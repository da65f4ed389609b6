// What the tests of import share: tars of good and of ill will, and a cache to take them into.
#pragma once

#include "archive/archive_layout.hpp"
#include "archive/tar_header.hpp"
#include "archive/tar_import.hpp"
#include "image/manifest.hpp"
#include "store/store_fixture.hpp"
#include "util/compressed.hpp"

#include <hawser/util/error.hpp>

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser::test {

/// A tar made entry by entry, as no writer of good will would.
struct HostileTar {
  std::string bytes;

  HostileTar& file(const std::string& path, const std::string& data) {
    bytes += tar_file_header(path, data.size()) + data;
    bytes.resize(tar_padded(bytes.size()), '\0');
    return *this;
  }
  /// A header as `file` makes it, of another type ('1' hard link, '2' symlink), and with `path` as it is given.
  HostileTar& raw(const std::string& path, char type, const std::string& target, std::uint64_t size = 0) {
    std::string header = tar_file_header("x", size);
    header.replace(0, path.size(), path);
    header[156] = type;
    header.replace(157, target.size(), target);
    header.replace(148, 8, "        ");
    unsigned sum = 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    char digits[8];
    std::snprintf(digits, sizeof digits, "%06o", sum);
    header.replace(148, 7, std::string(digits) + '\0');
    bytes += header;
    return *this;
  }
  std::string end() const { return bytes + std::string(tar_trailer_size, '\0'); }
};

/// An image with gzip layers, its documents real.
struct RealImage {
  std::vector<std::string> tars, layers;
  std::string config, manifest;

  explicit RealImage(std::vector<std::string> tars_) : tars(std::move(tars_)) {
    std::string ids, descriptors;
    for (const std::string& tar : tars) {
      layers.push_back(gzip(tar));
      ids += (ids.empty() ? "\"" : ",\"") + Digest::of(tar).to_string() + "\"";
      descriptors += (descriptors.empty() ? "" : ",") + descriptor(media_type::oci_layer_gzip, layers.back());
    }
    config = R"({"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[)" + ids + "]}}";
    manifest = R"({"schemaVersion":2,"mediaType":")" + std::string(media_type::oci_manifest) + R"(","config":)" +
               descriptor(media_type::oci_config, config) + R"(,"layers":[)" + descriptors + "]}";
  }
  static std::string descriptor(std::string_view type, const std::string& content) {
    return R"({"mediaType":")" + std::string(type) + R"(","digest":")" + Digest::of(content).to_string() +
           R"(","size":)" + std::to_string(content.size()) + "}";
  }
  std::string index_json() const {
    return R"({"schemaVersion":2,"manifests":[)" + descriptor(media_type::oci_manifest, manifest) + "]}";
  }
  /// manifest.json of docker with these paths.
  static std::string docker_manifest(const std::string& config_path, const std::vector<std::string>& layer_paths) {
    boost::json::array paths(layer_paths.begin(), layer_paths.end());
    return boost::json::serialize(boost::json::array{
        boost::json::object{{"Config", config_path}, {"RepoTags", {"nginx:1"}}, {"Layers", std::move(paths)}}});
  }
  /// What docker save writes today.
  HostileTar modern() const {
    HostileTar tar;
    std::vector<std::string> paths;
    for (const std::string& layer : layers) {
      paths.push_back(blob_path(Digest::of(layer)));
      tar.file(paths.back(), layer);
    }
    tar.file(blob_path(Digest::of(config)), config).file(blob_path(Digest::of(manifest)), manifest);
    tar.file("index.json", index_json());
    return tar.file("manifest.json", docker_manifest(blob_path(Digest::of(config)), paths));
  }
};

class ImportTest : public testing::Test {
 protected:
  std::string write(const std::string& bytes, const std::string& name = "image.tar") {
    write_text(directory / name, bytes);
    return (directory / name).string();
  }
  /// The image as a layout in the directory "layout".
  void write_layout(const RealImage& image) {
    for (const std::string& content : image.layers) write_blob(content);
    write_blob(image.config);
    write_blob(image.manifest);
    write_text(directory / "layout/index.json", image.index_json());
  }
  void write_blob(const std::string& content) {
    std::filesystem::create_directories(directory / "layout/blobs/sha256");
    write_text(directory / "layout" / blob_path(Digest::of(content)), content);
  }
  BlobStore store() { return BlobStore(directory / "cache"); }
  ImportReport import(const std::string& bytes) {
    BlobStore into = store();
    return import_tar(into, write(bytes));
  }
  /// Leaves the first bytes of a blob in the cache, as an interrupted pull does.
  void begin(const std::string& content, std::uint64_t bytes) {
    BlobStore into = store();
    const auto partial = std::get<std::unique_ptr<PartialBlob>>(into.acquire(Digest::of(content), content.size()));
    partial->file().write_at(0, as_bytes(content.substr(0, bytes)));
    partial->wrote(0, bytes);
  }
  bool has(const std::string& content) {
    BlobStore from = store();
    const auto blob = from.find(Digest::of(content), content.size());
    return blob && blob->known && content_of(blob->file) == content;
  }
  /// Whether the import was refused with that code and left no blob behind.
  void expect_refused(const std::string& bytes, Errc code) {
    const auto failure = failure_of([&] { import(bytes); });
    EXPECT_EQ(failure.code, code) << failure.text;
    EXPECT_TRUE(store().list().empty()) << failure.text;
  }

  TempDir directory;
};

}  // namespace hawser::test
