// Where the store keeps what: the names in its directory, and the making of it (docs/formats.md).
#pragma once

#include "util/platform/directory.hpp"

#include <hawser/image/digest.hpp>
#include <hawser/util/error.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace hawser {

/// By what a blob's file is recognised as the one that was hashed: inode, size and modification time.
struct Identity {
  std::uint64_t inode = 0;
  std::uint64_t size = 0;  ///< bytes
  std::int64_t mtime = 0;  ///< nanoseconds since 1970

  static Identity of(const FileStatus& status);
  /// The text of a record in known/.
  std::string encode() const;
  friend bool operator==(const Identity&, const Identity&) = default;
};

/// The directory tree of a store. Holds no descriptors: each call opens what it needs.
class StoreLayout {
 public:
  /// Opens or makes the tree. An existing store that the system does not let us write is opened read-only.
  /// Throws Error{disk}.
  StoreLayout(std::filesystem::path root, bool writable);

  const std::filesystem::path& root() const noexcept { return root_; }
  bool writable() const noexcept { return writable_; }

  enum class Part { root, blobs_sha256, blobs_sha512, ingest, quarantine, known, notes };
  /// The directory of a part; nothing where it does not exist.
  std::optional<Directory> find(Part part) const;
  /// The directory of a part, made where it does not exist. Throws Error{disk} where the store is read-only, and
  /// deleted_error() where it was deleted.
  Directory make(Part part) const;

  /// Which part holds the blobs of an algorithm.
  static Part blobs_of(Digest::Algorithm algorithm);
  /// "sha256-<hex>": the stem of the names of locks, and of those in known/ and quarantine/.
  static std::string stem(const Digest& digest);
  /// The digest of a name that begins with a stem and goes on with `suffix`; nothing for other names.
  static std::optional<Digest> digest_of(std::string_view name, std::string_view suffix);

  /// What a partial file or its journal in ingest/ is about. The size is part of the name, since it is a manifest's
  /// claim: one that lies gets files of its own, and leaves alone what an honest pull has begun.
  struct Ingest {
    Digest digest;
    std::uint64_t size = 0;
  };
  /// "sha256-<hex>.<size>": the stem of these names.
  static std::string stem(const Digest& digest, std::uint64_t size);
  /// What `name`, such a stem and `suffix`, is about; nothing for other names.
  static std::optional<Ingest> ingest_of(std::string_view name, std::string_view suffix);

  /// The file in notes/ of a note; nothing where `name` can't be one's.
  static std::optional<std::string> note_file(std::string_view name);
  /// Whether `file` is one that note_file() gives.
  static bool is_note(std::string_view file);

  /// Whether `name` is one that quarantine/ gives: "<stem>.<random>" or "index.json.<random>".
  static bool is_quarantined(std::string_view name);

  /// Whether the blob's record says that this file was hashed and right.
  bool is_known(const Digest& digest, const Identity& identity) const;
  /// Writes the blob's record. What can't be written is left: the blob is then hashed again.
  void record_known(const Digest& digest, const Identity& identity) const noexcept;
  /// Notes that the blob was of use now: the record's modification time is the last use.
  void touch_known(const Digest& digest) const noexcept;

  /// The error of a write to a store that is open for reading.
  Error read_only_error() const;
  /// The error of a write to a store that somebody else has deleted since it was opened.
  Error deleted_error() const;

 private:
  /// Makes what is missing of the root and its marker.
  void make_root() const;
  void check_marker(const Directory& directory) const;
  /// Throws where an existing directory without a marker holds what is not ours.
  void check_is_free(const Directory& directory) const;

  std::filesystem::path root_;
  bool writable_;
};

}  // namespace hawser
