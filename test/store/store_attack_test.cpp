// Somebody else has prepared the cache's directory: nothing may be written outside of it, nothing may hang.
#include "store_fixture.hpp"

#include <sys/stat.h>

namespace hawser {
namespace {

using test::failure_of;
using test::read_text;
using test::sample;
using test::write_text;

class StoreAttackTest : public test::StoreTest {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(victim);
    write_text(victim / "file", "theirs");
  }
  void TearDown() override {
    EXPECT_EQ(read_text(victim / "file"), "theirs");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(victim), {}), 1);
  }

  const std::filesystem::path victim = directory / "victim";
  const std::string content = sample(50'000);
  const Digest digest = Digest::of(content);
};

TEST_F(StoreAttackTest, TheCacheItselfMayBeALink) {
  std::filesystem::create_directory(directory / "elsewhere");
  std::filesystem::create_directory_symlink(directory / "elsewhere", cache());
  BlobStore store(cache());
  store_blob(store, content);
  EXPECT_EQ(read_text(directory / "elsewhere/blobs/sha256" / digest.hex()), content);
}

TEST_F(StoreAttackTest, ALinkInADirectorysPlaceIsRefused) {
  for (const char* part : {"blobs", "ingest", "quarantine", "known", "notes"}) {
    std::filesystem::remove_all(cache());
    std::filesystem::create_directory(cache());
    test::write_text(cache() / "oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
    std::filesystem::create_directory_symlink(victim, cache() / part);
    const auto failure = failure_of([&] { BlobStore store(cache()); });
    EXPECT_EQ(failure.code, Errc::disk) << part;
    EXPECT_THAT(failure.text, ::testing::HasSubstr("symbolic link"));
    EXPECT_FALSE(failure.hint.empty());
  }
}

TEST_F(StoreAttackTest, ALinkThatComesLaterIsRefusedToo) {
  BlobStore store(cache());
  for (const char* part : {"blobs", "ingest"}) {
    std::filesystem::remove_all(cache() / part);
    std::filesystem::create_directory_symlink(victim, cache() / part);
    EXPECT_THAT(failure_of([&] { (void)store.acquire(digest, content.size()); }).text,
                ::testing::HasSubstr("symbolic link"));
    std::filesystem::remove(cache() / part);
  }
}

TEST_F(StoreAttackTest, ALinkInAPartialFilesPlaceIsRemoved) {
  BlobStore store(cache());
  std::filesystem::create_symlink(victim / "file", ingest_path(digest, content.size(), ".partial"));
  std::filesystem::create_symlink(victim / "file", ingest_path(digest, content.size(), ".journal"));
  const auto partial = begin(store, digest, content.size());
  fill(*partial, content, 0, content.size());
  partial->checkpoint();
  partial->commit();
}

TEST_F(StoreAttackTest, ALinkInALocksPlaceIsRefused) {
  BlobStore store(cache());
  std::filesystem::create_symlink(victim / "new", ingest_path(digest, ".lock"));
  EXPECT_THAT(failure_of([&] { (void)store.acquire(digest, content.size()); }).text,
              ::testing::HasSubstr("symbolic link"));
}

TEST_F(StoreAttackTest, ALinkInABlobsPlaceIsNotABlob) {
  BlobStore store(cache());
  const Digest theirs = Digest::of("theirs");
  std::filesystem::create_symlink(victim / "file", blob_path(theirs));
  EXPECT_EQ(store.get(theirs), std::nullopt);
  std::filesystem::create_symlink(victim / "file", blob_path(theirs));
  store.put(theirs, "theirs");
  EXPECT_TRUE(std::filesystem::is_regular_file(std::filesystem::symlink_status(blob_path(theirs))));
}

TEST_F(StoreAttackTest, PipesAndDirectoriesInABlobsPlaceAreSetAside) {
  BlobStore store(cache());
  ASSERT_EQ(::mkfifo(blob_path(digest).c_str(), 0600), 0);
  EXPECT_FALSE(store.find(digest, content.size()));
  std::filesystem::create_directory(blob_path(digest));
  EXPECT_FALSE(store.find(digest, content.size()));
  std::filesystem::create_directory(blob_path(digest));
  store.put(digest, content);
  EXPECT_EQ(store.get(digest), content);
  store.prune({.age = std::chrono::hours(1)});
  EXPECT_TRUE(std::filesystem::is_empty(cache() / "quarantine"));
}

TEST_F(StoreAttackTest, PipesInIngestAreReplaced) {
  BlobStore store(cache());
  for (const char* suffix : {".partial", ".journal"})
    ASSERT_EQ(::mkfifo(ingest_path(digest, content.size(), suffix).c_str(), 0600), 0);
  EXPECT_EQ(store.resumable_bytes(digest, content.size()), 0U);
  EXPECT_TRUE(store.list().empty());
  const auto partial = begin(store, digest, content.size());
  fill(*partial, content, 0, content.size());
  partial->commit();
}

TEST_F(StoreAttackTest, LinksInKnownAndNotesAreNeitherReadNorWrittenThrough) {
  BlobStore store(cache());
  std::filesystem::create_symlink(victim / "file", cache() / "notes" / "note.note");
  std::filesystem::create_symlink(victim / "file", cache() / "known" / ("sha256-" + digest.hex()));
  EXPECT_EQ(store.recall("note"), std::nullopt);
  store.remember("note", "ours");
  EXPECT_EQ(store.recall("note"), "ours");
  store_blob(store, content);
  EXPECT_TRUE(store.find(digest, content.size())->known);
}

TEST_F(StoreAttackTest, PruneDoesNotFollowLinks) {
  BlobStore store(cache());
  const std::string name = "sha256-" + digest.hex();
  std::filesystem::create_directory(cache() / "quarantine" / (name + ".0"));
  std::filesystem::create_directory_symlink(victim, cache() / "quarantine" / (name + ".0") / "link");
  std::filesystem::create_directory_symlink(victim, cache() / "quarantine" / (name + ".1"));
  store.prune({.age = std::chrono::seconds(0)});
  EXPECT_TRUE(std::filesystem::is_empty(cache() / "quarantine"));
}

}  // namespace
}  // namespace hawser
