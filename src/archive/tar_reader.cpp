#include "archive/tar_reader.hpp"

#include "util/file.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <cerrno>
#include <memory>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>

namespace hawser {
namespace {

constexpr std::size_t block_size = 256 * 1024;

/// Whether libarchive's error number is one that read(2) has given. Its own are -1, EILSEQ for what is no tar, EINVAL
/// for a mistaken call and ENOMEM.
bool is_errno_of_read(int number) {
  return number > 0 && number != EILSEQ && number != EINVAL && number != ENOMEM;
}

[[noreturn]] void fail(archive* reader, std::string_view shown, std::string_view what) {
  if (const int number = archive_errno(reader); is_errno_of_read(number)) throw disk_error(number, "read", shown);
  const char* reason = archive_error_string(reader);
  throw Error(Errc::malformed, std::string(what) + ": " + printable(reason ? reason : "it is broken"));
}

/// The entry's path as documents would name it; empty where it can't be had.
std::string path_of(archive_entry* entry) {
  const char* text = archive_entry_pathname(entry);
  std::string_view path = text ? text : "";
  while (path.starts_with("./")) path.remove_prefix(2);
  return std::string(path);
}

/// Refuses a compressed tar that is mostly nothing, as DecompressLimits does for layers.
void check_ratio(archive* reader) {
  constexpr std::uint64_t max_ratio = 2048, ratio_from = std::uint64_t{64} << 20;
  const auto in = static_cast<std::uint64_t>(archive_filter_bytes(reader, -1));
  const auto out = static_cast<std::uint64_t>(archive_filter_bytes(reader, 0));
  if (out > ratio_from && out / max_ratio > in)
    throw Error(Errc::too_large, "the tar is more than " + std::to_string(max_ratio) + " times as large as its file");
}

bool is_regular(archive_entry* entry) {
  return archive_entry_filetype(entry) == AE_IFREG && !archive_entry_hardlink(entry) && !archive_entry_symlink(entry);
}

}  // namespace

std::size_t TarEntry::read(std::span<std::byte> buffer) {
  if (buffer.empty() || done_ == size_) return 0;
  auto* reader = static_cast<archive*>(reader_);
  const la_ssize_t count = archive_read_data(reader, buffer.data(), buffer.size());
  if (count < 0) fail(reader, tar_, "the entry " + printable(path_) + " of the tar can't be read");
  if (count == 0) throw Error(Errc::malformed, "the entry " + printable(path_) + " of the tar is truncated");
  done_ += static_cast<std::uint64_t>(count);
  check_ratio(reader);
  // A sparse file in whatever guise: more comes out than the tar has. What comes out now counts as read a little later.
  if (done_ > static_cast<std::uint64_t>(archive_filter_bytes(reader, 0)) + 4 * block_size)
    throw Error(Errc::malformed, "the entry " + printable(path_) + " is larger than the tar that it is in");
  return static_cast<std::size_t>(count);
}

TarReader::TarReader(std::filesystem::path path, ImportLimits limits) : path_(std::move(path)), limits_(limits) {}

void TarReader::each(const std::function<bool(TarEntry&)>& visit) const {
  const File file(path_, O_RDONLY);  // outlives the reader
  const std::unique_ptr<archive, decltype(&archive_read_free)> reader(archive_read_new(), archive_read_free);
  if (!reader) throw std::bad_alloc();
  const std::string shown = printable(path_.native());
  archive_read_support_format_tar(reader.get());
  archive_read_support_filter_gzip(reader.get());
  archive_read_support_filter_zstd(reader.get());
  if (archive_read_open_fd(reader.get(), file.fd(), block_size) != ARCHIVE_OK)
    fail(reader.get(), shown, shown + " is no tar");

  std::size_t count = 0;
  for (archive_entry* entry = nullptr;;) {
    const int result = archive_read_next_header(reader.get(), &entry);
    check_ratio(reader.get());
    if (result == ARCHIVE_EOF) return;
    if (result < ARCHIVE_WARN) fail(reader.get(), shown, shown + " can't be read as a tar");
    if (++count > limits_.max_entries)
      throw Error(Errc::too_large, shown + " has more than " + std::to_string(limits_.max_entries) + " entries");
    if (static_cast<std::uint64_t>(archive_filter_bytes(reader.get(), 0)) > limits_.max_tar_size)
      throw Error(Errc::too_large, shown + " is more than " + format_bytes(limits_.max_tar_size) + " decompressed");
    if (!is_regular(entry)) continue;
    if (archive_entry_sparse_count(entry) > 0)
      throw Error(Errc::malformed, shown + " has a sparse file, which nobody needs for an image");
    const la_int64_t size = archive_entry_size(entry);
    if (size < 0 || static_cast<std::uint64_t>(size) > max_blob_size)
      throw Error(Errc::malformed, shown + " has an entry of an absurd size");
    TarEntry current(reader.get(), shown, path_of(entry), static_cast<std::uint64_t>(size));
    if (current.path().size() > limits_.max_path) continue;
    if (!visit(current)) return;
  }
}

}  // namespace hawser
