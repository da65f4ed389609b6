#include "store_fixture.hpp"

namespace hawser {
namespace {

using NotesTest = test::StoreTest;

TEST_F(NotesTest, ALaterRunRecallsWhatWasRemembered) {
  BlobStore(cache()).remember("challenge.registry.example_443", "Bearer realm");
  BlobStore store(cache());
  EXPECT_EQ(store.recall("challenge.registry.example_443"), "Bearer realm");
  store.remember("challenge.registry.example_443", "Basic");
  EXPECT_EQ(store.recall("challenge.registry.example_443"), "Basic");
  EXPECT_EQ(store.recall("other"), std::nullopt);
}

TEST_F(NotesTest, NamesCanNotLeaveTheirDirectory) {
  BlobStore store(cache());
  for (const char* name : {"", ".", "..", "../x", "a/b", "A", "a b", ".hidden", "a\n"}) {
    store.remember(name, "text");
    EXPECT_EQ(store.recall(name), std::nullopt) << name;
  }
  store.remember(std::string(201, 'a'), "text");
  EXPECT_TRUE(std::filesystem::is_empty(cache() / "notes"));
  EXPECT_FALSE(std::filesystem::exists(cache() / "x"));
}

TEST_F(NotesTest, FailuresAreIgnored) {
  BlobStore store(cache());
  store.remember("large", std::string(64 * 1024 + 1, 'x'));
  EXPECT_EQ(store.recall("large"), std::nullopt);
  std::filesystem::remove_all(cache() / "notes");
  test::write_text(cache() / "notes", "a file");
  store.remember("name", "text");
  EXPECT_EQ(store.recall("name"), std::nullopt);
  BlobStore reading(cache(), false);
  reading.remember("name", "text");
  EXPECT_EQ(reading.recall("name"), std::nullopt);
}

}  // namespace
}  // namespace hawser
