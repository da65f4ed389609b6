#include "registry/challenge.hpp"

#include <hawser/util/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using testing::ElementsAre;
using testing::Pair;
using testing::SizeIs;

std::vector<Challenge> parse(std::string_view value) {
  return parse_challenges({value});
}

TEST(Challenge, DockerHub) {
  const auto challenges = parse(
      R"(Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/nginx:pull")");
  ASSERT_THAT(challenges, SizeIs(1));
  EXPECT_EQ(challenges[0].scheme, "bearer");
  EXPECT_EQ(challenges[0].param("realm"), "https://auth.docker.io/token");
  EXPECT_EQ(challenges[0].param("service"), "registry.docker.io");
  EXPECT_EQ(challenges[0].param("scope"), "repository:library/nginx:pull");
  EXPECT_EQ(challenges[0].param("error"), std::nullopt);
}

TEST(Challenge, CommasAndEscapesInsideQuotes) {
  const auto challenges = parse(R"(Bearer realm="https://a/?x=\"1\",2", scope="repository:a:pull,push", n=1)");
  ASSERT_THAT(challenges, SizeIs(1));
  EXPECT_EQ(challenges[0].param("realm"), R"(https://a/?x="1",2)");
  EXPECT_EQ(challenges[0].param("scope"), "repository:a:pull,push");
  EXPECT_EQ(challenges[0].param("n"), "1");
}

TEST(Challenge, SeveralInOneHeader) {
  const auto challenges = parse(R"(Negotiate, Basic realm="a, b", Bearer realm=x , service = "y",Digest qop="auth")");
  ASSERT_THAT(challenges, SizeIs(4));
  EXPECT_EQ(challenges[0].scheme, "negotiate");
  EXPECT_THAT(challenges[1].params, ElementsAre(Pair("realm", "a, b")));
  EXPECT_THAT(challenges[2].params, ElementsAre(Pair("realm", "x"), Pair("service", "y")));
  EXPECT_EQ(challenges[3].scheme, "digest");
}

TEST(Challenge, SeveralHeaders) {
  const auto challenges = parse_challenges({"Basic realm=a", "", "Bearer realm=b"});
  ASSERT_THAT(challenges, SizeIs(2));
  EXPECT_EQ(challenges[1].param("realm"), "b");
}

TEST(Challenge, Token68) {
  const auto challenges = parse("Negotiate oYG2MIGzoAMKAQA+/==, Basic realm=r, NTLM abc=");
  ASSERT_THAT(challenges, SizeIs(3));
  EXPECT_EQ(challenges[0].scheme, "negotiate");
  EXPECT_THAT(challenges[0].params, testing::IsEmpty());
  EXPECT_EQ(challenges[1].param("realm"), "r");
  EXPECT_EQ(challenges[2].scheme, "ntlm");
  EXPECT_THAT(challenges[2].params, testing::IsEmpty());
}

TEST(Challenge, CaseOfSchemesAndNamesDoesNotMatter) {
  const auto challenges = parse(R"(bEaReR ReAlM="Https://X",SERVICE=Y)");
  ASSERT_THAT(challenges, SizeIs(1));
  EXPECT_EQ(challenges[0].scheme, "bearer");
  EXPECT_EQ(challenges[0].param("realm"), "Https://X");
  EXPECT_EQ(challenges[0].param("service"), "Y");
}

TEST(Challenge, EmptyListElementsAndSpaces) {
  const auto challenges = parse("  ,, \tBasic   realm=\"x\" ,,\t, charset=\"UTF-8\",");
  ASSERT_THAT(challenges, SizeIs(1));
  EXPECT_THAT(challenges[0].params, ElementsAre(Pair("realm", "x"), Pair("charset", "UTF-8")));
}

TEST(Challenge, BrokenPartsDoNotHideGoodOnes) {
  const auto challenges = parse(R"("quoted, rubbish", =x, {json}, Bearer realm="r" trailing words, service="s")");
  ASSERT_THAT(challenges, SizeIs(1));
  EXPECT_EQ(challenges[0].param("realm"), "r");
  EXPECT_EQ(challenges[0].param("service"), "s");
}

TEST(Challenge, UnclosedQuoteTakesTheRest) {
  const auto challenges = parse(R"(Bearer realm="https://a, Basic realm=b)");
  ASSERT_THAT(challenges, SizeIs(1));
  EXPECT_EQ(challenges[0].param("realm"), "https://a, Basic realm=b");
  EXPECT_EQ(parse(R"(Bearer realm="a\)")[0].param("realm"), "a\\");
}

TEST(Challenge, FirstOfTwoEqualParametersCounts) {
  EXPECT_EQ(parse("Bearer realm=a, realm=b")[0].param("realm"), "a");
}

TEST(Challenge, NothingFromNothing) {
  EXPECT_THAT(parse(""), SizeIs(0));
  EXPECT_THAT(parse(" , ,"), SizeIs(0));
  EXPECT_THAT(parse_challenges({}), SizeIs(0));
}

TEST(Challenge, IsBounded) {
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "Scheme" + std::to_string(i) + ",";
  EXPECT_THAT(parse(many), SizeIs(max_challenges));
  EXPECT_THAT(parse_challenges({many, many}), SizeIs(max_challenges));

  std::string params = "Bearer a=b";
  for (int i = 0; i < 1000; ++i) params += ",p" + std::to_string(i) + "=v";
  EXPECT_LE(parse(params).at(0).params.size(), max_challenge_params);

  const std::string huge = "Bearer realm=\"" + std::string(1 << 20, 'x');
  EXPECT_LE(parse(huge).at(0).param("realm")->size(), max_challenge_bytes);
}

const Origin https{true, "registry.example", 443};
const Origin http{false, "registry.example", 80};

Errc refusal(const Origin& registry, std::string_view realm) {
  try {
    checked_realm(registry, realm);
  } catch (const Error& error) {
    return error.code();
  }
  return Errc{};
}

TEST(RealmPolicy, HttpsRealmOnAnyHostIsTaken) {
  EXPECT_EQ(checked_realm(https, "https://auth.example/token?a=b").to_string(), "https://auth.example/token?a=b");
  EXPECT_EQ(checked_realm(http, "https://auth.example/token").origin.tls, true);
}

TEST(RealmPolicy, AttackHttpRealmOfHttpsRegistryIsRefused) {
  EXPECT_EQ(refusal(https, "http://auth.example/token"), Errc::unauthorized);
  EXPECT_EQ(refusal(https, "HTTP://registry.example/token"), Errc::unauthorized);
  EXPECT_EQ(refusal({true, "localhost", 5000}, "http://localhost:5001/token"), Errc::unauthorized);
}

TEST(RealmPolicy, PlainRegistryMayHavePlainRealm) {
  EXPECT_EQ(refusal(http, "http://auth.example:5001/token"), Errc{});
  EXPECT_EQ(refusal({false, "127.0.0.1", 5000}, "http://127.0.0.1:5001/token"), Errc{});
}

TEST(RealmPolicy, RealmThatIsNoUrl) {
  for (const char* realm : {"", "registry", "//host/token", "ftp://host/", "file:///etc/passwd", "https://",
                            "https:///x", "javascript:alert(1)"})
    EXPECT_EQ(refusal(https, realm), Errc::unauthorized) << realm;
}

TEST(RealmPolicy, AttackMetadataRealmIsRefused) {
  for (const char* host : {"169.254.169.254", "2852039166", "[::ffff:169.254.169.254]", "[fe80::1]",
                           "metadata.google.internal", "instance-data"})
    EXPECT_EQ(refusal(https, "https://" + std::string(host) + "/token"), Errc::unauthorized) << host;
}

TEST(RealmPolicy, MetadataAddressThatIsTheRegistryItselfIsTaken) {
  EXPECT_EQ(refusal({true, "169.254.1.1", 5000}, "https://169.254.1.1:5001/token"), Errc{});
  EXPECT_EQ(refusal({true, "169.254.1.1", 5000}, "https://169.254.169.254/token"), Errc::unauthorized);
}

TEST(RealmPolicy, RefusalShowsNoQueryAndNoEscapes) {
  for (const char* realm : {"http://auth.example/token?secret=1", "ftp://user:secret@auth.example/token?secret=1"}) {
    try {
      checked_realm(https, realm);
      ADD_FAILURE() << realm;
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace hawser
