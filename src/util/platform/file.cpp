// What is the same on every system.
#include "util/platform/file.hpp"

#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <utility>
#include <vector>

#include <openssl/rand.h>

namespace hawser {
namespace {

/// Hands `take` the bytes of the source piece by piece. Returns how many of the `length` bytes it did not have.
template <typename Take>
std::uint64_t each_piece(const File& source, std::uint64_t offset, std::uint64_t length, std::size_t most, Take take) {
  std::vector<std::byte> buffer(static_cast<std::size_t>(std::min<std::uint64_t>(length, most)));
  while (length > 0) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(length, buffer.size()));
    const std::size_t got = source.read_at(offset, std::span(buffer).first(wanted));
    take(std::span<const std::byte>(buffer).first(got));
    offset += got;
    length -= got;
    if (got < wanted) break;
  }
  return length;
}

}  // namespace

File File::adopt(Handle handle, std::filesystem::path path) {
  File file;
  file.handle_ = handle;
  file.path_ = std::move(path);
  return file;
}

File::File(File&& other) noexcept : handle_(std::exchange(other.handle_, no_handle)), path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
  File taken(std::move(other));
  std::swap(handle_, taken.handle_);
  std::swap(path_, taken.path_);
  return *this;
}

std::string File::read_text(std::size_t limit, std::uint64_t offset) const {
  const std::uint64_t end = size();
  std::string text(static_cast<std::size_t>(std::min<std::uint64_t>(end - std::min(offset, end), limit)), '\0');
  text.resize(read_at(offset, std::as_writable_bytes(std::span(text))));
  return text;
}

void File::copy_through_memory(const File& source, std::uint64_t source_offset, std::uint64_t offset,
                               std::uint64_t length) const {
  constexpr std::size_t step = 256 * 1024;
  const std::uint64_t missing = each_piece(source, source_offset, length, step, [&](std::span<const std::byte> piece) {
    write_at(offset, piece);
    offset += piece.size();
  });
  if (missing > 0)
    throw Error(Errc::disk, "cannot copy " + printable(source.path_.string(), 4096) + ": it is shorter than expected");
}

void File::write_through_memory(const File& source, std::uint64_t source_offset, std::uint64_t length) const {
  constexpr std::size_t step = 1 << 20;
  const std::uint64_t missing =
      each_piece(source, source_offset, length, step, [&](std::span<const std::byte> piece) { write(piece); });
  if (missing > 0) throw Error(Errc::size_mismatch, source.path_.string() + " has become shorter");
}

std::string read_file(const std::filesystem::path& path, std::size_t limit) {
  const File file(path);
  std::string text;
  // Read until the end rather than up to size(): files of /proc say 0, and a file may grow meanwhile.
  for (;;) {
    const std::size_t had = text.size();
    if (had > limit)
      throw Error(Errc::too_large,
                  "cannot read " + printable(path.string(), 4096) + ": it is longer than " + format_bytes(limit));
    const std::size_t more = std::min<std::size_t>(64 * 1024, limit - had + 1);
    text.resize(had + more);
    const std::size_t got = file.read_at(had, std::as_writable_bytes(std::span(text.data() + had, more)));
    text.resize(had + got);
    if (got < more && text.size() <= limit) return text;
  }
}

std::filesystem::path directory_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

std::string random_hex(std::size_t count) {
  // Not std::random_device: that of libc++ opens /dev/urandom, which is not everywhere.
  std::vector<unsigned char> bytes(count);
  if (RAND_bytes(bytes.data(), static_cast<int>(count)) != 1) throw std::runtime_error("OpenSSL has no random numbers");
  std::string result(count, '0');
  std::ranges::transform(bytes, result.begin(), [](unsigned char byte) { return "0123456789abcdef"[byte % 16]; });
  return result;
}

void require_space(const std::filesystem::path& directory, std::uint64_t bytes) {
  const std::optional<std::uint64_t> available = free_space(directory);
  if (!available || bytes <= *available) return;
  throw Error(Errc::disk_full,
              "not enough space in " + directory.string() + ": " + format_bytes(bytes) + " needed, " +
                  format_bytes(*available) + " available",
              "free some space, or choose another place with --output and --cache-dir");
}

std::int64_t to_nanoseconds(std::int64_t seconds, std::int64_t nanoseconds) noexcept {
  constexpr std::int64_t second = 1'000'000'000, last = std::numeric_limits<std::int64_t>::max() / second - 1;
  return std::clamp<std::int64_t>(seconds, -last, last) * second + nanoseconds;
}

}  // namespace hawser
