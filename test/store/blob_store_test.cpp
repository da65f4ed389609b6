#include "store/blob_store.hpp"

#include "store/image_index.hpp"
#include "store_fixture.hpp"

#include <csignal>
#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>

namespace hawser {
namespace {

using test::content_of;
using test::failure_of;
using test::in_child;
using test::read_text;
using test::sample;
using test::write_text;

class BlobStoreTest : public test::StoreTest {
 protected:
  const std::string content = sample(50'000);
  const Digest digest = Digest::of(content);

  std::size_t quarantined() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(cache() / "quarantine"), {}));
  }
};

TEST_F(BlobStoreTest, ANewStoreIsAnImageLayout) {
  BlobStore store(cache());
  EXPECT_EQ(read_text(cache() / "oci-layout"), R"({"imageLayoutVersion":"1.0.0"})");
  EXPECT_EQ(read_text(cache() / "index.json"),
            R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]})");
  EXPECT_TRUE(store.writable());
  EXPECT_EQ(store.directory(), cache());
}

TEST_F(BlobStoreTest, MissingParentsAreMade) {
  BlobStore store(directory / "a/b/c/");
  EXPECT_TRUE(std::filesystem::exists(directory / "a/b/c/blobs/sha256"));
}

TEST_F(BlobStoreTest, OtherDirectoriesAreRefused) {
  std::filesystem::create_directory(cache());
  for (const char* marker : {"", "x", "{}", R"({"imageLayoutVersion":"2.0.0"})", R"({"imageLayoutVersion":1})"}) {
    write_text(cache() / "oci-layout", marker);
    const auto failure = failure_of([&] { BlobStore store(cache()); });
    EXPECT_EQ(failure.code, Errc::disk) << marker;
    EXPECT_THAT(failure.text, ::testing::HasSubstr("not an OCI image layout"));
  }
}

TEST_F(BlobStoreTest, AFileInTheDirectorysPlaceIsAnError) {
  write_text(cache(), "file");
  EXPECT_EQ(failure_of([&] { BlobStore store(cache()); }).code, Errc::disk);
  EXPECT_EQ(failure_of([&] { BlobStore store(cache() / "below"); }).code, Errc::disk);
}

TEST_F(BlobStoreTest, ASmallDocumentIsStoredAndReadBack) {
  BlobStore store(cache());
  EXPECT_EQ(store.get(digest), std::nullopt);
  store.put(digest, content);
  store.put(digest, content);
  EXPECT_EQ(store.get(digest), content);
  EXPECT_TRUE(store.find(digest, content.size())->known);
  EXPECT_EQ(store.get(digest, content.size() - 1), std::nullopt) << "longer than the limit";
  EXPECT_EQ(store.get(digest), content) << "and yet not quarantined";
}

TEST_F(BlobStoreTest, Sha512BlobsHaveTheirOwnDirectory) {
  BlobStore store(cache());
  const Digest long_digest = Digest::of(content, Digest::Algorithm::sha512);
  store.put(long_digest, content);
  EXPECT_EQ(read_text(cache() / "blobs/sha512" / long_digest.hex()), content);
  EXPECT_EQ(store.get(long_digest), content);
}

TEST_F(BlobStoreTest, ACorruptDocumentIsQuarantinedAndStoredAfresh) {
  BlobStore store(cache());
  store.put(digest, content);
  write_text(blob_path(digest), "corrupt");
  EXPECT_EQ(store.get(digest), std::nullopt);
  EXPECT_EQ(quarantined(), 1U);
  EXPECT_FALSE(std::filesystem::exists(blob_path(digest)));
  write_text(blob_path(digest), "corrupt again");
  store.put(digest, content);
  EXPECT_EQ(read_text(blob_path(digest)), content);
}

TEST_F(BlobStoreTest, ABlobOfAnotherLengthIsReplacedByTheOneThatIsFetched) {
  BlobStore store(cache());
  store_blob(store, content);
  std::filesystem::resize_file(blob_path(digest), 10);
  EXPECT_FALSE(store.find(digest, content.size()));
  EXPECT_FALSE(store.find(digest, 10)->known);
  store_blob(store, content);
  EXPECT_TRUE(store.find(digest, content.size())->known);
}

