// The one door through which a digest comes into being: nothing but a known algorithm and its hex digits passes.
#include "image/hasher.hpp"
#include "util/file.hpp"
#include "util/text.hpp"

#include <hawser/image/digest.hpp>
#include <hawser/util/error.hpp>

#include <algorithm>

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

Digest Digest::from_hash(Algorithm algorithm, std::span<const std::byte> hash) {
  if (hash.size() * 2 != hex_digits(algorithm))
    throw Error(Errc::malformed, "a hash of " + std::to_string(hash.size()) + " bytes is not of its algorithm");
  std::string hex;
  hex.reserve(hash.size() * 2);
  for (const std::byte byte : hash) {
    hex += "0123456789abcdef"[std::to_integer<unsigned>(byte) >> 4];
    hex += "0123456789abcdef"[std::to_integer<unsigned>(byte) & 15];
  }
  return {algorithm, std::move(hex)};
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

}  // namespace hawser
