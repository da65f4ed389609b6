#include "registry/registry_error.hpp"

#include <gtest/gtest.h>

namespace hawser {
namespace {

TEST(WebPage, ItsMediaTypeSaysSo) {
  for (const char* type : {"text/html", "Text/HTML; charset=utf-8", "application/xhtml+xml"})
    EXPECT_TRUE(looks_like_html("{}", type)) << type;
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

}  // namespace
}  // namespace hawser
