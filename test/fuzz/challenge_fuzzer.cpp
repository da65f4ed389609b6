// The challenge parser against arbitrary headers: it never fails, and it keeps its limits.
#include "check.hpp"
#include "registry/authenticator.hpp"

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = text.find('\n');
  std::vector<std::string_view> values{text.substr(0, cut)};
  if (cut != std::string_view::npos) values.push_back(text.substr(cut + 1));

  const auto challenges = hawser::parse_challenges(values);
  HAWSER_CHECK(challenges.size() <= hawser::max_challenges);
  for (const auto& challenge : challenges) {
    HAWSER_CHECK(!challenge.scheme.empty() && challenge.params.size() <= hawser::max_challenge_params);
    for (const auto& [name, value] : challenge.params)
      HAWSER_CHECK(!name.empty() && value.size() <= hawser::max_challenge_bytes);
  }
  return 0;
}
