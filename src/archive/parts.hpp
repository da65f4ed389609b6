// Archives in parts: for media, and filesystems, that don't take them whole. The parts are the archive's bytes and
// nothing else, so that cat joins them, too; what they are stands in a list beside them, which sha256sum -c reads.
#pragma once

#include "util/atomic_file.hpp"
#include "util/platform/file.hpp"

#include <hawser/image/digest.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser {

/// The list of an archive's parts, NAME.parts (docs/formats.md).
struct PartList {
  static constexpr std::size_t most = 999;  ///< parts of one archive

  std::string archive;          ///< its file name, without a directory
  std::uint64_t size = 0;       ///< of the archive
  std::uint64_t part_size = 0;  ///< of each part but the last, which may be smaller
  std::vector<Digest> digests;  ///< SHA-256 of each part

  /// How many parts an archive of `size` bytes has. Throws Error{usage} where they would be too many.
  static std::size_t count(std::uint64_t size, std::uint64_t part_size);
  /// Throws Error{malformed} where `text` is no such list.
  static PartList parse(std::string_view text);

  std::string text() const;
  /// Bytes of a part, counted from 0.
  std::uint64_t size_of(std::size_t part) const;
  /// The file name of a part: "app.tar.001" for part 0.
  std::string name_of(std::size_t part) const;

  friend bool operator==(const PartList&, const PartList&) = default;
};

/// Where the list of the archive's parts is.
std::filesystem::path part_list_path(const std::filesystem::path& archive);

/// check_output() for an archive at `path`, in parts of `part_size` where that is not 0; then Error{usage}, too, for a
/// name that could not be listed. Returns `path`.
std::filesystem::path check_archive_output(const std::filesystem::path& path, std::uint64_t part_size);

/// An archive that is there: one file, or parts with their list, whose sizes are as they should be. What the parts hold
/// is not read, as it is not of one file either.
class ArchiveReader {
 public:
  /// Nothing where there is no such archive, or one in parts of another size.
  static std::optional<ArchiveReader> open(const std::filesystem::path& path, std::uint64_t part_size);

  std::uint64_t size() const noexcept { return size_; }
  /// The number of parts; 0 where it is one file.
  std::size_t part_count() const noexcept { return part_size_ == 0 ? 0 : files_.size(); }
  /// `length` bytes at `offset`; fewer only at the end.
  std::string read_text(std::size_t length, std::uint64_t offset) const;

 private:
  ArchiveReader(std::vector<File> files, std::uint64_t part_size, std::uint64_t size)
      : files_(std::move(files)), part_size_(part_size), size_(size) {}

  std::vector<File> files_;
  std::uint64_t part_size_;
  std::uint64_t size_;
};

/// How many parts the archive at `path` consists of, see ArchiveReader::open(); 0 where there is none, or it is one
/// file.
std::size_t parts_of_archive(const std::filesystem::path& path, std::uint64_t part_size);

/// A new archive: one file, or parts, which get their names all together, and their list last. Any thread may write, as
/// long as no two write to the same place. Functions throw Error{disk, disk_full}, and those that make it longer
/// Error{usage} where it would have too many parts.
class ArchiveFile {
 public:
  /// Throws what check_archive_output() does.
  explicit ArchiveFile(const std::filesystem::path& path, std::uint64_t part_size = 0);

  /// The final path; of parts, without their numbers.
  const std::filesystem::path& path() const noexcept { return path_; }
  /// The file, where it is one.
  const File* whole() const;
  /// The number of parts; 0 where it is one file.
  std::size_t part_count() const;

  void write_at(std::uint64_t offset, std::span<const std::byte> data);
  void copy_from(const File& source, std::uint64_t source_offset, std::uint64_t offset, std::uint64_t length);
  void start_writeback(std::uint64_t offset, std::uint64_t length);
  void truncate(std::uint64_t size);
  /// The digest of `length` bytes that were written.
  Digest hash(Digest::Algorithm algorithm, std::uint64_t offset, std::uint64_t length);
  /// Makes it durable and gives it its names. Parts that an older list names and this archive no longer has are
  /// removed. Where that fails in the midst none of the new parts is left.
  void commit();

 private:
  const File& part(std::size_t index);
  template <typename Do>
  void for_each_piece(std::uint64_t offset, std::uint64_t length, Do act);
  PartList list();
  void commit_parts();

  const std::filesystem::path path_;
  const std::uint64_t part_size_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<AtomicFile>> parts_;  // one, and no part, where it is one file
};

/// Parts that are to be joined, and their list.
struct GivenParts {
  std::filesystem::path list_file;
  PartList list;
  std::vector<std::filesystem::path> files;
  bool by_list = false;  ///< whether no part was named, only the list
};

/// Tells lists (NAME.parts) among `files` from parts. Where no list is given it is looked for beside the parts; where
/// no part is, they are those beside the list. Throws Error{disk} where there is no list or it can't be read,
/// Error{malformed} where it is none, Error{usage} where there are two that differ.
GivenParts find_parts(const std::vector<std::filesystem::path>& files);

/// What was found among files that were given as parts.
struct PartsReport {
  struct Refused {
    std::filesystem::path file;
    std::string why;  ///< "is damaged, or of another pull"
  };

  std::vector<bool> there;       ///< for each part of the list, whether it was found, sound
  std::vector<Refused> refused;  ///< files that are no sound part

  bool is_whole() const;
};

/// Takes a line on each file when it has been read, and whether it is a sound part.
using PartTold = std::function<void(const std::string&, bool)>;

/// Reads the parts, in whatever order and under whatever names: which one a file is, its bytes say.
PartsReport check_parts(const GivenParts& given, const PartTold& told);
/// The same, and where all parts are there the archive is written to `output`. Throws as check_output() does, and
/// Error{disk, disk_full}.
PartsReport join_parts(const GivenParts& given, const std::filesystem::path& output, const PartTold& told);

}  // namespace hawser
