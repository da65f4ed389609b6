// Compressed layers: output is bounded, and pieces of any length give the same bytes as the whole.
#include "check.hpp"
#include "image/hasher.hpp"
#include "util/decompressor.hpp"

#include <hawser/util/error.hpp>

#include <cstdint>
#include <optional>

namespace {

using namespace hawser;

constexpr std::uint64_t max_output = 4 * 1024 * 1024;

// What comes out when the input is fed `step` bytes at a time; the digest is there only where all went well.
std::optional<Digest> inflate(std::span<const std::byte> input, std::size_t step) {
  DecompressLimits limits;
  limits.max_output = max_output;
  limits.ratio_from = 1024 * 1024;
  Hasher hasher(Digest::Algorithm::sha256);
  std::uint64_t total = 0;
  const auto sink = [&](std::span<const std::byte> bytes) {
    hasher.update(bytes);
    total += bytes.size();
    HAWSER_CHECK(total <= max_output);
  };
  Decompressor decompressor(sink, limits);
  try {
    for (std::size_t at = 0; at < input.size(); at += step)
      decompressor.feed(input.subspan(at, std::min(step, input.size() - at)));
    decompressor.finish();
  } catch (const Error& error) {
    HAWSER_CHECK(error.code() == Errc::malformed || error.code() == Errc::too_large ||
                 error.code() == Errc::unsupported);
    return std::nullopt;
  }
  HAWSER_CHECK(decompressor.bytes_in() == input.size() && decompressor.bytes_out() == total);
  return hasher.finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto input = std::as_bytes(std::span(data, size)).subspan(1);
  HAWSER_CHECK(inflate(input, 1 + data[0]) == inflate(input, 1 << 20));
  return 0;
}
