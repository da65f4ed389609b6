#include "app/uncompressed_output.hpp"

#include <hawser/archive/classic_writer.hpp>
#include <hawser/util/error.hpp>
#include <hawser/util/text.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include <unistd.h>

namespace hawser {
namespace {

/// Inflates a layer while it arrives. What is wrong with its data counts only once the data is known to be the
/// registry's own: what the line damaged is fetched again.
class LayerConsumer final : public BlobConsumer {
 public:
  explicit LayerConsumer(ClassicWriter::Layer layer) : layer_(std::move(layer)) {}

  void data(std::uint64_t, std::span<const std::byte> bytes) override {
    if (failure_) return;
    try {
      layer_.feed(bytes);
    } catch (const Error& error) {
      if (is_on_this_side(error.code())) throw;
      failure_ = error;
    }
  }
  void restart() override {
    failure_.reset();
    layer_.restart();
  }
  void done() override {
    if (failure_) throw *failure_;
    layer_.finish();
  }

 private:
  ClassicWriter::Layer layer_;
  std::optional<Error> failure_;
};

class UncompressedOutput final : public ImageOutput {
 public:
  UncompressedOutput(const std::filesystem::path& path, std::vector<ArchiveImage> images) : images_(std::move(images)) {
    check_uncompressed(images_);
    for (const ArchiveImage& image : images_) {
      for (const ArchiveManifest& manifest : image.manifests) {
        add(manifest.manifest.config.digest);
        for (const Descriptor& layer : manifest.manifest.layers) {
          add(layer.digest);
          layer_types_.emplace(layer.digest, layer.media_type);
        }
      }
    }
    if (path == "-") {
      stream_ = File::duplicate(STDOUT_FILENO, "standard output");
      writer_.emplace(stream_, std::filesystem::temp_directory_path());
    } else {
      writer_.emplace(path);
    }
  }

  std::vector<Digest> missing() const override { return blobs_; }

  std::shared_ptr<BlobConsumer> consumer(const Digest& digest) override {
    const auto type = layer_types_.find(digest);
    if (type == layer_types_.end()) return nullptr;
    return std::make_shared<LayerConsumer>(writer_->open(digest, type->second));
  }
  std::unique_ptr<BlobDestination> destination(const Digest&) override { return nullptr; }

  void config_known(const ArchiveManifest& manifest, const ImageConfig& config, const std::string& bytes) override {
    if (arranged_) return;
    configs_.insert_or_assign(manifest.descriptor.digest, std::pair(config, bytes));
    std::vector<ClassicImage> classic;
    for (const ArchiveImage& image : images_) {
      for (const ArchiveManifest& each : image.manifests) {
        const auto known = configs_.find(each.descriptor.digest);
        if (known == configs_.end()) return;
        classic.push_back({image.references, each.manifest, known->second.first, known->second.second});
      }
    }
    writer_->arrange(ClassicLayout(classic));
    arranged_ = true;
  }

  void fill(const Digest& digest, const File& source) override {
    const auto type = layer_types_.find(digest);
    if (type == layer_types_.end()) return;  // a config; config_known() has it
    ClassicWriter::Layer layer = writer_->open(digest, type->second);
    layer.feed_from(source, source.size());
    layer.finish();
  }
  void finish() override { writer_->finish(); }

 private:
  void add(const Digest& digest) {
    if (seen_.insert(digest).second) blobs_.push_back(digest);
  }

  std::vector<ArchiveImage> images_;
  std::vector<Digest> blobs_;
  std::set<Digest> seen_;
  std::map<Digest, std::string> layer_types_;
  std::map<Digest, std::pair<ImageConfig, std::string>> configs_;  // by manifest
  bool arranged_ = false;
  File stream_;
  std::optional<ClassicWriter> writer_;
};

}  // namespace

void check_uncompressed(const std::vector<ArchiveImage>& images) {
  for (const ArchiveImage& image : images) {
    for (const ArchiveManifest& manifest : image.manifests) {
      const std::string& type = manifest.manifest.config.media_type;
      if (!is_image_config(type))
        throw Error(Errc::unsupported, "--uncompressed takes container images only; this is " + printable(type));
    }
  }
}

std::unique_ptr<ImageOutput> open_uncompressed_output(const std::filesystem::path& path,
                                                      const std::vector<ArchiveImage>& images) {
  return std::make_unique<UncompressedOutput>(path, images);
}

}  // namespace hawser
