#include "cli/image_list.hpp"

#include "support/failure.hpp"
#include "support/temp_dir.hpp"

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

std::vector<std::string> familiar(const std::vector<ListedImage>& images) {
  std::vector<std::string> names;
  for (const ListedImage& image : images) names.push_back(image.name.candidates.at(0).familiar());
  return names;
}

std::vector<std::string> told;

std::vector<ListedImage> collect(const Command& pull, std::istream& input) {
  const ImageNames resolve = as_docker;
  told.clear();
  return collect_images(pull, {input, [](const std::string&) { return std::nullopt; }, resolve,
                               [](const std::string& line) { told.push_back(line); }});
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
  const auto images = collect(pull, input);
  std::filesystem::remove(path);
  EXPECT_THAT(familiar(images), ElementsAre("nginx:latest", "redis:latest", "alpine:latest"));
}

Errc code_of_line(const std::string& line) {
  const test::Failure failure = test::failure_of([&] { parse_image_list("nginx\n" + line, "f", as_docker); });
  if (failure.code != Errc{}) {
    EXPECT_THAT(failure.text, testing::StartsWith("f:2: "));
  }
  return failure.code;
}

TEST(ImageList, ALineSaysWhatHoldsForItsImage) {
  const auto images = parse_image_list(
      "a platform=linux/arm64\toutput=x/a.tar  tag-as=local.test/a:1 # c\nb:1.* output=b.tar", "f", as_docker);
  ASSERT_EQ(images.size(), 2U);
  EXPECT_EQ(images[0].platform, Platform::parse("linux/arm64"));
  EXPECT_EQ(images[0].output, "x/a.tar");
  EXPECT_EQ(images[0].tag_as, Reference::parse("local.test/a:1"));
  EXPECT_EQ(images[1].tags, "1.*");
  EXPECT_EQ(image_list_line(images[0]),
            "docker.io/library/a:latest platform=linux/arm64 output=x/a.tar tag-as=local.test/a:1");
  EXPECT_EQ(image_list_line(images[1]), "docker.io/library/b:1.* output=b.tar");
}

TEST(ImageList, AShortNameStaysOneUntilItIsKnownWhoHasIt) {
  const ImageNames resolve = [](std::string_view name) {
    const std::string image(name);
    return ResolvedName{{Reference::parse("one.test/" + image), Reference::parse("two.test/" + image)}, "a file"};
  };
  auto images = parse_image_list("t/six:1 output=x\nt/six:1.*", "f", resolve);
  EXPECT_EQ(image_list_line(images[0]), "t/six:1 output=x");
  EXPECT_EQ(image_list_line(images[1]), "t/six:1.*");
  images[0].name.candidates.erase(images[0].name.candidates.begin());
  EXPECT_EQ(image_list_line(images[0]), "two.test/t/six:1 output=x");
}

TEST(ImageList, WhatALineMayNotSay) {
  for (const char* line : {"a b", "a x=1", "a platform", "a platform=", "a output=x output=y",
                           "a tag-as=x:1 tag-as=x:1", "a platform=arm64 platform=arm64", "a:1.* tag-as=x:1"})
    EXPECT_NE(code_of_line(line), Errc{}) << line;
  const std::string digest = "@" + Digest::of("x").to_string();
  EXPECT_EQ(code_of_line("a tag-as=x:1" + digest), Errc::usage);
  EXPECT_EQ(code_of_line("a tag-as=x" + digest), Errc::usage);
  // No list writes out of the directory.
  for (const char* path :
       {"", "/etc/x", "../x", "a/../x", "./x", "a//x", "a/", ".x", "a/.x", "-x", "a/-x", "a\\x", "a\x1bx"})
    EXPECT_EQ(code_of_line(std::string("a output=") + path), Errc::usage) << path;
}

