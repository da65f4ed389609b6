#include "net/origin.hpp"

#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <gtest/gtest.h>

namespace hawser {
namespace {

TEST(Origin, FromTheHostOfAReference) {
  EXPECT_EQ(Origin::from_host("Registry.example", true), (Origin{true, "registry.example", 443}));
  EXPECT_EQ(Origin::from_host("localhost:5000", false), (Origin{false, "localhost", 5000}));
  EXPECT_EQ(Origin::from_host("[::1]:5000", false).host_header(), "[::1]:5000");
}

TEST(Origin, WhatIsNoHostIsABadReference) {
  for (const char* host : {"", ":5000", "a:0", "a:99999", "a/b", "user@a", "a b", "a\n"}) {
    try {
      (void)Origin::from_host(host, true);
      ADD_FAILURE() << host << " was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::bad_reference) << host;
    }
  }
}

TEST(DisplayedUrl, HoldsNoSecrets) {
  EXPECT_EQ(displayed_url("https://a.test/b/c", 100), "https://a.test/b/c");
  EXPECT_EQ(displayed_url("https://a.test/b?signature=secret", 100), "https://a.test/b");
  EXPECT_EQ(displayed_url("https://a.test/b#secret", 100), "https://a.test/b");
  EXPECT_EQ(displayed_url("ftp://user:secret@a.test/b", 100), "ftp://***@a.test/b");
  EXPECT_EQ(displayed_url("https://user:sec/ret@a.test/b", 100), "https://***@a.test/b");
  EXPECT_EQ(displayed_url("user:secret@a.test", 100), "***@a.test");
  EXPECT_EQ(displayed_url("https://user:sec?ret@a.test/b?signature=secret", 100), "https://***@a.test/b");
  EXPECT_EQ(displayed_url("user:sec#ret@a.test", 100), "***@a.test");
  EXPECT_EQ(displayed_url("https://a.test/b?to=c@secret", 100), "https://a.test/b");
  EXPECT_EQ(displayed_url("https://a.test/\x1b[31m", 18), printable("https://a.test/\x1b[31m", 18));
}

TEST(Url, RefusalsShowNoSecrets) {
  for (const char* text : {"https://user:secret@a.test:99999/b?secret", "ftp://user:secret@a.test/?secret",
                           "https://user:secret@/b?secret", "https://a.test/b%zz?secret"}) {
    for (const bool relative : {false, true}) {
      try {
        const Url url = relative ? Url::parse("https://b.test/").resolve(text) : Url::parse(text);
        ADD_FAILURE() << url.to_string();
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), Errc::protocol);
        EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos) << error.what();
      }
    }
  }
}

TEST(Url, WhatShouldHaveBeenEncodedIs) {
  const Url base = Url::parse("https://a.test/v2/x");
  const std::vector<std::pair<std::string, std::string>> targets{
      {"https://b.test/my layers/a b?name=c d", "https://b.test/my%20layers/a%20b?name=c%20d"},
      {"//b.test/caf\xc3\xa9", "https://b.test/caf%C3%A9"},
      {"/a[1]{2}|\"<>\\^`", "https://a.test/a%5B1%5D%7B2%7D%7C%22%3C%3E%5C%5E%60"},
      {"a//b c:d", "https://a.test/v2/a//b%20c:d"},
      {"?x=\t", "https://a.test/v2/x?x=%09"},
      {"/%2f?d=100%&e=%z%2", "https://a.test/%2f?d=100%25&e=%25z%252"},
      {"https://[2001:db8::1]:5000/a%20b%2Fc?d#e f", "https://[2001:db8::1]:5000/a%20b%2Fc?d"}};
  for (const auto& [given, url] : targets) EXPECT_EQ(base.resolve(given).to_string(), url);
  for (const char* host : {"https://b c.test/", "https://b\xc3\xa9.test/", "https://b.test\\@c.test/"})
    EXPECT_THROW((void)base.resolve(host), Error) << host;
}

}  // namespace
}  // namespace hawser
