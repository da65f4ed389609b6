#include <hawser/util/base64.hpp>
#include <hawser/util/text.hpp>

#include <openssl/evp.h>

namespace hawser {

std::string base64_encode(std::string_view text) {
  std::string encoded((text.size() + 2) / 3 * 4 + 1, '\0');
  const int length =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  encoded.resize(static_cast<std::size_t>(length));
  return encoded;
}

std::optional<std::string> base64_decode(std::string_view encoded) {
  while (encoded.ends_with('=')) encoded.remove_suffix(1);
  if (encoded.size() % 4 == 1) return std::nullopt;
  for (const char c : encoded) {
    const bool digit = is_ascii_alnum(c) || c == '+' || c == '/';
    if (!digit) return std::nullopt;
  }
  std::string padded(encoded);
  padded.append((4 - padded.size() % 4) % 4, '=');
  std::string text(padded.size() / 4 * 3, '\0');
  const int length =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      reinterpret_cast<const unsigned char*>(padded.data()), static_cast<int>(padded.size()));
  if (length < 0) return std::nullopt;
  text.resize(encoded.size() * 3 / 4);
  return text;
}

}  // namespace hawser
