#include "support/scripted_content.hpp"

#include <cstdlib>

namespace hawser::test {

std::optional<std::pair<std::uint64_t, std::uint64_t>> requested_range(const std::string& range, std::uint64_t size) {
  if (range.rfind("bytes=", 0) != 0 || size == 0) return std::nullopt;
  char* rest = nullptr;
  const std::uint64_t first = std::strtoull(range.c_str() + 6, &rest, 10);
  if (*rest != '-' || first >= size) return std::nullopt;
  const std::uint64_t last = rest[1] == '\0' ? size - 1 : std::strtoull(rest + 1, nullptr, 10);
  if (last < first) return std::nullopt;
  return std::pair(first, std::min(last, size - 1));
}

Digest ScriptedContent::add_blob(std::string bytes) {
  const Digest digest = Digest::of(bytes);
  forge_blob(digest, std::move(bytes));
  return digest;
}

void ScriptedContent::forge_blob(const Digest& digest, std::string bytes) {
  const std::lock_guard lock(mutex_);
  blobs_[digest.to_string()] = std::make_shared<const std::string>(std::move(bytes));
}

Digest ScriptedContent::add_manifest(const std::string& repository, const std::string& tag, std::string bytes,
                                     std::string media_type) {
  const Digest digest = Digest::of(bytes);
  const std::lock_guard lock(mutex_);
  StoredManifest stored{std::move(bytes), std::move(media_type)};
  if (!tag.empty()) manifests_[repository][tag] = stored;
  manifests_[repository][digest.to_string()] = std::move(stored);
  return digest;
}

std::string ScriptedContent::sign(const std::string& digest, std::size_t uses) {
  const std::lock_guard lock(mutex_);
  const std::string signature = std::to_string(next_signature_++);
  signatures_[signature] = uses;
  return "/cdn/" + digest + "?signature=" + signature;
}

Reply ScriptedContent::answer(const ScriptedRequest& request) {
  const std::string path = request.path();
  if (path.rfind("/cdn/", 0) == 0) return signed_blob(request);
  const std::lock_guard lock(mutex_);
  if (path == "/v2/") return Reply::of(200, "{}");
  for (const char* kind : {"/blobs/", "/manifests/", "/tags/list"}) {
    const std::size_t at = path.rfind(kind);
    if (path.rfind("/v2/", 0) != 0 || at == std::string::npos || at < 4) continue;
    const std::string repository = path.substr(4, at - 4);
    const std::string last = path.substr(at + std::string(kind).size());
    if (kind[1] == 'b') return blob(last, request);
    return kind[1] == 'm' ? manifest(repository, last) : tags(repository);
  }
  return Reply::of(404, "page not found", "text/plain");
}

Reply ScriptedContent::blob(const std::string& digest, const ScriptedRequest& request) const {
  const auto found = blobs_.find(digest);
  if (found == blobs_.end()) return Reply::error(404, "BLOB_UNKNOWN", "blob unknown to registry");
  const std::string& bytes = *found->second;
  const std::string range = request.header("Range");
  if (range.empty()) return Reply::of(200, bytes, "application/octet-stream");
  const auto part = requested_range(range, bytes.size());
  const std::string size = std::to_string(bytes.size());
  if (!part) return Reply::of(416, {}, {}).with("Content-Range", "bytes */" + size);
  Reply reply = Reply::of(206, bytes.substr(part->first, part->second - part->first + 1), "application/octet-stream");
  reply.headers.emplace_back("Content-Range",
                             "bytes " + std::to_string(part->first) + "-" + std::to_string(part->second) + "/" + size);
  return reply;
}

Reply ScriptedContent::manifest(const std::string& repository, const std::string& selector) const {
  const auto repository_found = manifests_.find(repository);
  if (repository_found == manifests_.end())
    return Reply::error(404, "NAME_UNKNOWN", "repository name not known to registry");
  const auto found = repository_found->second.find(selector);
  if (found == repository_found->second.end()) return Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown");
  return Reply::of(200, found->second.bytes, found->second.media_type);
}

Reply ScriptedContent::tags(const std::string& repository) const {
  const auto found = manifests_.find(repository);
  if (found == manifests_.end()) return Reply::error(404, "NAME_UNKNOWN", "repository name not known to registry");
  std::string list;
  for (const auto& [name, manifest] : found->second)
    if (name.find(':') == std::string::npos) list += (list.empty() ? "\"" : ",\"") + name + "\"";
  return Reply::of(200, R"({"name":")" + repository + R"(","tags":[)" + list + "]}");
}

Reply ScriptedContent::signed_blob(const ScriptedRequest& request) {
  const std::lock_guard lock(mutex_);
  const std::size_t at = request.target.find("?signature=");
  const auto found = at == std::string::npos ? signatures_.end() : signatures_.find(request.target.substr(at + 11));
  if (found == signatures_.end() || found->second == 0)
    return Reply::of(403, "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>",
                     "application/xml");
  --found->second;
  return blob(request.path().substr(5), request);
}

}  // namespace hawser::test
