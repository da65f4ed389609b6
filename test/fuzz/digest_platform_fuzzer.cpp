// Digests and platforms: what is taken is written the same, and normalising twice changes nothing.
#include "check.hpp"
#include "util/text.hpp"

#include <hawser/image/digest.hpp>
#include <hawser/image/platform.hpp>
#include <hawser/util/error.hpp>

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hawser;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    HAWSER_CHECK(Digest::parse(text).to_string() == text);
  } catch (const Error& error) {
    HAWSER_CHECK(error.code() == Errc::malformed);
  }
  try {
    const Platform platform = Platform::parse(text);
    HAWSER_CHECK(platform.normalised() == platform);
    HAWSER_CHECK(platform_rank(platform, platform).value().place == 0);
    HAWSER_CHECK(Platform::parse(platform.to_string()) == platform);
  } catch (const Error& error) {
    HAWSER_CHECK(error.code() == Errc::usage);
  }
  const std::string shown = printable(text, 50);
  HAWSER_CHECK(shown.size() <= 53 && printable(shown, 60) == shown);
  return 0;
}
