// A journal that is written anew while bytes arrive.
#include "partial_blob_fixture.hpp"
#include "store/partial_blob_impl.hpp"

namespace hawser {
namespace {

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
