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
                           "https://user:secret@/b?secret", "https://a.test/b?sec ret=secret"}) {
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

}  // namespace
}  // namespace hawser
