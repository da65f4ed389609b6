// A tar file whose layout is known beforehand, filled in any order as its blobs come.
#pragma once

#include "archive/archive_layout.hpp"
#include "archive/output_file.hpp"
#include "util/file.hpp"

#include <hawser/image/digest.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <set>
#include <span>

namespace hawser {

/// Writes the tar of an ArchiveLayout. The file is sparse and has its full length from the start; blobs go in by
/// fill(), or are written at data_offset() by whoever fetches them. Every function but finish() may be called from
/// several threads at once.
class ArchiveWriter {
 public:
  /// Creates the temporary file and writes headers and documents. Blobs for fill() will come from the directory
  /// `blobs`, unless it is empty. Throws Error{disk} as OutputFile does, and Error{disk_full} where the tar will not
  /// fit; one that shares its blocks with `blobs` always fits.
  explicit ArchiveWriter(std::filesystem::path path, ArchiveLayout layout, const std::filesystem::path& blobs = {});

  /// The final name.
  const std::filesystem::path& path() const noexcept { return output_.path(); }
  /// The tar under its temporary name, open for reading and writing.
  const File& file() const noexcept { return output_.file(); }
  /// Whether fill() gives the tar the blocks of `blobs` instead of copies (can_share_blocks()).
  bool shares_blocks() const noexcept { return shares_blocks_; }
  /// Where the bytes of the blob belong in file(); throws Error{malformed} where no entry is waiting for it.
  std::uint64_t data_offset(const Digest& digest) const;

  /// Copies the blob from `source`, from its beginning, inside the kernel where it can. The caller has verified it.
  /// Throws Error{size_mismatch} where `source` is not as long as the entry.
  void fill(const Digest& digest, const File& source);
  /// Says that the blob has been written at data_offset() and verified.
  void mark_filled(const Digest& digest);
  /// The blobs that are still to come, in the tar's order.
  std::vector<Digest> missing() const;

  /// Makes the tar durable and gives it its name. Throws Error{malformed} where a blob is missing.
  void finish();

 private:
  const ArchiveEntry& entry(const Digest& digest) const;
  void write_literals() const;

  ArchiveLayout layout_;
  OutputFile output_;
  bool shares_blocks_;
  mutable std::mutex mutex_;
  std::set<Digest> filled_;
};

/// Writes the tar of an ArchiveLayout to a stream. Ask next() which blob is due, get it, write_blob() it, until next()
/// says that there is none. Blocks while the reader does not read, so it belongs on a pool thread. SIGPIPE must be
/// ignored by the process; a reader that has gone away is then Error{disk}.
class StreamWriter {
 public:
  /// `output` stays the caller's and must outlive the writer.
  StreamWriter(const File& output, ArchiveLayout layout);

  const ArchiveLayout& layout() const noexcept { return layout_; }
  /// Writes what needs no blob and returns the blob that is due; nothing once the tar is whole.
  std::optional<Digest> next();
  /// Writes the blob that is due from the beginning of `source`, which the caller has verified. Throws
  /// Error{size_mismatch} where it is not as long as its entry, Error{malformed} where another blob is due.
  void write_blob(const Digest& digest, const File& source);

 private:
  const File* output_;
  ArchiveLayout layout_;
  std::size_t position_ = 0;  // the entry that is due
  bool finished_ = false;
};

/// Writes all of `data` to a pipe, socket or file, waiting where it is non-blocking and full. A reader that has gone
/// away is Error{disk} that says so.
void write_stream(const File& output, std::span<const std::byte> data);

/// Copies the first `size` bytes of `source` to the stream, inside the kernel where it can.
void copy_to_stream(const File& output, const File& source, std::uint64_t size);

/// Writes `size` zeros, at most two blocks, to the stream.
void pad_stream(const File& output, std::uint64_t size);

}  // namespace hawser
