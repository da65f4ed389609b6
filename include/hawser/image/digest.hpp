// Content identifiers: an algorithm and the hash of the content (OCI image-spec, "Digests").
#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <utility>

namespace hawser {

/// A digest of a registered algorithm, sha256 or sha512, with exactly as many lower-case hex digits as the
/// algorithm has. There is no other way to make one but to hash, so a Digest is safe as a path component and in a URL.
class Digest {
 public:
  enum class Algorithm { sha256, sha512 };

  /// Parses "sha256:…" or "sha512:…"; throws Error{malformed} that says what is wrong with it.
  static Digest parse(std::string_view text);
  /// The digest of `content`.
  static Digest of(std::string_view content, Algorithm algorithm = Algorithm::sha256);

  Algorithm algorithm() const noexcept { return algorithm_; }
  /// "sha256" or "sha512".
  std::string_view algorithm_name() const noexcept;
  /// The hex digits alone.
  const std::string& hex() const noexcept { return hex_; }
  /// "sha256:…".
  std::string to_string() const;
  /// "sha256:" and twelve digits, for people.
  std::string short_string() const;

  friend auto operator<=>(const Digest&, const Digest&) = default;

 private:
  friend class Hasher;
  Digest(Algorithm algorithm, std::string hex) : algorithm_(algorithm), hex_(std::move(hex)) {}

  Algorithm algorithm_;
  std::string hex_;
};

}  // namespace hawser
