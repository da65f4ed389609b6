// The one door through which a digest comes into being: nothing but a known algorithm and its hex digits passes. Hashes
// come from OpenSSL's EVP, which takes the processor's own instructions where there are any.
#include "image/hasher.hpp"
#include "util/platform/file.hpp"
#include "util/text.hpp"

#include <hawser/image/digest.hpp>
#include <hawser/util/error.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include <openssl/evp.h>

namespace hawser {
namespace {

constexpr std::size_t hex_digits(Digest::Algorithm algorithm) {
  return algorithm == Digest::Algorithm::sha256 ? 64 : 128;
}

[[noreturn]] void refuse(std::string_view text, const std::string& reason) {
  throw Error(Errc::malformed, "\"" + printable(text, 160) + "\" is no digest: " + reason);
}

bool is_lower_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/// Failures here are a broken OpenSSL or no memory: nothing that a user or a registry could cause.
void check(int result) {
  if (result != 1) throw std::runtime_error("the hash function of OpenSSL failed");
}

}  // namespace

Digest Digest::parse(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) refuse(text, "it has no algorithm, such as \"sha256:\"");
  const std::string_view name = text.substr(0, colon);
  const std::string_view hex = text.substr(colon + 1);
  if (name != "sha256" && name != "sha512") refuse(text, "only sha256 and sha512 are known");
  const Algorithm algorithm = name == "sha256" ? Algorithm::sha256 : Algorithm::sha512;
  if (!std::all_of(hex.begin(), hex.end(), is_lower_hex))
    refuse(text, "what follows the colon must be lower-case hex digits");
  if (hex.size() != hex_digits(algorithm))
    refuse(text, std::string(name) + " has " + std::to_string(hex_digits(algorithm)) + " hex digits, this has " +
                     std::to_string(hex.size()));
  return {algorithm, std::string(hex)};
}

Digest Digest::of(std::string_view content, Algorithm algorithm) {
  Hasher hasher(algorithm);
  hasher.update(as_bytes(content));
  return hasher.finish();
}

std::string_view Digest::algorithm_name() const noexcept {
  return algorithm_ == Algorithm::sha256 ? "sha256" : "sha512";
}

std::string Digest::to_string() const {
  return std::string(algorithm_name()) + ":" + hex_;
}

std::string Digest::short_string() const {
  return std::string(algorithm_name()) + ":" + hex_.substr(0, 12);
}

Hasher::Hasher(Digest::Algorithm algorithm) : algorithm_(algorithm) {
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
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  unsigned length = 0;
  check(EVP_DigestFinal_ex(context_.get(), hash.data(), &length));
  start();
  std::string hex;
  for (const unsigned char byte : std::span(hash).first(length)) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return {algorithm_, std::move(hex)};
}

DiffIdHasher::DiffIdHasher(Digest::Algorithm algorithm)
    : tar_(algorithm), inflater_([this](std::span<const std::byte> piece) { tar_.update(piece); }) {}

void DiffIdHasher::update(std::span<const std::byte> layer) {
  try {
    if (sound_) inflater_.feed(layer);
  } catch (const Error&) {
    sound_ = false;
  }
}

std::optional<Digest> DiffIdHasher::finish() {
  try {
    if (sound_) inflater_.finish();
  } catch (const Error&) {
    sound_ = false;
  }
  return sound_ ? std::optional(tar_.finish()) : std::nullopt;
}

Digest hash_of(const File& file, Digest::Algorithm algorithm, std::uint64_t offset,
               std::optional<std::uint64_t> length) {
  Hasher hasher(algorithm);
  std::vector<std::byte> buffer(256 * 1024);
  for (std::uint64_t done = 0; done != length;) {
    const auto wanted = std::min<std::uint64_t>(buffer.size(), length.value_or(UINT64_MAX) - done);
    const std::size_t count = file.read_at(offset + done, std::span(buffer).first(static_cast<std::size_t>(wanted)));
    if (count == 0 && !length) break;
    if (count == 0) throw Error(Errc::size_mismatch, file.path().string() + " has become shorter");
    hasher.update(std::span(buffer).first(count));
    done += count;
  }
  return hasher.finish();
}

}  // namespace hawser