TEST(ImageList, AListWithoutEndIsRefused) {
  std::string text;
  for (int i = 0; i <= 100'000; ++i) text += "a\n";
  const test::Failure failure = test::failure_of([&] { parse_image_list(text, "f", as_docker); });
  EXPECT_EQ(failure.code, Errc::too_large);
  EXPECT_THAT(failure.text, testing::StartsWith("f:100001: there are more than 100000 images"));
}

TEST(ImageList, OneImageInTwoWaysIsTwo) {
  Command pull;
  pull.lists = {"-"};
  std::istringstream input("a\na platform=arm64\na platform=arm64\na output=x\n");
  EXPECT_EQ(collect(pull, input).size(), 3U);
  pull.all_platforms = true;
  std::istringstream again("a platform=arm64\n");
  EXPECT_EQ(test::failure_of([&] { collect(pull, again); }).code, Errc::usage);
}

TEST(ImageList, AComposeFileIsAListThatIsTold) {
  const test::TempDir directory;
  test::write_text(directory / "compose.yaml",
                   "services:\n  web: {image: 'nginx:${TAG}', platform: linux/arm64}\n  own: {build: .}\n");
  test::write_text(directory / ".env", "TAG=1.25\n");
  Command pull;
  pull.lists = {(directory / "compose.yaml").string()};
  std::istringstream none;
  const auto images = collect(pull, none);
  EXPECT_THAT(familiar(images), ElementsAre("nginx:1.25"));
  EXPECT_EQ(images[0].platform, Platform::parse("linux/arm64"));
  EXPECT_THAT(told,
              ElementsAre(HasSubstr("compose.yaml:2: service web: nginx:1.25"), HasSubstr("service own is built")));
  test::write_text(directory / ".env", "TAG=A B\n");
  EXPECT_THAT(test::failure_of([&] { collect(pull, none); }).text, HasSubstr("compose.yaml:2: "));
  test::write_text(directory / ".env", "\nTAG=$\n");
  EXPECT_THAT(test::failure_of([&] { collect(pull, none); }).text,
              testing::AllOf(HasSubstr("compose.yaml:2: service web: "), HasSubstr(".env:2: TAG: ")));
  test::write_text(directory / ".env", "TAG=1\nSECRET=$\n");
  EXPECT_THAT(familiar(collect(pull, none)), ElementsAre("nginx:1"));
  test::write_text(directory / ".env", std::string(1024 * 1024 + 1, '#'));
  EXPECT_THAT(test::failure_of([&] { collect(pull, none); }).text, HasSubstr(".env"));
}

TEST(ImageList, KubernetesManifestsComeFromStandardInput) {
  Command pull;
  pull.lists = {"-"};
  std::istringstream input(
      "# helm\n---\napiVersion: v1\nkind: Pod\nspec: {containers: [{image: a}, {image: a}, {image: b}]}\n");
  EXPECT_THAT(familiar(collect(pull, input)), ElementsAre("a:latest", "b:latest"));
  EXPECT_THAT(told[0], "standard input:5: Pod: spec.containers[0].image: a");
}

TEST(ImageList, TagsOfAPatternGoToAShardByTheirNames) {
  std::size_t all = 0;
  for (std::size_t index = 1; index <= 3; ++index)
    for (int tag = 0; tag < 30; ++tag) all += is_in_shard(Reference::parse("a:" + std::to_string(tag)), {index, 3});
  EXPECT_EQ(all, 30U);
  EXPECT_TRUE(is_in_shard(Reference::parse("a"), {}));
  Command pull;
  pull.words = {"a:*", "b", "c:*", "d"};
  pull.shard = {2, 2};
  std::istringstream none;
  EXPECT_THAT(familiar(collect(pull, none)), ElementsAre("a:latest", "c:latest", "d:latest"));
}

std::vector<std::string> part(std::vector<std::string> words, std::size_t index, std::size_t count) {
  Command pull;
  pull.words = std::move(words);
  pull.lists = {"-"};
  pull.shard = {index, count};
  std::istringstream input("c\nd\na\ne\n");
  return familiar(collect(pull, input));
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
    const auto before = familiar(collect(pull, none));
    pull.words.insert(pull.words.end(), {"e", "f"});
    auto after = familiar(collect(pull, none));
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
      collect(pull, input);
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
  EXPECT_THROW(collect(pull, input), Error);
  pull.lists = {"/nonexistent/list"};
  try {
    collect(pull, input);
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
