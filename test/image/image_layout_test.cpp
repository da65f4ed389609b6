#include "image/image_layout.hpp"

#include "support/growth.hpp"

#include <algorithm>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using testing::ElementsAre;

const Digest digest = Digest::of("content");

TEST(ImageLayout, ItsMarkerIsOfVersion1) {
  EXPECT_EQ(oci_layout_document(), R"({"imageLayoutVersion":"1.0.0"})");
  for (const std::string_view text :
       {oci_layout_document(), std::string_view(R"({"imageLayoutVersion":"1.1.0","more":[]})")})
    EXPECT_TRUE(is_oci_layout_document(text)) << text;
  for (const char* text : {"", "x", "[]", "{}", R"({"imageLayoutVersion":"2.0.0"})", R"({"imageLayoutVersion":"10"})",
                           R"({"imageLayoutVersion":1})"})
    EXPECT_FALSE(is_oci_layout_document(text)) << text;
}

TEST(ImageLayout, BlobsLieUnderTheirAlgorithm) {
  EXPECT_EQ(blob_path(digest), "blobs/sha256/" + digest.hex());
  const Digest longer = Digest::of("content", Digest::Algorithm::sha512);
  EXPECT_EQ(blob_path(longer), "blobs/sha512/" + longer.hex());
}

TEST(ImageLayout, ADescriptorHasOnlyTheMembersThatItNeeds) {
  Descriptor descriptor{"a/b", digest, 7};
  const std::string plain = R"({"mediaType":"a/b","digest":")" + digest.to_string() + R"(","size":7)";
  EXPECT_EQ(boost::json::serialize(descriptor_json(descriptor)), plain + "}");
  descriptor.platform = Platform{"linux", "arm64", "", ""};
  descriptor.annotations["z"] = "1";
  descriptor.annotations["a"] = "2";
  EXPECT_EQ(boost::json::serialize(descriptor_json(descriptor)),
            plain + R"(,"platform":{"architecture":"arm64","os":"linux"},"annotations":{"a":"2","z":"1"}})");
  descriptor.platform = Platform{"windows", "arm", "v7", "10.0", {"a", "b"}};
  descriptor.artifact_type = "c/d";
  descriptor.annotations.clear();
  EXPECT_EQ(boost::json::serialize(descriptor_json(descriptor)),
            plain + R"(,"platform":{"architecture":"arm","os":"windows","variant":"v7","os.version":"10.0",)" +
                R"("os.features":["a","b"]},"artifactType":"c/d"})");
}

TEST(LayoutIndex, ANewOneListsItsImages) {
  LayoutIndex fresh;
  EXPECT_EQ(fresh.text(),
            R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]})");
  fresh.put({{"a/b", digest, 1}, {"c/d", digest, 2}});
  const auto index = boost::json::parse(fresh.text().value());
  ASSERT_EQ(index.at("manifests").as_array().size(), 2U);
  EXPECT_EQ(index.at("manifests").at(1).at("mediaType").as_string(), "c/d");
}

TEST(ImageLayout, APathOfABlobGivesItsDigest) {
  EXPECT_EQ(digest_of_blob_path(blob_path(digest)), digest);
  for (const std::string& path :
       {"blobs/" + digest.hex(), "blobs/sha256/" + digest.hex().substr(1), "blobs/md5/" + digest.hex(),
        "x" + blob_path(digest), digest.hex() + ".json", std::string("blobs"), std::string()})
    EXPECT_FALSE(digest_of_blob_path(path)) << path;
}

/// An entry as a pull has it, of an image that is `content`.
Descriptor entry(const std::string& content, const std::string& name, const std::string& tag,
                 const std::string& platform = "linux/amd64") {
  Descriptor result{"m", Digest::of(content), 1};
  result.annotations = {{annotation::image_name, name}, {annotation::ref_name, tag}};
  if (!platform.empty()) result.platform = Platform::parse(platform);
  return result;
}

/// An entry as another tool may write it; nothing of what is empty.
std::string foreign(const std::string& content, const std::string& name, const std::string& tag,
                    const std::string& more = "") {
  boost::json::object annotations;
  if (!name.empty()) annotations["io.containerd.image.name"] = name;
  if (!tag.empty()) annotations["org.opencontainers.image.ref.name"] = tag;
  return R"({"mediaType":"m","size":1,"digest":")" + Digest::of(content).to_string() + R"(","annotations":)" +
         boost::json::serialize(annotations) + more + "}";
}

