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
  for (const Durable durable : {Durable::no, Durable::yes}) {
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
  opened.replace("link", "new", Durable::no);
  EXPECT_EQ(test::read_text(cache() / "precious"), "keep");
  EXPECT_FALSE(std::filesystem::is_symlink(cache() / "link"));
  EXPECT_EQ(test::read_text(cache() / "link"), "new");
}

TEST_F(DirectoryTest, AFailedReplacementLeavesNoTemporaryFile) {
  const Directory opened = Directory::open(cache()).value();
  std::filesystem::create_directories(cache() / "dir" / "full");
  const auto failure = test::failure_of([&] { opened.replace("dir", "x", Durable::no); });
  EXPECT_EQ(failure.code, Errc::disk);
  EXPECT_EQ(opened.names().size(), 1U);
}

TEST_F(DirectoryTest, WritingIntoADeletedOneIsAnError) {
  const Directory gone = Directory::open(cache()).value();
  std::filesystem::remove(cache());
  EXPECT_EQ(test::code_of([&] { gone.replace("file", "content", Durable::no); }), Errc::disk);
  EXPECT_EQ(test::code_of([&] { gone.create_subdirectory("inside"); }), Errc::disk);
  EXPECT_EQ(gone.open_file("file", O_RDONLY).has_value(), false);
}

TEST(NanosecondsOf, StaysWithin64Bits) {
  EXPECT_EQ(nanoseconds_of({1, 5}), 1'000'000'005);
  constexpr std::time_t far = std::numeric_limits<std::time_t>::max();
  EXPECT_GT(nanoseconds_of({far, 999'999'999}), 9'200'000'000'000'000'000);
  EXPECT_LT(nanoseconds_of({-far, 0}), -9'200'000'000'000'000'000);
}

}  // namespace
}  // namespace hawser
