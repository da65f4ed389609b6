#include "store/lock_file.hpp"

#include "store_fixture.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

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

TEST(ProcessIdentity, ReadsTheBootId) {
  EXPECT_NE(current_boot(), unknown_boot);
  EXPECT_EQ(parse_boot_id(ProcessIdentity::self().boot), current_boot());
  EXPECT_EQ(parse_boot_id("01234567-89ab-cdef-0123-456789abcdef"),
            (BootId{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}));
}

TEST(ProcessIdentity, WhatIsNoUuidIsNoBoot) {
  for (const char* text : {"", "x", "01234567-89ab-cdef-0123-456789abcdeg", "0123456789abcdef0123456789abcdef0123",
                           "01234567-89ab-cdef-0123-456789abcdef0"})
    EXPECT_EQ(parse_boot_id(text), unknown_boot) << text;
}

TEST(ProcessIdentity, SurvivesItsText) {
  const auto self = ProcessIdentity::self();
  EXPECT_EQ(ProcessIdentity::parse(self.encode()), self);
  EXPECT_GT(self.start_time, 0U);
}

TEST(ProcessIdentity, RefusesOtherTexts) {
  const std::string good = ProcessIdentity::self().encode();
  for (std::size_t length = 0; length < good.size(); ++length)
    EXPECT_FALSE(ProcessIdentity::parse(good.substr(0, length))) << length;
  EXPECT_FALSE(ProcessIdentity::parse(good + "more\n"));
  EXPECT_FALSE(ProcessIdentity::parse("host a\nboot b\npid_namespace c\npid -1\nstart_time 5\n"));
  EXPECT_FALSE(ProcessIdentity::parse("host a\nboot b\npid_namespace c\npid 99999999999999\nstart_time 5\n"));
}

TEST(ProcessIdentity, TellsTheLivingFromTheDead) {
  auto process = ProcessIdentity::self();
  EXPECT_EQ(liveness(process), Liveness::alive);
  ++process.start_time;
  EXPECT_EQ(liveness(process), Liveness::dead) << "the process ID has been used again";
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  process.pid = child;
  EXPECT_EQ(liveness(process), Liveness::dead);
}

TEST(ProcessIdentity, KnowsNothingOfOtherPlaces) {
  const auto self = ProcessIdentity::self();
  auto elsewhere = self;
  elsewhere.host += "x";
  EXPECT_EQ(liveness(elsewhere), Liveness::unknown);
  elsewhere = self;
  elsewhere.boot = "01234567-89ab-cdef-0123-456789abcdef";
  EXPECT_EQ(liveness(elsewhere), Liveness::unknown);
  elsewhere = self;
  elsewhere.pid_namespace = "pid:[1]";
  EXPECT_EQ(liveness(elsewhere), Liveness::unknown);
}

}  // namespace
}  // namespace hawser
