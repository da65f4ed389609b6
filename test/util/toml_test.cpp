#include "util/toml.hpp"

#include "support/failure.hpp"

#include <gtest/gtest.h>

namespace hawser {
namespace {

using namespace test;

std::string refusal(std::string_view text) {
  const Failure failure = failure_of([&] { TomlDocument("a.toml", text); });
  EXPECT_TRUE(failure.text.empty() || failure.code == Errc::usage);
  return failure.text;
}

TEST(Toml, ValuesComeInTheOrderAndWithTheLinesOfTheFile) {
  const TomlDocument document("a.toml",
                              "b = 'x'\n\n[host.z]\nflag = true\n[host.\"a\"]\nlist = ['1', \"2\"]\n[[t]]\n[[t]]\n");
  const auto& root = document.root();
  EXPECT_EQ(document.text(root, "b"), "x");
  EXPECT_EQ(document.text(root, "absent"), "");
  const auto* hosts = document.table(root, "host");
  ASSERT_TRUE(hosts != nullptr && hosts->size() == 2);
  EXPECT_EQ(hosts->at(0).name, "z");
  EXPECT_EQ(hosts->at(0).value.line, 3U);
  EXPECT_EQ(hosts->at(1).name, "a");
  EXPECT_EQ(hosts->at(1).value.line, 5U);
  EXPECT_EQ(document.flag(document.table(hosts->at(0).value, "z"), "flag"), true);
  EXPECT_EQ(document.flag(root, "absent"), std::nullopt);
  const std::vector<std::string> both{"1", "2"};
  EXPECT_EQ(document.texts(document.table(hosts->at(1).value, "a"), "list"), both);
  const auto tables = document.tables(root, "t");
  ASSERT_EQ(tables.size(), 2U);
  EXPECT_EQ(tables.at(1)->line, 8U);
  EXPECT_EQ(document.place(7), "a.toml:7");
}

TEST(Toml, AByteOrderMarkIsNoPartOfIt) {
  const TomlDocument document("a.toml",
                              "\xEF\xBB\xBF"
                              "a = 'x'");
  EXPECT_EQ(document.text(document.root(), "a"), "x");
}

TEST(Toml, WhatIsNoTomlIsToldWithItsLineAndNotQuoted) {
  for (const std::string_view text : {"a = 'x'\nb = secret-value", "a = 'x'\nb = 'secret-value",
                                      "a = 'x'\nsecret-value", "a = 'x'\na = 'secret-value'"}) {
    const std::string told = refusal(text);
    EXPECT_TRUE(told.starts_with("a.toml:2: is no TOML: ")) << told;
    EXPECT_EQ(told.find("secret-value"), std::string::npos) << told;
  }
}

TEST(Toml, WhatTheParserDoesNotExpectIsNoTomlEither) {
  EXPECT_EQ(refusal("[{plug\""), "a.toml is no TOML");
}

TEST(Toml, OtherCharactersThanAsciiStandInStringsAndComments) {
  EXPECT_EQ(refusal("# \xC3\xA9\na = '\xC3\xA9'\nb = \"\xC3\xA9\"\n'\xC3\xA9' = \"\"\"\xC3\xA9 \xE2\x80\xA8\"\"\""),
            "");
  for (const std::string_view text :
       {"a = ''\n\xC3\xA9 = 1", "a = ''\nb =\xC3\xA9'x'", "a = ''\nb = \"\\\xC3\xA9\"", "a = ''\nb = 1 \xC3\xA9",
        "a = ''\nb = 1\xD4\x9E", "a = ''\nb = \"x\"\xE1\x9F\xBF", "a = ''\nb = 1\".a.\"in.a\xD4\x9E.a\xB1",
        "a = ''\nb\xE2\x80\xAA = 1"}) {
    const std::string told = refusal(text);
    EXPECT_TRUE(told.starts_with("a.toml:2: is no TOML: ")) << text << told;
  }
}

TEST(Toml, OtherKindsThanAskedForAreErrors) {
  const TomlDocument document("a.toml", "\ntext = 'x'\nnumber = 1\nlist = [1]\n");
  const auto& root = document.root();
  const auto told = [&](auto action) { return failure_of(action).text; };
  EXPECT_EQ(told([&] { (void)document.text(root, "number"); }), "a.toml:3: number is no text");
  EXPECT_EQ(told([&] { (void)document.flag(root, "text"); }), "a.toml:2: text is neither true nor false");
  EXPECT_EQ(told([&] { (void)document.table(root, "text"); }), "a.toml:2: text is no table");
  EXPECT_EQ(told([&] { (void)document.tables(root, "text"); }), "a.toml:2: text is no list of tables");
  EXPECT_EQ(told([&] { (void)document.tables(root, "list"); }), "a.toml:4: list is no table");
  EXPECT_EQ(told([&] { (void)document.texts(root, "text"); }), "a.toml:2: text is no list of texts");
  EXPECT_EQ(told([&] { (void)document.texts(root, "list"); }), "a.toml:4: list is no text");
}

TEST(Toml, NestingHasALimit) {
  std::string dotted = "a", list = "a = ";
  for (int i = 0; i < 100'000; ++i) dotted += ".a";
  for (int i = 0; i < 40; ++i) list += "[";
  for (int i = 0; i < 40; ++i) list += "]";
  EXPECT_EQ(refusal(dotted + " = 1"), "a.toml:1: has too many dotted keys");
  // A quote in a string or a comment hides no dots behind it.
  EXPECT_EQ(refusal("b = '''\n\"'''\n" + dotted + " = 1"), "a.toml:1: has too many dotted keys");
  EXPECT_EQ(refusal("b = \"\\\"\"\n" + dotted + " = 1"), "a.toml:1: has too many dotted keys");
  EXPECT_EQ(refusal("# it's\n" + dotted + " = 1"), "a.toml:1: has too many dotted keys");
  EXPECT_EQ(refusal(dotted.substr(0, 101) + " = 1"), "a.toml:1: is nested too deep");
  EXPECT_EQ(refusal(list), "a.toml:1: is nested too deep");
  EXPECT_EQ(refusal("a = '" + dotted + "' # " + dotted), "");
}

}  // namespace
}  // namespace hawser