std::string index_of(const std::string& entries) {
  return R"({"schemaVersion":2,"manifests":[)" + entries + "]}";
}

/// The text of `index` after put().
std::string with(const std::string& index, const std::vector<Descriptor>& images, const PlatformLookup& look_up = {}) {
  auto document = LayoutIndex::parse(index);
  document.value().put(images, look_up);
  return document->text().value();
}

/// The text of `index` after put_newest().
std::string with_newest(const std::string& index, const Descriptor& image, const std::optional<Digest>& top = {},
                        const PlatformLookup& look_up = {}) {
  auto document = LayoutIndex::parse(index);
  document.value().put_newest(image, top, look_up);
  return document->text().value();
}

/// The entries of `index`, each as "content ref.name", where `contents` are the images that there may be.
std::vector<std::string> entries_in(const std::string& index, const std::vector<std::string>& contents) {
  std::vector<std::string> result;
  const auto document = boost::json::parse(index);
  for (const auto& each : document.at("manifests").as_array()) {
    const auto same = [&](const std::string& content) {
      return each.at("digest").as_string() == Digest::of(content).to_string();
    };
    const auto found = std::find_if(contents.begin(), contents.end(), same);
    const auto* const annotations = each.as_object().if_contains("annotations");
    const auto* const ref =
        annotations ? annotations->as_object().if_contains("org.opencontainers.image.ref.name") : nullptr;
    result.push_back((found == contents.end() ? "?" : *found) + " " + (ref ? std::string(ref->as_string()) : "-"));
  }
  return result;
}

TEST(LayoutIndex, EntersAnImageUnderItsNames) {
  const auto document =
      boost::json::parse(with(LayoutIndex().text().value(), {entry("a", "docker.io/library/a:1", "1")}));
  EXPECT_EQ(document.at("schemaVersion").to_number<int>(), 2);
  ASSERT_EQ(document.at("manifests").as_array().size(), 1U);
  const auto& image = document.at("manifests").at(0);
  EXPECT_EQ(image.at("digest").as_string(), Digest::of("a").to_string());
  EXPECT_EQ(image.at("platform").at("architecture").as_string(), "amd64");
  EXPECT_EQ(image.at("annotations").at("io.containerd.image.name").as_string(), "docker.io/library/a:1");
  EXPECT_EQ(image.at("annotations").at("org.opencontainers.image.ref.name").as_string(), "1");
}

TEST(LayoutIndex, ListsItsEntries) {
  const auto index = LayoutIndex::parse(index_of(foreign("a", "x:1", "1") + "," + foreign("b", "", "2") + "," +
                                                 foreign("c", "", "") + R"(,1,{"annotations":1},{"digest":"x"})"));
  ASSERT_TRUE(index);
  const auto entries = index->entries();
  ASSERT_EQ(entries.size(), 6U);
  EXPECT_EQ(entries[0].name, "x:1");
  EXPECT_EQ(entries[0].digest, Digest::of("a"));
  EXPECT_EQ(entries[0].ref_name, "1");
  EXPECT_EQ(entries[1].name, "");
  EXPECT_EQ(entries[1].ref_name, "2");
  EXPECT_EQ(entries[2].ref_name, "");
  for (std::size_t i = 3; i < entries.size(); ++i) EXPECT_FALSE(entries[i].digest || !entries[i].name.empty()) << i;
}

TEST(LayoutIndex, WhatItDoesNotKnowStays) {
  const std::string old = R"({"schemaVersion":2,"x":{"deep":[1,2.5,null]},"manifests":[
      {"mediaType":"m","digest":"sha256:aa","size":1,"annotations":{"org.opencontainers.image.ref.name":"1"},"y":2},
      "strange"]})";
  const auto before = boost::json::parse(old), after = boost::json::parse(with(old, {entry("new", "a:1", "1")}));
  EXPECT_EQ(after.at("x"), before.at("x"));
  ASSERT_EQ(after.at("manifests").as_array().size(), 3U);
  EXPECT_EQ(after.at("manifests").at(0), before.at("manifests").at(0));
  EXPECT_EQ(after.at("manifests").at(1), before.at("manifests").at(1));
  EXPECT_EQ(after.at("manifests").at(2).at("digest").as_string(), Digest::of("new").to_string());
}

