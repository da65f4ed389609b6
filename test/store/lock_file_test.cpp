#include "store/lock_file.hpp"

#include "store/owner_file.hpp"
#include "store/process_identity.hpp"
#include "store_fixture.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>

namespace hawser {
namespace {

using test::in_child;
using test::write_text;

LockSettings refused_with(int error) {
  LockSettings settings;
  settings.lock = [error](int) { return error; };
  return settings;
}

/// Both kinds of locks keep the same promises.
class LockFileTest : public ::testing::TestWithParam<int> {
 protected:
  std::optional<LockFile> acquire() const {
    return LockFile::try_acquire(Directory::open(directory.path()).value(), "blob", settings);
  }
  std::filesystem::path file() const { return directory / (GetParam() == 0 ? "blob.lock" : "blob.owner"); }

  test::TempDir directory;
  LockSettings settings = GetParam() == 0 ? LockSettings{} : refused_with(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Kinds, LockFileTest, ::testing::Values(0, ENOLCK, EOPNOTSUPP, EINVAL, ENOSYS));

TEST_P(LockFileTest, ExcludesWithinOneProcess) {
  auto first = acquire();
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->is_in_place());
  EXPECT_FALSE(acquire());
  first->release();
  EXPECT_TRUE(acquire());
}

TEST_P(LockFileTest, LeavesNoFile) {
  { const auto lock = acquire(); }
  EXPECT_FALSE(std::filesystem::exists(file()));
}

TEST_P(LockFileTest, ExcludesAnotherProcess) {
  const auto lock = acquire();
  ASSERT_TRUE(lock);
  EXPECT_EQ(in_child([&] { ::_exit(acquire() ? 1 : 2); }), 2 << 8);
}

TEST_P(LockFileTest, IsTakenOverFromAKilledProcess) {
  const int status = in_child([&] {
    const auto lock = acquire();
    ::raise(lock ? SIGKILL : SIGTERM);
  });
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  EXPECT_TRUE(std::filesystem::exists(file()));
  EXPECT_TRUE(acquire());
}

TEST_P(LockFileTest, SeesThatItsFileIsGone) {
  auto lock = acquire();
  ASSERT_TRUE(lock);
  std::filesystem::remove(file());
  EXPECT_FALSE(lock->is_in_place());
  auto next = acquire();
  ASSERT_TRUE(next);
  lock->release();
  EXPECT_TRUE(next->is_in_place()) << "another's lock must stay";
}

TEST_P(LockFileTest, MovesWithItsRight) {
  auto lock = acquire();
  ASSERT_TRUE(lock);
  LockFile moved = std::move(*lock);
  lock.reset();
  EXPECT_FALSE(acquire());
  moved.heartbeat();
  EXPECT_TRUE(moved.is_in_place());
}

TEST(LockFile, OtherErrorsAreThrown) {
  const test::TempDir directory;
  const auto failure = test::failure_of(
      [&] { LockFile::try_acquire(Directory::open(directory.path()).value(), "blob", refused_with(EIO)); });
  EXPECT_EQ(failure.code, Errc::disk);
  EXPECT_THAT(failure.text, ::testing::HasSubstr("blob.lock"));
}

class OwnerFileTest : public ::testing::Test {
 protected:
  std::optional<File> acquire(std::chrono::milliseconds stale_after = std::chrono::hours(1)) const {
    return acquire_owner_file(Directory::open(directory.path()).value(), "blob", stale_after);
  }
  void write_owner_elsewhere() const {
    auto owner = ProcessIdentity::self();
    owner.host += "-elsewhere";
    write_text(directory / "blob.owner", owner.encode());
  }
  static void age(const std::filesystem::path& path, std::chrono::seconds by) {
    std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now() - by);
  }

  test::TempDir directory;
};

TEST_F(OwnerFileTest, AnOwnerElsewhereIsBelievedAsLongAsItsHeartGoes) {
  write_owner_elsewhere();
  EXPECT_FALSE(acquire());
  age(directory / "blob.owner", std::chrono::hours(2));
  EXPECT_TRUE(acquire());
}

TEST_F(OwnerFileTest, ALivingOwnerHereNeedsNoHeartbeat) {
  const auto first = acquire();
  age(directory / "blob.owner", std::chrono::hours(2));
  EXPECT_FALSE(acquire());
}

TEST_F(OwnerFileTest, ATornOwnerFileIsTakenOverWhenItIsOld) {
  write_text(directory / "blob.owner", "host");
  EXPECT_FALSE(acquire());
  age(directory / "blob.owner", std::chrono::hours(2));
  EXPECT_TRUE(acquire());
}

TEST_F(OwnerFileTest, OfTwoThatTakeOverAtOnceOneWins) {
  for (int round = 0; round < 20; ++round) {
    write_owner_elsewhere();
    age(directory / "blob.owner", std::chrono::hours(2));
    std::array<std::optional<File>, 2> held;
    {
      std::vector<std::jthread> contenders;
      for (auto& mine : held) contenders.emplace_back([&] { mine = acquire(); });
    }
    EXPECT_FALSE(held[0] && held[1]);
    EXPECT_TRUE(held[0] || held[1]);
    EXPECT_FALSE(std::filesystem::exists(directory / "blob.guard"));
    std::filesystem::remove(directory / "blob.owner");
  }
}

TEST_F(OwnerFileTest, WhoFindsTheGuardComesAgain) {
  write_owner_elsewhere();
  age(directory / "blob.owner", std::chrono::hours(2));
  write_text(directory / "blob.guard", "");
  EXPECT_FALSE(acquire());
  EXPECT_TRUE(std::filesystem::exists(directory / "blob.guard"));
  age(directory / "blob.guard", std::chrono::hours(2));
  EXPECT_FALSE(acquire());
  EXPECT_TRUE(acquire());
  EXPECT_FALSE(std::filesystem::exists(directory / "blob.guard"));
}

}  // namespace
}  // namespace hawser