TEST_F(BlobStoreTest, ASizeThatLiesDoesNotEvictABlobThatWasHashed) {
  BlobStore store(cache());
  store_blob(store, content);
  try {
    store.find(digest, 5);
    ADD_FAILURE() << "taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::size_mismatch);
  }
  EXPECT_TRUE(store.find(digest, content.size())->known);
}

TEST_F(BlobStoreTest, ASizeThatLiesDoesNotEvictABlobThatOnlyItsBytesProve) {
  BlobStore store(cache());
  write_text(blob_path(digest), content);
  EXPECT_FALSE(store.find(digest, 5));
  // Hashing would refuse the size, and take long for gigabytes: only verify() and get() do it.
  EXPECT_TRUE(std::holds_alternative<std::unique_ptr<PartialBlob>>(store.acquire(digest, 5)));
  const auto found = store.find(digest, content.size());
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->known);
}

TEST_F(BlobStoreTest, ADirectoryOfSomethingElseIsNotMadeAStore) {
  std::filesystem::create_directories(cache() / "notes");
  write_text(cache() / "diary", "precious");
  const auto failure = failure_of([&] { BlobStore{cache()}; });
  EXPECT_EQ(failure.code, Errc::disk);
  EXPECT_THAT(failure.text, ::testing::HasSubstr("no cache of hawser"));
  EXPECT_FALSE(std::filesystem::exists(cache() / "oci-layout"));
}

TEST_F(BlobStoreTest, SomebodysNotesAreNotMadeAStore) {
  const auto refused = [&] {
    const auto failure = failure_of([&] { BlobStore{cache()}; });
    EXPECT_EQ(failure.code, Errc::disk);
    EXPECT_THAT(failure.text, ::testing::HasSubstr("no cache of hawser"));
  };
  std::filesystem::create_directories(cache() / "notes");
  write_text(cache() / "notes" / "shopping list", "precious");
  refused();
  std::filesystem::remove_all(cache() / "notes");
  write_text(cache() / "notes", "a file");
  refused();
}

TEST_F(BlobStoreTest, WhatIsLeftOfADeletedStoreIsAStoreAgain) {
  { BlobStore(cache()).remember("name", "text"); }
  for (const char* name : {"oci-layout", "blobs", "ingest", "known"}) std::filesystem::remove_all(cache() / name);
  BlobStore(cache()).put(digest, content);
  EXPECT_EQ(BlobStore(cache()).get(digest), content);
}

TEST_F(BlobStoreTest, AStoreThatLostItsMarkerIsGivenOneAgain) {
  { BlobStore(cache()).put(digest, content); }
  BlobStore(cache()).remember("name", "text");
  std::filesystem::remove(cache() / "oci-layout");
  write_text(cache() / ".a.0123456789abcdef.partial", "");
  write_text(cache() / "quarantine" / "index.json.0123", "");
  EXPECT_EQ(BlobStore(cache()).get(digest), content);
  EXPECT_TRUE(std::filesystem::exists(cache() / "oci-layout"));
}

TEST_F(BlobStoreTest, QuarantineSaysWhereTheBlobWent) {
  BlobStore store(cache());
  store_blob(store, content);
  const auto blob = store.find(digest, content.size());
  const auto path = store.quarantine(*blob);
  EXPECT_EQ(read_text(path), content);
  EXPECT_FALSE(store.find(digest, content.size()));
  EXPECT_EQ(store.quarantine(*blob), std::filesystem::path());
  store_blob(store, content);
  EXPECT_EQ(store.quarantine(*blob), std::filesystem::path()) << "another file has the name";
  EXPECT_TRUE(store.find(digest, content.size()));
  EXPECT_EQ(content_of(blob->file), content) << "an open blob stays readable";
}

