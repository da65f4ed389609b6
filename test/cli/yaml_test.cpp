// YAML within bounds: what is in it, and what it may not do.
#include "cli/yaml.hpp"

#include "support/failure.hpp"

#include <hawser/util/error.hpp>

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using test::failure_of;
using testing::HasSubstr;
using testing::StartsWith;

TEST(Yaml, DocumentsHaveLinesAndMembersInTheirOrder) {
  const YamlFile file("f", "# x\na: 1\nb:\n  - \"two\"\n  - {c: d}\n---\n---\nlast: true\n");
  ASSERT_EQ(file.documents().size(), 2U);
  const YamlNode& first = *file.documents()[0];
  EXPECT_EQ(first.text_of("a"), "1");
  const YamlNode& list = *first.find("b");
  ASSERT_EQ(list.items.size(), 2U);
  EXPECT_EQ(list.items[0]->text, "two");
  EXPECT_EQ(list.items[0]->line, 4U);
  EXPECT_EQ(list.items[1]->text_of("c"), "d");
  EXPECT_EQ(first.find("nothing"), nullptr);
  EXPECT_EQ(list.find("a"), nullptr);
  EXPECT_EQ(file.documents()[1]->text_of("last"), "true");
}

TEST(Yaml, AliasesAreTheNodeAndMergesGiveMembers) {
  const YamlFile file("f",
                      "base: &base\n  image: nginx\nother: &other {image: redis, x: y}\n"
                      "a: {<<: *base}\nb: {image: own, <<: *base}\nc: {<<: [*base, *other]}\n");
  const YamlNode& document = *file.documents()[0];
  EXPECT_EQ(document.find("a")->text_of("image"), "nginx");
  EXPECT_EQ(document.find("b")->text_of("image"), "own");
  EXPECT_EQ(document.find("c")->text_of("image"), "nginx");
  EXPECT_EQ(document.find("c")->text_of("x"), "y");
}

TEST(Yaml, JsonIsYaml) {
  const YamlFile file("f", R"({"a": [{"image": "nginx:1"}], "b": null})");
  EXPECT_EQ(file.documents()[0]->find("a")->items[0]->text_of("image"), "nginx:1");
}

TEST(Yaml, MistakesNameTheLineAndQuoteNothing) {
  const test::Failure failure = failure_of([] { YamlFile("f.yaml", "a: b\nsecret: *nowhere\n"); });
  EXPECT_EQ(failure.code, Errc::usage);
  EXPECT_THAT(failure.text, StartsWith("f.yaml:2: is no YAML: "));
  EXPECT_THAT(failure.text, testing::Not(HasSubstr("nowhere")));
  EXPECT_EQ(failure_of([] { YamlFile("f", "a: [b\nc: }"); }).code, Errc::usage);
}

TEST(Yaml, DepthNodesAndSizeAreBounded) {
  EXPECT_EQ(failure_of([] { YamlFile("f", std::string(10'000, '[')); }).code, Errc::too_large);
  EXPECT_EQ(failure_of([] { YamlFile("f", std::string(10'000, '{')); }).code, Errc::too_large);
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  EXPECT_EQ(failure_of([&] { YamlFile("f", deep); }).code, Errc::too_large);
  EXPECT_EQ(failure_of([] { YamlFile("f", "a: " + std::string(YamlFile::max_size, 'x')); }).code, Errc::too_large);
  std::string many = "[";
  for (std::size_t i = 0; i <= YamlFile::max_nodes; ++i) many += "a,\n";
  EXPECT_EQ(failure_of([&] { YamlFile("f", many + "]"); }).code, Errc::too_large);
}

TEST(Yaml, WhatAliasesNestCountsAsDepth) {
  const auto nested = [](std::size_t levels) {
    std::string text = "all: [&a0 [x]";
    for (std::size_t i = 1; i < levels; ++i) text += ", &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) + "]";
    return text + "]\nlast: *a" + std::to_string(levels - 1) + "\n";
  };
  EXPECT_EQ(YamlFile("f", nested(60)).documents()[0]->height, 62U);
  const test::Failure failure = failure_of([&] { YamlFile("f", nested(40'000)); });
  EXPECT_EQ(failure.code, Errc::too_large);
  EXPECT_EQ(failure.text, "f:1: it is nested too deep");
}

TEST(Yaml, QuestionsThatAliasesMultiplyEnd) {
  std::string keys;
  for (int i = 0; i < 10'000; ++i) keys += "k" + std::to_string(i) + ": ,";
  std::string merged = "<<: [";
  for (int i = 0; i < 10'000; ++i) merged += "*b,";
  const YamlFile file("f", "base: &b {" + keys + "}\nall: {" + merged + "]}\n");
  const test::Failure failure = failure_of([&] { file.documents()[0]->find("all")->find("image"); });
  EXPECT_EQ(failure.code, Errc::too_large);
  EXPECT_EQ(failure.text, "f:1: its aliases make it too large");
}

TEST(Yaml, WhatContainsItselfIsRefusedAndManyAliasesTakeNoMemory) {
  const test::Failure failure = failure_of([] { YamlFile("f", "a: &x\n  b: [*x]\n"); });
  EXPECT_EQ(failure.code, Errc::usage);
  EXPECT_THAT(failure.text, HasSubstr("contains it"));
  std::string bomb = "a0: &a0 [x]\n";
  for (int i = 1; i < 50; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb +=
        "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before + ", " + before + ", " + before + "]\n";
  }
  EXPECT_EQ(YamlFile("f", bomb).documents().size(), 1U);
}

}  // namespace
}  // namespace hawser
