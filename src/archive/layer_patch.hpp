// Patches of layers: what it takes to make a layer, bit for bit, of older layers that resemble it. docs/formats.md has
// the format.
#pragma once

#include "util/platform/mapping.hpp"

#include <hawser/image/digest.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// The longest plain tar that is patched, or patched with; a longer one's layer goes whole.
inline constexpr std::uint64_t longest_patched = 4'000'000'000;

/// The longest patch, in bytes: it is in memory as a whole. What would take a longer one goes whole.
inline constexpr std::size_t longest_patch = 256 * 1024 * 1024;

/// A plain tar in a file without a name, mapped: it takes disk, and memory as far as there is some to spare.
class PlainTar {
 public:
  /// Takes what `read` gives piece by piece until it gives nothing (a layer, compressed or not), into a file in
  /// `directory`. Throws Error{digest_mismatch} where it is not the tar `diff_id`, Error{too_large} where it is longer
  /// than longest_patched, and what Decompressor and File throw.
  PlainTar(const std::filesystem::path& directory, const Digest& diff_id,
           const std::function<std::size_t(std::span<std::byte>)>& read);
  /// The layer in `file`.
  PlainTar(const std::filesystem::path& directory, const Digest& diff_id, const File& file);
  /// Room for a tar of `size` bytes, which are 0 yet.
  PlainTar(const std::filesystem::path& directory, std::uint64_t size);

  std::span<const std::byte> bytes() const { return mapping_.bytes(); }
  std::span<std::byte> writable() { return mapping_.bytes(); }

 private:
  Mapping mapping_;
};

/// A patch that makes `layer`, the bytes that a registry serves, of `olds`; `plain` is what it inflates to. Throws
/// Error{unsupported} where nothing here can make these bytes again, or the patch would not be shorter than the layer
/// or longer than longest_patch. Memory: some 700 MiB.
std::string make_layer_patch(std::span<const std::byte> layer, std::span<const std::byte> plain,
                             const std::vector<std::span<const std::byte>>& olds);

class OldPieces;

/// What older layers consist of, looked up once for the patches of many layers. The layers' bytes stay where they are.
class OldLayers {
 public:
  explicit OldLayers(const std::vector<std::span<const std::byte>>& layers);
  OldLayers(const OldLayers&) = delete;
  OldLayers& operator=(const OldLayers&) = delete;
  ~OldLayers();

  /// Throws Error{unsupported} where there are more layers than a patch may have.
  const OldPieces& pieces() const;

 private:
  std::unique_ptr<const OldPieces> pieces_;
};

/// The same, of those of the layers alone that give more than a few bytes: `used` tells which, by their places.
std::string make_layer_patch(std::span<const std::byte> layer, std::span<const std::byte> plain, const OldLayers& olds,
                             std::vector<std::size_t>& used);

/// Fills `plain`, which is as long as the layer's tar, by a patch and the same `olds`, and gives the layer to `sink`.
/// Memory: some 700 MiB, whatever the patch says. Throws Error{malformed} where the patch makes no sense for `olds`;
/// whether it was the right one, the layer's digest tells.
void apply_layer_patch(std::string_view patch, const std::vector<std::span<const std::byte>>& olds,
                       std::span<std::byte> plain, const std::function<void(std::span<const std::byte>)>& sink);

}  // namespace hawser