TEST_F(BlobStoreTest, AcquireGivesTheBlobTheRightOrBusy) {
  BlobStore store(cache());
  BlobStore other(cache());
  {
    const auto partial = begin(store, digest, content.size());
    EXPECT_TRUE(std::holds_alternative<BlobBusy>(other.acquire(digest, content.size())));
    fill(*partial, content, 0, content.size());
    partial->commit();
  }
  EXPECT_TRUE(std::holds_alternative<StoredBlob>(other.acquire(digest, content.size())));
}

TEST_F(BlobStoreTest, WhoIsBusySaysWhoItIsAndWhenAByteCameLast) {
  const auto lock = ingest_path(digest, ".lock"), bytes = ingest_path(digest, content.size(), ".partial");
  const auto age = [](const std::filesystem::path& path, std::chrono::seconds seconds) {
    std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now() - seconds);
  };
  const auto ask = [&] { return std::get<BlobBusy>(BlobStore(cache()).acquire(digest, content.size())); };
  const auto seconds_since = [](const BlobBusy& busy) {
    return std::chrono::duration<double>(std::chrono::system_clock::now() - busy.last_byte).count();
  };
  BlobStore store(cache());
  const auto partial = begin(store, digest, content.size());
  fill(*partial, content, 0, 1'000);
  age(bytes, std::chrono::seconds(1000));
  EXPECT_EQ(ask().holder, "process " + std::to_string(::getpid()));
  EXPECT_NEAR(seconds_since(ask()), 0, 60) << "what it goes on with is old";
  age(lock, std::chrono::seconds(2000));
  EXPECT_NEAR(seconds_since(ask()), 1000, 60);
  write_text(lock, "\x1b[2Jroot");
  EXPECT_EQ(ask().holder, "another process");
}

TEST_F(BlobStoreTest, ABlobFetchedBesideAHolderSpoilsNothing) {
  BlobStore store(cache());
  BlobStore other(cache());
  const auto held = begin(store, digest, content.size());
  fill(*held, content, 0, 40'000);
  {
    const auto dropped = other.acquire_beside(digest, content.size());
    fill(*dropped, content, 0, 10);
  }
  EXPECT_FALSE(other.find(digest, content.size()));
  const auto beside = other.acquire_beside(digest, content.size());
  fill(*beside, std::string(content.size(), 'x'), 0, content.size());
  beside->discard(beside->present());
  EXPECT_EQ(beside->present().size(), 0U);
  fill(*beside, content, 0, content.size());
  beside->commit();
  const auto found = other.find(digest, content.size());
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->known);
  EXPECT_EQ(content_of(found->file), content);
  // The holder goes on.
  fill(*held, content, 40'000, content.size());
  held->commit();
  const auto again = store.find(digest, content.size());
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->known);
  EXPECT_EQ(content_of(again->file), content);
  EXPECT_EQ(content_of(found->file), content);
}

