#include <hawser/util/disk_space.hpp>
#include <hawser/util/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

TEST(DiskSpace, WhatFitsIsTaken) {
  EXPECT_NO_THROW(require_space("/tmp", 0));
  EXPECT_NO_THROW(require_space("/tmp", 1));
}

TEST(DiskSpace, WhatDoesNotFitIsRefusedWithBothFigures) {
  try {
    require_space("/tmp", std::uint64_t{1} << 62);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::disk_full);
    EXPECT_THAT(error.what(), testing::AllOf(testing::HasSubstr("/tmp"), testing::HasSubstr("needed"),
                                             testing::HasSubstr("available")));
  }
}

TEST(DiskSpace, AMissingDirectoryIsNamed) {
  try {
    require_space("/nowhere/at/all", 1);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::disk);
    EXPECT_THAT(error.what(), testing::HasSubstr("/nowhere/at/all"));
  }
}

}  // namespace
}  // namespace hawser
