// What tags stood for, written and read back.
#include "cli/image_lock.hpp"

#include "cli/image_list.hpp"
#include "support/failure.hpp"
#include "support/temp_dir.hpp"
#include "util/platform/file.hpp"

#include <hawser/util/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using test::failure_of;
using testing::ElementsAre;
using testing::HasSubstr;

const Digest x = Digest::of("x"), y = Digest::of("y");

TEST(ImageLock, IsWrittenAsAListThatIsReadBack) {
  const test::TempDir directory;
  const auto file = directory.path() / "lock";
  ImageLock lock;
  EXPECT_TRUE(lock.add(Reference::parse("nginx:1"), x));
  EXPECT_TRUE(lock.add(Reference::parse("quay.io/a/b:2"), y));
  EXPECT_TRUE(lock.add(Reference::parse("nginx:1"), x));
  EXPECT_FALSE(lock.add(Reference::parse("nginx:1"), y));
  EXPECT_TRUE(lock.add(Reference::parse("a@" + x.to_string()), y));  // without a tag there is nothing to lock
  lock.write(file);
  const std::string text = read_file(file, 10'000);
  EXPECT_THAT(text,
              HasSubstr("\ndocker.io/library/nginx:1@" + x.to_string() + "\nquay.io/a/b:2@" + y.to_string() + "\n"));
  const ImageLock again = ImageLock::read(file);
  EXPECT_EQ(again.text(), text);
  EXPECT_EQ(again.find(Reference::parse("nginx:1")), Reference::parse("nginx:1@" + x.to_string()));
  EXPECT_EQ(again.find(Reference::parse("nginx:2")), std::nullopt);
  EXPECT_EQ(again.find(Reference::parse("nginx:2@" + y.to_string())), Reference::parse("nginx:2@" + y.to_string()));
  EXPECT_THAT(again.tags_of(Reference::parse("nginx")), ElementsAre("1"));
  EXPECT_EQ(parse_image_list(text, "lock",
                             [](std::string_view name) {
                               return ResolvedName{{Reference::parse(name)}, {}};
                             })
                .size(),
            2U);
}

TEST(ImageLock, WhatIsNoLockIsRefused) {
  const std::string digest = "@" + x.to_string();
  for (const std::string& line : {std::string("docker.io/library/nginx:1"), "nginx:1" + digest,
                                  "docker.io/library/nginx" + digest, std::string("a b")}) {
    const test::Failure failure = failure_of([&] { ImageLock("# x\n\r\n" + line, "f.lock"); });
    EXPECT_TRUE(failure.code == Errc::usage || failure.code == Errc::bad_reference) << line;
    EXPECT_THAT(failure.text, testing::StartsWith("f.lock:3: ")) << line;
  }
  const std::string name = "docker.io/library/nginx:1@";
  EXPECT_THAT(failure_of([&] { ImageLock(name + x.to_string() + "\n" + name + y.to_string(), "f"); }).text,
              HasSubstr("f:2: docker.io/library/nginx:1 is there with two digests"));
  EXPECT_EQ(failure_of([] { ImageLock::read("/nonexistent/none/lock"); }).code, Errc::disk);
  EXPECT_EQ(failure_of([] { ImageLock().write("/nonexistent/none/lock"); }).code, Errc::disk);
}

}  // namespace
}  // namespace hawser