TEST_F(BlobStoreTest, TheRightOfAKilledProcessIsTakenOver) {
  const int status = in_child([&] {
    BlobStore store(cache());
    const auto partial = begin(store, digest, content.size());
    fill(*partial, content, 0, 40'000);
    partial->checkpoint();
    ::raise(SIGKILL);
  });
  ASSERT_TRUE(WIFSIGNALED(status));
  BlobStore store(cache());
  const auto partial = begin(store, digest, content.size());
  EXPECT_EQ(partial->present().size(), 40'000U);
  fill(*partial, content, 40'000, content.size());
  partial->commit();
  EXPECT_EQ(read_text(blob_path(digest)), content);
}

TEST_F(BlobStoreTest, AStoreThatWasDeletedIsEmptyAndIsNotMadeAgain) {
  BlobStore store(cache());
  store.put(digest, content);
  std::filesystem::remove_all(cache());
  EXPECT_FALSE(store.find(digest, content.size()));
  EXPECT_EQ(store.get(digest), std::nullopt);
  EXPECT_EQ(store.resumable_bytes(digest, content.size()), 0U);
  EXPECT_TRUE(store.list().empty());
  EXPECT_EQ(store.verify().blobs, 0U);
  store.remember("name", "text");
  EXPECT_EQ(store.recall("name"), std::nullopt);
  const Descriptor manifest{"m", digest, content.size()};
  const std::vector<std::function<void()>> writes = {[&] { (void)store.acquire(digest, content.size()); },
                                                     [&] { store.put(digest, content); },
                                                     [&] { store.record_image(manifest, "x:1", "1"); }};
  for (const auto& write : writes) {
    const auto failure = failure_of(write);
    EXPECT_EQ(failure.code, Errc::disk);
    EXPECT_THAT(failure.text, ::testing::HasSubstr("the cache " + cache().string()));
    EXPECT_THAT(failure.hint, ::testing::HasSubstr("again"));
  }
  EXPECT_FALSE(std::filesystem::exists(cache()));
  BlobStore(cache()).put(digest, content);
  EXPECT_EQ(store.get(digest), content);
}

TEST_F(BlobStoreTest, AStoreForReadingIsNeverWritten) {
  { BlobStore(cache()).put(digest, content); }
  write_text(cache() / "blobs/sha256" / Digest::of("a").hex(), "corrupt");
  const auto files = [&] {
    std::map<std::string, std::pair<std::uintmax_t, std::filesystem::file_time_type>> result;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(cache()))
      result[entry.path()] = {entry.is_directory() ? 0 : entry.file_size(), entry.last_write_time()};
    return result;
  };
  const auto before = files();
  BlobStore store(cache(), false);
  EXPECT_FALSE(store.writable());
  EXPECT_EQ(store.get(digest), content);
  EXPECT_TRUE(store.find(digest, content.size())->known);
  EXPECT_TRUE(std::holds_alternative<StoredBlob>(store.acquire(digest, content.size())));
  EXPECT_EQ(store.get(Digest::of("a")), std::nullopt);
  EXPECT_FALSE(store.find(Digest::of("a"), 1));
  EXPECT_EQ(store.verify().corrupt, std::vector<Digest>{Digest::of("a")});
  store.mark_verified(*store.find(digest, content.size()));
  store.put(digest, content);
  const std::vector<std::function<void()>> refused = {[&] { (void)store.acquire(Digest::of("b"), 1); },
                                                      [&] { store.put(Digest::of("b"), "b"); },
                                                      [&] { store.quarantine(*store.find(digest, content.size())); },
                                                      [&] { store.prune({.age = std::chrono::seconds(0)}); },
                                                      [&] {
                                                        store.record_image({"m", digest, 1}, "x:1", "1");
                                                      }};
  for (const auto& action : refused) {
    const auto failure = failure_of(action);
    EXPECT_EQ(failure.code, Errc::disk);
    EXPECT_THAT(failure.text, ::testing::HasSubstr("read-only"));
  }
  EXPECT_EQ(files(), before);
}

TEST_F(BlobStoreTest, AMissingStoreCanNotBeRead) {
  EXPECT_EQ(failure_of([&] { BlobStore store(cache(), false); }).code, Errc::disk);
  EXPECT_FALSE(std::filesystem::exists(cache()));
}

using test::in_child;
using test::read_text;
using test::sample;
using test::write_text;

class MaintenanceTest : public test::StoreTest {
 protected:
  const std::string content = sample(50'000);
  const Digest digest = Digest::of(content);
  const std::string other = sample(60'000, 2);
  const Digest other_digest = Digest::of(other);

  static void age(const std::filesystem::path& path, std::chrono::seconds by) {
    std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now() - by);
  }
  std::filesystem::path known_path(const Digest& of) const { return cache() / "known" / ("sha256-" + of.hex()); }
};

TEST_F(MaintenanceTest, ListsBlobsAndWhatCanBeResumed) {
  BlobStore store(cache());
  store.put(digest, content);
  write_text(cache() / "blobs/sha256/README", "no blob");
  {
    const auto partial = begin(store, other_digest, other.size());
    fill(*partial, other, 0, 1234);
  }
  const auto entries = store.list();
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].digest, digest);
  EXPECT_EQ(entries[0].size, content.size());
  EXPECT_TRUE(entries[0].complete);
  EXPECT_EQ(entries[1].digest, other_digest);
  EXPECT_EQ(entries[1].size, 1234U);
  EXPECT_FALSE(entries[1].complete);
}

TEST_F(MaintenanceTest, VerifyQuarantinesWhatIsCorruptAndKnowsTheRest) {
  BlobStore store(cache());
  write_text(blob_path(digest), content);
  store.put(other_digest, other);
  std::string damaged = other;
  damaged[100] = static_cast<char>(damaged[100] ^ 1);
  write_text(blob_path(other_digest), damaged);
  std::vector<std::uint64_t> seen;
  const auto report = store.verify([&](const Digest&, std::uint64_t size) { seen.push_back(size); });
  EXPECT_EQ(report.blobs, 2U);
  EXPECT_EQ(report.bytes, content.size() + other.size());
  EXPECT_EQ(report.corrupt, std::vector<Digest>{other_digest});
  EXPECT_THAT(seen, ::testing::UnorderedElementsAre(content.size(), other.size()));
  EXPECT_FALSE(store.find(other_digest, other.size()));
  EXPECT_TRUE(store.find(digest, content.size())->known);
}

TEST_F(MaintenanceTest, PruneRemovesWhatWasNotUsedForThatLong) {
  BlobStore store(cache());
  store.put(digest, content);
  store.put(other_digest, other);
  store.record_image({"m", digest, content.size()}, "x:1", "1");
  store.record_image({"m", other_digest, other.size()}, "y:1", "1");
  age(known_path(digest), std::chrono::hours(2));
  age(known_path(other_digest), std::chrono::hours(2));
  EXPECT_TRUE(store.find(other_digest, other.size()));  // of use now
  EXPECT_GE(store.prune({.age = std::chrono::hours(1)}).freed, content.size());
  EXPECT_FALSE(std::filesystem::exists(blob_path(digest)));
  EXPECT_FALSE(std::filesystem::exists(known_path(digest)));
  EXPECT_TRUE(std::filesystem::exists(blob_path(other_digest)));
  const std::string index = read_text(cache() / "index.json");
  EXPECT_EQ(index.find(digest.to_string()), std::string::npos);
  EXPECT_NE(index.find(other_digest.to_string()), std::string::npos);
}

TEST_F(MaintenanceTest, PruneToASizeRemovesWhatWasUnusedTheLongest) {
  BlobStore store(cache());
  const std::string third(content.size(), 'z');
  const Digest third_digest = Digest::of(third);
  store.put(digest, content);
  store.put(other_digest, other);
  store.put(third_digest, third);
  {
    const auto partial = begin(store, Digest::of("partial"), 100'000);
    fill(*partial, std::string(100'000, 'p'), 0, 50'000);
  }
  age(known_path(digest), std::chrono::hours(24 * 60));
  age(known_path(other_digest), std::chrono::hours(2));
  const PruneReport all = store.prune({.max_bytes = std::uint64_t{1} << 40});
  EXPECT_TRUE(std::filesystem::exists(blob_path(digest))) << "with a size nothing goes for its age";
  const PruneReport report = store.prune({.max_bytes = all.left - 1});
  EXPECT_FALSE(std::filesystem::exists(blob_path(digest)));
  EXPECT_TRUE(std::filesystem::exists(blob_path(other_digest)));
  EXPECT_LT(report.left, all.left);
  EXPECT_EQ(store.prune({.max_bytes = report.left}).freed, 0U);
  const BlobStore user(cache());
  EXPECT_TRUE(user.find(other_digest, other.size()));
  EXPECT_GT(store.prune({.max_bytes = 0}).left, 0U) << "what is in use stays";
  EXPECT_EQ(store.list().size(), 1U);
  EXPECT_TRUE(std::filesystem::exists(blob_path(other_digest)));
  EXPECT_FALSE(std::filesystem::exists(blob_path(third_digest)));
}

TEST_F(MaintenanceTest, PruneTakesTimesOfFilesAsTheyAre) {
  BlobStore store(cache());
  const auto write = [&](const std::string& text, std::int64_t seconds) {
    const struct timespec time[] = {{seconds, 0}, {seconds, 0}};
    write_text(blob_path(Digest::of(text)), text);
    ASSERT_EQ(::utimensat(AT_FDCWD, blob_path(Digest::of(text)).c_str(), time, 0), 0);
  };
  // As tar --mtime=@0 leaves it, and of the year 2400, which nanoseconds since 1970 do not reach in 64 bits.
  write(content, 0);
  write(other, 13'569'465'600);
  store.prune({.max_bytes = std::uint64_t{1} << 40});
  EXPECT_EQ(store.list().size(), 2U);
  store.prune({.age = std::chrono::hours(1)});
  ASSERT_EQ(store.list().size(), 1U);
  EXPECT_EQ(store.list()[0].digest, other_digest);
}

TEST_F(MaintenanceTest, PruneKeepsWhatImagesConsistOf) {
  BlobStore store(cache());
  store.put(digest, content);
  store.put(other_digest, other);
  const std::string manifest =
      R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")" +
      digest.to_string() + R"(","size":1},"layers":[]})";
  const Digest root = Digest::of(manifest);
  store.put(root, manifest);
  store.record_image({"application/vnd.oci.image.manifest.v1+json", root, manifest.size()}, "x:1", "1");
  EXPECT_EQ(store.blobs_of_image(root).size(), 2U);
  store.prune({.age = std::chrono::seconds(0), .max_bytes = 0, .keep_referenced = true});
  EXPECT_TRUE(std::filesystem::exists(blob_path(digest)));
  EXPECT_TRUE(std::filesystem::exists(blob_path(root)));
  EXPECT_FALSE(std::filesystem::exists(blob_path(other_digest)));
  EXPECT_EQ(store.images_named("x:1").at(0).digest, root);
  EXPECT_TRUE(store.images_named("x:2").empty());
}

TEST_F(MaintenanceTest, PruneThatCanNotTellWhatImagesConsistOfRefuses) {
  const PruneLimits limits{.age = std::chrono::seconds(0), .max_bytes = 0, .keep_referenced = true};
  const std::string manifest =
      R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")" +
      digest.to_string() + R"(","size":1},"layers":[]})";
  const Digest root = Digest::of(manifest);
  const auto index_of = [](const std::string& of) { return R"({"manifests":[{"digest":")" + of + R"("}]})"; };
  BlobStore store(cache());
  store.put(digest, content);
  store.put(root, manifest);
  const auto refused = [&](const std::string& index, const std::string& named) {
    write_text(cache() / "index.json", index);
    const auto failure = failure_of([&] { store.prune(limits); });
    EXPECT_EQ(failure.code, Errc::disk) << index;
    EXPECT_THAT(failure.text, ::testing::HasSubstr(named));
    EXPECT_EQ(store.list().size(), 2U);
  };
  refused(R"({"manifests":[)", "index.json");
  refused(index_of("sha384:00"), "index.json");
  refused(index_of(digest.to_string()), digest.to_string());  // no document
  std::string damaged = manifest;
  damaged.back() = ' ';
  write_text(blob_path(root), damaged);
  refused(index_of(root.to_string()), root.to_string());
  // An image needs no name, and what is not there keeps nothing else.
  write_text(blob_path(root), manifest);
  write_text(cache() / "index.json", index_of(root.to_string()));
  store.prune(limits);
  EXPECT_EQ(store.list().size(), 2U);
  write_text(cache() / "index.json", index_of(Digest::of("gone").to_string()));
  store.prune(limits);
  EXPECT_TRUE(store.list().empty());
}

