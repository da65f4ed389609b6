// One blob to fetch: where from, where to, and who wants to see its bytes go by.
#pragma once

#include "image/manifest.hpp"
#include "registry/blob_source.hpp"
#include "store/blob_destination.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace hawser {

/// The blob has been completed by somebody else meanwhile.
struct BlobReady {};
/// Somebody else is fetching it: ask again later.
struct BlobHeld {
  std::string holder = "another process";
};
/// The answer to an attempt to get hold of a blob.
using BlobAcquisition = std::variant<std::unique_ptr<BlobDestination>, BlobReady, BlobHeld>;

/// A source of a blob, and when it is asked: those of the lowest rank together, the next rank once they are given up.
struct RankedSource {
  RankedSource() = default;
  RankedSource(std::shared_ptr<BlobSource> source_, unsigned rank_) : source(std::move(source_)), rank(rank_) {}

  std::shared_ptr<BlobSource> source;
  unsigned rank = 0;
  /// Told why nothing more should be asked of it, whichever blob. Empty: what fails is given up for one blob only.
  std::function<void(const Error&)> leave_out;
};

/// What the fetcher needs to know of a blob.
struct BlobJob {
  BlobJob(Descriptor descriptor_, std::vector<RankedSource> sources_)
      : descriptor(std::move(descriptor_)), sources(std::move(sources_)) {}

  Descriptor descriptor;
  std::vector<RankedSource> sources;  ///< at least one
  /// Fairness is among groups: the images of a batch.
  std::size_t group = 0;
  std::function<BlobAcquisition()> acquire;
  std::shared_ptr<BlobConsumer> consumer;  ///< may be empty
};

}  // namespace hawser
