#include "util/platform/machine.hpp"

#include <hawser/image/platform.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

TEST(Machine, ItsArchitectureIsOneThatImagesKnow) {
  Platform platform;
  platform.architecture = machine_architecture();
  EXPECT_THAT(platform.normalised().architecture,
              testing::AnyOf("amd64", "arm64", "arm", "386", "ppc64le", "s390x", "riscv64"));
}

TEST(Machine, ABootHasOneId) {
  EXPECT_THAT(boot_id(), testing::AnyOf("", testing::SizeIs(36)));
  EXPECT_EQ(boot_id(), boot_id());
}

TEST(Machine, LocalTimeIsWithinADayOfUtc) {
  const auto time = local_time(86'400 * 366);
  ASSERT_TRUE(time);
  EXPECT_EQ(time->tm_year, 71);
  EXPECT_EQ(time->tm_mon, 0);
  EXPECT_GE(time->tm_mday, 1);
  EXPECT_LE(time->tm_mday, 3);
}

}  // namespace
}  // namespace hawser
