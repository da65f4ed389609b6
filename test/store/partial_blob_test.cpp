#include "store/partial_blob.hpp"

#include "partial_blob_fixture.hpp"

#include <csignal>
#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>

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
  const auto partial = begin(store, digest, content.size());
  EXPECT_EQ(partial->present().size(), 0U);
  fill(*partial, content, 500'000, 1'000'000);
  fill(*partial, content, 0, 500'000);
  EXPECT_EQ(partial->present().contiguous_end(0), content.size());
  partial->commit();
  EXPECT_EQ(read_text(blob_path(digest)), content);
  EXPECT_TRUE(std::filesystem::is_empty(cache() / "ingest"));
  const auto found = store.find(digest, content.size());
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->known);
}

TEST_F(PartialBlobTest, FilesAreOpenToTheUserAlone) {
  BlobStore store(cache());
  const auto partial = begin(store, digest, content.size());
  for (const char* name : {"", "blobs", "blobs/sha256", "ingest", "quarantine", "known", "notes"})
    EXPECT_EQ(mode_of(cache() / name), 0700U) << name;
  for (const char* suffix : {".partial", ".journal"})
    EXPECT_EQ(mode_of(ingest_path(digest, content.size(), suffix)), 0600U) << suffix;
  EXPECT_EQ(mode_of(ingest_path(digest, ".lock")), 0600U);
  fill(*partial, content, 0, content.size());
  partial->commit();
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
    const auto partial = begin(store, digest, content.size());
    fill(*partial, content, 0, 100'000);
    fill(*partial, content, 300'000, 300'010);
  }
  EXPECT_EQ(store.resumable_bytes(digest, content.size()), 100'010U);
  EXPECT_EQ(store.resumable_bytes(digest, content.size() + 1), 0U);
  const auto partial = begin(store, digest, content.size());
  EXPECT_EQ(partial->present().intervals(), (std::vector<Interval>{{0, 100'000}, {300'000, 300'010}}));
}

TEST_F(PartialBlobTest, NothingIsLeftOfAFetchThatGotNothing) {
  BlobStore store(cache());
  { const auto partial = begin(store, digest, content.size()); }
  EXPECT_TRUE(std::filesystem::is_empty(cache() / "ingest"));
}

TEST_F(PartialBlobTest, AKillLosesLessThanAStepOfEachRange) {
  const int status = in_child([&] {
    BlobStore store(cache());
    const auto partial = begin(store, digest, content.size());
    for (std::size_t at = 0; at < 300'000; at += 1000) {
      fill(*partial, content, at, at + 1000);
      fill(*partial, content, 500'000 + at, 500'000 + at + 1000);
    }
    ::raise(SIGKILL);
  });
  ASSERT_TRUE(WIFSIGNALED(status));
  BlobStore store(cache());
  const auto partial = begin(store, digest, content.size());
  EXPECT_GE(partial->present().contiguous_end(0), 300'000U - 66'000U);
  EXPECT_LE(partial->present().contiguous_end(0), 300'000U);
  EXPECT_GE(partial->present().contiguous_end(500'000), 800'000U - 66'000U);
  for (const auto& [from, to] : partial->present().intervals())
    EXPECT_EQ(content_of(partial->file()).substr(from, to - from), content.substr(from, to - from));
}

TEST_F(PartialBlobTest, OfAnotherBootOnlyDurableBytesAreBelieved) {
  BlobStore store(cache());
  write_text(ingest_path(digest, content.size(), ".partial"), content);
  BootId other = current_boot();
  other[0] ^= 1U;
  write_journal(other, {{JournalRecord::durable, {0, 1000}}, {JournalRecord::written, {1000, 5000}}});
  EXPECT_EQ(store.resumable_bytes(digest, content.size()), 1000U);
  {
    const auto partial = begin(store, digest, content.size());
    EXPECT_EQ(partial->present().intervals(), (std::vector<Interval>{{0, 1000}}));
    fill(*partial, content, 7000, 8000);
  }
  // What was not believed must not come back under this boot.
  const auto partial = begin(store, digest, content.size());
  EXPECT_EQ(partial->present().intervals(), (std::vector<Interval>{{0, 1000}, {7000, 8000}}));
}

TEST_F(PartialBlobTest, NothingIsBelievedBeyondTheEndOfTheFile) {
  BlobStore store(cache());
  {
    const auto partial = begin(store, digest, content.size());
    fill(*partial, content, 0, 800'000);
    partial->checkpoint();
  }
  std::filesystem::resize_file(ingest_path(digest, content.size(), ".partial"), 300'000);
  {
    const auto partial = begin(store, digest, content.size());
    EXPECT_EQ(partial->present().intervals(), (std::vector<Interval>{{0, 300'000}}));
    EXPECT_EQ(partial->file().size(), content.size());
  }
  // Now that the file is long again, the journal may not speak of what was cut off.
  const auto partial = begin(store, digest, content.size());
  EXPECT_EQ(partial->present().intervals(), (std::vector<Interval>{{0, 300'000}}));
}

TEST_F(PartialBlobTest, AnEmptyFileUnderAFullJournalIsEmpty) {
  BlobStore store(cache());
  write_journal(current_boot(), {{JournalRecord::durable, {0, content.size()}}});
  const auto partial = begin(store, digest, content.size());
  EXPECT_EQ(partial->present().size(), 0U);
}

TEST_F(PartialBlobTest, AGarbageJournalStartsAfresh) {
  BlobStore store(cache());
  write_text(ingest_path(digest, content.size(), ".partial"), "what may this be");
  write_text(ingest_path(digest, content.size(), ".journal"), sample(5000));
  const auto partial = begin(store, digest, content.size());
  EXPECT_EQ(partial->present().size(), 0U);
  EXPECT_EQ(content_of(partial->file()), std::string(content.size(), '\0'));
}

TEST_F(PartialBlobTest, AJournalThatIsAboutAnotherSizeStartsAfresh) {
  BlobStore store(cache());
  {
    const auto partial = begin(store, digest, content.size());
    fill(*partial, content, 0, 100'000);
  }
  for (const char* suffix : {".partial", ".journal"})
    std::filesystem::rename(ingest_path(digest, content.size(), suffix),
                            ingest_path(digest, content.size() - 1, suffix));
  const auto partial = begin(store, digest, content.size() - 1);
  EXPECT_EQ(partial->present().size(), 0U);
  EXPECT_EQ(partial->file().size(), content.size() - 1);
}

TEST_F(PartialBlobTest, ASizeThatLiesLeavesWhatAnHonestPullHasBegun) {
  BlobStore store(cache());
  {
    const auto partial = begin(store, digest, content.size());
    fill(*partial, content, 0, 100'000);
  }
  for (const std::size_t lie : {content.size() - 1, content.size() + 1, std::size_t{0}}) {
    const auto partial = begin(store, digest, lie);
    EXPECT_EQ(partial->present().size(), 0U);
    EXPECT_TRUE(std::holds_alternative<BlobBusy>(store.acquire(digest, content.size())));
    fill(*partial, content, 0, std::min<std::size_t>(lie, 10));
    partial->discard(partial->present());
    fill(*partial, content, 0, std::min<std::size_t>(lie, 20));
  }
  EXPECT_EQ(store.resumable_bytes(digest, content.size() + 1), 20U);
  const auto partial = begin(store, digest, content.size());
  EXPECT_EQ(partial->present().intervals(), (std::vector<Interval>{{0, 100'000}}));
  fill(*partial, content, 100'000, content.size());
  partial->commit();
  // Now it is known what size the blob has, and the lies are of no use any more.
  EXPECT_TRUE(std::filesystem::is_empty(cache() / "ingest"));
}

TEST_F(PartialBlobTest, ATornJournalIsBelievedUpToTheTear) {
  BlobStore store(cache());
  {
    const auto partial = begin(store, digest, content.size());
    for (std::size_t at = 0; at < 10; ++at) {
      fill(*partial, content, at * 100'000, at * 100'000 + 1000);
      partial->checkpoint();
    }
  }
  const std::string whole = read_text(ingest_path(digest, content.size(), ".journal"));
  ASSERT_EQ(whole.size(), journal_header_size + 10 * journal_record_size);
  for (std::size_t length = 0; length <= whole.size(); length += 7) {
    write_text(ingest_path(digest, content.size(), ".partial"), content);
    write_text(ingest_path(digest, content.size(), ".journal"), whole.substr(0, length));
    const std::size_t records = length < journal_header_size ? 0 : (length - journal_header_size) / journal_record_size;
    {
      const auto partial = begin(store, digest, content.size());
      EXPECT_EQ(partial->present().size(), records * 1000) << length;
      fill(*partial, content, 999'000, 1'000'000);
    }
    // What is appended after a tear can be read again.
    const auto partial = begin(store, digest, content.size());
    EXPECT_EQ(partial->present().size(), (records + 1) * 1000) << length;
  }
}

TEST_F(PartialBlobTest, ACheckpointMakesTheBytesDurable) {
  BlobStore store(cache());
  const auto partial = begin(store, digest, content.size());
  fill(*partial, content, 0, 1000);
  fill(*partial, content, 5000, 6000);
  partial->checkpoint();
  fill(*partial, content, 1000, 2000);
  const auto journal = parse_journal(as_bytes(read_text(ingest_path(digest, content.size(), ".journal"))));
  ASSERT_TRUE(journal);
  EXPECT_EQ(journal->durable.intervals(), (std::vector<Interval>{{0, 1000}, {5000, 6000}}));
}

TEST_F(PartialBlobTest, TheJournalOfALargeBlobStaysShort) {
  constexpr std::uint64_t size = std::uint64_t{64} << 30, piece = 64 * 1024;
  const Digest name = Digest::of("large");
  BlobStore store(cache());
  const auto partial = begin(store, name, size);
  const std::uint64_t half = size / 2;
  // Two ranges, one of which gets more than the other, and no byte really written: the file is sparse.
  for (std::uint64_t at = 0; at < half; at += piece) {
    partial->wrote(at, at + piece);
    if (at % (4 * piece) == 0) partial->wrote(half + at / 4, half + at / 4 + piece);
  }
  EXPECT_LE(std::filesystem::file_size(ingest_path(name, size, ".journal")),
            journal_header_size + 16384 * journal_record_size);
  EXPECT_GE(store.resumable_bytes(name, size), half + half / 4 - 2 * (size / 16384));
}

TEST_F(PartialBlobTest, ACheckpointMayRunBesideWrites) {
  BlobStore store(cache());
  {
    const auto partial = begin(store, digest, content.size());
    std::thread pool([&] {
      for (int i = 0; i < 50; ++i) partial->checkpoint();
    });
    for (std::size_t at = 0; at < content.size(); at += 1000) fill(*partial, content, at, at + 1000);
    pool.join();
  }
  const auto partial = begin(store, digest, content.size());
  EXPECT_EQ(partial->present().contiguous_end(0), content.size());
  partial->commit();
  EXPECT_EQ(read_text(blob_path(digest)), content);
}

TEST_F(PartialBlobTest, DiscardKeepsTheRightAndForgetsTheBytes) {
  BlobStore store(cache());
  {
    const auto partial = begin(store, digest, content.size());
    fill(*partial, content, 0, 500'000);
    partial->checkpoint();
    partial->discard(partial->present());
    EXPECT_EQ(partial->present().size(), 0U);
    EXPECT_EQ(content_of(partial->file()), std::string(content.size(), '\0'));
    EXPECT_TRUE(std::holds_alternative<BlobBusy>(store.acquire(digest, content.size())));
    fill(*partial, content, 10, 20);
  }
  EXPECT_EQ(begin(store, digest, content.size())->present().intervals(), (std::vector<Interval>{{10, 20}}));
}

TEST_F(PartialBlobTest, DiscardOfAPartKeepsTheRest) {
  BlobStore store(cache());
  for (const bool durable : {false, true}) {
    {
      const auto partial = begin(store, digest, content.size());
      fill(*partial, content, 0, 500'000);
      if (durable) partial->checkpoint();
      fill(*partial, content, 600'000, 700'000);
      IntervalSet wrong;
      wrong.insert(100'000, 200'000);
      wrong.insert(650'000, 700'000);
      partial->discard(wrong);
      fill(*partial, content, 150'000, 160'000);
    }
    const auto partial = begin(store, digest, content.size());
    EXPECT_EQ(partial->present().intervals(),
              (std::vector<Interval>{{0, 100'000}, {150'000, 160'000}, {200'000, 500'000}, {600'000, 650'000}}));
    partial->discard(partial->present());
  }
}

TEST_F(PartialBlobTest, DiscardLeavesAFileThatHasItsFinalNameAlone) {
  BlobStore store(cache());
  {
    const auto partial = begin(store, digest, content.size());
    fill(*partial, content, 0, content.size());
    // As a commit() leaves it whose last fsync fails.
    std::filesystem::rename(ingest_path(digest, content.size(), ".partial"), blob_path(digest));
    partial->discard(partial->present());
    EXPECT_EQ(read_text(blob_path(digest)), content);
    EXPECT_EQ(partial->present().size(), 0U);
    fill(*partial, content, 0, content.size());
    partial->commit();
  }
  EXPECT_EQ(read_text(blob_path(digest)), content);
  EXPECT_TRUE(std::filesystem::is_empty(cache() / "ingest"));
}

TEST_F(PartialBlobTest, DiscardLeavesAnothersPartialFileAlone) {
  BlobStore store(cache());
  const auto first = begin(store, digest, content.size());
  fill(*first, content, 0, 1000);
  std::filesystem::remove_all(cache());
  BlobStore other(cache());
  const auto second = begin(other, digest, content.size());
  fill(*second, content, 0, content.size());
  EXPECT_THAT(test::failure_of([&] { first->discard(first->present()); }).text, ::testing::HasSubstr("was deleted"));
  EXPECT_EQ(read_text(ingest_path(digest, content.size(), ".partial")), content);
  second->commit();
  EXPECT_EQ(read_text(blob_path(digest)), content);
}

TEST_F(PartialBlobTest, ABlobOfNoBytesCanBeCommitted) {
  BlobStore store(cache());
  const auto partial = begin(store, Digest::of(""), 0);
  partial->commit();
  EXPECT_TRUE(store.find(Digest::of(""), 0));
}

TEST_F(PartialBlobTest, AFileOfAnotherSizeIsNotCommitted) {
  BlobStore store(cache());
  const auto partial = begin(store, digest, content.size());
  fill(*partial, content, 0, content.size());
  std::filesystem::resize_file(ingest_path(digest, content.size(), ".partial"), 10);
  const auto failure = test::failure_of([&] { partial->commit(); });
  EXPECT_EQ(failure.code, Errc::disk);
  EXPECT_FALSE(std::filesystem::exists(blob_path(digest)));
}

TEST_F(PartialBlobTest, AFileThatWasChangedAfterItsLockWasLostIsNotCommitted) {
  BlobStore store(cache());
  const auto partial = begin(store, digest, content.size());
  fill(*partial, content, 0, content.size());
  std::filesystem::remove(ingest_path(digest, ".lock"));
  partial->file().write_at(100, as_bytes("another's bytes"));
  const auto failure = test::failure_of([&] { partial->commit(); });
  EXPECT_EQ(failure.code, Errc::disk);
  EXPECT_FALSE(std::filesystem::exists(blob_path(digest)));
}

TEST_F(PartialBlobTest, ACacheThatWasDeletedMeanwhileIsSaidByCommit) {
  BlobStore store(cache());
  const auto partial = begin(store, digest, content.size());
  fill(*partial, content, 0, 500'000);
  std::filesystem::remove_all(cache());
  fill(*partial, content, 500'000, content.size());
  partial->checkpoint();
  const auto failure = test::failure_of([&] { partial->commit(); });
  EXPECT_EQ(failure.code, Errc::disk);
  EXPECT_THAT(failure.text, ::testing::HasSubstr(cache().string()));
  EXPECT_THAT(failure.hint, ::testing::HasSubstr("again"));
  EXPECT_FALSE(std::filesystem::exists(cache()));
}

TEST_F(PartialBlobTest, CommitLeavesAnothersPartialFileAlone) {
  BlobStore store(cache());
  const auto first = begin(store, digest, content.size());
  fill(*first, content, 0, content.size());
  std::filesystem::remove_all(cache());
  BlobStore other(cache());
  const auto second = begin(other, digest, content.size());
  fill(*second, content, 0, 1000);
  EXPECT_EQ(test::code_of([&] { first->commit(); }), Errc::disk);
  EXPECT_TRUE(std::filesystem::exists(ingest_path(digest, content.size(), ".partial")));
  fill(*second, content, 1000, content.size());
  second->commit();
  EXPECT_EQ(read_text(blob_path(digest)), content);
}

}  // namespace
}  // namespace hawser
