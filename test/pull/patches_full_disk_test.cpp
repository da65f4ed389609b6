// Patches where files may not grow long.
#include "archive/import_fixture.hpp"
#include "archive/sample_images.hpp"
#include "pull/patches.hpp"

#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

namespace hawser::test {
namespace {

/// Until it goes, a file has at most 10,000 bytes.
class ShortFiles {
 public:
  ShortFiles() : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = 10'000;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~ShortFiles() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  ShortFiles(const ShortFiles&) = delete;
  ShortFiles& operator=(const ShortFiles&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int);
};

class PatchesFullDiskTest : public ImportTest {
 protected:
  PatchMaker maker() {
    return PatchMaker(directory.path(), {{"old.tar", path}}, {},
                      [this](const std::string& text) { warnings.push_back(text); });
  }

  const RealImage old{{HostileTar().file("lib", noise(60'000, 1)).end()}};
  const std::string path = write(old.modern().end(), "old.tar");
  std::vector<std::string> warnings;
};

TEST_F(PatchesFullDiskTest, WithoutRoomForOldLayersThereAreNoPatches) {
  const ShortFiles limit;
  EXPECT_TRUE(maker().empty());
  EXPECT_THAT(warnings, testing::ElementsAre(testing::HasSubstr("not patched with")));
}

TEST_F(PatchesFullDiskTest, WithoutRoomForItsTarALayerGoesWhole) {
  const PatchMaker from_old = maker();
  ASSERT_FALSE(from_old.empty());
  const std::string layer = write(old.layers[0], "layer");
  BlobStore into = store();
  const ShortFiles limit;
  const PatchMaker::Made made = from_old.make(File(layer), Digest::of(old.tars[0]), into);
  EXPECT_FALSE(made.patch);
  EXPECT_FALSE(made.reason.empty());
}

}  // namespace
}  // namespace hawser::test
