// Appends at an offset of its own, so that a record which a full disk has cut short is written over by the next.
#include "journal_file.hpp"

#include <hawser/util/error.hpp>

#include <fcntl.h>
#include <unistd.h>

namespace hawser {

JournalFile::JournalFile(File file, JournalEncoder encoder, std::uint64_t size)
    : file_(std::move(file)), encoder_(std::move(encoder)), size_(size) {}

JournalFile JournalFile::write_new(const Directory& directory, const JournalHeader& header, const IntervalSet& written,
                                   const IntervalSet& durable) {
  JournalFile journal(directory.create_temporary(), JournalEncoder(header), 0);
  try {
    const std::string& head = journal.encoder_.header();
    journal.file_.write_at(0, as_bytes(head));
    journal.size_ = head.size();
    journal.append(JournalRecord::durable, durable.intervals());
    journal.append(JournalRecord::written, written.intervals());
  } catch (const Error&) {
    directory.remove(journal.file_.path().filename().string());
    throw;
  }
  return journal;
}

void JournalFile::publish(const Directory& directory, const std::string& name, Directory::Durable durable) const {
  const std::string temporary = file_.path().filename().string();
  try {
    if (durable == Directory::Durable::yes) sync();
    if (!directory.rename(temporary, directory, name)) throw deleted_underneath("rename", directory.path_of(temporary));
    if (durable == Directory::Durable::yes) directory.sync();
  } catch (const Error&) {
    directory.remove(temporary);
    throw;
  }
}

JournalFile JournalFile::create(const Directory& directory, const std::string& name, const JournalHeader& header,
                                const IntervalSet& written, const IntervalSet& durable, Directory::Durable synced) {
  JournalFile journal = write_new(directory, header, written, durable);
  journal.publish(directory, name, synced);
  return journal;
}

JournalFile JournalFile::resume(File file, const JournalHeader& header) {
  const std::uint64_t size = file.size();
  return {std::move(file), JournalEncoder(header), size};
}

void JournalFile::append(JournalRecord kind, const std::vector<Interval>& intervals) {
  std::string records;
  for (const auto& [begin, end] : intervals) records += encoder_.record(kind, begin, end);
  if (records.empty()) return;
  file_.write_at(size_, as_bytes(records));
  size_ += records.size();
}

std::optional<JournalContent> read_journal(const Directory& directory, const std::string& name, const Digest& digest,
                                           std::uint64_t size) {
  const auto found = directory.status(name);
  if (!found || !S_ISREG(found->st_mode)) return std::nullopt;
  const auto file = directory.open_file(name, O_RDONLY);
  if (!file) return std::nullopt;
  auto content = parse_journal(as_bytes(file->read_text(max_journal_size)));
  if (!content || content->header.digest != digest || content->header.size != size) return std::nullopt;
  return content;
}

}  // namespace hawser
