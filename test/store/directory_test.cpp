#include "store/directory.hpp"

#include "store_fixture.hpp"

#include <fcntl.h>

namespace hawser {
namespace {

class DirectoryTest : public test::StoreTest {
 protected:
  DirectoryTest() { std::filesystem::create_directory(cache()); }
};

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
  const auto error =
      test::error_of([&] { surviving_deletion([&] { gone.replace("file", "content", Directory::Durable::no); }); });
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), Errc::disk);
}

}  // namespace
}  // namespace hawser