TEST_F(MaintenanceTest, PruneKeepsTheNoteOfALayerThatIsOfUse) {
  BlobStore store(cache());
  store.put(digest, content);
  const Digest diff_id = Digest::of("tar"), unused = Digest::of("unused");
  store.note_layer(diff_id, digest);
  store.note_layer(unused, digest);
  for (const Digest& each : {diff_id, unused})
    age(cache() / "notes" / ("diff-id-sha256-" + each.hex() + ".note"), std::chrono::hours(2));
  age(known_path(digest), std::chrono::hours(2));
  EXPECT_TRUE(store.find_layer(diff_id));
  store.prune({.age = std::chrono::hours(1)});
  EXPECT_TRUE(store.find_layer(diff_id));
  EXPECT_FALSE(store.find_layer(unused));
  store.prune({.age = std::chrono::seconds(0)});
  EXPECT_FALSE(store.has_noted_layers());
}

TEST_F(MaintenanceTest, PruneKeepsAnIndexThatItSetsAside) {
  BlobStore store(cache());
  store.put(digest, content);
  const std::string unreadable = R"({"schemaVersion":2,"manifests":[)";
  write_text(cache() / "index.json", unreadable);
  store.prune({.age = std::chrono::seconds(0)});
  EXPECT_FALSE(std::filesystem::exists(blob_path(digest)));
  std::vector<std::string> kept;
  for (const auto& entry : std::filesystem::directory_iterator(cache() / "quarantine"))
    kept.push_back(read_text(entry.path()));
  EXPECT_EQ(kept, std::vector<std::string>{unreadable});
  store.prune({.age = std::chrono::seconds(0)});
  EXPECT_TRUE(std::filesystem::is_empty(cache() / "quarantine"));
}

