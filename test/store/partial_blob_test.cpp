#include "store/partial_blob.hpp"

#include "partial_blob_fixture.hpp"

#include <csignal>
#include <thread>

#include <fcntl.h>

namespace hawser {
namespace {

using test::content_of;
using test::in_child;
using test::mode_of;
using test::read_text;
using test::sample;
using test::write_text;

TEST_F(PartialBlobTest, CommitPutsTheWholeBlobInItsPlace) {
  BlobStore store(cache());
  PartialBlob partial = begin(store, digest, content.size());
  EXPECT_EQ(partial.present().size(), 0U);
  fill(partial, content, 500'000, 1'000'000);
  fill(partial, content, 0, 500'000);
  EXPECT_EQ(partial.present().contiguous_end(0), content.size());
  const auto committed = partial.commit();
  EXPECT_TRUE(committed.stored);
  EXPECT_EQ(content_of(committed.file), content);
  EXPECT_EQ(read_text(blob_path(digest)), content);
  EXPECT_TRUE(std::filesystem::is_empty(cache() / "ingest"));
  const auto found = store.find(digest, content.size());
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->known);
}

TEST_F(PartialBlobTest, FilesAreOpenToTheUserAlone) {
  BlobStore store(cache());
  PartialBlob partial = begin(store, digest, content.size());
  for (const char* name : {"", "blobs", "blobs/sha256", "ingest", "quarantine", "known", "notes"})
    EXPECT_EQ(mode_of(cache() / name), 0700U) << name;
  for (const char* suffix : {".partial", ".journal"})
    EXPECT_EQ(mode_of(ingest_path(digest, content.size(), suffix)), 0600U) << suffix;
  EXPECT_EQ(mode_of(ingest_path(digest, ".lock")), 0600U);
  fill(partial, content, 0, content.size());
  partial.commit();
  EXPECT_EQ(mode_of(blob_path(digest)), 0600U);
  EXPECT_EQ(mode_of(cache() / "known" / ("sha256-" + digest.hex())), 0600U);
  EXPECT_EQ(mode_of(cache() / "index.json"), 0600U);
  EXPECT_EQ(mode_of(cache() / "oci-layout"), 0600U);
}

TEST_F(PartialBlobTest, ModesHonourTheUmask) {
  const mode_t before = ::umask(0277);
  const int status = in_child([&] { BlobStore store(directory / "strict"); });
  ::umask(before);
  EXPECT_EQ(mode_of(directory / "strict") & 0277U, 0U);
  (void)status;  // with such a mask only root gets further
}

TEST_F(PartialBlobTest, TheNextHolderGoesOnWhereTheLastStopped) {
  BlobStore store(cache());
  {
    PartialBlob partial = begin(store, digest, content.size());
    fill(partial, content, 0, 100'000);
    fill(partial, content, 300'000, 300'010);
  }
  EXPECT_EQ(store.resumable_bytes(digest, content.size()), 100'010U);
  EXPECT_EQ(store.resumable_bytes(digest, content.size() + 1), 0U);
  PartialBlob partial = begin(store, digest, content.size());
  EXPECT_EQ(partial.present().intervals(), (std::vector<Interval>{{0, 100'000}, {300'000, 300'010}}));
}

TEST_F(PartialBlobTest, NothingIsLeftOfAFetchThatGotNothing) {
  BlobStore store(cache());
  { PartialBlob partial = begin(store, digest, content.size()); }
  EXPECT_TRUE(std::filesystem::is_empty(cache() / "ingest"));
}

TEST_F(PartialBlobTest, AKillLosesLessThanAStepOfEachRange) {
  const int status = in_child([&] {
    BlobStore store(cache());
    PartialBlob partial = begin(store, digest, content.size());
    for (std::size_t at = 0; at < 300'000; at += 1000) {
      fill(partial, content, at, at + 1000);
      fill(partial, content, 500'000 + at, 500'000 + at + 1000);
    }
    ::raise(SIGKILL);
  });
  ASSERT_TRUE(WIFSIGNALED(status));
  BlobStore store(cache());
  PartialBlob partial = begin(store, digest, content.size());
  EXPECT_GE(partial.present().contiguous_end(0), 300'000U - 66'000U);
  EXPECT_LE(partial.present().contiguous_end(0), 300'000U);
  EXPECT_GE(partial.present().contiguous_end(500'000), 800'000U - 66'000U);
  for (const auto& [from, to] : partial.present().intervals())
    EXPECT_EQ(content_of(partial.file()).substr(from, to - from), content.substr(from, to - from));
}

TEST_F(PartialBlobTest, OfAnotherBootOnlyDurableBytesAreBelieved) {
  BlobStore store(cache());
  write_text(ingest_path(digest, content.size(), ".partial"), content);
  BootId other = current_boot();
  other[0] ^= 1U;
  write_journal(other, {{JournalRecord::durable, {0, 1000}}, {JournalRecord::written, {1000, 5000}}});
  EXPECT_EQ(store.resumable_bytes(digest, content.size()), 1000U);
  {
    PartialBlob partial = begin(store, digest, content.size());
    EXPECT_EQ(partial.present().intervals(), (std::vector<Interval>{{0, 1000}}));
    fill(partial, content, 7000, 8000);
  }
  // What was not believed must not come back under this boot.
  PartialBlob partial = begin(store, digest, content.size());
  EXPECT_EQ(partial.present().intervals(), (std::vector<Interval>{{0, 1000}, {7000, 8000}}));
}

TEST_F(PartialBlobTest, NothingIsBelievedBeyondTheEndOfTheFile) {
  BlobStore store(cache());
  {
    PartialBlob partial = begin(store, digest, content.size());
    fill(partial, content, 0, 800'000);
    partial.checkpoint();
  }
  std::filesystem::resize_file(ingest_path(digest, content.size(), ".partial"), 300'000);
  {
    PartialBlob partial = begin(store, digest, content.size());
    EXPECT_EQ(partial.present().intervals(), (std::vector<Interval>{{0, 300'000}}));
    EXPECT_EQ(partial.file().size(), content.size());
  }
  // Now that the file is long again, the journal may not speak of what was cut off.
  PartialBlob partial = begin(store, digest, content.size());
  EXPECT_EQ(partial.present().intervals(), (std::vector<Interval>{{0, 300'000}}));
}

TEST_F(PartialBlobTest, AnEmptyFileUnderAFullJournalIsEmpty) {
  BlobStore store(cache());
  write_journal(current_boot(), {{JournalRecord::durable, {0, content.size()}}});
  PartialBlob partial = begin(store, digest, content.size());
  EXPECT_EQ(partial.present().size(), 0U);
}

TEST_F(PartialBlobTest, AGarbageJournalStartsAfresh) {
  BlobStore store(cache());
  write_text(ingest_path(digest, content.size(), ".partial"), "what may this be");
  write_text(ingest_path(digest, content.size(), ".journal"), sample(5000));
  PartialBlob partial = begin(store, digest, content.size());
  EXPECT_EQ(partial.present().size(), 0U);
  EXPECT_EQ(content_of(partial.file()), std::string(content.size(), '\0'));
}

TEST_F(PartialBlobTest, AJournalThatIsAboutAnotherSizeStartsAfresh) {
  BlobStore store(cache());
  {
    PartialBlob partial = begin(store, digest, content.size());
    fill(partial, content, 0, 100'000);
  }
  for (const char* suffix : {".partial", ".journal"})
    std::filesystem::rename(ingest_path(digest, content.size(), suffix),
                            ingest_path(digest, content.size() - 1, suffix));
  PartialBlob partial = begin(store, digest, content.size() - 1);
  EXPECT_EQ(partial.present().size(), 0U);
  EXPECT_EQ(partial.file().size(), content.size() - 1);
}

TEST_F(PartialBlobTest, ASizeThatLiesLeavesWhatAnHonestPullHasBegun) {
  BlobStore store(cache());
  {
    PartialBlob partial = begin(store, digest, content.size());
    fill(partial, content, 0, 100'000);
  }
  for (const std::size_t lie : {content.size() - 1, content.size() + 1, std::size_t{0}}) {
    PartialBlob partial = begin(store, digest, lie);
    EXPECT_EQ(partial.present().size(), 0U);
    EXPECT_TRUE(std::holds_alternative<BlobBusy>(store.acquire(digest, content.size())));
    fill(partial, content, 0, std::min<std::size_t>(lie, 10));
    partial.discard();
    fill(partial, content, 0, std::min<std::size_t>(lie, 20));
  }
  EXPECT_EQ(store.resumable_bytes(digest, content.size() + 1), 20U);
  PartialBlob partial = begin(store, digest, content.size());
  EXPECT_EQ(partial.present().intervals(), (std::vector<Interval>{{0, 100'000}}));
  fill(partial, content, 100'000, content.size());
  EXPECT_TRUE(partial.commit().stored);
  // Now it is known what size the blob has, and the lies are of no use any more.
  EXPECT_TRUE(std::filesystem::is_empty(cache() / "ingest"));
}

TEST_F(PartialBlobTest, ATornJournalIsBelievedUpToTheTear) {
  BlobStore store(cache());
  {
    PartialBlob partial = begin(store, digest, content.size());
    for (std::size_t at = 0; at < 10; ++at) {
      fill(partial, content, at * 100'000, at * 100'000 + 1000);
      partial.flush();
    }
  }
  const std::string whole = read_text(ingest_path(digest, content.size(), ".journal"));
  ASSERT_EQ(whole.size(), journal_header_size + 10 * journal_record_size);
  for (std::size_t length = 0; length <= whole.size(); length += 7) {
    write_text(ingest_path(digest, content.size(), ".partial"), content);
    write_text(ingest_path(digest, content.size(), ".journal"), whole.substr(0, length));
    const std::size_t records = length < journal_header_size ? 0 : (length - journal_header_size) / journal_record_size;
    {
      PartialBlob partial = begin(store, digest, content.size());
      EXPECT_EQ(partial.present().size(), records * 1000) << length;
      fill(partial, content, 999'000, 1'000'000);
    }
    // What is appended after a tear can be read again.
    PartialBlob partial = begin(store, digest, content.size());
    EXPECT_EQ(partial.present().size(), (records + 1) * 1000) << length;
  }
}

TEST_F(PartialBlobTest, ACheckpointMakesTheBytesDurable) {
  BlobStore store(cache());
  PartialBlob partial = begin(store, digest, content.size());
  fill(partial, content, 0, 1000);
  fill(partial, content, 5000, 6000);
  partial.checkpoint();
  fill(partial, content, 1000, 2000);
  const auto journal = parse_journal(as_bytes(read_text(ingest_path(digest, content.size(), ".journal"))));
  ASSERT_TRUE(journal);
  EXPECT_EQ(journal->durable.intervals(), (std::vector<Interval>{{0, 1000}, {5000, 6000}}));
}

TEST_F(PartialBlobTest, ALongJournalIsRewrittenByACheckpoint) {
  const std::string large = sample(4'000'000, 2);
  const Digest name = Digest::of(large);
  BlobStore store(cache());
  {
    PartialBlob partial = begin(store, name, large.size());
    for (std::size_t at = 0; at + 1000 <= large.size(); at += 1000) {
      fill(partial, large, at, at + 1000);
      partial.flush();
    }
    EXPECT_GT(std::filesystem::file_size(ingest_path(name, large.size(), ".journal")), 4000 * journal_record_size);
    partial.checkpoint();
    EXPECT_EQ(std::filesystem::file_size(ingest_path(name, large.size(), ".journal")),
              journal_header_size + journal_record_size);
    fill(partial, large, 0, 1000);
  }
  PartialBlob partial = begin(store, name, large.size());
  EXPECT_EQ(partial.present().contiguous_end(0), large.size());
  EXPECT_TRUE(std::holds_alternative<BlobBusy>(store.acquire(name, large.size())));
}

TEST_F(PartialBlobTest, ACheckpointMayRunBesideWrites) {
  BlobStore store(cache());
  {
    PartialBlob partial = begin(store, digest, content.size());
    std::thread pool([&] {
      for (int i = 0; i < 50; ++i) partial.checkpoint();
    });
    for (std::size_t at = 0; at < content.size(); at += 1000) fill(partial, content, at, at + 1000);
    pool.join();
  }
  PartialBlob partial = begin(store, digest, content.size());
  EXPECT_EQ(partial.present().contiguous_end(0), content.size());
  EXPECT_EQ(content_of(partial.commit().file), content);
}

TEST_F(PartialBlobTest, DiscardKeepsTheRightAndForgetsTheBytes) {
  BlobStore store(cache());
  {
    PartialBlob partial = begin(store, digest, content.size());
    fill(partial, content, 0, 500'000);
    partial.checkpoint();
    partial.discard();
    EXPECT_EQ(partial.present().size(), 0U);
    EXPECT_EQ(content_of(partial.file()), std::string(content.size(), '\0'));
    EXPECT_TRUE(std::holds_alternative<BlobBusy>(store.acquire(digest, content.size())));
    fill(partial, content, 10, 20);
  }
  EXPECT_EQ(begin(store, digest, content.size()).present().intervals(), (std::vector<Interval>{{10, 20}}));
}

TEST_F(PartialBlobTest, DiscardLeavesAFileThatHasItsFinalNameAlone) {
  BlobStore store(cache());
  {
    PartialBlob partial = begin(store, digest, content.size());
    fill(partial, content, 0, content.size());
    // As a commit() leaves it whose last fsync fails.
    std::filesystem::rename(ingest_path(digest, content.size(), ".partial"), blob_path(digest));
    partial.discard();
    EXPECT_EQ(read_text(blob_path(digest)), content);
    EXPECT_EQ(partial.present().size(), 0U);
    fill(partial, content, 0, content.size());
    EXPECT_EQ(content_of(partial.commit().file), content);
  }
  EXPECT_EQ(read_text(blob_path(digest)), content);
  EXPECT_TRUE(std::filesystem::is_empty(cache() / "ingest"));
}

TEST_F(PartialBlobTest, DiscardLeavesAnothersPartialFileAlone) {
  BlobStore store(cache());
  PartialBlob first = begin(store, digest, content.size());
  fill(first, content, 0, 1000);
  std::filesystem::remove_all(cache());
  BlobStore other(cache());
  PartialBlob second = begin(other, digest, content.size());
  fill(second, content, 0, content.size());
  first.discard();
  EXPECT_EQ(read_text(ingest_path(digest, content.size(), ".partial")), content);
  fill(first, content, 0, content.size());
  EXPECT_EQ(content_of(first.commit().file), content);
  EXPECT_EQ(content_of(second.commit().file), content);
}

TEST_F(PartialBlobTest, ABlobOfNoBytesCanBeCommitted) {
  BlobStore store(cache());
  PartialBlob partial = begin(store, Digest::of(""), 0);
  EXPECT_EQ(partial.commit().file.size(), 0U);
  EXPECT_TRUE(store.find(Digest::of(""), 0));
}

TEST_F(PartialBlobTest, AFileOfAnotherSizeIsNotCommitted) {
  BlobStore store(cache());
  PartialBlob partial = begin(store, digest, content.size());
  fill(partial, content, 0, content.size());
  std::filesystem::resize_file(ingest_path(digest, content.size(), ".partial"), 10);
  const auto failure = test::failure_of([&] { partial.commit(); });
  EXPECT_EQ(failure.code, Errc::disk);
  EXPECT_FALSE(std::filesystem::exists(blob_path(digest)));
}

TEST_F(PartialBlobTest, AFileThatWasChangedAfterItsLockWasLostIsNotCommitted) {
  BlobStore store(cache());
  PartialBlob partial = begin(store, digest, content.size());
  fill(partial, content, 0, content.size());
  std::filesystem::remove(ingest_path(digest, ".lock"));
  partial.file().write_at(100, as_bytes("another's bytes"));
  const auto failure = test::failure_of([&] { partial.commit(); });
  EXPECT_EQ(failure.code, Errc::digest_mismatch);
  EXPECT_FALSE(std::filesystem::exists(blob_path(digest)));
  for (const auto& entry : std::filesystem::directory_iterator(cache() / "ingest"))
    EXPECT_FALSE(entry.path().filename().string().starts_with(".tmp-")) << entry.path();
}

TEST_F(PartialBlobTest, ACacheDeletedUnderneathIsMadeAgainByCommit) {
  BlobStore store(cache());
  PartialBlob partial = begin(store, digest, content.size());
  fill(partial, content, 0, 500'000);
  std::filesystem::remove_all(cache());
  fill(partial, content, 500'000, content.size());
  partial.checkpoint();
  const auto committed = partial.commit();
  EXPECT_TRUE(committed.stored);
  EXPECT_EQ(content_of(committed.file), content);
  EXPECT_EQ(read_text(blob_path(digest)), content);
  EXPECT_TRUE(std::filesystem::exists(cache() / "oci-layout"));
}

TEST_F(PartialBlobTest, ACacheThatCanNotBeMadeAgainDoesNotLoseTheBytes) {
  BlobStore store(cache());
  PartialBlob partial = begin(store, digest, content.size());
  fill(partial, content, 0, content.size());
  std::filesystem::remove_all(cache());
  write_text(cache(), "a file where the cache was");
  partial.checkpoint();
  const auto committed = partial.commit();
  EXPECT_FALSE(committed.stored);
  EXPECT_EQ(content_of(committed.file), content);
}

TEST_F(PartialBlobTest, CommitLeavesAnothersPartialFileAlone) {
  BlobStore store(cache());
  PartialBlob first = begin(store, digest, content.size());
  fill(first, content, 0, content.size());
  std::filesystem::remove_all(cache());
  BlobStore other(cache());
  PartialBlob second = begin(other, digest, content.size());
  fill(second, content, 0, 1000);
  EXPECT_TRUE(first.commit().stored);
  EXPECT_TRUE(std::filesystem::exists(ingest_path(digest, content.size(), ".partial")));
  fill(second, content, 1000, content.size());
  EXPECT_EQ(content_of(second.commit().file), content);
}

using test::in_child;
using test::read_text;
using test::sample;

/// What a journal says is there.
std::uint64_t journalled(const std::filesystem::path& journal) {
  const auto content = parse_journal(as_bytes(read_text(journal)));
  IntervalSet all;
  if (!content) return 0;
  for (const IntervalSet& set : {content->written, content->durable})
    for (const auto& [begin, end] : set.intervals()) all.insert(begin, end);
  return all.size();
}

/// A blob that has half its bytes, and a journal that is due to be rewritten.
class JournalRewriteTest : public PartialBlobTest {
 protected:
  static constexpr std::uint64_t size = 8'000'000, step = 1000, half = size / 2;

  JournalRewriteTest()
      : layout(cache(), true),
        blob(layout, name, size,
             LockFile::try_acquire(layout.make(StoreLayout::Part::ingest), StoreLayout::stem(name)).value()) {
    for (std::uint64_t at = 0; at < half; at += step) write(at);
  }
  void write(std::uint64_t at) {
    blob.wrote(at, at + step);
    const std::lock_guard guard(blob.mutex);
    blob.flush_locked();
  }
  std::filesystem::path journal() const { return ingest_path(name, size, ".journal"); }

  const Digest name = Digest::of("large");
  StoreLayout layout;
  PartialBlob::Impl blob;
};

TEST_F(JournalRewriteTest, WhatArrivesMeanwhileIsInTheJournalThroughout) {
  auto rewrite = blob.begin_rewrite({{0, half}});
  ASSERT_TRUE(rewrite);
  EXPECT_EQ(journalled(journal()), half);
  write(half);
  EXPECT_EQ(journalled(journal()), half + step);
  blob.finish_rewrite(std::move(*rewrite));
  EXPECT_EQ(journalled(journal()), half + step);
  EXPECT_LT(std::filesystem::file_size(journal()), 1000U);
  EXPECT_EQ(parse_journal(as_bytes(read_text(journal())))->durable.size(), half);
  write(half + step);
  EXPECT_EQ(journalled(journal()), half + 2 * step);
}

TEST_F(JournalRewriteTest, WhereItFailsTheOldJournalStaysInUse) {
  auto rewrite = blob.begin_rewrite({{0, half}});
  ASSERT_TRUE(rewrite);
  std::filesystem::remove(rewrite->journal.file().path());
  EXPECT_EQ(test::code_of([&] { blob.finish_rewrite(std::move(*rewrite)); }), Errc::disk);
  write(half);
  EXPECT_EQ(journalled(journal()), half + step);
  EXPECT_EQ(parse_journal(as_bytes(read_text(journal())))->durable.size(), 0U);
  blob.checkpoint();
  EXPECT_EQ(parse_journal(as_bytes(read_text(journal())))->durable.size(), half + step);
}

TEST_F(JournalRewriteTest, AShortJournalIsNotRewritten) {
  blob.checkpoint();
  EXPECT_FALSE(blob.begin_rewrite({}));
}

}  // namespace
}  // namespace hawser
