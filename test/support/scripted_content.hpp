// What a ScriptedRegistry serves where no rule says otherwise: manifests, blobs with ranges, and signed URLs for them.
#pragma once

#include "support/scripted_message.hpp"

#include <hawser/image/digest.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace hawser::test {

/// Blobs and manifests, shared by the servers of one test (a registry and its CDN). Safe from any thread.
class ScriptedContent {
 public:
  Digest add_blob(std::string bytes);
  /// Stores a manifest under its digest and, where `tag` is not empty, under that tag.
  Digest add_manifest(const std::string& repository, const std::string& tag, std::string bytes, std::string media_type);
  /// Serves `bytes` as the blob `digest` even though they are something else.
  void forge_blob(const Digest& digest, std::string bytes);

  /// Answers requests below /v2/ and /cdn/; 404 for what is not there.
  Reply answer(const ScriptedRequest& request);
  /// A new path below /cdn/ for the blob, good for `uses` requests.
  std::string sign(const std::string& digest, std::size_t uses);

 private:
  struct StoredManifest {
    std::string bytes;
    std::string media_type;
  };

  Reply blob(const std::string& digest, const ScriptedRequest& request) const;
  Reply manifest(const std::string& repository, const std::string& selector) const;
  Reply tags(const std::string& repository) const;
  Reply signed_blob(const ScriptedRequest& request);

  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const std::string>> blobs_;
  std::map<std::string, std::map<std::string, StoredManifest>> manifests_;  // repository → tag or digest
  std::map<std::string, std::size_t> signatures_;                           // → uses left
  std::size_t next_signature_ = 1;
};

/// What `range` ("bytes=a-b") asks of `size` bytes; nothing where it can't be had.
std::optional<std::pair<std::uint64_t, std::uint64_t>> requested_range(const std::string& range, std::uint64_t size);

}  // namespace hawser::test