TEST_F(MaintenanceTest, PruneOfAllLeavesAnEmptyStore) {
  BlobStore store(cache());
  store.put(digest, content);
  store.remember("note", "text");
  write_text(cache() / "quarantine" / ("sha256-" + digest.hex() + ".01234567"), "corrupt");
  write_text(cache() / "quarantine" / "index.json.01234567", "corrupt");
  {
    const auto partial = begin(store, other_digest, other.size());
    fill(*partial, other, 0, 1234);
  }
  write_text(ingest_path(Digest::of("a"), 1, ".journal"), "orphan");
  write_text(ingest_path(Digest::of("b"), ".lock"), "");
  write_text(cache() / "ingest" / ".a.0123456789abcdef.partial", "left by a dead process");
  age(cache() / "ingest" / ".a.0123456789abcdef.partial", std::chrono::hours(1));
  write_text(cache() / "ingest" / ".b.0123456789abcdef.partial", "of a living one");
  store.prune({.age = std::chrono::seconds(0)});
  EXPECT_TRUE(store.list().empty());
  for (const char* part : {"blobs/sha256", "quarantine", "known", "notes"})
    EXPECT_TRUE(std::filesystem::is_empty(cache() / part)) << part;
  std::filesystem::remove(cache() / "ingest" / ".b.0123456789abcdef.partial");
  EXPECT_TRUE(std::filesystem::is_empty(cache() / "ingest"));
}

