// Hashing as bytes go by (OpenSSL's EVP behind a small face).
#pragma once

#include "util/file.hpp"

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

/// The digest of the whole file from `offset` on, read anew, or of `length` bytes there. Throws Error{disk}, and
/// Error{size_mismatch} where there are fewer.
Digest hash_of(const File& file, Digest::Algorithm algorithm, std::uint64_t offset = 0,
               std::optional<std::uint64_t> length = std::nullopt);

}  // namespace hawser
