// The layout that `docker save` wrote before 25.0: layers as plain tars under directories of their own. For engines
// that can't take compressed layers; what --uncompressed writes.
#pragma once

#include <hawser/image/config.hpp>
#include <hawser/image/digest.hpp>
#include <hawser/image/manifest.hpp>
#include <hawser/image/reference.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace hawser {

/// An image that is to be written uncompressed.
struct ClassicImage {
  std::vector<Reference> references;
  Manifest manifest;
  ImageConfig config;
  std::string config_bytes;
};

/// One layer directory of the classic layout.
struct ClassicLayer {
  Digest blob;         ///< the layer as the registry serves it
  std::uint64_t size;  ///< its bytes
  std::string media_type;
  Digest diff_id;      ///< the layer's tar
  std::string id;      ///< the directory's name: the hex digits of the chain ID where the layer first occurs
  std::string parent;  ///< the id below it; empty for a base layer

  std::string layer_path() const { return id + "/layer.tar"; }
};

/// The parts of a classic tar, in order: documents, then the layers. Sizes of the layers' tars are not known, so there
/// are no offsets.
struct ClassicLayout {
  /// A file whose bytes are known.
  struct Document {
    std::string path;
    std::string text;
  };

  /// Lays the images out; a diff ID that occurs twice is one layer. Throws Error{usage} where there is no image,
  /// Error{malformed} where a config has another number of diff IDs than its manifest has layers, or where a blob is
  /// said to have two diff IDs.
  explicit ClassicLayout(const std::vector<ClassicImage>& images);

  std::vector<Document> documents;    ///< manifest.json, repositories, the configs
  std::vector<ClassicLayer> layers;   ///< in order of first appearance
  std::map<Digest, Digest> diff_ids;  ///< of every layer of every image, by the blob's digest

  /// What comes before the layer's tar: its directory, VERSION and json, as a run of tar entries.
  std::string preamble(const ClassicLayer& layer) const;
};

/// The chain ID of a stack of layers, bottom first (OCI image-spec, "Layer ChainID").
Digest chain_id(const Digest& below, const Digest& diff_id);

}  // namespace hawser
