#include "store_fixture.hpp"

#include <hawser/store/blob_store.hpp>

#include <csignal>

namespace hawser {
namespace {

using test::content_of;
using test::failure_of;
using test::in_child;
using test::read_text;
using test::sample;
using test::write_text;

class BlobStoreTest : public test::StoreTest {
 protected:
  const std::string content = sample(50'000);
  const Digest digest = Digest::of(content);

  std::size_t quarantined() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(cache() / "quarantine"), {}));
  }
};

TEST_F(BlobStoreTest, ANewStoreIsAnImageLayout) {
  BlobStore store(cache());
  EXPECT_EQ(read_text(cache() / "oci-layout"), R"({"imageLayoutVersion":"1.0.0"})");
  EXPECT_EQ(read_text(cache() / "index.json"),
            R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]})");
  EXPECT_TRUE(store.writable());
  EXPECT_EQ(store.directory(), cache());
}

TEST_F(BlobStoreTest, MissingParentsAreMade) {
  BlobStore store(directory / "a/b/c/");
  EXPECT_TRUE(std::filesystem::exists(directory / "a/b/c/blobs/sha256"));
}

TEST_F(BlobStoreTest, OtherDirectoriesAreRefused) {
  std::filesystem::create_directory(cache());
  for (const char* marker : {"", "x", "{}", R"({"imageLayoutVersion":"2.0.0"})", R"({"imageLayoutVersion":1})"}) {
    write_text(cache() / "oci-layout", marker);
    const auto failure = failure_of([&] { BlobStore store(cache()); });
    EXPECT_EQ(failure.code, Errc::disk) << marker;
    EXPECT_THAT(failure.text, ::testing::HasSubstr("not an OCI image layout"));
  }
}

TEST_F(BlobStoreTest, AFileInTheDirectorysPlaceIsAnError) {
  write_text(cache(), "file");
  EXPECT_EQ(failure_of([&] { BlobStore store(cache()); }).code, Errc::disk);
  EXPECT_EQ(failure_of([&] { BlobStore store(cache() / "below"); }).code, Errc::disk);
}

TEST_F(BlobStoreTest, ASmallDocumentIsStoredAndReadBack) {
  BlobStore store(cache());
  EXPECT_EQ(store.get(digest), std::nullopt);
  store.put(digest, content);
  store.put(digest, content);
  EXPECT_EQ(store.get(digest), content);
  EXPECT_TRUE(store.find(digest, content.size())->known);
  EXPECT_EQ(store.get(digest, content.size() - 1), std::nullopt) << "longer than the limit";
  EXPECT_EQ(store.get(digest), content) << "and yet not quarantined";
}

TEST_F(BlobStoreTest, Sha512BlobsHaveTheirOwnDirectory) {
  BlobStore store(cache());
  const Digest long_digest = Digest::of(content, Digest::Algorithm::sha512);
  store.put(long_digest, content);
  EXPECT_EQ(read_text(cache() / "blobs/sha512" / long_digest.hex()), content);
  EXPECT_EQ(store.get(long_digest), content);
}

TEST_F(BlobStoreTest, ACorruptDocumentIsQuarantinedAndStoredAfresh) {
  BlobStore store(cache());
  store.put(digest, content);
  write_text(blob_path(digest), "corrupt");
  EXPECT_EQ(store.get(digest), std::nullopt);
  EXPECT_EQ(quarantined(), 1U);
  EXPECT_FALSE(std::filesystem::exists(blob_path(digest)));
  write_text(blob_path(digest), "corrupt again");
  store.put(digest, content);
  EXPECT_EQ(read_text(blob_path(digest)), content);
}

TEST_F(BlobStoreTest, ABlobOfAnotherLengthIsQuarantinedAndFetchedAfresh) {
  BlobStore store(cache());
  store_blob(store, content);
  std::filesystem::resize_file(blob_path(digest), 10);
  EXPECT_FALSE(store.find(digest, content.size()));
  EXPECT_EQ(quarantined(), 1U);
  EXPECT_TRUE(std::holds_alternative<PartialBlob>(store.acquire(digest, content.size())));
}

TEST_F(BlobStoreTest, ASizeThatLiesDoesNotEvictABlobThatWasHashed) {
  BlobStore store(cache());
  store_blob(store, content);
  try {
    store.find(digest, 5);
    ADD_FAILURE() << "taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::size_mismatch);
  }
  EXPECT_TRUE(store.find(digest, content.size())->known);
}

TEST_F(BlobStoreTest, ASizeThatLiesDoesNotEvictABlobThatOnlyItsBytesProve) {
  BlobStore store(cache());
  write_text(blob_path(digest), content);
  const auto failure = failure_of([&] { store.find(digest, 5); });
  EXPECT_EQ(failure.code, Errc::size_mismatch);
  EXPECT_TRUE(store.find(digest, content.size())->known);
}

TEST_F(BlobStoreTest, ADirectoryOfSomethingElseIsNotMadeAStore) {
  std::filesystem::create_directories(cache() / "notes");
  write_text(cache() / "notes" / "diary", "precious");
  const auto failure = failure_of([&] { BlobStore{cache()}; });
  EXPECT_EQ(failure.code, Errc::disk);
  EXPECT_THAT(failure.text, ::testing::HasSubstr("no cache of hawser"));
  EXPECT_FALSE(std::filesystem::exists(cache() / "oci-layout"));
}

