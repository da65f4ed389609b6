// Hashing as bytes go by (OpenSSL's EVP behind a small face).
#pragma once

#include "util/decompressor.hpp"
#include "util/platform/file.hpp"

#include <hawser/image/digest.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include <openssl/evp.h>

namespace hawser {

/// Hashes a stream of bytes. Moves, does not copy.
class Hasher {
 public:
  explicit Hasher(Digest::Algorithm algorithm);

  void update(std::span<const std::byte> data);
  /// The digest of all that was fed; the hasher is fresh again afterwards.
  Digest finish();

 private:
  void start();

  Digest::Algorithm algorithm_;
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_{EVP_MD_CTX_new(), EVP_MD_CTX_free};
};

/// Finds out the diff ID of a layer, compressed or not, as its bytes go by.
class DiffIdHasher {
 public:
  explicit DiffIdHasher(Digest::Algorithm algorithm);

  void update(std::span<const std::byte> layer);
  /// The digest of what all that was fed inflates to, once; nothing where Decompressor refuses it.
  std::optional<Digest> finish();

 private:
  Hasher tar_;
  Decompressor inflater_;
  bool sound_ = true;
};

/// The digest of the whole file from `offset` on, read anew, or of `length` bytes there. Throws Error{disk}, and
/// Error{size_mismatch} where there are fewer.
Digest hash_of(const File& file, Digest::Algorithm algorithm, std::uint64_t offset = 0,
               std::optional<std::uint64_t> length = std::nullopt);

}  // namespace hawser
