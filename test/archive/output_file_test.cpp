#include "archive/output_file.hpp"

#include "archive/sample_images.hpp"
#include "util/atomic_file.hpp"

#include <hawser/util/error.hpp>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace hawser {
namespace {

using test::read_text;
using test::TempDir;
using testing::HasSubstr;

std::string message_of(const std::filesystem::path& path) {
  try {
    const AtomicFile output(check_output(resolved_output(path)));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::disk);
    return error.what();
  }
  return "no error";
}

TEST(OutputFile, HasItsNameOnlyWhenCommitted) {
  const TempDir scratch;
  AtomicFile output(check_output(scratch / "out.tar"));
  output.file().write(as_bytes("text"));
  // No name at all, or where the file system can't do that, a temporary one.
  EXPECT_THAT(scratch.names(), testing::Each(testing::EndsWith(".partial")));
  output.commit();
  EXPECT_THAT(scratch.names(), testing::ElementsAre("out.tar"));
  EXPECT_EQ(read_text(scratch / "out.tar"), "text");
}

TEST(OutputFile, ReplacesAnOlderFileOnlyWhenCommitted) {
  const TempDir scratch;
  test::file_with(scratch / "out.tar", "old");
  {
    AtomicFile output(check_output(scratch / "out.tar"));
    output.file().write(as_bytes("unfinished"));
  }
  EXPECT_EQ(read_text(scratch / "out.tar"), "old");
  EXPECT_THAT(scratch.names(), testing::ElementsAre("out.tar"));
}

TEST(OutputFile, ModeHonoursTheUmask) {
  const TempDir scratch;
  const mode_t old = ::umask(027);
  AtomicFile output(check_output(scratch / "out.tar"));
  ::umask(old);
  output.commit();
  struct stat status {};
  ASSERT_EQ(::stat((scratch / "out.tar").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
}

TEST(OutputFile, ALongNameHasATemporaryToo) {
  const TempDir scratch;
  const std::string name(255, 'n');
  AtomicFile output(check_output(scratch / name));
  output.commit();
  EXPECT_THAT(scratch.names(), testing::ElementsAre(name));
}

TEST(OutputFile, SaysWhyAPathWillNotDo) {
  const TempDir scratch;
  std::filesystem::create_directory(scratch / "directory");
  test::file_with(scratch / "file", "");
  ASSERT_EQ(::mkfifo((scratch / "fifo").c_str(), 0600), 0);
  EXPECT_THAT(message_of(scratch / "directory"), HasSubstr("it is a directory"));
  EXPECT_THAT(message_of(scratch / "directory/"), HasSubstr("names no file"));
  EXPECT_THAT(message_of(scratch / "none/out.tar"), HasSubstr("there is no directory"));
  EXPECT_THAT(message_of(scratch / "file/out.tar"),
              testing::AnyOf(HasSubstr("is not a directory"), HasSubstr("Not a directory")));
  EXPECT_THAT(message_of(scratch / "fifo"), HasSubstr("not a regular file"));
  EXPECT_THAT(message_of("/dev/null"), HasSubstr("not a regular file"));
  EXPECT_THAT(message_of(""), HasSubstr("names no file"));
}

TEST(OutputFile, ALinkThatTheUserNamesStaysAndItsTargetIsReplaced) {
  const TempDir scratch;
  std::filesystem::create_directory(scratch / "there");
  test::file_with(scratch / "there/target.tar", "old");
  std::filesystem::create_symlink("there/target.tar", scratch / "middle.tar");
  std::filesystem::create_symlink(scratch / "middle.tar", scratch / "link.tar");
  std::filesystem::create_symlink("there/new.tar", scratch / "dangling.tar");
  for (const char* name : {"link.tar", "dangling.tar"}) {
    AtomicFile output(check_output(resolved_output(scratch / name)));
    output.file().write(as_bytes("new"));
    output.commit();
    EXPECT_TRUE(std::filesystem::is_symlink(scratch / name));
    EXPECT_EQ(read_text(scratch / name), "new");
  }
  EXPECT_FALSE(std::filesystem::is_symlink(scratch / "there/target.tar"));
}

TEST(OutputFile, OtherLinksAreReplaced) {
  const TempDir scratch;
  test::file_with(scratch / "victim", "old");
  std::filesystem::create_directory(scratch / "directory");
  for (const char* target : {"victim", "directory", "nothing"}) {
    std::filesystem::create_symlink(target, scratch / "link.tar");
    AtomicFile output(check_output(scratch / "link.tar"));
    output.commit();
    EXPECT_TRUE(std::filesystem::is_regular_file(std::filesystem::symlink_status(scratch / "link.tar"))) << target;
    std::filesystem::remove(scratch / "link.tar");
  }
  EXPECT_EQ(read_text(scratch / "victim"), "old");
  EXPECT_FALSE(std::filesystem::exists(scratch / "nothing"));
}

TEST(OutputFile, APathIsComparedWithoutItsLinks) {
  const TempDir scratch;
  std::filesystem::create_directory(scratch / "directory");
  test::file_with(scratch / "directory/file", "");
  std::filesystem::create_symlink("directory", scratch / "link");
  std::filesystem::create_symlink("round", scratch / "round");
  const auto real = real_path(scratch / "directory");
  for (const char* same : {"directory/", "directory/.", "link", "link/", "nowhere/../directory"})
    EXPECT_EQ(real_path(scratch / same), real) << same;
  EXPECT_EQ(real_path(""), std::filesystem::current_path());
  EXPECT_EQ(real_path(scratch / "link/file"), real / "file");
  EXPECT_EQ(real_path(scratch / "link/new/file"), real / "new/file");
  EXPECT_EQ(real_path(scratch / "round").filename(), "round");
  EXPECT_TRUE(is_within(real, real));
  EXPECT_TRUE(is_within(real / "a/b", real));
  EXPECT_FALSE(is_within(real, real / "a"));
  EXPECT_FALSE(is_within(real.native() + "-other", real));
}

TEST(OutputFile, OpenFilesOfProcessesAreNoOutputs) {
  const TempDir scratch;
  // Standard output as a shell's redirection into a file leaves it.
  const File open(scratch / "open", OpenMode::create);
  const std::string number = std::to_string(open.handle());
  std::filesystem::create_symlink("/proc/self/fd/" + number, scratch / "stdout");
  for (const std::filesystem::path& path : {scratch / "stdout", std::filesystem::path("/proc/self/fd/" + number),
                                            std::filesystem::path("/dev/fd/" + number)})
    EXPECT_THAT(message_of(path), HasSubstr("open already")) << path;
}

TEST(OutputFile, LinksThatGoRoundAreRefused) {
  const TempDir scratch;
  std::filesystem::create_symlink("b", scratch / "a");
  std::filesystem::create_symlink("a", scratch / "b");
  EXPECT_THAT(message_of(scratch / "a"), HasSubstr("symbolic links"));
}

TEST(OutputFile, AReadOnlyDirectoryIsNamed) {
  const TempDir scratch;
  using std::filesystem::perms;
  std::filesystem::permissions(scratch.path(),
                               perms::owner_read | perms::owner_exec | perms::others_read | perms::others_exec);
  // Root may write anywhere, so it takes the place of a user who may not.
  const bool root = ::geteuid() == 0;
  if (root) {
    ASSERT_EQ(::seteuid(65534), 0);
  }
  const std::string message = message_of(scratch / "out.tar");
  if (root) {
    ASSERT_EQ(::seteuid(0), 0);
  }
  EXPECT_THAT(message, HasSubstr(scratch.path().native()));
}

}  // namespace
}  // namespace hawser
