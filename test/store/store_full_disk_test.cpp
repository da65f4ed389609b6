// A disk that is full, a limit on file sizes, a filesystem that is read-only.
#include "store_fixture.hpp"

#include <csignal>

#include <sys/mount.h>
#include <sys/resource.h>

namespace hawser {
namespace {

using test::failure_of;
using test::in_child;
using test::sample;

/// A tmpfs of 1 MiB where the user may mount one.
class FullDiskTest : public test::StoreTest {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(cache());
    mounted = ::mount("tmpfs", cache().c_str(), "tmpfs", 0, "size=1m") == 0;
  }
  void TearDown() override {
    if (mounted) {
      EXPECT_EQ(::umount2(cache().c_str(), MNT_DETACH), 0);
    }
  }

  bool mounted = false;
  const std::string content = sample(3'000'000);
  const Digest digest = Digest::of(content);
};

TEST_F(FullDiskTest, AFullDiskIsSaidAndWhatWasWrittenStays) {
  if (!mounted) GTEST_SKIP() << "only root can mount a small filesystem";
  BlobStore store(cache());
  {
    const auto partial = begin(store, digest, content.size());
    const auto failure = failure_of([&] {
      for (std::size_t at = 0; at < content.size(); at += 100'000) fill(*partial, content, at, at + 100'000);
    });
    EXPECT_EQ(failure.code, Errc::disk_full);
    EXPECT_FALSE(failure.hint.empty());
    EXPECT_GT(partial->present().size(), 0U);
  }
  EXPECT_GT(store.resumable_bytes(digest, content.size()), 0U);
  const auto failure = failure_of([&] { store.put(digest, content); });
  EXPECT_EQ(failure.code, Errc::disk_full);
  EXPECT_FALSE(std::filesystem::exists(blob_path(digest)));
  store.remember("note", content.substr(0, 60'000));  // ignored, whether it fits or not
  EXPECT_GT(store.prune({.age = std::chrono::seconds(0)}).freed, 0U) << "what is full can be emptied";
  store.put(Digest::of("small"), "small");
}

TEST_F(FullDiskTest, AReadOnlyFilesystemOpensForReading) {
  if (!mounted) GTEST_SKIP() << "only root can mount a filesystem read-only";
  { BlobStore(cache()).put(Digest::of("small"), "small"); }
  ASSERT_EQ(::mount("tmpfs", cache().c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "size=1m"), 0);
  BlobStore store(cache());
  EXPECT_FALSE(store.writable());
  EXPECT_EQ(store.get(Digest::of("small")), "small");
  EXPECT_EQ(failure_of([&] { (void)store.acquire(digest, content.size()); }).code, Errc::disk);
}

TEST_F(FullDiskTest, AnEmptyReadOnlyFilesystemIsAnError) {
  if (!mounted) GTEST_SKIP() << "only root can mount a filesystem read-only";
  ASSERT_EQ(::mount("tmpfs", cache().c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "size=1m"), 0);
  EXPECT_EQ(failure_of([&] { BlobStore store(cache()); }).code, Errc::disk);
}

using FileSizeLimitTest = test::StoreTest;

TEST_F(FileSizeLimitTest, ALimitOnFileSizesIsAFullDisk) {
  const std::string content = sample(100'000);
  const int status = in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{50'000, 50'000};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(2);
    BlobStore store(cache());
    const auto acquire = failure_of([&] { (void)store.acquire(Digest::of(content), content.size()); });
    const auto put = failure_of([&] { store.put(Digest::of(content), content); });
    const bool full = acquire.code == Errc::disk_full && put.code == Errc::disk_full;
    ::_exit(full ? 0 : 1);
  });
  EXPECT_EQ(status, 0);
  BlobStore store(cache());
  EXPECT_FALSE(store.find(Digest::of(content), content.size()));
  EXPECT_TRUE(store.list().empty());
}

}  // namespace
}  // namespace hawser
