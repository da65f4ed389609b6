#include "store/lock_file.hpp"

#include "store_fixture.hpp"

#include <atomic>
#include <csignal>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hawser {
namespace {

using test::in_child;

class LockFileTest : public ::testing::Test {
 protected:
  std::optional<LockFile> acquire() const {
    return LockFile::try_acquire(Directory::open(directory.path()).value(), "blob");
  }
  /// What try_acquire() says where the system refuses the lock with `error`.
  template <std::errc error>
  test::Failure refused() const {
    return test::failure_of([&] {
      LockFile::try_acquire(Directory::open(directory.path()).value(), "blob",
                            [](const File&) { return make_error_code(error); });
    });
  }
  std::filesystem::path file() const { return directory / "blob.lock"; }

  test::TempDir directory;
};

TEST_F(LockFileTest, ExcludesWithinOneProcess) {
  auto first = acquire();
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->is_in_place());
  EXPECT_FALSE(acquire());
  first->release();
  EXPECT_TRUE(acquire());
}

TEST_F(LockFileTest, LeavesNoFile) {
  { const auto lock = acquire(); }
  EXPECT_FALSE(std::filesystem::exists(file()));
}

TEST_F(LockFileTest, ExcludesAnotherProcess) {
  const auto lock = acquire();
  ASSERT_TRUE(lock);
  EXPECT_EQ(in_child([&] { ::_exit(acquire() ? 1 : 2); }), 2 << 8);
}

TEST_F(LockFileTest, IsTakenOverFromAKilledProcess) {
  const int status = in_child([&] {
    const auto lock = acquire();
    ::raise(lock ? SIGKILL : SIGTERM);
  });
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  EXPECT_TRUE(std::filesystem::exists(file()));
  EXPECT_TRUE(acquire());
}

TEST_F(LockFileTest, SeesThatItsFileIsGone) {
  auto lock = acquire();
  ASSERT_TRUE(lock);
  std::filesystem::remove(file());
  EXPECT_FALSE(lock->is_in_place());
  auto next = acquire();
  ASSERT_TRUE(next);
  lock->release();
  EXPECT_TRUE(next->is_in_place()) << "another's lock must stay";
}

TEST_F(LockFileTest, MovesWithItsRight) {
  auto lock = acquire();
  ASSERT_TRUE(lock);
  LockFile moved = std::move(*lock);
  lock.reset();
  EXPECT_FALSE(acquire());
  EXPECT_TRUE(moved.is_in_place());
}

TEST_F(LockFileTest, AFilesystemWithoutLocksIsSaid) {
  for (const auto& failure : {refused<std::errc::no_lock_available>(), refused<std::errc::operation_not_supported>(),
                              refused<std::errc::invalid_argument>(), refused<std::errc::function_not_supported>()}) {
    EXPECT_EQ(failure.code, Errc::disk);
    EXPECT_THAT(failure.text, ::testing::HasSubstr("the filesystem of " + directory.path().string()));
    EXPECT_THAT(failure.hint, ::testing::HasSubstr("--cache-dir on a local filesystem"));
  }
}

TEST_F(LockFileTest, OtherErrorsNameTheLock) {
  const auto failure = refused<std::errc::io_error>();
  EXPECT_EQ(failure.code, Errc::disk);
  EXPECT_THAT(failure.text, ::testing::HasSubstr("blob.lock"));
}

TEST(BlobsInUseTest, WhatOneUsesAnotherDoesNotRemove) {
  const test::TempDir directory;
  const auto open = [&] { return BlobsInUse(File(directory / "in-use.lock", OpenMode::create)); };
  const auto yes = [] { return true; };
  const Digest blob = Digest::of("blob"), other = Digest::of("other", Digest::Algorithm::sha512);
  std::optional<BlobsInUse> user(open());
  const BlobsInUse pruner(open());
  for (const Digest& each : {blob, other}) {
    EXPECT_FALSE(pruner.others_have(each));
    EXPECT_TRUE(pruner.unless_used(each, yes));
    EXPECT_FALSE(pruner.unless_used(each, [] { return false; }));
    user->add(each);
    EXPECT_TRUE(pruner.others_have(each));
    EXPECT_FALSE(pruner.unless_used(each, yes));
    EXPECT_FALSE(user->others_have(each)) << "what it uses itself does not count";
    EXPECT_FALSE(pruner.others_have(Digest::of("neither")));
  }
  user.reset();
  EXPECT_TRUE(pruner.unless_used(blob, yes));
}

TEST(BlobsInUseTest, WhoBeginsToUseABlobWaitsUntilItIsRemoved) {
  const test::TempDir directory;
  const auto open = [&] { return BlobsInUse(File(directory / "in-use.lock", OpenMode::create)); };
  const BlobsInUse user(open()), pruner(open());
  const Digest blob = Digest::of("blob");
  std::atomic<bool> removed = false;
  std::thread using_it;
  pruner.unless_used(blob, [&] {
    using_it = std::thread([&] {
      user.add(blob);
      EXPECT_TRUE(removed);
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return removed = true;
  });
  using_it.join();
}

TEST(BlobsInUseTest, WithoutAFileNothingIsInUse) {
  const BlobsInUse none;
  none.add(Digest::of("blob"));
  EXPECT_FALSE(none.others_have(Digest::of("blob")));
  EXPECT_TRUE(none.unless_used(Digest::of("blob"), [] { return true; }));
}

}  // namespace
}  // namespace hawser
