#include "util/atomic_file.hpp"

#include "support/failure.hpp"
#include "support/temp_dir.hpp"

#include <functional>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hawser {
namespace {

using test::read_text;
using test::TempDir;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(AtomicFile, HasItsNameOnceItIsCommitted) {
  const TempDir scratch;
  for (const Durable durable : {Durable::no, Durable::yes}) {
    test::write_text(scratch / "a", "old");
    AtomicFile next(scratch / "a");
    next.file().write(as_bytes("new"));
    EXPECT_EQ(read_text(scratch / "a"), "old");
    const File file = next.commit(durable);
    EXPECT_EQ(read_text(scratch / "a"), "new");
    EXPECT_EQ(file.path(), scratch / "a");
    file.write(as_bytes("er"));
    EXPECT_EQ(read_text(scratch / "a"), "newer");
    EXPECT_THAT(scratch.names(), ElementsAre("a"));
  }
}

TEST(AtomicFile, WithoutCommitNothingIsLeft) {
  const TempDir scratch;
  {
    const AtomicFile next(scratch / "a");
    next.file().write(as_bytes("text"));
  }
  EXPECT_THAT(scratch.names(), IsEmpty());
}

TEST(AtomicFile, WhatCanNotBeReplacedStaysAndNothingIsLeft) {
  const TempDir scratch;
  std::filesystem::create_directories(scratch / "a" / "full");
  {
    AtomicFile next(scratch / "a");
    const auto failure = test::failure_of([&] { next.commit(); });
    EXPECT_EQ(failure.code, Errc::disk);
    EXPECT_THAT(failure.text, testing::HasSubstr((scratch / "a").string()));
  }
  EXPECT_THAT(scratch.names(), ElementsAre("a"));
}

TEST(AtomicFile, AMissingDirectoryIsAnError) {
  const TempDir scratch;
  EXPECT_EQ(test::code_of([&] { AtomicFile(scratch / "none" / "a"); }), Errc::disk);
}

/// Whether `body` passes in a process that has no /proc: there a file without a name can't be given one.
bool passes_without_proc(const std::function<void()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("none", "/proc", "tmpfs", 0, nullptr) != 0)
      ::_exit(2);
    body();
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status == 0;
}

TEST(AtomicFile, WithoutUnnamedFilesItHasATemporaryName) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can take /proc away";
  const TempDir scratch;
  EXPECT_TRUE(passes_without_proc([&] {
    {
      AtomicFile next(scratch / "a");
      ASSERT_EQ(scratch.names().size(), 1U);
      EXPECT_TRUE(is_temporary(scratch.names()[0])) << scratch.names()[0];
      next.file().write(as_bytes("text"));
      next.commit();
      EXPECT_EQ(read_text(scratch / "a"), "text");
      const AtomicFile given_up(scratch / "b");
      EXPECT_EQ(scratch.names().size(), 2U);
    }
    EXPECT_THAT(scratch.names(), ElementsAre("a"));
    // As a second Ctrl-C ends the process in the middle of a copy.
    const AtomicFile growing(scratch / "c");
    EXPECT_EQ(scratch.names().size(), 2U);
    remove_temporaries();
    EXPECT_THAT(scratch.names(), ElementsAre("a"));
  }));
}

TEST(Temporary, IsADirectoryToo) {
  const TempDir scratch;
  {
    Temporary whole(scratch / "whole");
    const Temporary part(scratch / "part");
    for (const Temporary* each : {static_cast<const Temporary*>(&whole), &part}) {
      std::filesystem::create_directory(each->path());
      test::write_text(each->path() / "file", "text");
    }
    whole.rename(Durable::yes);
  }
  EXPECT_THAT(scratch.names(), ElementsAre("whole"));
  EXPECT_EQ(read_text(scratch / "whole" / "file"), "text");
}

TEST(Temporary, GoesBeforeAnEndWithoutDestructors) {
  const TempDir scratch;
  Temporary kept(scratch / "kept");
  const Temporary file(scratch / "file"), directory(scratch / "directory");
  test::write_text(kept.path(), "text");
  test::write_text(file.path(), "text");
  std::filesystem::create_directories(directory.path() / "inside");
  kept.rename(Durable::no);
  remove_temporaries();
  EXPECT_THAT(scratch.names(), ElementsAre("kept"));
}

TEST(Temporary, ItsNameIsKnownAsOne) {
  const TempDir scratch;
  for (const std::string& name : {std::string("a"), std::string(255, 'n'), std::string("a.partial")}) {
    const Temporary temporary(scratch / name);
    const std::string hidden = temporary.path().filename();
    EXPECT_LE(hidden.size(), 255U);
    EXPECT_TRUE(is_temporary(hidden)) << hidden;
  }
  for (const char* other : {"", ".partial", "a.0123456789abcdef.partial", ".0123456789abcdef.partial", ".a.partial",
                            ".a.0123456789abcdeg.partial", ".a.0123456789abcdef", ".a.123456789abcdef.partial"})
    EXPECT_FALSE(is_temporary(other)) << other;
}

}  // namespace
}  // namespace hawser