TEST(LayoutIndex, OnePlatformDoesNotReplaceAnother) {
  std::string index = index_of("");
  for (const Descriptor& each :
       {entry("amd64", "a:1", "1"), entry("arm64", "a:1", "1", "linux/arm64"), entry("arm", "a:1", "1", "linux/arm/v7"),
        entry("newer arm64", "a:1", "1", "linux/arm64"), entry("index", "a:1", "1", "")})
    index = with(index, {each});
  EXPECT_THAT(entries_in(index, {"amd64", "arm", "newer arm64", "index"}),
              ElementsAre("amd64 1", "arm a:1@linux/arm/v7", "newer arm64 a:1",
                          "index a:1@" + Digest::of("index").to_string()));
}

TEST(LayoutIndex, AnImageMayComeToWhereTheOldOneWas) {
  std::string index = index_of("");
  for (const Descriptor& each : {entry("a", "x:1", "1", "linux/arm64"), entry("b", "x:1", "1"),
                                 entry("c", "x:2", "2", "linux/arm64"), entry("d", "x:1", "1", "linux/arm64")})
    index = with_newest(index, each);
  EXPECT_THAT(entries_in(index, {"b", "c", "d"}), ElementsAre("d 1", "b x:1", "c 2"));
}

TEST(LayoutIndex, TheNewestMakesWayForAllThatANewerImageMayStandFor) {
  std::string index = index_of("");
  for (const Descriptor& each :
       {entry("amd64", "x:1", "1"), entry("arm64", "x:1", "1", "linux/arm64"), entry("other", "x:2", "2", "")})
    index = with_newest(index, each);
  const std::vector<std::string> contents{"amd64", "arm64", "other", "index", "newer", "plain"};
  index = with_newest(index, entry("index", "x:1", "1", ""), Digest::of("index"));
  EXPECT_THAT(entries_in(index, contents), ElementsAre("index 1", "other 2"));
  // Of the same index one image more is pulled, and then what the tag has moved to.
  EXPECT_THAT(entries_in(with_newest(index, entry("amd64", "x:1", "1"), Digest::of("index")), contents),
              ElementsAre("index 1", "other 2", "amd64 x:1"));
  EXPECT_THAT(entries_in(with_newest(index, entry("newer", "x:1", "1"), Digest::of("newer")), contents),
              ElementsAre("newer 1", "other 2"));
  // Entries of old do not say their platform.
  const auto look_up = [](const Digest& image) -> std::optional<Platform> {
    if (image == Digest::of("plain")) return Platform::parse("linux/arm64");
    return std::nullopt;
  };
  const std::string old = index_of(foreign("plain", "x:1", "1") + "," + foreign("index", "x:1", "1"));
  EXPECT_THAT(entries_in(with_newest(old, entry("amd64", "x:1", "1"), {}, look_up), contents),
              ElementsAre("plain 1", "amd64 x:1"));
}

TEST(LayoutIndex, ATagThatAnotherImageHasIsMadeTheFullName) {
  std::string index = index_of("");
  for (const Descriptor& each :
       {entry("a", "x/a:1", "1"), entry("b", "x/b:1", "1"), entry("c", "x/a:1", "1"), entry("d", "x/b:1", "1")})
    index = with_newest(index, each);
  EXPECT_THAT(entries_in(index, {"c", "d"}), ElementsAre("c 1", "d x/b:1"));
}

TEST(LayoutIndex, AnImageOfAnotherToolThatHasTheTagStays) {
  const std::string index = index_of(foreign("theirs", "", "1"));
  EXPECT_THAT(entries_in(with(index, {entry("ours", "b/other:1", "1")}), {"theirs", "ours"}),
              ElementsAre("theirs 1", "ours b/other:1"));
  // The same image under the same tag is one entry.
  EXPECT_THAT(entries_in(with(index, {entry("theirs", "b/other:1", "1")}), {"theirs"}), ElementsAre("theirs 1"));
  // What has no name at all is nobody's old version.
  const std::string nameless = index_of(foreign("theirs", "", "") + "," + foreign("named", "c:1", "1"));
  EXPECT_THAT(entries_in(with(nameless, {Descriptor{"m", Digest::of("ours"), 1}}), {"theirs", "named", "ours"}),
              ElementsAre("theirs -", "named 1", "ours -"));
  EXPECT_THAT(entries_in(with(nameless, {Descriptor{"m", Digest::of("theirs"), 1}}), {"theirs", "named"}),
              ElementsAre("named 1", "theirs -"));
}

