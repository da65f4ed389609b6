// The same tar as ArchiveWriter's, strictly in order, for a pipe that can't be sought.
#pragma once

#include <hawser/archive/archive_layout.hpp>
#include <hawser/image/digest.hpp>
#include <hawser/util/file.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace hawser {

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
