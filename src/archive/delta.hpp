// What an archive lacks on purpose, since the place that it is for has it already, as docs/formats.md describes it.
#pragma once

#include <hawser/image/digest.hpp>
#include <hawser/image/platform.hpp>
#include <hawser/image/reference.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// The file of an archive, or of an image layout, that says what it lacks.
inline constexpr std::string_view delta_file = "hawser-delta.json";
/// The annotation of the archive's index.json that has the name of that file.
inline constexpr std::string_view delta_annotation = "io.github.hawser.delta";

/// What makes a layer of older ones that resemble it (archive/layer_patch.hpp).
struct LayerPatch {
  /// An older layer.
  struct Source {
    Digest diff_id;
    Digest digest;           ///< as the one who made the patch had it; of a plain tar its diff ID
    std::uint64_t size = 0;  ///< bytes under that digest
  };

  Digest digest;               ///< of the patch, which is a blob of the archive
  std::uint64_t size = 0;      ///< bytes of it
  std::uint64_t tar_size = 0;  ///< bytes of the layer's plain tar
  std::vector<Source> from = {};
};

/// A layer that an archive lacks.
struct LeftOutLayer {
  std::uint64_t size = 0;              ///< bytes, as the registry serves it
  std::optional<Digest> diff_id = {};  ///< nothing of what is no layer of a container image
  bool plain = false;                  ///< what has it is known to have the plain tar alone
  std::vector<std::string> held_by =
      {};  ///< what has it, or what it is patched of, by the names of the files that told so
  std::optional<LayerPatch> patch = {};  ///< what is in its place; nothing: it is there already
};

/// An image of a delta.
struct DeltaImage {
  Reference reference;  ///< the name that it has in the archive
  Digest digest;        ///< of its manifest or index
  std::optional<Platform> platform = {};
};

/// An archive without the layers that the place that it is for has.
struct Delta {
  std::vector<DeltaImage> images = {};
  bool all_platforms = false;
  std::map<Digest, LeftOutLayer> left_out = {};  ///< by digest

  std::uint64_t left_out_bytes() const;
  /// What has the layers, each name once.
  std::vector<std::string> holders() const;
  /// The text of `delta_file`.
  std::string text() const;
  /// What such a text says. Throws Error{malformed} where it makes no sense.
  static Delta parse(std::string_view text);
};

/// The layers of `left_out` in words, a line each, in the order of their digests: at most `most`, and how many more.
/// Each line begins with `indent`.
std::string describe_layers(const std::map<Digest, LeftOutLayer>& left_out, std::string_view indent,
                            std::size_t most = 20);

}  // namespace hawser
