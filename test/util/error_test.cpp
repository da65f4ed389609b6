#include <hawser/util/error.hpp>

#include <cerrno>
#include <system_error>

#include <gtest/gtest.h>

namespace hawser {
namespace {

std::error_code of(int number) {
  return {number, std::system_category()};
}

TEST(Error, CarriesCodeMessageAndHint) {
  const Error error(Errc::rate_limited, "too many requests", "wait");
  EXPECT_EQ(error.code(), Errc::rate_limited);
  EXPECT_STREQ(error.what(), "too many requests");
  EXPECT_EQ(error.hint(), "wait");
}

TEST(Error, ContextGoesBeforeTheMessage) {
  const Error error = Error(Errc::disk, "no such file", "make it").in("out.tar");
  EXPECT_STREQ(error.what(), "out.tar: no such file");
  EXPECT_EQ(error.code(), Errc::disk);
  EXPECT_EQ(error.hint(), "make it");
}

TEST(Error, FullDiskIsToldFromOtherDiskErrors) {
  EXPECT_EQ(disk_error(of(ENOSPC), "write", "a").code(), Errc::disk_full);
  EXPECT_EQ(disk_error(of(EDQUOT), "write", "a").code(), Errc::disk_full);
  EXPECT_EQ(disk_error({EDQUOT, std::generic_category()}, "write", "a").code(), Errc::disk_full);  // of std::filesystem
  EXPECT_EQ(disk_error(of(EACCES), "open", "a").code(), Errc::disk);
  EXPECT_STREQ(disk_error(of(ENOENT), "open", "/x/y").what(), "cannot open /x/y: No such file or directory");
}

TEST(Error, TheDiskAndTheUserAreOnThisSide) {
  for (const Errc code : {Errc::disk, Errc::disk_full, Errc::cancelled}) EXPECT_TRUE(is_on_this_side(code));
  for (const Errc code : {Errc::usage, Errc::not_found, Errc::connection_lost, Errc::malformed, Errc::digest_mismatch})
    EXPECT_FALSE(is_on_this_side(code)) << static_cast<int>(code);
}

TEST(DiskError, TooManyOpenFilesComeWithTheRemedy) {
  for (const int error : {EMFILE, ENFILE}) {
    EXPECT_EQ(disk_error(of(error), "open", "a").code(), Errc::disk);
    EXPECT_NE(disk_error(of(error), "open", "a").hint().find("ulimit -n"), std::string::npos);
  }
}

}  // namespace
}  // namespace hawser
