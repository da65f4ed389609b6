#include "registry/token.hpp"

#include <hawser/util/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

// 2026-01-31T12:00:00Z
const std::chrono::system_clock::time_point wall{1769860800s};
const TokenService service{Url::parse("https://auth.example/token?x=1"), "registry name"};

Token parse(std::string_view body) {
  return parse_token(body, "application/json", service, {}, wall);
}

TEST(Token, LifetimeByExpiresIn) {
  EXPECT_EQ(parse(R"({"token":"t"})").lifetime, 60s);
  EXPECT_EQ(parse(R"({"access_token":"t","expires_in":300})").lifetime, 300s);
  EXPECT_EQ(parse(R"({"token":"t","expires_in":"300"})").lifetime, 300s);
  EXPECT_EQ(parse(R"({"token":"t","expires_in":-5})").lifetime, 60s);
  EXPECT_EQ(parse(R"({"token":"t","expires_in":1e30})").lifetime, 60s);
  EXPECT_EQ(parse(R"({"token":"t","expires_in":99999999999})").lifetime, 24h);
  EXPECT_EQ(parse(R"({"token":"","access_token":"b"})").value, "b");
}

TEST(Token, LifetimeCountsFromIssuedAtWhereBelievable) {
  EXPECT_EQ(parse(R"({"token":"t","expires_in":300,"issued_at":"2026-01-31T11:58:20Z"})").lifetime, 200s);
  EXPECT_EQ(parse(R"({"token":"t","expires_in":300,"issued_at":"2026-01-31T13:58:20.5+02:00"})").lifetime, 200s);
  EXPECT_EQ(parse(R"({"token":"t","expires_in":300,"issued_at":"2020-01-31T11:58:20Z"})").lifetime, 300s);
  EXPECT_EQ(parse(R"({"token":"t","expires_in":300,"issued_at":"1013-01-01T00:00:00Z"})").lifetime, 300s);
  EXPECT_EQ(parse(R"({"token":"t","expires_in":300,"issued_at":"9999-12-31T23:59:59Z"})").lifetime, 300s);
  EXPECT_EQ(parse(R"({"token":"t","expires_in":300,"issued_at":"2027-01-31T11:58:20Z"})").lifetime, 300s);
  EXPECT_EQ(parse(R"({"token":"t","expires_in":300,"issued_at":"yesterday or so ........"})").lifetime, 300s);
}

TEST(Token, WhatHttpCannotCarryIsNoToken) {
  EXPECT_EQ(parse(R"({"token":"a.b-c_d~e+f/g==|"})").value, "a.b-c_d~e+f/g==|");
  for (const char* token : {"a b", "a\\r\\nX: y", "\\u0000", "\\u007f", "\\u00e9"}) {
    try {
      parse(std::string(R"({"token":")") + token + "\"}");
      ADD_FAILURE() << token;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::malformed) << token;
    }
  }
}

TEST(Token, IsUsableUntilAMarginBeforeItsEnd) {
  Token token = parse(R"({"token":"t","expires_in":300})");
  EXPECT_TRUE(token.usable(token.obtained + 284s));
  EXPECT_FALSE(token.usable(token.obtained + 285s));
  token.lifetime = 4s;
  EXPECT_TRUE(token.usable(token.obtained + 2s));
  EXPECT_FALSE(token.usable(token.obtained + 3s));
  EXPECT_FALSE(Token().usable({}));
}

TEST(Token, RequestCarriesServiceScopeAndAccount) {
  const HttpRequest anonymous = make_token_request(service, "repository:a/b:pull", nullptr);
  EXPECT_EQ(anonymous.url.target,
            "/token?x=1&client_id=hawser&scope=repository%3Aa%2Fb%3Apull&service=registry%20name");
  EXPECT_TRUE(anonymous.headers.empty());
  const Credentials credentials{"us&er", "pw", {}};
  const HttpRequest known = make_token_request(service, "s", &credentials);
  EXPECT_THAT(known.url.target, HasSubstr("&account=us%26er&"));
  EXPECT_EQ(known.headers.at(0).second, "Basic dXMmZXI6cHc=");
}

TEST(Token, RefreshGrantKeepsTheSecretOutOfTheUrl) {
  const Credentials credentials{{}, {}, "se=cret"};
  const HttpRequest request = make_token_request(service, "s", &credentials);
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.url, service.realm);
  EXPECT_THAT(request.body, HasSubstr("refresh_token=se%3Dcret"));
}

TEST(Token, BasicRefusesWhatHttpCannotCarry) {
  EXPECT_THROW(basic_authorization({"a:b", "pw", {}}), Error);
  EXPECT_THROW(basic_authorization({"a\r\nX: y", "pw", {}}), Error);
  EXPECT_THROW(basic_authorization({"a", std::string("p\0w", 3), {}}), Error);
  EXPECT_EQ(basic_authorization({"a", "p:w", {}}), "Basic YTpwOnc=");
}

TEST(Token, BasicCarriesAPasswordOfManyLines) {
  EXPECT_EQ(basic_authorization({"_json_key", "{\r\n\t\"a\": 1\n}\n", {}}), "Basic X2pzb25fa2V5OnsNCgkiYSI6IDEKfQo=");
}

TEST(Token, ScopeOfTheChallengeOnlyWhereItReadsTheSameRepository) {
  EXPECT_EQ(choose_scope(std::nullopt, "a/b"), "repository:a/b:pull");
  EXPECT_EQ(choose_scope("repository:a/b:metadata_read", "a/b"), "repository:a/b:metadata_read");
  EXPECT_EQ(choose_scope("repository:a/b:pull,metadata_read", "a/b"), "repository:a/b:pull,metadata_read");
  for (const char* scope : {"repository:a/b:pull,push", "repository:a/b:*", "repository:other:pull",
                            "registry:catalog:*", "repository:a/b:", ""})
    EXPECT_EQ(choose_scope(scope, "a/b"), "repository:a/b:pull") << scope;
}

}  // namespace
}  // namespace hawser
