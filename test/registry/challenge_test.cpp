#include "registry/challenge.hpp"

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

}  // namespace
}  // namespace hawser
