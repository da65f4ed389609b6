#include "support/temp_dir.hpp"

#include <hawser/util/file.hpp>
#include <hawser/util/reflink.hpp>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

namespace hawser {
namespace {

using test::TempDir;

// What a filesystem can do is the machine's; the end-to-end tests look at XFS and Btrfs. Here it is asked in another
// way.
TEST(CanShareBlocks, SaysWhatTheFilesystemDoes) {
  const TempDir scratch;
  const File source(scratch / "source", O_RDWR | O_CREAT, 0600);
  const File target(scratch / "target", O_RDWR | O_CREAT, 0600);
  source.write(as_bytes(std::string(4096, 'x')));
  const bool cloned = ::ioctl(target.fd(), FICLONE, source.fd()) == 0;
  EXPECT_EQ(can_share_blocks(scratch.path(), scratch.path()), cloned);
  EXPECT_THAT(scratch.names(), testing::UnorderedElementsAre("source", "target"));
}

TEST(CanShareBlocks, NotAcrossFilesystemsOrWhereThereIsNothing) {
  const TempDir scratch;
  EXPECT_FALSE(can_share_blocks(scratch.path(), "/proc"));
  EXPECT_FALSE(can_share_blocks(scratch / "missing", scratch.path()));
  EXPECT_FALSE(can_share_blocks(scratch.path(), scratch / "missing"));
}

}  // namespace
}  // namespace hawser
