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

TEST_F(NotesTest, LayersAreFoundByTheirDiffIds) {
  const Digest diff_id = Digest::of("tar"), layer = Digest::of("layer");
  BlobStore store(cache());
  store.put(layer, "layer");
  store.put(Digest::of("other"), "other");
  EXPECT_FALSE(store.has_noted_layers());
  EXPECT_FALSE(store.find_layer(diff_id));
  EXPECT_FALSE(store.find_layer(Digest::of("other"))) << "nobody has said that it is a layer";
  store.note_layer(diff_id, layer);
  EXPECT_TRUE(store.has_noted_layers());
  const auto noted = BlobStore(cache(), false).find_layer(diff_id);
  ASSERT_TRUE(noted);
  EXPECT_EQ(noted->digest, layer);
  EXPECT_TRUE(noted->known);
  store.put(diff_id, "tar");
  EXPECT_EQ(store.find_layer(diff_id)->digest, diff_id) << "the tar itself is better";
}

TEST_F(NotesTest, ANoteOfALayerMayBeWrong) {
  const Digest diff_id = Digest::of("tar");
  BlobStore store(cache());
  store.note_layer(diff_id, Digest::of("not there"));
  EXPECT_FALSE(store.find_layer(diff_id));
  store.remember("diff-id-sha256-" + diff_id.hex(), "sha256:../../etc/passwd");
  EXPECT_FALSE(store.find_layer(diff_id));
}

}  // namespace
}  // namespace hawser
