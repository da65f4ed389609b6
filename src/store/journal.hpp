// The journal of a blob on its way: which bytes of its partial file are there. Pure: bytes in, intervals out, and
// back; docs/formats.md has the layout.
#pragma once

#include "util/atomic_file.hpp"
#include "util/interval_set.hpp"
#include "util/platform/file.hpp"

#include <hawser/image/digest.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace hawser {

/// The kernel's random ID of a boot of the machine.
using BootId = std::array<std::uint8_t, 16>;
/// Where the kernel tells none; equal to no boot.
inline constexpr BootId unknown_boot{};

/// The ID of the running boot, read once.
const BootId& current_boot();
/// Parses "01234567-89ab-…" (a UUID); unknown_boot for anything else.
BootId parse_boot_id(std::string_view text);

inline constexpr std::size_t journal_header_size = 192;  ///< bytes
inline constexpr std::size_t journal_record_size = 32;   ///< bytes
/// Bytes of a journal that are read at most; what comes after counts as not written.
inline constexpr std::size_t max_journal_size = 4 * 1024 * 1024;

/// What a journal is about.
struct JournalHeader {
  Digest digest;
  std::uint64_t size = 0;  ///< of the blob, in bytes
  BootId boot{};           ///< under which the written records were made
};

enum class JournalRecord : std::uint32_t {
  written = 1,  ///< in the page cache when recorded: true as long as the machine stays up
  durable = 2,  ///< on the disk when recorded: true always
};

/// Encodes the header and the records of one journal. A record's checksum is seeded with the header's, so that it
/// counts in no other journal.
class JournalEncoder {
 public:
  explicit JournalEncoder(const JournalHeader& header);
  const std::string& header() const noexcept { return header_; }
  std::string record(JournalRecord kind, std::uint64_t begin, std::uint64_t end) const;
  std::string records(JournalRecord kind, const IntervalSet& set) const;

 private:
  std::string header_;
  std::uint32_t seed_ = 0;
};

/// What a journal says.
struct JournalContent {
  JournalHeader header;
  IntervalSet written;
  IntervalSet durable;
  std::size_t valid_size = 0;  ///< bytes up to the first record that is torn, damaged or out of bounds

  /// What may be believed under `boot` of a partial file that is `file_size` bytes long.
  IntervalSet believed(const BootId& boot, std::uint64_t file_size) const;
};

/// Reads a journal; nothing where its header is not intact. Takes any bytes.
std::optional<JournalContent> parse_journal(std::span<const std::byte> bytes);

/// An open journal. Not thread-safe, but sync() may run beside append().
class JournalFile {
 public:
  /// Puts a new journal in the place of an older one, whole or not at all; with Durable::yes it is on the disk on
  /// return. `durable` bytes are recorded as such, `written` ones for the boot of `header`.
  JournalFile(const Directory& directory, const std::string& name, const JournalHeader& header,
              const IntervalSet& written, const IntervalSet& durable, Durable synced);
  /// Goes on with a journal of the running boot that is intact up to its end.
  JournalFile(File file, const JournalHeader& header);

  void append(JournalRecord kind, const IntervalSet& set);
  void sync() const { file_.sync(); }

 private:
  File file_;
  JournalEncoder encoder_;
  std::uint64_t size_ = 0;
};

/// Reads the journal `name`; nothing where there is none, or where it is unreadable or about another blob.
std::optional<JournalContent> read_journal(const Directory& directory, const std::string& name, const Digest& digest,
                                           std::uint64_t size);

}  // namespace hawser
