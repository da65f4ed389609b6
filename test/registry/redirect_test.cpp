#include "registry/redirect.hpp"

#include "support/failure.hpp"

#include <hawser/util/error.hpp>

#include <gtest/gtest.h>

namespace hawser {
namespace {

RedirectChain start() {
  return RedirectChain(Url::parse("https://registry.example/v2/a/blobs/sha256:1"));
}

Errc refusal(std::string_view location) {
  try {
    start().follow(location);
  } catch (const Error& error) {
    return error.code();
  }
  return Errc{};
}

TEST(Redirect, KnowsItsStatusCodes) {
  for (const int status : {301, 302, 303, 307, 308}) EXPECT_TRUE(is_redirect(status)) << status;
  for (const int status : {200, 206, 300, 304, 305, 306, 309, 401}) EXPECT_FALSE(is_redirect(status)) << status;
}

TEST(Redirect, StaysAtHomeOnTheSameOrigin) {
  RedirectChain chain = start();
  EXPECT_FALSE(chain.redirected());
  chain.follow("/other?x=1");
  EXPECT_EQ(chain.current().to_string(), "https://registry.example/other?x=1");
  EXPECT_TRUE(chain.at_home());
  EXPECT_TRUE(chain.redirected());
  chain.follow("https://registry.example:443/third");
  EXPECT_TRUE(chain.at_home());
}

TEST(Redirect, AttackAuthorizationIsDroppedOnAnotherHost) {
  RedirectChain chain = start();
  chain.follow("https://cdn.example/blob");
  EXPECT_FALSE(chain.at_home());
}

TEST(Redirect, AttackAuthorizationIsDroppedOnAnotherPort) {
  RedirectChain chain = start();
  chain.follow("https://registry.example:8443/blob");
  EXPECT_FALSE(chain.at_home());
}

TEST(Redirect, AttackAuthorizationIsDroppedOnSchemeRelativeAndSubdomain) {
  RedirectChain chain = start();
  chain.follow("//evil.registry.example/blob");
  EXPECT_EQ(chain.current().origin.host, "evil.registry.example");
  EXPECT_FALSE(chain.at_home());
}

TEST(Redirect, AttackAuthorizationDoesNotComeBackWithTheChain) {
  RedirectChain chain = start();
  chain.follow("https://cdn.example/blob");
  chain.follow("https://registry.example/reflect");
  EXPECT_FALSE(chain.at_home());
}

TEST(Redirect, AttackHttpsToHttpIsRefused) {
  EXPECT_EQ(refusal("http://registry.example/blob"), Errc::redirect_refused);
  EXPECT_EQ(refusal("http://cdn.example/blob"), Errc::redirect_refused);
}

TEST(Redirect, HttpMayGoToHttpAndHttps) {
  RedirectChain chain(Url::parse("http://127.0.0.1:5000/v2/"));
  chain.follow("http://127.0.0.1:5001/x");
  chain.follow("https://cdn.example/x");
  EXPECT_EQ(chain.current().to_string(), "https://cdn.example/x");
}

TEST(Redirect, AttackOtherSchemesAreRefused) {
  for (const char* location : {"file:///etc/passwd", "ftp://cdn.example/x", "javascript:1", "data:text/plain,x"})
    EXPECT_EQ(refusal(location), Errc::redirect_refused) << location;
}

TEST(Redirect, AttackMetadataTargetIsRefused) {
  EXPECT_EQ(refusal("https://169.254.169.254/latest/meta-data"), Errc::redirect_refused);
}

TEST(Redirect, MissingOrBrokenLocationIsFinal) {
  for (const char* location :
       {"", "  ", "https://:bad/", "https://", "https://cdn.example:99999/", "https://cdn.example:80x/", "/%zz"})
    EXPECT_EQ(refusal(location), Errc::redirect_refused) << location;
}

TEST(Redirect, MissingLocationIsToldWithWhatWasAskedFor) {
  const test::Failure at_once = test::failure_of([] { start().follow(""); });
  EXPECT_EQ(at_once.text,
            "https://registry.example/v2/a/blobs/sha256:1 answered with a redirect that says nowhere to go "
            "(it has no Location)");
  EXPECT_NE(at_once.hint, "");
  RedirectChain chain = start();
  chain.follow("https://cdn.example/blob?signature=secret");
  const test::Failure later = test::failure_of([&] { chain.follow("https://user:secret@:bad/"); });
  EXPECT_EQ(later.text,
            "https://registry.example/v2/a/blobs/sha256:1 led to https://cdn.example/blob, which answered with a "
            "redirect that leads nowhere: its Location is no http or https URL (\"https://***@:bad\")");
}

TEST(Redirect, LoopIsFound) {
  RedirectChain chain = start();
  chain.follow("/b");
  try {
    chain.follow("/v2/a/blobs/sha256:1");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::too_many_redirects);
    EXPECT_NE(std::string(error.what()).find("loop"), std::string::npos);
  }
}

TEST(Redirect, NumberIsLimited) {
  RedirectChain chain = start();
  for (std::size_t i = 0; i < max_redirects; ++i) chain.follow("/" + std::to_string(i));
  try {
    chain.follow("/one-more");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::too_many_redirects);
  }
}

TEST(Redirect, MessagesShowNoSignatures) {
  RedirectChain chain = start();
  chain.follow("https://cdn.example/blob?signature=secret");
  for (const char* location :
       {"http://cdn.example/secret/blob?signature=secret2", "s3://user:secret@bucket/secret/blob?signature=secret2",
        "https://user:secret@cdn.example:99999/secret/blob?signature=secret2", "data:text/plain,secret",
        "https://user:secret@169.254.169.254/secret?signature=secret2", "data:text//secret",
        "https://cdn.example/%zsecret", "https://user:sec/ret@cdn.example/secret blob", "http:secret path"}) {
    try {
      chain.follow(location);
      ADD_FAILURE() << location;
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace hawser
