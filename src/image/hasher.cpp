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

struct Hasher::Impl {
  explicit Impl(Digest::Algorithm wanted)
      : algorithm(wanted),
        type(wanted == Digest::Algorithm::sha256 ? EVP_sha256() : EVP_sha512()),
        context(EVP_MD_CTX_new()) {
    check(context ? 1 : 0);
    start();
  }

  void start() { check(EVP_DigestInit_ex(context.get(), type, nullptr)); }

  struct Free {
    void operator()(EVP_MD_CTX* pointer) const { EVP_MD_CTX_free(pointer); }
  };

  Digest::Algorithm algorithm;
  const EVP_MD* type;
  std::unique_ptr<EVP_MD_CTX, Free> context;
};

Hasher::Hasher(Digest::Algorithm algorithm) : impl_(std::make_unique<Impl>(algorithm)) {}
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;
Hasher::~Hasher() = default;

void Hasher::update(std::span<const std::byte> data) {
  check(EVP_DigestUpdate(impl_->context.get(), data.data(), data.size()));
}

Digest Hasher::finish() {
  std::array<std::byte, EVP_MAX_MD_SIZE> hash{};
  unsigned length = 0;
  check(EVP_DigestFinal_ex(impl_->context.get(), reinterpret_cast<unsigned char*>(hash.data()), &length));
  impl_->start();
  return Digest::from_hash(impl_->algorithm, std::span(hash).first(length));
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
