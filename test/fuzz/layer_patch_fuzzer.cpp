// Patches of layers, recipes of gzip streams, and the streams that recipes are made of.
#include "archive/layer_patch.hpp"
#include "check.hpp"
#include "util/decompressor.hpp"
#include "util/gzip_recipe.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace hawser;
using Bytes = std::span<const std::byte>;

/// Whatever inflates is made again just as it was, or refused.
void check_recipe(Bytes stream) {
  std::vector<std::byte> plain;
  try {
    Decompressor inflater([&](Bytes piece) { plain.insert(plain.end(), piece.begin(), piece.end()); },
                          {.max_output = 1 << 20});
    inflater.feed(stream);
    inflater.finish();
  } catch (const Error&) {
    return;
  }
  std::string recipe;
  try {
    recipe = gzip_recipe(stream, plain);
  } catch (const Error& error) {
    HAWSER_CHECK(error.code() == Errc::unsupported || error.code() == Errc::malformed);
    return;
  }
  std::vector<std::byte> made;
  gzip_by_recipe(recipe, plain, [&](Bytes piece) { made.insert(made.end(), piece.begin(), piece.end()); });
  HAWSER_CHECK(std::ranges::equal(made, stream));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_recipe(std::as_bytes(std::span(data, size)));
  static const std::string old(5000, 'x');
  std::vector<std::byte> plain(2000, std::byte{'x'});
  const std::function<void(Bytes)> nobody = [](Bytes) {};
  for (const bool patch : {true, false}) {
    try {
      if (patch)
        apply_layer_patch(text, {std::as_bytes(std::span(old))}, plain, nobody);
      else
        gzip_by_recipe(text, plain, nobody);
    } catch (const Error& error) {
      HAWSER_CHECK(error.code() == Errc::malformed);
    }
  }
  return 0;
}
