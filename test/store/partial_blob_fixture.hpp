// A blob of a million bytes on its way into a store.
#pragma once

#include "store/journal.hpp"
#include "store/partial_blob.hpp"
#include "store_fixture.hpp"

namespace hawser {

class PartialBlobTest : public test::StoreTest {
 protected:
  const std::string content = test::sample(1'000'000);
  const Digest digest = Digest::of(content);

  /// Writes a journal as another boot has left it.
  void write_journal(const BootId& boot, const std::vector<std::pair<JournalRecord, Interval>>& records) const {
    const JournalEncoder encoder({digest, content.size(), boot});
    std::string bytes = encoder.header();
    for (const auto& [kind, interval] : records) bytes += encoder.record(kind, interval.begin, interval.end);
    test::write_text(ingest_path(digest, content.size(), ".journal"), bytes);
  }
};

}  // namespace hawser