TEST(LayoutIndex, ThePlatformOfAnEntryThatDoesNotSayItIsLookedUp) {
  const auto look_up = [](const Digest& image) -> std::optional<Platform> {
    if (image == Digest::of("arm64")) return Platform::parse("linux/arm64");
    return Platform::parse("linux/amd64");
  };
  const std::string index =
      index_of(foreign("old", "a:1", "1") + "," + foreign("arm64", "a:1", "2", R"(,"platform":{})"));
  EXPECT_THAT(entries_in(with(index, {entry("new", "a:1", "1")}, look_up), {"old", "arm64", "new"}),
              ElementsAre("arm64 2", "new 1"));
  const std::string said =
      index_of(foreign("said", "a:1", "1", R"(,"platform":{"os":"linux","architecture":"aarch64","variant":"v8"})"));
  EXPECT_THAT(entries_in(with(said, {entry("new", "a:1", "1", "linux/arm64")}, look_up), {"said", "new"}),
              ElementsAre("new 1"));
  const std::string odd = R"({"manifests":[{"digest":"md5:x","annotations":{"io.containerd.image.name":"a:1"}}]})";
  EXPECT_THAT(entries_in(with(odd, {entry("new", "a:1", "1")}, look_up), {"new"}), ElementsAre("? -", "new 1"));
}

TEST(LayoutIndex, RemovesByDigest) {
  auto index = LayoutIndex::parse(with(LayoutIndex().text().value(), {entry("a", "x:1", "1"), entry("b", "x:2", "2")}));
  index->remove({Digest::of("a")});
  EXPECT_THAT(entries_in(index->text().value(), {"a", "b"}), ElementsAre("b 2"));
}

TEST(LayoutIndex, WhatIsToldAlreadyIsNotWrittenAnew) {
  // Not even numbers change that come back otherwise than they were written.
  const std::string theirs = R"({ "x": )" + std::string(100, '4') + R"(, "manifests": [] })";
  const std::string once = with(theirs, {entry("a", "x:1", "1")});
  EXPECT_EQ(with(once, {entry("a", "x:1", "1")}), once);
  EXPECT_NE(with(once, {entry("b", "x:1", "1")}), once);
  auto index = LayoutIndex::parse(theirs);
  index->remove({Digest::of("a")});
  EXPECT_EQ(index->text(), theirs);
}

TEST(LayoutIndex, ANumberPastAnyDoubleIsNotMadeAnInfinity) {
  auto index = LayoutIndex::parse(R"({"x":444444E441,"manifests":[{"digest":"y"}]})");
  ASSERT_TRUE(index);
  index->put({entry("a", "x:1", "1")});
  EXPECT_EQ(index->text(), std::nullopt);
}

TEST(LayoutIndex, AnEntryCostsTheSameAmongTwentyThousand) {
  const auto add_to_old = [](std::size_t entries) {
    std::vector<Descriptor> old, fresh;
    for (std::size_t i = 0; i < entries; ++i) {
      const std::string tag = std::to_string(i);
      old.push_back(entry("old " + tag, "a:" + tag, tag));
      fresh.push_back(entry("new " + tag, (i % 2 == 0 ? "a:" : "b:") + tag, tag));
    }
    LayoutIndex before;
    before.put(old);
    auto index = LayoutIndex::parse(before.text().value());
    index->put(fresh);
    EXPECT_EQ(index->entries().size(), entries / 2 * 3);
  };
  EXPECT_LT(test::growth(add_to_old), test::quadratic_growth);
}

TEST(LayoutIndex, OtherDocumentsAreNone) {
  for (const std::string& text :
       {std::string(), std::string("no"), std::string("[]"), std::string("{"), std::string("{}"),
        std::string(R"({"manifests":7})"), std::string("\xff"), R"({"manifests":)" + std::string(100'000, '[')})
    EXPECT_FALSE(LayoutIndex::parse(text)) << text.substr(0, 100);
}

}  // namespace
}  // namespace hawser