TEST_F(BlobStoreTest, AStoreThatLostItsMarkerIsGivenOneAgain) {
  { BlobStore(cache()).put(digest, content); }
  BlobStore(cache()).remember("name", "text");
  std::filesystem::remove(cache() / "oci-layout");
  write_text(cache() / ".tmp-0123", "");
  write_text(cache() / "quarantine" / "index.json.0123", "");
  EXPECT_EQ(BlobStore(cache()).get(digest), content);
  EXPECT_TRUE(std::filesystem::exists(cache() / "oci-layout"));
}

TEST_F(BlobStoreTest, QuarantineSaysWhereTheBlobWent) {
  BlobStore store(cache());
  store_blob(store, content);
  const auto blob = store.find(digest, content.size());
  const auto path = store.quarantine(*blob);
  EXPECT_EQ(read_text(path), content);
  EXPECT_FALSE(store.find(digest, content.size()));
  EXPECT_EQ(store.quarantine(*blob), std::filesystem::path());
  store_blob(store, content);
  EXPECT_EQ(store.quarantine(*blob), std::filesystem::path()) << "another file has the name";
  EXPECT_TRUE(store.find(digest, content.size()));
  EXPECT_EQ(content_of(blob->file), content) << "an open blob stays readable";
}

TEST_F(BlobStoreTest, AcquireGivesTheBlobTheRightOrBusy) {
  BlobStore store(cache());
  BlobStore other(cache());
  {
    PartialBlob partial = begin(store, digest, content.size());
    EXPECT_TRUE(std::holds_alternative<BlobBusy>(other.acquire(digest, content.size())));
    fill(partial, content, 0, content.size());
    partial.commit();
  }
  EXPECT_TRUE(std::holds_alternative<StoredBlob>(other.acquire(digest, content.size())));
}

TEST_F(BlobStoreTest, TheRightOfAKilledProcessIsTakenOver) {
  const int status = in_child([&] {
    BlobStore store(cache());
    PartialBlob partial = begin(store, digest, content.size());
    fill(partial, content, 0, 40'000);
    partial.checkpoint();
    ::raise(SIGKILL);
  });
  ASSERT_TRUE(WIFSIGNALED(status));
  BlobStore store(cache());
  PartialBlob partial = begin(store, digest, content.size());
  EXPECT_EQ(partial.present().size(), 40'000U);
  fill(partial, content, 40'000, content.size());
  EXPECT_EQ(content_of(partial.commit().file), content);
}

TEST_F(BlobStoreTest, AStoreDeletedUnderneathComesBack) {
  BlobStore store(cache());
  store.put(digest, content);
  std::filesystem::remove_all(cache());
  EXPECT_FALSE(store.find(digest, content.size()));
  EXPECT_EQ(store.get(digest), std::nullopt);
  EXPECT_EQ(store.resumable_bytes(digest, content.size()), 0U);
  EXPECT_TRUE(store.list().empty());
  EXPECT_EQ(store.verify().blobs, 0U);
  store.remember("name", "text");
  EXPECT_EQ(store.recall("name"), "text");
  std::filesystem::remove_all(cache());
  store.record_image({"m", digest, content.size()}, "x:1", "1");
  std::filesystem::remove_all(cache());
  store.put(digest, content);
  EXPECT_EQ(BlobStore(cache()).get(digest), content);
}

TEST_F(BlobStoreTest, AStoreForReadingIsNeverWritten) {
  { BlobStore(cache()).put(digest, content); }
  write_text(cache() / "blobs/sha256" / Digest::of("a").hex(), "corrupt");
  const auto files = [&] {
    std::map<std::string, std::pair<std::uintmax_t, std::filesystem::file_time_type>> result;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(cache()))
      result[entry.path()] = {entry.is_directory() ? 0 : entry.file_size(), entry.last_write_time()};
    return result;
  };
  const auto before = files();
  BlobStore store(cache(), false);
  EXPECT_FALSE(store.writable());
  EXPECT_EQ(store.get(digest), content);
  EXPECT_TRUE(store.find(digest, content.size())->known);
  EXPECT_TRUE(std::holds_alternative<StoredBlob>(store.acquire(digest, content.size())));
  EXPECT_EQ(store.get(Digest::of("a")), std::nullopt);
  EXPECT_FALSE(store.find(Digest::of("a"), 1));
  EXPECT_EQ(store.verify().corrupt, std::vector<Digest>{Digest::of("a")});
  store.mark_verified(*store.find(digest, content.size()));
  store.put(digest, content);
  const std::vector<std::function<void()>> refused = {
      [&] { (void)store.acquire(Digest::of("b"), 1); }, [&] { store.put(Digest::of("b"), "b"); },
      [&] { store.quarantine(*store.find(digest, content.size())); }, [&] { store.prune(std::chrono::seconds(0)); },
      [&] {
        store.record_image({"m", digest, 1}, "x:1", "1");
      }};
  for (const auto& action : refused) {
    const auto failure = failure_of(action);
    EXPECT_EQ(failure.code, Errc::disk);
    EXPECT_THAT(failure.text, ::testing::HasSubstr("read-only"));
  }
  EXPECT_EQ(files(), before);
}

TEST_F(BlobStoreTest, AMissingStoreCanNotBeRead) {
  EXPECT_EQ(failure_of([&] { BlobStore store(cache(), false); }).code, Errc::disk);
  EXPECT_FALSE(std::filesystem::exists(cache()));
}

}  // namespace
}  // namespace hawser
