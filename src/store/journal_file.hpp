// The journal of a partial blob on the disk: appended to, replaced when it has grown, removed at the end.
#pragma once

#include "directory.hpp"
#include "journal.hpp"

#include <hawser/image/digest.hpp>
#include <hawser/util/file.hpp>

#include <string>
#include <vector>

namespace hawser {

/// An open journal. Not thread-safe, but sync() may run beside append().
class JournalFile {
 public:
  /// Writes a new journal, which has no name yet. `durable` bytes are recorded as such, `written` ones for the
  /// boot of `header`.
  static JournalFile write_new(const Directory& directory, const JournalHeader& header, const IntervalSet& written,
                               const IntervalSet& durable);
  /// Puts a new journal in the place of an older one, whole or not at all; with Durable::yes it is on the disk on
  /// return.
  void publish(const Directory& directory, const std::string& name, Directory::Durable durable) const;
  /// write_new() and publish().
  static JournalFile create(const Directory& directory, const std::string& name, const JournalHeader& header,
                            const IntervalSet& written, const IntervalSet& durable, Directory::Durable synced);
  /// Goes on with a journal of the running boot that is intact up to its end.
  static JournalFile resume(File file, const JournalHeader& header);

  void append(JournalRecord kind, const std::vector<Interval>& intervals);
  void sync() const { file_.sync(); }
  const File& file() const noexcept { return file_; }
  /// Whether no reader would see a further record.
  bool is_full() const noexcept { return size_ + journal_record_size > max_journal_size; }
  /// Bytes.
  std::uint64_t size() const noexcept { return size_; }

 private:
  JournalFile(File file, JournalEncoder encoder, std::uint64_t size);

  File file_;
  JournalEncoder encoder_;
  std::uint64_t size_;
};

/// Reads the journal `name`; nothing where there is none, or where it is unreadable or about another blob.
std::optional<JournalContent> read_journal(const Directory& directory, const std::string& name, const Digest& digest,
                                           std::uint64_t size);

}  // namespace hawser
