// Patches for the layers of a delta, of the older layers that the other side has.
#pragma once

#include "archive/delta.hpp"
#include "archive/layer_patch.hpp"
#include "store/blob_store.hpp"
#include "util/platform/file.hpp"

#include <hawser/image/digest.hpp>
#include <hawser/pull/pull.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace hawser {

/// What layers may be patched of: of the files among `haves` those layers that the new images do not have. For pool
/// threads.
class PatchMaker {
 public:
  /// Inflates the old layers into files without names in `directory`. `known`: diff IDs that the other side needs no
  /// patch for. `warn` is told of files that can't be read, lie about their layers, or for which the disk has no room:
  /// these are not counted on.
  PatchMaker(std::filesystem::path directory, const std::vector<Have>& haves, const std::set<Digest>& known,
             const std::function<void(const std::string&)>& warn);

  bool empty() const { return olds_.empty(); }
  /// Names of the files that the old layers are of.
  const std::vector<std::string>& holders() const { return holders_; }

  /// A patch for the layer in `file`, kept in `store`; or why there is none, in words. It was applied, and made just
  /// these bytes.
  struct Made {
    std::optional<LayerPatch> patch = {};
    std::string reason = {};
  };
  Made make(const File& file, const Digest& diff_id, BlobStore& store) const;

 private:
  void take(const Have& have, const std::set<Digest>& known);

  const std::filesystem::path directory_;
  std::vector<PlainTar> olds_;
  std::unique_ptr<const OldLayers> old_layers_;  // what olds_ consist of
  std::vector<LayerPatch::Source> sources_;
  std::vector<std::string> holders_;
  std::uint64_t bytes_ = 0;  // of olds_
};

/// Makes the layer `digest`, of `layer.size` bytes, in `store` by its patch, which is there as well. False where what
/// the patch is of is not there. Throws Error{digest_mismatch}, Error{malformed} or Error{too_large} where it makes
/// something else.
bool make_layer(const Digest& digest, const LeftOutLayer& layer, BlobStore& store);

}  // namespace hawser
