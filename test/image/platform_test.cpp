#include <hawser/image/platform.hpp>
#include <hawser/util/error.hpp>

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

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
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_EQ(Platform::parse(text).to_string(), expected) << text;
    EXPECT_EQ(Platform::parse(text).normalised(), Platform::parse(text)) << text;
  }
}

TEST(Platform, RefusesWhatIsNone) {
  for (const char* text : {"", "/", "linux/", "/amd64", "linux", "windows", "linux//v7", "linux/arm/v7/x",
                           "linux amd64", "linux/\x1b[2J", "linux/amd64 ", "a:b"}) {
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
      {"linux/arm64/v9", {"linux/arm64/v9", "linux/arm64"}},
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

TEST(Platform, RanksOffers) {
  const auto rank = [](const char* offered, const char* wanted) {
    return platform_rank(Platform::parse(offered), Platform::parse(wanted));
  };
  EXPECT_EQ(rank("linux/arm/v7", "linux/arm/v7"), 0U);
  EXPECT_EQ(rank("linux/arm/v5", "linux/arm/v7"), 2U);
  EXPECT_EQ(rank("linux/arm/v7", "linux/arm/v6"), std::nullopt);
  EXPECT_EQ(rank("linux/arm64/v8", "linux/arm64"), 0U);
  EXPECT_EQ(rank("linux/arm/v7", "linux/arm64"), std::nullopt);
  EXPECT_EQ(rank("windows/amd64", "linux/amd64"), std::nullopt);
  EXPECT_EQ(rank("linux/amd64/v2", "linux/amd64"), std::nullopt);
}

TEST(Platform, WindowsBuildsMatterOnlyWhereAsked) {
  const Platform offered{"windows", "amd64", "", "10.0.17763.1"};
  Platform wanted{"windows", "amd64", "", ""};
  EXPECT_EQ(platform_rank(offered, wanted), 0U);
  wanted.os_version = "10.0.20348.1";
  EXPECT_EQ(platform_rank(offered, wanted), std::nullopt);
  wanted.os_version = offered.os_version;
  EXPECT_EQ(platform_rank(offered, wanted), 0U);
}

}  // namespace
}  // namespace hawser
