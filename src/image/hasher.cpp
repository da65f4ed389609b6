// SHA-2 through OpenSSL's EVP, which takes the processor's own instructions where there are any.
#include "image/hasher.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include <openssl/evp.h>

namespace hawser {
namespace {

/// Failures here are a broken OpenSSL or no memory: nothing that a user or a registry could cause.
void check(int result) {
  if (result != 1) throw std::runtime_error("the hash function of OpenSSL failed");
}

}  // namespace

void Hasher::Free::operator()(evp_md_ctx_st* context) const {
  EVP_MD_CTX_free(context);
}

Hasher::Hasher(Digest::Algorithm algorithm) : algorithm_(algorithm), context_(EVP_MD_CTX_new()) {
  start();
}

void Hasher::start() {
  const EVP_MD* const type = algorithm_ == Digest::Algorithm::sha256 ? EVP_sha256() : EVP_sha512();
  check(context_ ? EVP_DigestInit_ex(context_.get(), type, nullptr) : 0);
}

void Hasher::update(std::span<const std::byte> data) {
  check(EVP_DigestUpdate(context_.get(), data.data(), data.size()));
}

Digest Hasher::finish() {
  std::array<std::byte, EVP_MAX_MD_SIZE> hash{};
  unsigned length = 0;
  check(EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(hash.data()), &length));
  start();
  return Digest::from_hash(algorithm_, std::span(hash).first(length));
}

Digest hash_of(const File& file, Digest::Algorithm algorithm, std::uint64_t offset,
               std::optional<std::uint64_t> length) {
  Hasher hasher(algorithm);
  std::vector<std::byte> buffer(256 * 1024);
  for (std::uint64_t done = 0; done != length;) {
    const auto wanted = std::min<std::uint64_t>(buffer.size(), length.value_or(UINT64_MAX) - done);
    const std::size_t count = file.read_at(offset + done, std::span(buffer).first(static_cast<std::size_t>(wanted)));
    if (count == 0 && !length) break;
    if (count == 0) throw Error(Errc::size_mismatch, file.path().native() + " has become shorter");
    hasher.update(std::span(buffer).first(count));
    done += count;
  }
  return hasher.finish();
}

}  // namespace hawser
