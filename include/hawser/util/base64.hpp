// Base64 (RFC 4648, section 4), for Basic authentication and docker's config file.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hawser {

/// `text` in base64, padded.
std::string base64_encode(std::string_view text);
/// The text that `encoded` stands for; nothing where it is not base64. Padding may be missing.
std::optional<std::string> base64_decode(std::string_view encoded);

}  // namespace hawser
