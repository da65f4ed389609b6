#include "archive/archive_writer.hpp"

#include "archive/tar_header.hpp"
#include "util/file.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include <poll.h>
#include <sys/sendfile.h>
#include <unistd.h>

namespace hawser {
namespace {

// How much of a copied blob is handed to the disk at once, so that finish() has little left to wait for.
constexpr std::uint64_t copy_step = std::uint64_t{16} << 20;

}  // namespace

ArchiveWriter::ArchiveWriter(std::filesystem::path path, ArchiveLayout layout, const std::filesystem::path& blobs)
    : layout_(std::move(layout)),
      output_(std::move(path)),
      shares_blocks_(!blobs.empty() && can_share_blocks(blobs, directory_of(output_.path()))) {
  if (!shares_blocks_) require_space(directory_of(output_.path()), layout_.total_size());
  // Padding and trailer are zeros: the holes of a sparse file.
  file().truncate(layout_.total_size());
  write_literals();
}

void ArchiveWriter::write_literals() const {
  for (const ArchiveEntry& entry : layout_.entries()) {
    file().write_at(entry.header_offset, as_bytes(entry.header()));
    if (const auto* text = std::get_if<std::string>(&entry.content))
      file().write_at(entry.data_offset, as_bytes(*text));
  }
}

const ArchiveEntry& ArchiveWriter::entry(const Digest& digest) const {
  const ArchiveEntry* found = layout_.find(digest);
  if (!found) throw Error(Errc::malformed, "no entry of " + path().native() + " is for " + digest.to_string());
  return *found;
}

std::uint64_t ArchiveWriter::data_offset(const Digest& digest) const {
  return entry(digest).data_offset;
}

void ArchiveWriter::fill(const Digest& digest, const File& source) {
  const ArchiveEntry& target = entry(digest);
  target.check_source(source);
  for (std::uint64_t done = 0; done < target.size; done += copy_step) {
    const std::uint64_t step = std::min(copy_step, target.size - done);
    file().copy_from(source, done, target.data_offset + done, step);
    file().start_writeback(target.data_offset + done, step);
  }
  mark_filled(digest);
}

void ArchiveWriter::mark_filled(const Digest& digest) {
  (void)entry(digest);
  const std::lock_guard lock(mutex_);
  filled_.insert(digest);
}

std::vector<Digest> ArchiveWriter::missing() const {
  const std::lock_guard lock(mutex_);
  return layout_.missing(filled_);
}

void ArchiveWriter::finish() {
  if (const std::vector<Digest> left = missing(); !left.empty())
    throw Error(Errc::malformed, path().native() + " is not complete: " + left.front().to_string() + " is missing");
  output_.commit();
}

namespace {

constexpr std::size_t step = 1 << 20;

/// Waits where `error` says to try again, throws otherwise.
void wait_or_throw(const File& output, int error) {
  if (error == EINTR) return;
  if (error == EPIPE || error == ECONNRESET)
    throw Error(Errc::disk, "whoever read the output has stopped reading (broken pipe)",
                "the program after the pipe ended early; see what it said");
  if (error != EAGAIN) throw disk_error(error, "write", output.path().native());
  pollfd wait{output.fd(), POLLOUT, 0};
  ::poll(&wait, 1, -1);
}

/// Copies through memory from `offset` on, where the kernel can't do it alone.
void copy_through_memory(const File& output, const File& source, std::uint64_t offset, std::uint64_t size) {
  std::vector<std::byte> buffer(step);
  while (offset < size) {
    const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), size - offset));
    const std::size_t count = source.read_at(offset, std::span(buffer).first(wanted));
    if (count == 0) throw Error(Errc::size_mismatch, source.path().native() + " has become shorter");
    write_stream(output, std::span(buffer).first(count));
    offset += count;
  }
}

}  // namespace

void write_stream(const File& output, std::span<const std::byte> data) {
  while (!data.empty()) {
    const ssize_t count = ::write(output.fd(), data.data(), data.size());
    if (count < 0)
      wait_or_throw(output, errno);
    else
      data = data.subspan(static_cast<std::size_t>(count));
  }
}

void copy_to_stream(const File& output, const File& source, std::uint64_t size) {
  off_t offset = 0;
  while (static_cast<std::uint64_t>(offset) < size) {
    const std::uint64_t left = size - static_cast<std::uint64_t>(offset);
    const ssize_t count =
        ::sendfile(output.fd(), source.fd(), &offset, static_cast<std::size_t>(std::min<std::uint64_t>(left, step)));
    if (count == 0) throw Error(Errc::size_mismatch, source.path().native() + " has become shorter");
    if (count > 0) continue;
    if (errno == EINVAL || errno == ENOSYS)
      return copy_through_memory(output, source, static_cast<std::uint64_t>(offset), size);
    wait_or_throw(output, errno);
  }
}

void pad_stream(const File& output, std::uint64_t size) {
  static constexpr std::array<std::byte, tar_trailer_size> zeros{};
  write_stream(output, std::span(zeros).first(static_cast<std::size_t>(size)));
}

StreamWriter::StreamWriter(const File& output, ArchiveLayout layout) : output_(&output), layout_(std::move(layout)) {}

std::optional<Digest> StreamWriter::next() {
  for (; position_ < layout_.entries().size(); ++position_) {
    const ArchiveEntry& entry = layout_.entries()[position_];
    if (const Digest* blob = std::get_if<Digest>(&entry.content)) return *blob;
    write_stream(*output_, as_bytes(entry.header()));
    if (const auto* text = std::get_if<std::string>(&entry.content)) write_stream(*output_, as_bytes(*text));
    pad_stream(*output_, tar_padded(entry.size) - entry.size);
  }
  if (!finished_) pad_stream(*output_, tar_trailer_size);
  finished_ = true;
  return std::nullopt;
}

void StreamWriter::write_blob(const Digest& digest, const File& source) {
  const std::optional<Digest> due = next();
  if (due != digest)
    throw Error(Errc::malformed, "the blob that is due in the output is " + (due ? due->to_string() : "none") +
                                     ", not " + digest.to_string());
  const ArchiveEntry& entry = layout_.entries()[position_];
  entry.check_source(source);
  write_stream(*output_, as_bytes(entry.header()));
  copy_to_stream(*output_, source, entry.size);
  pad_stream(*output_, tar_padded(entry.size) - entry.size);
  ++position_;
}

}  // namespace hawser
