// Which files of a pull may not be one.
#include "cli/named_files.hpp"

#include "support/failure.hpp"
#include "support/temp_dir.hpp"

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using test::Failure;
using test::failure_of;
using testing::AllOf;
using testing::HasSubstr;

class NamedFilesTest : public testing::Test {
 protected:
  NamedFilesTest() {
    std::filesystem::create_directory(directory / "out");
    std::filesystem::create_directory_symlink("out", directory / "link");
    command.cache_directory = path("cache");
    command.output = path("out");
  }

  std::string path(const std::string& name) const { return (directory / name).string(); }
  /// Of a pull of one image whose line names the file `output`, if any.
  Failure failure(const std::string& output = {}) const {
    RequestedImage image(Reference::parse("a/b:1"));
    image.output = output;
    return failure_of([&] { check_named_files(command, {image}); });
  }
  /// Both are named in the refusal.
  void expect_refused(const Failure& refused, const std::string& one, const std::string& other) const {
    EXPECT_EQ(refused.code, Errc::usage);
    EXPECT_THAT(refused.text, AllOf(HasSubstr(one), HasSubstr(other)));
  }

  test::TempDir directory;
  Command command;
};

TEST_F(NamedFilesTest, DifferentOnesAreFine) {
  command.lists = {path("list"), "-", path("list")};
  command.lock = path("lock");
  command.failed_file = path("failed");
  EXPECT_EQ(failure().code, Errc{});
  command.output = "-";
  EXPECT_EQ(failure().code, Errc{});
}

TEST_F(NamedFilesTest, WhatIsWrittenIsWrittenForOnePurpose) {
  command.lock = path("out/one");
  command.failed_file = path("link/one");
  expect_refused(failure(), "--failed-file " + path("link/one"), "--lock " + path("out/one"));
  command.failed_file.clear();
  expect_refused(failure("one"), "the output " + path("out/one"), "--lock");
  command.output = path("out/../link/one");
  expect_refused(failure(), "the output", "--lock");
  command.lock = path("link/a_b_1.tar");
  command.output = path("out");
  expect_refused(failure(), "the output " + path("out/a_b_1.tar"), "--lock");
}

TEST_F(NamedFilesTest, ALinkToWhatIsNotThereYetIsThatFile) {
  std::filesystem::create_symlink("new", directory / "dangling");
  command.lock = path("dangling");
  command.failed_file = path("new");
  expect_refused(failure(), "--failed-file", "--lock");
}

TEST_F(NamedFilesTest, WhatIsReadIsNotWrittenButByWhatMaySay) {
  command.lists = {path("out/list")};
  expect_refused(failure("list"), "the output " + path("out/list"), "--from-file");
  command.lock = path("out/list");
  expect_refused(failure(), "--lock", "--from-file");
  command.lock.clear();
  command.failed_file = path("out/list");
  EXPECT_EQ(failure().code, Errc{});
  expect_refused(failure("list"), "the output", "--failed-file");
  command.locked = path("out/list");
  command.lists.clear();
  expect_refused(failure(), "--failed-file", "--locked");
}

TEST_F(NamedFilesTest, NothingIsWrittenIntoTheCache) {
  for (const std::string& file : {path("cache"), path("cache/"), path("cache/index.json"), path("out/../cache/x/y")}) {
    Command other = command;
    other.output = file;
    EXPECT_THAT(failure_of([&] { check_named_files(other, {Reference::parse("a")}); }).text, HasSubstr("the cache"));
    other = command;
    other.failed_file = file;
    EXPECT_EQ(failure_of([&] { check_named_files(other, {}); }).code, Errc::usage) << file;
  }
  command.cache_directory = path("out/cache");
  EXPECT_EQ(failure("cache/index.json").code, Errc::usage);
  EXPECT_EQ(failure("cached.tar").code, Errc{});
}

}  // namespace
}  // namespace hawser
