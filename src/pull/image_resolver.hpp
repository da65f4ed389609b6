// From a reference to the manifests that it stands for.
#pragma once

#include "archive/archive_layout.hpp"
#include "image/manifest.hpp"
#include "pull/session.hpp"
#include "store/blob_store.hpp"

#include <hawser/image/platform.hpp>
#include <hawser/image/reference.hpp>

#include <map>
#include <optional>
#include <string>

namespace hawser {

/// An image as the registry has it: the bytes of its documents, and what they say.
struct ResolvedImage {
  Reference reference;
  /// What the reference stands for; set once it is resolved.
  std::optional<Digest> top = {};
  ArchiveImage archive;
  /// The documents that were fetched, by digest: they belong into the cache once the image is complete.
  std::map<Digest, std::string> fetched;
  /// Whether the reference is that of an index.
  bool from_index = false;
};

/// Fetches the manifest of `reference`, and where that is an index, that for `platform` (nothing: the host's), or where
/// `all_platforms` every one that there is, attestations too; nested indexes are followed. Of several entries without a
/// platform the first whose config is for it is chosen; one alone is for check_config() to judge. Documents that the
/// cache has under their digest are not fetched again; where the session is offline, a tag is what the cache's index
/// has under its name. More than 512 documents or 64 MiB of them are Error{too_large}.
/// Throws Error{no_platform} with the platforms that there are, and what Session::get_manifest() throws.
asio::awaitable<ResolvedImage> resolve_image(Session& session, BlobStore* store, Reference reference,
                                             std::optional<Platform> platform, bool all_platforms);

/// Checks the config of `manifest`: as many diff IDs as layers, and where `wanted` is given, no platform or one that
/// can stand in for it. Throws Error{malformed}, Error{no_platform}; messages name `image`.
void check_config(const ImageConfig& config, const Manifest& manifest, const std::optional<Platform>& wanted,
                  const std::string& image);

}  // namespace hawser
