#include "cli/image_list.hpp"

#include "support/failure.hpp"

#include <hawser/util/error.hpp>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <streambuf>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace hawser {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

ResolvedName as_docker(std::string_view name) {
  return {{Reference::parse(name)}, {}};
}

std::vector<std::string> familiar(const std::vector<ResolvedName>& images) {
  std::vector<std::string> names;
  for (const ResolvedName& image : images) names.push_back(image.candidates.at(0).familiar());
  return names;
}

TEST(ImageList, ALineAReference) {
  const auto images =
      parse_image_list("nginx\r\n\n  redis:7 # cache\n# all of it\n\tquay.io/a/b:1\t#x\nlast", "list", as_docker);
  EXPECT_THAT(familiar(images), ElementsAre("nginx:latest", "redis:7", "quay.io/a/b:1", "last:latest"));
  EXPECT_TRUE(parse_image_list("", "list", as_docker).empty());
  EXPECT_THAT(familiar(parse_image_list("\xEF\xBB\xBFnginx\n", "list", as_docker)), ElementsAre("nginx:latest"));
}

TEST(ImageList, ErrorsNameTheLine) {
  try {
    parse_image_list("nginx\nlibrary/UPPER\n", "images.txt", as_docker);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::bad_reference);
    EXPECT_THAT(error.what(), testing::StartsWith("images.txt:2: "));
  }
  EXPECT_THROW(parse_image_list("nginx#no-comment", "list", as_docker), Error);
}

TEST(ImageList, WhatIsNamedTwiceIsPulledOnce) {
  const auto path = std::filesystem::temp_directory_path() / ("hawser-list-" + std::to_string(::getpid()));
  std::ofstream(path) << "redis\nnginx\n";
  Command pull;
  pull.words = {"nginx", "docker.io/library/nginx:latest"};
  pull.lists = {path.string(), "-"};
  std::istringstream input("alpine\nredis\n");
  const auto images = collect_images(pull, input, as_docker);
  std::filesystem::remove(path);
  EXPECT_THAT(familiar(images), ElementsAre("nginx:latest", "redis:latest", "alpine:latest"));
}

std::vector<std::string> part(std::vector<std::string> words, std::size_t index, std::size_t count) {
  Command pull;
  pull.words = std::move(words);
  pull.lists = {"-"};
  pull.shard = {index, count};
  std::istringstream input("c\nd\na\ne\n");
  return familiar(collect_images(pull, input, as_docker));
}

TEST(ImageList, APartIsEveryNthOfTheDifferentImages) {
  EXPECT_THAT(part({"a", "b"}, 1, 1), ElementsAre("a:latest", "b:latest", "c:latest", "d:latest", "e:latest"));
  EXPECT_THAT(part({"a", "b", "a"}, 1, 2), ElementsAre("a:latest", "c:latest", "e:latest"));
  EXPECT_THAT(part({"a", "b", "a"}, 2, 2), ElementsAre("b:latest", "d:latest"));
  EXPECT_THAT(part({"a", "b"}, 5, 6), ElementsAre("e:latest"));
  EXPECT_THAT(part({"a", "b"}, 6, 6), testing::IsEmpty());
}

TEST(ImageList, AListThatGrowsAtItsEndKeepsItsParts) {
  for (std::size_t index = 1; index <= 3; ++index) {
    Command pull;
    pull.words = {"a", "b", "c", "d"};
    pull.shard = {index, 3};
    std::istringstream none;
    const auto before = familiar(collect_images(pull, none, as_docker));
    pull.words.insert(pull.words.end(), {"e", "f"});
    auto after = familiar(collect_images(pull, none, as_docker));
    ASSERT_GE(after.size(), before.size());
    after.resize(before.size());
    EXPECT_EQ(after, before);
  }
}

/// Gives a text, and then fails as a broken disk does.
class BrokenInput : public std::streambuf {
 public:
  explicit BrokenInput(std::string text) : text_(std::move(text)) {
    setg(text_.data(), text_.data(), text_.data() + text_.size());
  }

 protected:
  int_type underflow() override {
    errno = EISDIR;
    throw std::runtime_error("broken");
  }

 private:
  std::string text_;
};

TEST(ImageList, AnErrorIsNotTheEndOfAList) {
  Command pull;
  pull.lists = {"-"};
  for (const char* text : {"", "nginx\nredis\n"}) {
    BrokenInput broken(text);
    std::istream input(&broken);
    try {
      collect_images(pull, input, as_docker);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::disk);
      EXPECT_STREQ(error.what(), "cannot read standard input: Is a directory");
    }
  }
}

TEST(ImageList, MissingAndEmptyLists) {
  std::istringstream input("# nothing\n");
  Command pull;
  pull.lists = {"-"};
  EXPECT_THROW(collect_images(pull, input, as_docker), Error);
  pull.lists = {"/nonexistent/list"};
  try {
    collect_images(pull, input, as_docker);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::disk);
    EXPECT_THAT(error.what(), HasSubstr("/nonexistent/list"));
  }
}

std::string read(const std::string& text, std::size_t limit = 100'000) {
  std::istringstream input(text);
  return read_input(input, limit, Error(Errc::usage, "it is too long"));
}

TEST(StandardInput, IsReadToItsEnd) {
  EXPECT_EQ(read(""), "");
  EXPECT_EQ(read(std::string("a\r\nb\0c\n", 7)), std::string("a\r\nb\0c\n", 7));
  EXPECT_EQ(read(std::string(10'000, 'x')), std::string(10'000, 'x'));
}

TEST(StandardInput, NoMoreIsReadThanShowsThatItIsTooLong) {
  EXPECT_EQ(read("abcd", 4), "abcd");
  std::istringstream input("abcdefgh");
  const test::Failure failure = test::failure_of([&] { read_input(input, 4, Error(Errc::usage, "it is too long")); });
  EXPECT_EQ(failure.code, Errc::usage);
  EXPECT_EQ(failure.text, "it is too long");
  EXPECT_EQ(input.tellg(), 5);
}

TEST(StandardInput, WhatCannotBeReadIsNoEmptyInput) {
  std::ifstream directory("/");
  const test::Failure failure = test::failure_of([&] { read_input(directory, 10, Error(Errc::usage, "")); });
  EXPECT_EQ(failure.code, Errc::disk);
  EXPECT_EQ(failure.text, "cannot read standard input: Is a directory");
}

}  // namespace
}  // namespace hawser
