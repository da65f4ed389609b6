#include "store/image_index.hpp"

#include "image/image_layout.hpp"
#include "store_fixture.hpp"

#include <boost/json.hpp>

namespace hawser {
namespace {

namespace json = boost::json;

Descriptor manifest(const std::string& content, const char* architecture = nullptr) {
  Descriptor result{"application/vnd.oci.image.manifest.v1+json", Digest::of(content), content.size()};
  if (architecture) result.platform = Platform{"linux", architecture, "", ""};
  return result;
}

json::array entries(const std::string& index) {
  return json::parse(index).at("manifests").as_array();
}

TEST(ImageIndex, EntersAnImageUnderItsNames) {
  const auto index = with_image(layout_index({}), manifest("a", "arm64"), "docker.io/library/a:1", "1");
  ASSERT_TRUE(index);
  ASSERT_EQ(entries(*index).size(), 1U);
  const json::value entry = entries(*index)[0];
  EXPECT_EQ(entry.at("digest").as_string(), Digest::of("a").to_string());
  EXPECT_EQ(entry.at("size").to_number<int>(), 1);
  EXPECT_EQ(entry.at("platform").at("architecture").as_string(), "arm64");
  EXPECT_EQ(entry.at("annotations").at("io.containerd.image.name").as_string(), "docker.io/library/a:1");
  EXPECT_EQ(entry.at("annotations").at("org.opencontainers.image.ref.name").as_string(), "1");
  EXPECT_EQ(json::parse(*index).at("schemaVersion").to_number<int>(), 2);
}

TEST(ImageIndex, NamesItsImagesAndPassesOverWhatHasNoNameOrDigest) {
  auto index = with_image(layout_index({}), manifest("b"), "x:2", "2");
  index = with_image(*index, manifest("a"), "x:1", "1");
  const auto images = named_images(*index);
  ASSERT_EQ(images.size(), 2U);
  EXPECT_EQ(images[0].name, "x:1");
  EXPECT_EQ(images[1].digest, Digest::of("b"));
  for (const char* other :
       {"", "[]", "{}", R"({"manifests":{}})", R"({"manifests":[1,{},{"annotations":1},{"annotations":{}}]})",
        R"({"manifests":[{"digest":"x","annotations":{"org.opencontainers.image.ref.name":"1"}}]})"})
    EXPECT_TRUE(named_images(other).empty()) << other;
}

TEST(ImageIndex, ReplacesTheSameNameAndPlatformAlone) {
  auto index = with_image(layout_index({}), manifest("a", "arm64"), "x:1", "1");
  index = with_image(*index, manifest("b", "amd64"), "x:1", "1");
  index = with_image(*index, manifest("c", "arm64"), "x:2", "2");
  index = with_image(*index, manifest("d", "arm64"), "x:1", "1");
  ASSERT_TRUE(index);
  std::vector<std::string> digests;
  for (const auto& entry : entries(*index)) digests.emplace_back(entry.at("digest").as_string());
  EXPECT_EQ(digests, (std::vector<std::string>{Digest::of("d").to_string(), Digest::of("b").to_string(),
                                               Digest::of("c").to_string()}));
}

TEST(ImageIndex, KeepsWhatOthersWrote) {
  const std::string theirs = R"({"schemaVersion":2,"x-theirs":{"deep":[1,2.5,null]},"manifests":[
      {"mediaType":"m","digest":"sha256:1","size":5,"annotations":{"org.opencontainers.image.ref.name":"1"},"y":true},
      "strange"]})";
  const auto index = with_image(theirs, manifest("a"), "x:1", "1");
  ASSERT_TRUE(index);
  EXPECT_EQ(json::parse(*index).at("x-theirs"), json::parse(theirs).at("x-theirs"));
  ASSERT_EQ(entries(*index).size(), 3U);
  EXPECT_EQ(entries(*index)[0], entries(theirs)[0]);
  EXPECT_EQ(entries(*index)[1], entries(theirs)[1]);
}

TEST(ImageIndex, WhatIsToldAlreadyIsNotWrittenAnew) {
  // Not even numbers change that come back otherwise than they were written.
  const std::string theirs = R"({ "x": )" + std::string(100, '4') + R"(, "manifests": [] })";
  const auto once = with_image(theirs, manifest("a"), "x:1", "1");
  ASSERT_TRUE(once);
  EXPECT_EQ(with_image(*once, manifest("a"), "x:1", "1"), once);
  EXPECT_NE(with_image(*once, manifest("b"), "x:1", "1"), once);
  EXPECT_EQ(without_images(theirs, {Digest::of("a").to_string()}), theirs);
  EXPECT_EQ(without_images(R"({"x":1})", {}), R"({"x":1})");
}

TEST(ImageIndex, ANumberPastAnyDoubleIsNotMadeAnInfinity) {
  const std::string theirs = R"({"x":444444E441,"manifests":[{"digest":"y"}]})";
  EXPECT_EQ(with_image(theirs, manifest("a"), "x:1", "1"), std::nullopt);
  EXPECT_EQ(without_images(theirs, {"y"}), std::nullopt);
}

TEST(ImageIndex, ATagThatAnotherImageHasIsMadeTheFullName) {
  const auto tag = [](const json::value& entry) {
    return std::string(entry.at("annotations").at("org.opencontainers.image.ref.name").as_string());
  };
  auto index = with_image(layout_index({}), manifest("a"), "x/a:1", "1");
  index = with_image(*index, manifest("b"), "x/b:1", "1");
  index = with_image(*index, manifest("c"), "x/a:1", "1");
  index = with_image(*index, manifest("d"), "x/b:1", "1");
  ASSERT_TRUE(index);
  ASSERT_EQ(entries(*index).size(), 2U);
  EXPECT_EQ(tag(entries(*index)[0]), "1");
  EXPECT_EQ(tag(entries(*index)[1]), "x/b:1");
}

TEST(ImageIndex, RemovesByDigest) {
  auto index = with_image(layout_index({}), manifest("a"), "x:1", "1");
  index = with_image(*index, manifest("b"), "x:2", "2");
  index = without_images(*index, {Digest::of("a").to_string()});
  ASSERT_TRUE(index);
  ASSERT_EQ(entries(*index).size(), 1U);
  EXPECT_EQ(entries(*index)[0].at("digest").as_string(), Digest::of("b").to_string());
}

TEST(ImageIndex, OtherDocumentsAreNone) {
  for (const char* text : {"", "[]", "{", R"({"manifests":{}})", "\xff"}) {
    EXPECT_FALSE(with_image(text, manifest("a"), "x", "")) << text;
    EXPECT_FALSE(without_images(text, {})) << text;
  }
  EXPECT_FALSE(with_image(std::string(100'000, '['), manifest("a"), "x", ""));
}

using ImageIndexFileTest = test::StoreTest;

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