TEST_F(MaintenanceTest, PruneLeavesWhatIsNotOurs) {
  BlobStore store(cache());
  std::filesystem::create_directories(cache() / "notes" / "diary");
  std::filesystem::create_directories(cache() / ".work.0123456789abcdef.partial");
  const std::vector<std::filesystem::path> theirs = {
      cache() / "notes/diary/day",        cache() / "notes/Shopping List",
      cache() / "quarantine/letter.txt",  cache() / ".work.0123456789abcdef.partial/file",
      ingest_path(digest, ".partial"),    ingest_path(digest, ".7x.partial"),
      ingest_path(digest, ".007.journal")};
  for (const auto& path : theirs) write_text(path, "precious");
  for (const auto& path : {cache() / "notes/diary", cache() / ".work.0123456789abcdef.partial"})
    age(path, std::chrono::hours(1));
  store.prune({.age = std::chrono::seconds(0)});
  for (const auto& path : theirs) EXPECT_TRUE(std::filesystem::exists(path)) << path;
}

/// What a user who is not root sees, where the test is root.
class MaintenanceAsUserTest : public MaintenanceTest {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can make files of others";
    BlobStore store(cache());
    store.put(digest, content);
    store.put(other_digest, other);
    std::filesystem::permissions(directory.path(), std::filesystem::perms::all);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(cache()))
      ASSERT_EQ(::chown(entry.path().c_str(), user, user), 0);
    ASSERT_EQ(::chown(cache().c_str(), user, user), 0);
    ASSERT_EQ(::chown(blob_path(digest).c_str(), 0, 0), 0);
  }
  static void as_user(const std::function<void()>& action) {
    ASSERT_EQ(::seteuid(user), 0);
    action();
    ASSERT_EQ(::seteuid(0), 0);
  }

  static constexpr uid_t user = 65534;
};

