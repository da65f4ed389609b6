#include "archive/sample_images.hpp"

#include <hawser/archive/layout_directory.hpp>
#include <hawser/util/error.hpp>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using test::code_of;
using testing::ElementsAre;

std::optional<Platform> nothing_known(const Digest&) {
  return std::nullopt;
}

/// An entry as a pull has it, of an image that is `content`.
Descriptor entry(const std::string& content, const std::string& name, const std::string& tag,
                 const std::string& platform = "linux/amd64") {
  Descriptor result{"m", Digest::of(content), 1};
  result.annotations = {{"io.containerd.image.name", name}, {"org.opencontainers.image.ref.name", tag}};
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

TEST(MergeLayoutIndex, WhatItDoesNotKnowStays) {
  const std::string old =
      R"({"schemaVersion":2,"x":1,"manifests":[{"mediaType":"m","digest":"sha256:aa","size":1,"y":2}]})";
  const Descriptor added = entry("new", "a:1", "1");
  const auto merged = boost::json::parse(merge_layout_index(old, {added}, nothing_known));
  EXPECT_EQ(merged.at("x").to_number<int>(), 1);
  EXPECT_EQ(merged.at("manifests").at(0).at("y").to_number<int>(), 2);
  EXPECT_EQ(merged.at("manifests").at(1).at("digest").as_string(), added.digest.to_string());
}

TEST(MergeLayoutIndex, OnePlatformDoesNotReplaceAnother) {
  std::string index = index_of("");
  for (const Descriptor& each :
       {entry("amd64", "a:1", "1"), entry("arm64", "a:1", "1", "linux/arm64"), entry("arm", "a:1", "1", "linux/arm/v7"),
        entry("newer arm64", "a:1", "1", "linux/arm64"), entry("index", "a:1", "1", "")})
    index = merge_layout_index(index, {each}, nothing_known);
  EXPECT_THAT(entries_in(index, {"amd64", "arm", "newer arm64", "index"}),
              ElementsAre("amd64 1", "arm a:1@linux/arm/v7", "newer arm64 a:1",
                          "index a:1@" + Digest::of("index").to_string()));
}

TEST(MergeLayoutIndex, AnImageOfAnotherToolThatHasTheTagStays) {
  const std::string index = index_of(foreign("theirs", "", "1"));
  EXPECT_THAT(
      entries_in(merge_layout_index(index, {entry("ours", "b/other:1", "1")}, nothing_known), {"theirs", "ours"}),
      ElementsAre("theirs 1", "ours b/other:1"));
  // The same image under the same tag is one entry.
  EXPECT_THAT(entries_in(merge_layout_index(index, {entry("theirs", "b/other:1", "1")}, nothing_known), {"theirs"}),
              ElementsAre("theirs 1"));
  // What has no name at all is nobody's old version.
  const std::string nameless = index_of(foreign("theirs", "", "") + "," + foreign("named", "c:1", "1"));
  EXPECT_THAT(entries_in(merge_layout_index(nameless, {Descriptor{"m", Digest::of("ours"), 1}}, nothing_known),
                         {"theirs", "named", "ours"}),
              ElementsAre("theirs -", "named 1", "ours -"));
  EXPECT_THAT(entries_in(merge_layout_index(nameless, {Descriptor{"m", Digest::of("theirs"), 1}}, nothing_known),
                         {"theirs", "named"}),
              ElementsAre("named 1", "theirs -"));
}

TEST(MergeLayoutIndex, ThePlatformOfAnEntryThatDoesNotSayItIsLookedUp) {
  const auto look_up = [](const Digest& image) -> std::optional<Platform> {
    if (image == Digest::of("arm64")) return Platform::parse("linux/arm64");
    return Platform::parse("linux/amd64");
  };
  const std::string index =
      index_of(foreign("old", "a:1", "1") + "," + foreign("arm64", "a:1", "2", R"(,"platform":{})"));
  EXPECT_THAT(entries_in(merge_layout_index(index, {entry("new", "a:1", "1")}, look_up), {"old", "arm64", "new"}),
              ElementsAre("arm64 2", "new 1"));
  const std::string said =
      index_of(foreign("said", "a:1", "1", R"(,"platform":{"os":"linux","architecture":"aarch64","variant":"v8"})"));
  EXPECT_THAT(entries_in(merge_layout_index(said, {entry("new", "a:1", "1", "linux/arm64")}, look_up), {"said", "new"}),
              ElementsAre("new 1"));
  const std::string odd = R"({"manifests":[{"digest":"md5:x","annotations":{"io.containerd.image.name":"a:1"}}]})";
  EXPECT_THAT(entries_in(merge_layout_index(odd, {entry("new", "a:1", "1")}, look_up), {"new"}),
              ElementsAre("? -", "new 1"));
}

TEST(MergeLayoutIndex, WhatIsNoIndexIsRefused) {
  for (const char* text : {"", "no", "[]", "{}", R"({"manifests":7})", R"({"schemaVersion":2,"manifests":[7]})"})
    EXPECT_EQ(code_of([&] { merge_layout_index(text, {}, nothing_known); }), Errc::malformed) << text;
}

TEST(MergeLayoutIndex, ANumberThatJsonCanNotHoldIsRefused) {
  const std::string index = R"({"schemaVersion":2,"x":1e999,"manifests":[]})";
  EXPECT_EQ(code_of([&] { merge_layout_index(index, {entry("new", "a:1", "1")}, nothing_known); }), Errc::malformed);
}

}  // namespace
}  // namespace hawser
