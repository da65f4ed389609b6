#include "pull/state_directory.hpp"

#include "support/temp_dir.hpp"
#include "util/platform/file.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace hawser::test {
namespace {

namespace fs = std::filesystem;

const Origin registry{true, "registry.example", 5000};

class StateDirectoryTest : public testing::Test {
 protected:
  void note(std::size_t connections) {
    StateDirectory(path()).update(registry, [&](OriginNote& note) { note.connections = connections; });
  }
  std::size_t noted() { return StateDirectory(path()).recall(registry).connections; }
  fs::path path() const { return dir.path() / "state" / "hawser"; }
  fs::path file() const { return path() / "origins" / "https_registry.example_5000.json"; }

  TempDir dir;
};

TEST_F(StateDirectoryTest, ANoteOutlivesTheCallForItsUserAlone) {
  note(64);
  EXPECT_EQ(noted(), 64u);
  EXPECT_EQ(fs::status(file()).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(fs::status(path()).permissions(), fs::perms::owner_all);
  fs::remove_all(path());
  EXPECT_EQ(noted(), 0u);
}

TEST_F(StateDirectoryTest, ANoteKeepsWhatIsNotChanged) {
  note(64);
  StateDirectory(path()).update(registry, [](OriginNote& note) { note.storage = Origin{true, "s.example", 443}; });
  EXPECT_EQ(noted(), 64u);
}

TEST_F(StateDirectoryTest, AnOldNoteIsForgotten) {
  note(64);
  fs::last_write_time(file(), fs::file_time_type::clock::now() - std::chrono::hours(24 * 40));
  EXPECT_EQ(noted(), 0u);
}

TEST_F(StateDirectoryTest, ADamagedNoteIsReplaced) {
  note(64);
  std::ofstream(file()) << "rubbish";
  EXPECT_EQ(noted(), 0u);
  note(32);
  EXPECT_EQ(noted(), 32u);
}

TEST_F(StateDirectoryTest, AttackAPipeInPlaceOfANoteIsNotWaitedFor) {
  fs::create_directories(file().parent_path());
  ASSERT_EQ(::mkfifo(file().c_str(), 0600), 0);
  EXPECT_EQ(noted(), 0u);
  note(32);
  EXPECT_EQ(noted(), 32u);
}

TEST_F(StateDirectoryTest, WhereNothingCanBeWrittenNothingFails) {
  std::ofstream(dir.path() / "state") << "a file";
  StateDirectory notes(path());
  notes.update(registry, [](OriginNote& note) { note.connections = 9; });
  EXPECT_EQ(notes.recall(registry).connections, 9u);
  EXPECT_EQ(noted(), 0u);
}

TEST_F(StateDirectoryTest, WithoutAPathNotesAreForTheCall) {
  StateDirectory notes({});
  notes.update(registry, [](OriginNote& note) { note.connections = 9; });
  EXPECT_EQ(notes.recall(registry).connections, 9u);
}

}  // namespace
}  // namespace hawser::test
