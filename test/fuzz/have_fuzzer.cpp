// What tells what is there already: lists of engines, locks, and what a delta says of itself.
#include "archive/delta.hpp"
#include "check.hpp"
#include "cli/have.hpp"

#include <hawser/util/error.hpp>

#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hawser;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const Have have = parse_have(text, "list");
    HAWSER_CHECK(have.name == "list");
    HAWSER_CHECK(have.chains.empty() == have.diff_ids.empty());
    for (const Reference& image : have.images) HAWSER_CHECK(image.digest.has_value());
  } catch (const Error& error) {
    const Errc code = error.code();
    HAWSER_CHECK(code == Errc::malformed || code == Errc::usage || code == Errc::bad_reference);
  }
  try {
    const Delta delta = Delta::parse(text);
    HAWSER_CHECK(!delta.images.empty());
    HAWSER_CHECK(Delta::parse(delta.text()).text() == delta.text());
  } catch (const Error& error) {
    HAWSER_CHECK(error.code() == Errc::malformed);
  }
  return 0;
}