TEST_F(MaintenanceAsUserTest, VerifyGoesOnAfterABlobThatCanNotBeRead) {
  as_user([&] {
    const auto report = BlobStore(cache()).verify();
    EXPECT_EQ(report.blobs, 2U);
    EXPECT_EQ(report.corrupt, std::vector<Digest>{digest});
  });
  EXPECT_FALSE(std::filesystem::exists(blob_path(digest)));
  EXPECT_TRUE(std::filesystem::exists(blob_path(other_digest)));
}

TEST_F(MaintenanceAsUserTest, PruneRemovesABlobThatCanNotBeOpened) {
  as_user([&] { BlobStore(cache()).prune({.age = std::chrono::seconds(0)}); });
  EXPECT_FALSE(std::filesystem::exists(blob_path(digest)));
  EXPECT_FALSE(std::filesystem::exists(blob_path(other_digest)));
}

TEST_F(MaintenanceTest, PruneKeepsWhatTheLivingHold) {
  std::optional<BlobStore> user(cache());
  BlobStore store(cache());
  store_blob(*user, content);  // and closes it
  std::unique_ptr<PartialBlob> partial = begin(store, other_digest, other.size());
  fill(*partial, other, 0, 40'000);
  partial->checkpoint();
  EXPECT_EQ(in_child([&] { BlobStore(cache()).prune({.age = std::chrono::seconds(0)}); }), 0);
  EXPECT_TRUE(std::filesystem::exists(blob_path(digest)));
  EXPECT_EQ(store.resumable_bytes(other_digest, other.size()), 40'000U);
  user.reset();
  partial.reset();
  store.prune({.age = std::chrono::seconds(0)});
  EXPECT_FALSE(std::filesystem::exists(blob_path(digest)));
  EXPECT_EQ(store.resumable_bytes(other_digest, other.size()), 0U);
}

TEST_F(MaintenanceTest, PruneLeavesInTheIndexWhatCameBackMeanwhile) {
  for (const std::string& each : {content, other}) {
    BlobStore store(cache());
    store.put(Digest::of(each), each);
    store.record_image({"m", Digest::of(each), each.size()}, "x:" + std::to_string(each.size()), "1");
  }
  std::optional<LockFile> lock = lock_index(cache());
  std::thread pruning([&] { BlobStore(cache()).prune({.age = std::chrono::seconds(0)}); });
  while (std::filesystem::exists(blob_path(digest)) || std::filesystem::exists(blob_path(other_digest)))
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  BlobStore(cache()).put(digest, content);
  lock.reset();
  pruning.join();
  const std::string index = read_text(cache() / "index.json");
  EXPECT_NE(index.find(digest.to_string()), std::string::npos);
  EXPECT_EQ(index.find(other_digest.to_string()), std::string::npos);
}

TEST_F(MaintenanceTest, PruneKeepsARecentIngest) {
  BlobStore store(cache());
  {
    const auto partial = begin(store, digest, content.size());
    fill(*partial, content, 0, 1000);
  }
  store.prune({.age = std::chrono::hours(1)});
  EXPECT_EQ(store.resumable_bytes(digest, content.size()), 1000U);
  age(ingest_path(digest, content.size(), ".partial"), std::chrono::hours(2));
  {
    const auto partial = begin(store, digest, content.size() + 1);
    fill(*partial, content, 0, 500);
  }
  store.prune({.age = std::chrono::hours(1)});
  EXPECT_EQ(store.resumable_bytes(digest, content.size() + 1), 500U);
  EXPECT_EQ(store.resumable_bytes(digest, content.size()), 0U);
}

}  // namespace
}  // namespace hawser
