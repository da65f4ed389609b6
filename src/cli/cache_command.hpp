// `hawser cache`: what is in the layer cache, whether it is sound, and making room.
#pragma once

#include "cli/options.hpp"
#include "cli/output.hpp"
#include "store/blob_store.hpp"

#include <string>
#include <vector>

namespace hawser {

/// Carries `command` out; tells each blob that is about to be verified on standard error. verify ends in `integrity`
/// where it found a corrupt blob. Throws Error{disk}.
Outcome run_cache_command(const CacheCommand& command);

/// An image that the cache has, and what it weighs.
struct CachedImage {
  BlobStore::Image image;
  std::uint64_t bytes = 0;  ///< of config and layers; 0 where the manifest is not there
};

/// The images and the blobs for people (tables and a total) or as JSON.
std::string cache_listing(const std::vector<CachedImage>& images, const std::vector<BlobStore::Entry>& entries,
                          bool as_json);
/// What verify found, for people (where quiet, what is corrupt alone) or as JSON.
std::string verify_report(const BlobStore::VerifyReport& report, const OutputStyle& style);

}  // namespace hawser
