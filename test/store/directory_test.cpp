#include "store/directory.hpp"

#include "store_fixture.hpp"

#include <fcntl.h>

namespace hawser {
namespace {

class DirectoryTest : public test::StoreTest {
 protected:
  DirectoryTest() { std::filesystem::create_directory(cache()); }
};

TEST_F(DirectoryTest, ReplacingIsWholeAndLeavesNothingBehind) {
  const Directory opened = Directory::open(cache()).value();
  for (const Directory::Durable durable : {Directory::Durable::no, Directory::Durable::yes}) {
    opened.replace("a", "one", durable);
    opened.replace("a", "two", durable);
    EXPECT_EQ(test::read_text(cache() / "a"), "two");
    EXPECT_EQ(opened.names().size(), 1U);
    EXPECT_EQ(test::mode_of(cache() / "a") & 0177U, 0U);
  }
}

TEST_F(DirectoryTest, ReplacingALinkDoesNotFollowIt) {
  const Directory opened = Directory::open(cache()).value();
  test::write_text(cache() / "precious", "keep");
  std::filesystem::create_symlink(cache() / "precious", cache() / "link");
  opened.replace("link", "new", Directory::Durable::no);
  EXPECT_EQ(test::read_text(cache() / "precious"), "keep");
  EXPECT_FALSE(std::filesystem::is_symlink(cache() / "link"));
  EXPECT_EQ(test::read_text(cache() / "link"), "new");
}

TEST_F(DirectoryTest, AFailedReplacementLeavesNoTemporaryFile) {
  const Directory opened = Directory::open(cache()).value();
  std::filesystem::create_directories(cache() / "dir" / "full");
  const auto failure = test::failure_of([&] { opened.replace("dir", "x", Directory::Durable::no); });
  EXPECT_EQ(failure.code, Errc::disk);
  EXPECT_EQ(opened.names().size(), 1U);
}

TEST_F(DirectoryTest, ThatItWasDeletedUnderneathIsTold) {
  const Directory gone = Directory::open(cache()).value();
  std::filesystem::remove(cache());
  EXPECT_THROW(gone.replace("file", "content", Directory::Durable::no), DeletedUnderneath);
  EXPECT_THROW(gone.create_temporary(), DeletedUnderneath);
  EXPECT_THROW(gone.create_subdirectory("inside"), DeletedUnderneath);
  EXPECT_EQ(gone.open_file("file", O_RDONLY).has_value(), false);
}

TEST_F(DirectoryTest, WhatSurvivesDeletionIsTriedAgain) {
  int calls = 0;
  const auto write = [&] {
    const Directory opened = Directory::open(cache()).value();
    if (++calls < 3) std::filesystem::remove(cache());
    try {
      opened.replace("file", "content", Directory::Durable::no);
    } catch (const DeletedUnderneath&) {
      std::filesystem::create_directory(cache());
      throw;
    }
    return calls;
  };
  EXPECT_EQ(surviving_deletion(write), 3);
  EXPECT_EQ(test::read_text(cache() / "file"), "content");
}

TEST_F(DirectoryTest, DeletedForEverIsAnError) {
  const Directory gone = Directory::open(cache()).value();
  std::filesystem::remove(cache());
  const auto failure =
      test::failure_of([&] { surviving_deletion([&] { gone.replace("file", "content", Directory::Durable::no); }); });
  EXPECT_EQ(failure.code, Errc::disk);
}

}  // namespace
}  // namespace hawser
