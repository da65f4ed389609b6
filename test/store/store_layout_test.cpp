#include "store/store_layout.hpp"

#include "store_fixture.hpp"

namespace hawser {
namespace {

class StoreLayoutTest : public test::StoreTest {
 protected:
  const std::string content = test::sample(5000);
  const Digest digest = Digest::of(content);
};

TEST_F(StoreLayoutTest, ABlobThatWasTouchedIsNoLongerKnown) {
  BlobStore store(cache());
  store_blob(store, content);
  EXPECT_TRUE(store.find(digest, content.size())->known);
  const auto time = std::filesystem::last_write_time(blob_path(digest));
  std::filesystem::last_write_time(blob_path(digest), time + std::chrono::nanoseconds(1));
  EXPECT_FALSE(store.find(digest, content.size())->known);
  store.mark_verified(*store.find(digest, content.size()));
  EXPECT_TRUE(store.find(digest, content.size())->known);
}

TEST_F(StoreLayoutTest, ABlobThatWasChangedWhileItWasHashedIsNotKnown) {
  BlobStore store(cache());
  test::write_text(blob_path(digest), content);
  const auto found = store.find(digest, content.size());
  const auto time = std::filesystem::last_write_time(blob_path(digest));
  std::filesystem::last_write_time(blob_path(digest), time + std::chrono::nanoseconds(1));
  store.mark_verified(*found);
  EXPECT_FALSE(store.find(digest, content.size())->known);
}

TEST_F(StoreLayoutTest, AFileOfTheSameSizeAndTimeInItsPlaceIsNotKnown) {
  BlobStore store(cache());
  store_blob(store, content);
  const auto time = std::filesystem::last_write_time(blob_path(digest));
  test::write_text(directory / "forged", std::string(content.size(), 'x'));
  std::filesystem::last_write_time(directory / "forged", time);
  std::filesystem::rename(directory / "forged", blob_path(digest));
  EXPECT_FALSE(store.find(digest, content.size())->known);
}

TEST_F(StoreLayoutTest, ABlobOfAnotherToolIsNotKnown) {
  BlobStore store(cache());
  test::write_text(blob_path(digest), content);
  const auto found = store.find(digest, content.size());
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->known);
}

TEST_F(StoreLayoutTest, AGarbageRecordIsNotBelieved) {
  BlobStore store(cache());
  store_blob(store, content);
  const auto record = cache() / "known" / ("sha256-" + digest.hex());
  const std::string good = test::read_text(record);
  for (const std::string& text : {std::string("inode 5\n"), good.substr(0, good.size() - 1), good + "x"}) {
    test::write_text(record, text);
    EXPECT_FALSE(store.find(digest, content.size())->known) << text;
  }
  test::write_text(record, good);
  EXPECT_TRUE(store.find(digest, content.size())->known);
}

}  // namespace
}  // namespace hawser
