#include "store/image_index.hpp"

#include "store_fixture.hpp"

#include <boost/json.hpp>

namespace hawser {
namespace {

namespace json = boost::json;

Descriptor manifest(const std::string& content) {
  return {"application/vnd.oci.image.manifest.v1+json", Digest::of(content), content.size()};
}

json::array entries(const std::string& index) {
  return json::parse(index).at("manifests").as_array();
}

using ImageIndexFileTest = test::StoreTest;

TEST_F(ImageIndexFileTest, NamesItsImagesAndPassesOverWhatHasNoNameOrDigest) {
  BlobStore store(cache());
  store.record_image(manifest("b"), "x:2", "2");
  store.record_image(manifest("a"), "x:1", "1");
  std::string index = test::read_text(cache() / "index.json");
  index.insert(index.find('[') + 1, R"(1,{},{"digest":"x","annotations":{"org.opencontainers.image.ref.name":"1"}},)" +
                                        (R"({"digest":")" + Digest::of("c").to_string()) +
                                        R"(","annotations":{"org.opencontainers.image.ref.name":"latest"}},)");
  test::write_text(cache() / "index.json", index);
  std::vector<std::string> names;
  for (const BlobStore::Image& image : store.images()) names.push_back(image.name);
  EXPECT_EQ(names, (std::vector<std::string>{"latest", "x:1", "x:2"}));
  EXPECT_EQ(store.images()[1].digest, Digest::of("a"));
  std::filesystem::remove(cache() / "index.json");
  EXPECT_TRUE(store.images().empty());
}

TEST_F(ImageIndexFileTest, ACorruptIndexIsNotOneWithoutImages) {
  BlobStore store(cache());
  test::write_text(cache() / "index.json", "{}");
  for (const std::function<void()>& read :
       {std::function<void()>([&] { (void)store.images(); }), {[&] { (void)store.images_named("x:1"); }}}) {
    const auto failure = test::failure_of(read);
    EXPECT_EQ(failure.code, Errc::disk);
    EXPECT_NE(failure.text.find((cache() / "index.json").string()), std::string::npos);
  }
}

TEST_F(ImageIndexFileTest, ACorruptIndexIsSetAside) {
  BlobStore store(cache());
  test::write_text(cache() / "index.json", "{torn");
  store.record_image(manifest("a"), "x:1", "1");
  EXPECT_EQ(entries(test::read_text(cache() / "index.json")).size(), 1U);
  ASSERT_FALSE(std::filesystem::is_empty(cache() / "quarantine"));
  EXPECT_EQ(test::read_text(std::filesystem::directory_iterator(cache() / "quarantine")->path()), "{torn");
}

TEST_F(ImageIndexFileTest, ALinkInItsPlaceIsNotWrittenThrough) {
  BlobStore store(cache());
  test::write_text(directory / "victim", "theirs");
  std::filesystem::remove(cache() / "index.json");
  std::filesystem::create_symlink(directory / "victim", cache() / "index.json");
  store.record_image(manifest("a"), "x:1", "1");
  EXPECT_EQ(test::read_text(directory / "victim"), "theirs");
  EXPECT_TRUE(std::filesystem::is_regular_file(std::filesystem::symlink_status(cache() / "index.json")));
}

TEST_F(ImageIndexFileTest, ProcessesDoNotLoseEachOthersEntries) {
  BlobStore store(cache());
  std::vector<pid_t> children;
  for (int child = 0; child < 4; ++child) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      try {
        BlobStore own(cache());
        for (int i = 0; i < 5; ++i) {
          const std::string name = "x" + std::to_string(child) + ":" + std::to_string(i);
          own.record_image(manifest(name), name, std::to_string(i));
        }
      } catch (...) {
        ::_exit(1);
      }
      ::_exit(0);
    }
    children.push_back(pid);
  }
  for (const pid_t pid : children) {
    int status = -1;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(entries(test::read_text(cache() / "index.json")).size(), 20U);
  EXPECT_FALSE(std::filesystem::exists(cache() / "index.lock"));
}

}  // namespace
}  // namespace hawser
