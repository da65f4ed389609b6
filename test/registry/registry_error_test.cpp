#include "registry/registry_error.hpp"

#include <gtest/gtest.h>

namespace hawser {
namespace {

TEST(WebPage, ItsMediaTypeSaysSo) {
  for (const char* type : {"text/html", "Text/HTML; charset=utf-8", "application/xhtml+xml"})
    EXPECT_TRUE(looks_like_html("Sign in", type)) << type;
}

TEST(WebPage, IsNotWhatBeginsAsJsonDoes) {
  for (const char* text : {"{}", " \r\n[1]"}) EXPECT_FALSE(looks_like_html(text, "text/html")) << text;
}

TEST(WebPage, ElseItsFirstCharacterUnlessTheTypeSaysJson) {
  for (const char* type : {"", "text/plain", "application/octet-stream"}) {
    EXPECT_TRUE(looks_like_html(" <html>", type)) << type;
    EXPECT_FALSE(looks_like_html("{}", type)) << type;
    EXPECT_FALSE(looks_like_html("", type)) << type;
  }
  for (const char* type : {"application/json", "application/vnd.oci.image.manifest.v1+json; charset=utf-8"})
    EXPECT_FALSE(looks_like_html("<html>", type)) << type;
}

TEST(StatusError, TooManyRequestsNamesTheLimit) {
  HttpHead head;
  head.status = 429;
  head.headers = {{"ratelimit-limit", "100;w=21600"}, {"ratelimit-remaining", "0;w=21600"}};
  try {
    throw_status_error(head, "", "manifest x", {});
  } catch (const RetryAfterError& error) {
    EXPECT_STREQ(error.what(), "manifest x: too many requests (HTTP 429); the limit is 100 pulls in 6 hours, 0 left");
  }
}

TEST(RegistryError, WhereTheImageIsElsewhereTheLoginIsForThere) {
  const Error refused(Errc::unauthorized, "no", "the helper failed; " + std::string(login_hint));
  EXPECT_EQ(at_location(refused, "there.example", "a.conf:3").hint(),
            "the helper failed; the image is at there.example by a.conf:3: hawser login there.example");
  const Error missing(Errc::not_found, "no", "check the name and the tag");
  EXPECT_EQ(at_location(missing, "there.example", "a.conf:3").hint(), missing.hint());
}

}  // namespace
}  // namespace hawser
