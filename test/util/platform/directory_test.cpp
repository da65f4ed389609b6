#include "util/platform/directory.hpp"

#include "store/store_fixture.hpp"
#include "util/atomic_file.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <thread>

namespace hawser {
namespace {

class DirectoryTest : public test::StoreTest {
 protected:
  DirectoryTest() { std::filesystem::create_directory(cache()); }
};

TEST_F(DirectoryTest, ReplacingIsWholeAndLeavesNothingBehind) {
  const Directory opened = Directory::open(cache()).value();
  for (const Durable durable : {Durable::no, Durable::yes}) {
    replace_file(opened, "a", "one", durable);
    replace_file(opened, "a", "two", durable);
    EXPECT_EQ(test::read_text(cache() / "a"), "two");
    EXPECT_EQ(opened.names().size(), 1U);
    EXPECT_EQ(test::mode_of(cache() / "a") & 0177U, 0U);
  }
}

TEST_F(DirectoryTest, ReplacingALinkDoesNotFollowIt) {
  const Directory opened = Directory::open(cache()).value();
  test::write_text(cache() / "precious", "keep");
  std::filesystem::create_symlink(cache() / "precious", cache() / "link");
  replace_file(opened, "link", "new", Durable::no);
  EXPECT_EQ(test::read_text(cache() / "precious"), "keep");
  EXPECT_FALSE(std::filesystem::is_symlink(cache() / "link"));
  EXPECT_EQ(test::read_text(cache() / "link"), "new");
}

TEST_F(DirectoryTest, AFailedReplacementLeavesNoTemporaryFile) {
  const Directory opened = Directory::open(cache()).value();
  std::filesystem::create_directories(cache() / "dir" / "full");
  const auto failure = test::failure_of([&] { replace_file(opened, "dir", "x", Durable::no); });
  EXPECT_EQ(failure.code, Errc::disk);
  EXPECT_EQ(opened.names().size(), 1U);
}

TEST_F(DirectoryTest, WritingIntoADeletedOneIsAnError) {
  const Directory gone = Directory::open(cache()).value();
  std::filesystem::remove(cache());
  EXPECT_EQ(test::code_of([&] { replace_file(gone, "file", "content", Durable::no); }), Errc::disk);
  EXPECT_EQ(test::code_of([&] { gone.create_subdirectory("inside"); }), Errc::disk);
  EXPECT_EQ(gone.open_file("file", OpenMode::read).has_value(), false);
}

TEST_F(DirectoryTest, SyncsDirectoriesOnly) {
  Directory(cache()).sync();
  Directory("").sync();
  test::write_text(cache() / "a", "x");
  EXPECT_EQ(test::code_of([&] { Directory(cache() / "a"); }), Errc::disk);
  EXPECT_EQ(test::code_of([&] { Directory(cache() / "none"); }), Errc::disk);
}

TEST_F(DirectoryTest, DeletesDirectoriesWithAllTheyContain) {
  const Directory opened(cache());
  std::filesystem::create_directories(cache() / "a" / "b");
  test::write_text(cache() / "a" / "b" / "c", "x");
  EXPECT_TRUE(opened.remove("a"));
  EXPECT_FALSE(opened.remove("a"));
  EXPECT_TRUE(opened.names().empty());
}

TEST_F(DirectoryTest, LocksExcludeEachOther) {
  std::optional<Directory> first(cache());
  first->lock();
  std::atomic<bool> has_lock = false;
  std::thread other([&] {
    const Directory second(cache());
    second.lock();
    has_lock = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(has_lock);
  first.reset();
  other.join();
  EXPECT_TRUE(has_lock);
}

TEST(ToNanoseconds, StaysWithin64Bits) {
  EXPECT_EQ(to_nanoseconds(1, 5), 1'000'000'005);
  constexpr std::int64_t far = std::numeric_limits<std::int64_t>::max();
  EXPECT_GT(to_nanoseconds(far, 999'999'999), 9'200'000'000'000'000'000);
  EXPECT_LT(to_nanoseconds(-far, 0), -9'200'000'000'000'000'000);
}

}  // namespace
}  // namespace hawser
