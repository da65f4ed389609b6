#include <hawser/archive/archive_writer.hpp>
#include <hawser/util/disk_space.hpp>
#include <hawser/util/error.hpp>
#include <hawser/util/reflink.hpp>

#include <algorithm>

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
  std::vector<Digest> result;
  for (const ArchiveEntry& candidate : layout_.entries())
    if (const Digest* blob = std::get_if<Digest>(&candidate.content); blob && !filled_.contains(*blob))
      result.push_back(*blob);
  return result;
}

void ArchiveWriter::finish() {
  if (const std::vector<Digest> left = missing(); !left.empty())
    throw Error(Errc::malformed, path().native() + " is not complete: " + left.front().to_string() + " is missing");
  output_.commit();
}

}  // namespace hawser
