#include "util/json.hpp"

#include <gtest/gtest.h>

namespace hawser {
namespace {

std::string nested(std::size_t depth) {
  return R"({"a":)" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
}

TEST(Json, AnObjectIsTakenAndNothingElse) {
  EXPECT_EQ(parse_json_object(R"({"a":1})").value().at("a"), 1);
  for (const char* text : {"", "null", "7", "[]", "{", R"({"a":1}x)", "<html>"})
    EXPECT_FALSE(parse_json_object(text)) << text;
}

TEST(Json, NestingHasALimit) {
  EXPECT_TRUE(parse_json_object(nested(32)));
  EXPECT_FALSE(parse_json_object(nested(33)));
  EXPECT_TRUE(parse_json_object(nested(64), 64));
  EXPECT_FALSE(parse_json_object(nested(65), 64));
}

TEST(Json, WhatCanNotBeReadAgainIsNoDocument) {
  EXPECT_EQ(json_document(parse_json_object(R"({"a":[1,"b"]})").value()), R"({"a":[1,"b"]})");
  EXPECT_FALSE(json_document(parse_json_object(R"({"a":[-1e999]})").value()));
  EXPECT_FALSE(json_document(parse_json_object(nested(40), 64).value()));
  EXPECT_TRUE(json_document(parse_json_object(nested(40), 64).value(), 64));
}

TEST(Json, IndentedByTabsAsDockerWritesIt) {
  const std::string text =
      "{\n\t\"a\": {\n\t\t\"b\": [\n\t\t\t1,\n\t\t\t\"\\n\\\"\"\n\t\t]\n\t},\n\t\"c\": {},\n\t\"d\": []\n}";
  EXPECT_EQ(indented_json(parse_json_object(text).value()), text);
  EXPECT_EQ(indented_json({}), "null");
}

TEST(Json, AValueOfAnyKindOrAnError) {
  boost::json::error_code error;
  EXPECT_TRUE(parse_json("[1]", error).is_array());
  EXPECT_FALSE(error);
  EXPECT_TRUE(parse_json("[1", error).is_null());
  EXPECT_TRUE(error);
}

TEST(Json, WhatIsLackingIsEmpty) {
  const auto object = parse_json_object(R"({"text":"x","number":1,"inner":{"text":"y"},"null":null})").value();
  EXPECT_EQ(json_text(object, "text"), "x");
  for (const char* key : {"number", "inner", "null", "none"}) EXPECT_EQ(json_text(object, key), "") << key;
  EXPECT_EQ(json_text(object.at("inner"), "text"), "y");
  EXPECT_EQ(json_text(object.at("number"), "text"), "");
  ASSERT_NE(json_object(object, "inner"), nullptr);
  EXPECT_EQ(json_text(*json_object(object, "inner"), "text"), "y");
  for (const char* key : {"text", "number", "null", "none"}) EXPECT_EQ(json_object(object, key), nullptr) << key;
}

TEST(Json, AWebPageIsKnownByItsFirstCharacter) {
  for (const char* text : {"<html>", " \r\n\t<!doctype html>", "\xef\xbb\xbf<html>"})
    EXPECT_TRUE(starts_like_html(text)) << text;
  for (const char* text : {"", "  ", "{}", "a<b"}) EXPECT_FALSE(starts_like_html(text)) << text;
}

}  // namespace
}  // namespace hawser
