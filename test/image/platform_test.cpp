#include <hawser/image/platform.hpp>
#include <hawser/util/error.hpp>

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

TEST(Platform, ParsesAndNormalises) {
  const std::pair<const char*, const char*> cases[] = {
      {"linux/amd64", "linux/amd64"},
      {"amd64", "linux/amd64"},
      {"x86_64", "linux/amd64"},
      {"linux/x86-64", "linux/amd64"},
      {"LINUX/AMD64", "linux/amd64"},
      {"linux/amd64/v1", "linux/amd64"},
      {"linux/amd64/v3", "linux/amd64/v3"},
      {"arm64", "linux/arm64"},
      {"aarch64", "linux/arm64"},
      {"linux/arm64/v8", "linux/arm64"},
      {"linux/arm64/8", "linux/arm64"},
      {"linux/arm64/v9", "linux/arm64/v9"},
      {"arm", "linux/arm/v7"},
      {"arm/v6", "linux/arm/v6"},
      {"linux/arm", "linux/arm/v7"},
      {"linux/arm/v6", "linux/arm/v6"},
      {"linux/arm/5", "linux/arm/v5"},
      {"linux/arm/v8", "linux/arm/v8"},
      {"armhf", "linux/arm/v7"},
      {"armel", "linux/arm/v6"},
      {"armv7l", "linux/arm/v7"},
      {"armv6l", "linux/arm/v6"},
      {"armv5tel", "linux/arm/v5"},
      {"i386", "linux/386"},
      {"i686", "linux/386"},
      {"linux/386", "linux/386"},
      {"mips64el", "linux/mips64le"},
      {"linux/ppc64le", "linux/ppc64le"},
      {"linux/s390x", "linux/s390x"},
      {"riscv64", "linux/riscv64"},
      {"windows/amd64", "windows/amd64"},
      {"macos/arm64", "darwin/arm64"},
      {"linux/arm64/v8.0", "linux/arm64"},
      {"windows(10.0.17763)/amd64", "windows(10.0.17763)/amd64"},
      {"Windows(10.0.20348.2)/x86_64", "windows(10.0.20348.2)/amd64"},
      {"windows(10.0.17763+win32k)/amd64", "windows(10.0.17763+win32k)/amd64"},
      {"windows(+b+a+b)/arm64/v8", "windows(+a+b)/arm64"},
      {"windows()/amd64", "windows/amd64"},
      {"arm()/v6", "linux/arm/v6"},
      {"other(1)/v6", "other(1)/v6"},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_EQ(Platform::parse(text).to_string(), expected) << text;
    EXPECT_EQ(Platform::parse(text).normalised(), Platform::parse(text)) << text;
    EXPECT_EQ(Platform::parse(expected), Platform::parse(text)) << text;
  }
}

TEST(Platform, RefusesWhatIsNone) {
  for (const char* text : {"",
                           "/",
                           "linux/",
                           "/amd64",
                           "linux",
                           "windows",
                           "linux//v7",
                           "linux/arm/v7/x",
                           "linux amd64",
                           "linux/\x1b[2J",
                           "linux/amd64 ",
                           "a:b",
                           "windows(10.0.17763)",
                           "windows(10.0/amd64",
                           "windows(10.0)x/amd64",
                           "windows(ten)/amd64",
                           "windows(10..0)/amd64",
                           "windows(10.)/amd64",
                           "windows(1+)/amd64",
                           "windows(1+a b)/amd64",
                           "windows/amd64(1)",
                           "(1)/amd64"}) {
    try {
      Platform::parse(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::usage) << text;
      EXPECT_FALSE(error.hint().empty());
      EXPECT_EQ(std::string(error.what()).find('\x1b'), std::string::npos);
    }
  }
  EXPECT_THROW(Platform::parse(std::string(65, 'a')), Error);
}

TEST(Platform, HostIsLinuxWithAKnownNormalForm) {
  EXPECT_EQ(Platform::host().os, "linux");
  EXPECT_FALSE(Platform::host().architecture.empty());
  EXPECT_EQ(Platform::host(), Platform::host().normalised());
}

TEST(Platform, FallsBackToWhatRunsThere) {
  const std::pair<const char*, std::vector<std::string>> cases[] = {
      {"linux/arm/v7", {"linux/arm/v7", "linux/arm/v6", "linux/arm/v5"}},
      {"linux/arm/v8", {"linux/arm/v8", "linux/arm/v7", "linux/arm/v6", "linux/arm/v5"}},
      {"linux/arm/v5", {"linux/arm/v5"}},
      {"linux/arm64/v9",
       {"linux/arm64/v9", "linux/arm64/v8.5", "linux/arm64/v8.4", "linux/arm64/v8.3", "linux/arm64/v8.2",
        "linux/arm64/v8.1", "linux/arm64"}},
      {"linux/arm64/v8.2", {"linux/arm64/v8.2", "linux/arm64/v8.1", "linux/arm64"}},
      {"linux/arm64/vx", {"linux/arm64/vx", "linux/arm64"}},
      {"linux/arm64/v8", {"linux/arm64"}},
      {"linux/amd64/v3", {"linux/amd64/v3", "linux/amd64/v2", "linux/amd64"}},
      {"linux/amd64", {"linux/amd64"}},
      {"linux/s390x", {"linux/s390x"}},
  };
  for (const auto& [text, expected] : cases) {
    std::vector<std::string> names;
    for (const Platform& platform : acceptable_platforms(Platform::parse(text))) names.push_back(platform.to_string());
    EXPECT_THAT(names, ElementsAreArray(expected)) << text;
  }
}

TEST(Platform, Armv9RunsWhatTheArmv8OfItsTimeRuns) {
  const auto variants = [](const char* text) {
    std::vector<std::string> result;
    for (const Platform& platform : acceptable_platforms(Platform::parse(text))) result.push_back(platform.variant);
    return result;
  };
  EXPECT_THAT(variants("linux/arm64/v9.2"),
              ElementsAre("v9.2", "v9.1", "v9", "v8.7", "v8.6", "v8.5", "v8.4", "v8.3", "v8.2", "v8.1", ""));
  EXPECT_THAT(variants("linux/arm64/v9.5"), testing::Contains("v8.9"));
  EXPECT_THAT(variants("linux/arm64/v9.5"), testing::Not(testing::Contains("v8.10")));
}

std::optional<std::size_t> place(const char* offered, const char* wanted) {
  const auto rank = platform_rank(Platform::parse(offered), Platform::parse(wanted));
  return rank ? std::optional(rank->place) : std::nullopt;
}

TEST(Platform, RanksOffers) {
  EXPECT_EQ(place("linux/arm/v7", "linux/arm/v7"), 0U);
  EXPECT_EQ(place("linux/arm/v5", "linux/arm/v7"), 2U);
  EXPECT_EQ(place("linux/arm/v7", "linux/arm/v6"), std::nullopt);
  EXPECT_EQ(place("linux/arm64/v8", "linux/arm64"), 0U);
  EXPECT_EQ(place("linux/arm64", "linux/arm64/v8.1"), 1U);
  EXPECT_EQ(place("linux/arm64/v9", "linux/arm64"), std::nullopt);
  EXPECT_EQ(place("linux/arm/v7", "linux/arm64"), std::nullopt);
  EXPECT_EQ(place("windows/amd64", "linux/amd64"), std::nullopt);
  EXPECT_EQ(place("linux/amd64/v2", "linux/amd64"), std::nullopt);
  EXPECT_EQ(place("linux/amd64/v2", "linux/amd64/v3"), 1U);
}

/// Whether an offer serves `wanted`, a Windows build in parenthesis as parse() has it.
bool serves(const std::string& offered, const std::string& wanted) {
  return platform_rank(Platform::parse("windows" + offered + "/amd64"), Platform::parse("windows" + wanted + "/amd64"))
      .has_value();
}

/// Whether the first offer serves `wanted` better than the second.
bool is_better(const std::string& offered, const std::string& other, const std::string& wanted) {
  const Platform platform = Platform::parse("windows" + wanted + "/amd64");
  return platform_rank(Platform::parse("windows" + offered + "/amd64"), platform) <
         platform_rank(Platform::parse("windows" + other + "/amd64"), platform);
}

TEST(Platform, NoWindowsNewerThanAskedForServes) {
  EXPECT_TRUE(serves("(10.0.17763.1)", ""));
  EXPECT_TRUE(serves("", "(10.0.17763)"));
  EXPECT_TRUE(serves("(10.0.17763.9)", "(10.0.17763)"));
  EXPECT_TRUE(serves("(10.0.17763.9)", "(10.0.17763.9)"));
  EXPECT_TRUE(serves("(10.0.17763.9)", "(10.0.17763.10)"));
  EXPECT_FALSE(serves("(10.0.17763.10)", "(10.0.17763.9)"));
  EXPECT_TRUE(serves("(10.0.9600)", "(10.0.17763)"));
  EXPECT_FALSE(serves("(10.0.17764)", "(10.0.17763)"));
  EXPECT_FALSE(serves("(11.0)", "(10.0.17763)"));
}

TEST(Platform, OfWindowsBuildsTheNewestIsBest) {
  EXPECT_TRUE(is_better("(10.0.20348.1)", "(10.0.17763.5000)", ""));
  EXPECT_TRUE(is_better("(10.0.17763.10)", "(10.0.17763.9)", ""));
  EXPECT_TRUE(is_better("(10.0.17763)", "(10.0.9600)", "(10.0.20348)"));
  EXPECT_TRUE(is_better("(10.0.1)", "", "(10.0.20348)"));
  // What is no number is as old as what says nothing.
  const Platform odd{"windows", "amd64", "", "10.x"}, wanted{"windows", "amd64", "", ""};
  EXPECT_EQ(platform_rank(odd, wanted), platform_rank({"windows", "amd64", "", "10"}, wanted));
}

TEST(Platform, FeaturesOfTheSystemThatNobodyAskedForComeLast) {
  EXPECT_TRUE(is_better("(10.0.17763)", "(10.0.20348+win32k)", ""));
  EXPECT_TRUE(is_better("(10.0.17763+win32k)", "(10.0.17763)", "(+win32k)"));
  EXPECT_TRUE(is_better("(10.0.17763+win32k)", "(10.0.17763+win32k+x)", "(10.0.17763+win32k)"));
  EXPECT_TRUE(serves("(10.0.17763+win32k)", ""));
}

TEST(Platform, BuildsAreOfWindowsAlone) {
  const Platform offered{"linux", "amd64", "", "6.1"}, wanted{"linux", "amd64", "", "5.10"};
  EXPECT_EQ(platform_rank(offered, wanted), PlatformRank{});
}

}  // namespace
}  // namespace hawser
