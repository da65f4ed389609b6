// Whole pulls within the process, against a scripted registry: from references to outputs, and what is left in stores.
#include "pull/pipeline.hpp"

#include "archive/import_fixture.hpp"
#include "archive/sample_images.hpp"
#include "image/manifest.hpp"
#include "registry/registry_fixture.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser::test {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Errc code_of(const ImageResult& result) {
  return result.error ? result.error->code() : Errc{};
}

class PipelineTest : public testing::Test {
 protected:
  PipelineTest() {
    request.access.plain_http = true;
    request.access.retries = 0;
    request.access.max_connections = 2;
    request.access.log = [this](Importance importance, const std::string& line) {
      if (importance != Importance::detail) told.push_back(line);
    };
    request.platform = Platform::parse("linux/amd64");
    request.output = (directory / "image.tar").string();
    request.force = true;  // or the second pull of a test would find the tar of the first
  }

  /// Puts the image of `seed` into the registry, and into those that are pulled.
  TestImage add(std::uint64_t seed, const std::string& tag = "latest") {
    TestImage image = make_image(seed, {40'000, 3'000, 200});
    add_image(registry.content(), "a/b", tag, image);
    ask_for(tag);
    return image;
  }
  void ask_for(const std::string& tag) {
    request.references.push_back(Reference::parse(registry.host() + "/a/b:" + tag));
  }
  std::vector<ImageResult> pull(Storage storage, bool stopped = false) {
    asio::io_context context;
    asio::thread_pool pool(2);
    TransferObserver nobody;
    Pipeline run(context.get_executor(), pool, request, nobody);
    if (stopped) run.stop();
    run_coroutine(context, planning ? run.plan(std::move(storage)) : run.run(std::move(storage)));
    pool.join();
    return run.results();
  }
  ImageResult pull_one(Storage storage) { return pull(std::move(storage)).at(0); }
  ImageResult pull_through_cache() {
    Storage storage;
    storage.cache.emplace(directory / "cache");
    storage.arrivals_directory = directory / "cache";
    return pull_one(std::move(storage));
  }
  /// With a cache that can't be written.
  Storage reading() const {
    Storage storage;
    storage.cache.emplace(directory / "cache", false);
    return storage;
  }
  Storage with_temporary(Storage storage) const {
    storage.temporary = std::make_unique<TemporaryStore>(directory.path());
    storage.arrivals_directory = storage.temporary->store.directory();
    return storage;
  }
  /// How often each blob of the image was asked for.
  std::vector<std::size_t> requests_for(const TestImage& image) const {
    std::vector<std::size_t> counts;
    for (const std::string& layer : image.layers)
      counts.push_back(registry.count("GET", "/v2/a/b/blobs/" + Digest::of(layer).to_string()));
    return counts;
  }
  /// Whether the archive has all bytes of the image.
  static void expect_holds(const std::filesystem::path& archive, const TestImage& image) {
    const std::string bytes = read_text(archive);
    for (const std::string& layer : image.layers) EXPECT_THAT(bytes, HasSubstr(layer));
    EXPECT_THAT(bytes, HasSubstr(image.config));
    EXPECT_THAT(bytes, HasSubstr(image.manifest));
  }
  std::filesystem::path cached(const std::string& content) const {
    return directory / "cache" / "blobs" / "sha256" / Digest::of(content).hex();
  }
  /// Gives the first layer of an image a type and members of its own; it is pulled as `tag`.
  void add_changed(const TestImage& image, const std::string& tag, const std::string& from, const std::string& to) {
    std::string manifest = image.manifest;
    const std::size_t at = manifest.find(from);
    ASSERT_NE(at, std::string::npos) << manifest;
    manifest.replace(at, from.size(), to);
    registry.content().add_manifest("a/b", tag, manifest, std::string(media_type::oci_manifest));
    ask_for(tag);
  }

  TempDir directory;
  ScriptedRegistry registry;
  PullRequest request;
  std::vector<std::string> told;
  bool planning = false;
};

TEST_F(PipelineTest, WhatWentThroughTheCacheIsNotFetchedAgain) {
  const TestImage image = add(1);
  for (int i = 0; i < 2; ++i) {
    const ImageResult result = pull_through_cache();
    EXPECT_EQ(code_of(result), Errc{});
    EXPECT_EQ(result.digest, image.manifest_digest());
    EXPECT_EQ(result.output, *request.output);
    expect_holds(*request.output, image);
  }
  EXPECT_THAT(requests_for(image), ElementsAre(1, 1, 1));
  EXPECT_EQ(BlobStore(directory / "cache").images().size(), 1U);
}

TEST_F(PipelineTest, AHolderWhoDoesNotMoveIsNotWaitedForForEver) {
  const TestImage image = add(1);
  const Digest held = Digest::of(image.layers[0]);
  BlobStore other(directory / "cache");
  const auto partial = std::get<std::unique_ptr<PartialBlob>>(other.acquire(held, image.layers[0].size()));
  partial->file().write_at(0, std::as_bytes(std::span(image.layers[0]).first(100)));
  request.access.stall_timeout = std::chrono::milliseconds(400);
  EXPECT_EQ(code_of(pull_through_cache()), Errc{});
  expect_holds(*request.output, image);
  const std::string holder = "process " + std::to_string(::getpid());
  EXPECT_THAT(told, ElementsAre(AllOf(HasSubstr(holder), HasSubstr("hawser fetches it for itself"), HasSubstr("after")),
                                AllOf(HasSubstr(holder), HasSubstr("hawser fetches it for itself"))));
  // The holder goes on, and ends as if nothing had been.
  partial->file().write_at(0, std::as_bytes(std::span(image.layers[0])));
  partial->commit();
  EXPECT_EQ(code_of(pull_through_cache()), Errc{});
  EXPECT_THAT(requests_for(image), ElementsAre(1, 1, 1));
}

TEST_F(PipelineTest, WithoutACacheTheTarTakesTheBlobs) {
  const TestImage image = add(1);
  EXPECT_EQ(code_of(pull_one({})), Errc{});
  expect_holds(*request.output, image);
  EXPECT_THAT(directory.names(), ElementsAre("image.tar"));
}

TEST_F(PipelineTest, ADamagedBlobOfTheCacheIsSetAsideAndFetchedAgain) {
  const TestImage image = add(1);
  pull_through_cache();
  write_text(cached(image.layers[0]), std::string(image.layers[0].size(), 'x'));
  EXPECT_EQ(code_of(pull_through_cache()), Errc{});
  expect_holds(*request.output, image);
  EXPECT_THAT(told, Contains(HasSubstr("is damaged; it was moved to")));
  EXPECT_THAT(requests_for(image), ElementsAre(2, 1, 1));
}

TEST_F(PipelineTest, ADamagedBlobOfTheCacheCountsAsFetched) {
  const TestImage image = add(1);
  pull_through_cache();
  write_text(cached(image.layers[0]), std::string(image.layers[0].size(), 'x'));
  const auto expect_one_is_missing = [&](const LayerSums& sums) {
    EXPECT_EQ(sums.cached_layers, 2U);
    EXPECT_EQ(sums.cached_bytes, image.layers[1].size() + image.layers[2].size());
    EXPECT_EQ(sums.to_fetch(), image.layers[0].size());
  };
  planning = true;
  expect_one_is_missing(pull_one(reading()).sums());
  planning = false;
  expect_one_is_missing(pull_one(reading()).sums());
  expect_one_is_missing(pull_through_cache().sums());
  EXPECT_EQ(pull_through_cache().sums().cached_layers, 3U);
}

TEST_F(PipelineTest, WhatACacheForReadingLacksGoesThroughAStoreForTheCall) {
  const TestImage image = add(1);
  pull_through_cache();
  std::filesystem::remove(cached(image.layers[0]));
  write_text(cached(image.layers[1]), std::string(image.layers[1].size(), 'x'));
  request.format = OutputFormat::oci_dir;
  request.output = (directory / "layout").string();
  EXPECT_EQ(code_of(pull_one(with_temporary(reading()))), Errc{});
  for (const std::string& content : {image.layers[0], image.layers[1], image.layers[2], image.config, image.manifest})
    EXPECT_EQ(read_text(directory / "layout" / "blobs" / "sha256" / Digest::of(content).hex()), content);
  EXPECT_THAT(requests_for(image), ElementsAre(2, 2, 1));
  EXPECT_FALSE(std::filesystem::exists(cached(image.layers[0])));
  EXPECT_THAT(directory.names(), ElementsAre("cache", "image.tar", "layout"));
}

TEST_F(PipelineTest, WhatACacheForReadingLacksGoesStraightIntoATar) {
  const TestImage image = add(1);
  pull_through_cache();
  std::filesystem::remove(cached(image.layers[0]));
  EXPECT_EQ(code_of(pull_one(reading())), Errc{});
  expect_holds(*request.output, image);
  EXPECT_THAT(requests_for(image), ElementsAre(2, 1, 1));
}

TEST_F(PipelineTest, ALayoutTellsWhetherItHasImagesOfEarlierCalls) {
  add(1, "one");
  request.format = OutputFormat::oci_dir;
  request.output = (directory / "layout").string();
  const auto is_alone = [&] { return pull_one(with_temporary({})).alone; };
  EXPECT_TRUE(is_alone());
  EXPECT_TRUE(is_alone());  // in its own place
  request.references.clear();
  add(2, "two");
  EXPECT_FALSE(is_alone());
}

TEST_F(PipelineTest, WhatATarThatIsLeftAloneConsistsOfWasOfUse) {
  const TestImage image = add(1);
  request.force = false;
  EXPECT_FALSE(pull_through_cache().up_to_date);
  const auto prune = [&] {
    for (const auto& record : std::filesystem::directory_iterator(directory / "cache" / "known"))
      std::filesystem::last_write_time(record.path(), record.last_write_time() - std::chrono::hours(2));
    EXPECT_TRUE(pull_through_cache().up_to_date);
    BlobStore(directory / "cache").prune({.age = std::chrono::hours(1)});
  };
  prune();
  const BlobStore cache(directory / "cache", false);
  EXPECT_EQ(cache.list().size(), 5U);
  EXPECT_EQ(cache.images().size(), 1U);
  // What the cache lacks is not fetched for a tar that is there, nor is an image recorded that is not whole.
  std::filesystem::remove(cached(image.layers[0]));
  std::filesystem::remove(cached(image.manifest));
  prune();
  EXPECT_EQ(cache.list().size(), 3U);
  EXPECT_THAT(requests_for(image), ElementsAre(1, 1, 1));
}

TEST_F(PipelineTest, AnImageThatIsNotThereDoesNotStopTheOthers) {
  const TestImage image = add(1);
  ask_for("nothing");
  request.output = directory.path().string();
  const auto results = pull({});
  EXPECT_EQ(code_of(results[0]), Errc{});
  EXPECT_EQ(code_of(results[1]), Errc::not_found);
  EXPECT_THAT(told, Contains(HasSubstr("a/b:nothing")));
  ASSERT_EQ(directory.names().size(), 1U);
  expect_holds(directory / directory.names()[0], image);
}

TEST_F(PipelineTest, AnOutputOfSeveralIsNotWrittenWhereOneFails) {
  add(1);
  ask_for("nothing");
  const auto results = pull({});
  EXPECT_EQ(code_of(results[0]), Errc::not_found);
  EXPECT_THAT(results[0].error->what(), HasSubstr("not written, since"));
  EXPECT_EQ(code_of(results[1]), Errc::not_found);
  EXPECT_THAT(results[1].error->what(), HasSubstr("nothing"));
  EXPECT_THAT(directory.names(), IsEmpty());
}

TEST_F(PipelineTest, ADryRunFetchesNoLayerAndWritesNothing) {
  const TestImage image = add(1);
  planning = true;
  const ImageResult result = pull_one({});
  EXPECT_EQ(code_of(result), Errc{});
  EXPECT_EQ(result.layers.size(), 3U);
  EXPECT_THAT(requests_for(image), ElementsAre(0, 0, 0));
  EXPECT_THAT(directory.names(), IsEmpty());
}

TEST_F(PipelineTest, ADryRunRefusesAnImageOfAnotherPlatform) {
  add(1);
  planning = true;
  request.platform = Platform::parse("linux/s390x");
  EXPECT_EQ(code_of(pull_one({})), Errc::no_platform);
}

TEST_F(PipelineTest, ADryRunRefusesWhatHasNoRoom) {
  const TestImage image = add(1);
  request.references.clear();
  const std::string size = "\"size\":" + std::to_string(image.layers[0].size());
  add_changed(image, "huge", size, "\"size\":" + std::to_string(std::uint64_t{15} << 40));
  planning = true;
  EXPECT_EQ(code_of(pull_one({})), Errc::disk_full);  // in the output
  request.output = "-";
  EXPECT_EQ(code_of(pull_one({})), Errc{});
  Storage storage;
  storage.arrivals_directory = directory.path();
  const ImageResult result = pull_one(std::move(storage));  // where the blobs would be
  EXPECT_EQ(code_of(result), Errc::disk_full);
  EXPECT_THAT(result.error->what(), HasSubstr("not enough space in " + directory.path().string()));
  EXPECT_THAT(directory.names(), IsEmpty());
}

TEST_F(PipelineTest, AnImageOfAnotherPlatformLeavesNoArchive) {
  add(1);
  request.platform = Platform::parse("linux/s390x");
  EXPECT_EQ(code_of(pull_one({})), Errc::no_platform);
  EXPECT_THAT(directory.names(), IsEmpty());
}

TEST_F(PipelineTest, ForeignLayersNeedPermissionAndComeFromTheRegistryOrTheirUrls) {
  const TestImage image = make_image(1, {40'000, 3'000, 200});
  add_image(registry.content(), "a/b", "own", image);
  ScriptedRegistry elsewhere;
  elsewhere.on("GET", "/gone").reply_with(Reply::of(404));
  elsewhere.on("GET", "/layer").reply_with(Reply::of(200, image.layers[0]));
  add_changed(image, "foreign", R"("mediaType":"application/vnd.oci.image.layer.v1.tar")",
              R"("mediaType":"application/vnd.oci.image.layer.nondistributable.v1.tar","urls":[")" +
                  elsewhere.url("/gone") + "\",\"" + elsewhere.url("/layer") + "\"]");
  const ImageResult refused = pull_one({});
  EXPECT_EQ(code_of(refused), Errc::unsupported);
  EXPECT_THAT(refused.error->hint(), HasSubstr("--allow-foreign-layers"));
  EXPECT_THAT(elsewhere.requests(), IsEmpty());
  request.allow_foreign_layers = true;
  EXPECT_EQ(code_of(pull_one({})), Errc{});
  EXPECT_THAT(read_text(*request.output), HasSubstr(image.layers[0]));
  EXPECT_THAT(elsewhere.requests(), IsEmpty());  // the registry has it
  registry.on("GET", "/v2/a/b/blobs/" + Digest::of(image.layers[0]).to_string()).reply_with(Reply::of(404));
  EXPECT_EQ(code_of(pull_one({})), Errc{});
  EXPECT_THAT(read_text(*request.output), HasSubstr(image.layers[0]));
  EXPECT_EQ(elsewhere.count("GET", "/layer"), 1U);
}

TEST_F(PipelineTest, AConfigThatNamesNoPlatformIsTakenForWhatWasAskedForWithAWarning) {
  TestImage image = make_image(1, {200});
  const Digest old = Digest::of(image.config);
  const std::string architecture = R"("architecture":"amd64")";
  image.config.replace(image.config.find(architecture), architecture.size(), R"("author":"somebody123")");
  image.manifest.replace(image.manifest.find(old.to_string()), old.to_string().size(),
                         Digest::of(image.config).to_string());
  add_image(registry.content(), "a/b", "old", image);
  ask_for("old");
  request.platform = Platform::parse("linux/arm64");
  const ImageResult result = pull_one({});
  EXPECT_EQ(code_of(result), Errc{});
  EXPECT_THAT(result.platforms, ElementsAre("linux/arm64"));
  EXPECT_THAT(told, ElementsAre(HasSubstr("names no architecture; it is taken as one for linux/arm64")));
}

TEST_F(PipelineTest, ABlobOfTwoSizesIsRefusedInOneOutput) {
  const TestImage image = add(1);
  const std::string size = "\"size\":" + std::to_string(image.layers[0].size());
  add_changed(image, "liar", size, size + "0");
  const auto results = pull({});
  EXPECT_EQ(code_of(results[1]), Errc::malformed);
  EXPECT_THAT(results[1].error->what(), HasSubstr("two sizes"));
  EXPECT_THAT(directory.names(), IsEmpty());
}

TEST_F(PipelineTest, ATarThatHoldsTheImageIsLeftAlone) {
  const TestImage image = add(1);
  request.force = false;
  EXPECT_FALSE(pull_one({}).up_to_date);
  const std::string tar = read_text(*request.output);
  const auto time = std::filesystem::last_write_time(*request.output);
  for (const bool first : {true, false}) {
    planning = first;
    const ImageResult again = pull_one({});
    EXPECT_TRUE(again.up_to_date);
    EXPECT_EQ(code_of(again), Errc{});
    EXPECT_THAT(again.platforms, ElementsAre("linux/amd64"));
    EXPECT_EQ(again.output, *request.output);
  }
  EXPECT_EQ(std::filesystem::last_write_time(*request.output), time);
  EXPECT_THAT(requests_for(image), ElementsAre(1, 1, 1));
  // Whatever is not what would be written is written again: another length, name, document.
  for (const std::string& other : {tar + "x", "x" + tar.substr(1), tar.substr(0, 520) + "x" + tar.substr(521)}) {
    write_text(*request.output, other);
    EXPECT_FALSE(pull_one({}).up_to_date);
    EXPECT_EQ(read_text(*request.output), tar);
  }
  request.references[0].tag_as = Reference::parse("other:1");
  EXPECT_FALSE(pull_one({}).up_to_date);
  request.force = true;
  EXPECT_FALSE(pull_one({}).up_to_date);
}

TEST_F(PipelineTest, AClassicTarThatHoldsTheImageIsLeftAlone) {
  const TestImage image = add(1);
  request.force = false;
  request.uncompressed = true;
  EXPECT_FALSE(pull_through_cache().up_to_date);
  const std::string tar = read_text(*request.output);
  EXPECT_TRUE(pull_through_cache().up_to_date);
  EXPECT_THAT(requests_for(image), ElementsAre(1, 1, 1));
  const std::size_t version = tar.find("/VERSION"), layer = tar.rfind("/layer.tar");
  for (const std::string& other :
       {tar + std::string(512, 'x'), tar.substr(0, tar.size() - 512), "x" + tar.substr(1), std::string(),
        std::string(2000, 'x'), tar.substr(0, 520) + "x" + tar.substr(521),
        tar.substr(0, version) + "x" + tar.substr(version + 1), tar.substr(0, layer) + "x" + tar.substr(layer + 1)}) {
    write_text(*request.output, other);
    EXPECT_FALSE(pull_through_cache().up_to_date);
    EXPECT_EQ(read_text(*request.output), tar);
  }
  request.uncompressed = false;
  EXPECT_FALSE(pull_through_cache().up_to_date);
}

TEST_F(PipelineTest, AnImageHasTheNameThatItIsTaggedAs) {
  const TestImage image = add(1);
  request.references[0].tag_as = Reference::parse("registry.local/app:7");
  const ImageResult result = pull_one({});
  EXPECT_EQ(result.reference, registry.host() + "/a/b:latest");
  EXPECT_EQ(result.pinned, image.manifest_digest());
  const std::string tar = read_text(*request.output);
  EXPECT_THAT(tar, AllOf(HasSubstr(R"("RepoTags":["registry.local/app:7"])"), Not(HasSubstr("a/b"))));
}

TEST_F(PipelineTest, OfflineAllThatIsMissingIsNamed) {
  const TestImage image = add(1);
  EXPECT_EQ(code_of(pull_through_cache()), Errc{});
  const auto blob = [&](std::size_t layer) { return directory / "cache" / blob_path(Digest::of(image.layers[layer])); };
  const auto asked = requests_for(image);
  request.access.offline = true;
  for (const std::size_t layer : {0, 2}) std::filesystem::remove(blob(layer));
  for (const bool first : {true, false}) {
    planning = first;
    const ImageResult result = pull_through_cache();
    EXPECT_EQ(code_of(result), Errc::not_found);
    EXPECT_THAT(result.error->what(),
                AllOf(HasSubstr("the cache lacks 2 of 4 blobs"), HasSubstr(Digest::of(image.layers[0]).to_string()),
                      HasSubstr(Digest::of(image.layers[2]).to_string())));
  }
  request.references[0] = Reference::parse(registry.host() + "/a/b:other");
  EXPECT_THAT(pull_through_cache().error->what(), HasSubstr("the cache has no image under that name"));
  EXPECT_EQ(requests_for(image), asked);
}

TEST_F(PipelineTest, OfflineATagIsWhatWasPulledOfItLast) {
  ask_for("latest");
  request.format = OutputFormat::oci_archive;
  // What was pulled first names its platform, as index or as an image of one; what came later does not.
  std::uint64_t seed = 0;
  for (const bool all : {false, true}) {
    for (const bool indexed : {true, all, false}) {
      const TestImage image = make_image(++seed, {1000});
      const Digest manifest = add_image(registry.content(), "a/b", "latest", image);
      if (indexed)
        registry.content().add_manifest(
            "a/b", "latest",
            R"({"schemaVersion":2,"manifests":[{"mediaType":")" + std::string(media_type::oci_manifest) +
                R"(","digest":")" + manifest.to_string() + R"(","size":)" + std::to_string(image.manifest.size()) +
                R"(,"platform":{"os":"linux","architecture":"amd64"}}]})",
            std::string(media_type::oci_index));
      for (const bool offline : {false, true}) {
        request.access.offline = offline;
        request.all_platforms = all && indexed && !offline;
        EXPECT_EQ(code_of(pull_through_cache()), Errc{});
        expect_holds(*request.output, image);
      }
    }
  }
}

TEST_F(PipelineTest, TwoImagesOfOneNameAreRefusedInOneOutput) {
  const TestImage one = add(1, "one");
  const TestImage two = make_image(2, {500});
  add_image(registry.content(), "a/b", "two", two);
  ask_for("one@" + two.manifest_digest().to_string());
  for (const bool first : {true, false}) {
    planning = first;
    told.clear();
    const auto results = pull({});
    EXPECT_EQ(code_of(results[0]), Errc::usage);
    EXPECT_EQ(code_of(results[1]), Errc::usage);
    for (const RequestedImage& image : request.references)
      EXPECT_THAT(told, Contains(HasSubstr(image.reference.to_string() + " "))) << first;
    EXPECT_THAT(requests_for(one), ElementsAre(0, 0, 0));
    EXPECT_THAT(directory.names(), IsEmpty());
  }
  // In an output of its own each may have it.
  request.output = directory.path().string();
  for (const ImageResult& result : pull({})) EXPECT_EQ(code_of(result), Errc{});
}

TEST_F(PipelineTest, OneImageTwiceUnderOneNameIsOne) {
  const TestImage image = add(1, "one");
  ask_for("one@" + image.manifest_digest().to_string());
  for (const ImageResult& result : pull({})) EXPECT_EQ(code_of(result), Errc{});
  expect_holds(*request.output, image);
}

/// Images with compressed layers, of which the cache has some by their diff IDs, as import leaves them.
class DiffIdTest : public PipelineTest {
 protected:
  DiffIdTest() {
    request.uncompressed = true;
    image = {real.manifest, real.config, real.layers};
    for (const std::string& content : {real.config, real.layers[0], real.layers[1]})
      registry.content().add_blob(content);
    registry.content().add_manifest("a/b", "latest", real.manifest, std::string(media_type::oci_manifest));
    ask_for("latest");
  }
  BlobStore store() const { return BlobStore(directory / "cache"); }
  void put(const std::string& tar, const std::string& layer) {
    store().put(Digest::of(layer), layer);
    store().note_layer(Digest::of(tar), Digest::of(layer));
  }
  void put_tars() {
    for (const std::string& tar : real.tars) put(tar, tar);
  }
  void expect_tars() const {
    for (const std::string& tar : real.tars) EXPECT_THAT(read_text(*request.output), HasSubstr(tar));
  }

  const RealImage real{{noise(40'000, 1), noise(3000, 2)}};
  TestImage image;
};

TEST_F(DiffIdTest, PlainTarsAreMadeOfWhatTheCacheHasByDiffIds) {
  put_tars();
  planning = true;
  for (int i = 0; i < 2; ++i, planning = false) {
    const ImageResult result = pull_through_cache();
    EXPECT_EQ(code_of(result), Errc{});
    EXPECT_EQ(result.sums().to_fetch(), 0U);
    EXPECT_EQ(result.sums().cached_layers, 2U);
    EXPECT_EQ(result.sums().bytes, real.layers[0].size() + real.layers[1].size());
  }
  expect_tars();
  EXPECT_THAT(requests_for(image), ElementsAre(0, 0));
  EXPECT_THAT(told, IsEmpty());
}

TEST_F(DiffIdTest, WhatTheCacheLacksIsFetched) {
  put(real.tars[1], real.tars[1]);
  const ImageResult result = pull_through_cache();
  EXPECT_EQ(result.sums().to_fetch(), real.layers[0].size());
  expect_tars();
  EXPECT_THAT(requests_for(image), ElementsAre(1, 0));
}

TEST_F(DiffIdTest, ALayerThatIsCompressedInAnotherWayServesToo) {
  for (const std::string& tar : real.tars) put(tar, zstd(tar));
  planning = true;
  EXPECT_EQ(pull_through_cache().sums().to_fetch(), 0U);
  planning = false;
  EXPECT_EQ(pull_one(with_temporary(reading())).sums().to_fetch(), 0U);
  expect_tars();
  EXPECT_THAT(requests_for(image), ElementsAre(0, 0));
}

TEST_F(DiffIdTest, WhatIsNotTheLayerAfterAllIsFetched) {
  put(real.tars[0], zstd("something else"));
  put(real.tars[1], real.tars[1]);
  write_text(cached(real.tars[1]), std::string(real.tars[1].size(), 'x'));
  for (const bool plan : {true, false}) {
    planning = plan;
    const ImageResult result = pull_through_cache();
    EXPECT_EQ(code_of(result), Errc{});
    EXPECT_EQ(result.sums().cached_layers, 0U);
  }
  expect_tars();
  EXPECT_THAT(requests_for(image), ElementsAre(1, 1));
  EXPECT_THAT(told,
              ElementsAre(HasSubstr("the cached blob " + Digest::of(real.tars[1]).short_string() + " is damaged")));
  EXPECT_FALSE(store().find_layer(Digest::of(real.tars[0])));
  EXPECT_TRUE(store().find(Digest::of(zstd("something else")), zstd("something else").size())) << "it is what it is";
}

TEST_F(DiffIdTest, ACacheForReadingMayHaveWhatIsNotTheLayer) {
  put(real.tars[0], zstd("something else"));
  put(real.tars[1], real.tars[1]);
  write_text(cached(real.tars[1]), std::string(real.tars[1].size(), 'x'));
  EXPECT_EQ(code_of(pull_one(with_temporary(reading()))), Errc{});
  expect_tars();
}

TEST_F(DiffIdTest, EachImageIsToldWhatPlainTarsWouldSave) {
  put_tars();
  request.uncompressed = false;
  for (const bool plan : {true, false}) {
    told.clear();
    planning = plan;
    const ImageResult result = pull_through_cache();
    EXPECT_EQ(result.sums().to_fetch(), real.layers[0].size() + real.layers[1].size());
    EXPECT_THAT(told, ElementsAre(HasSubstr("/a/b:latest: --uncompressed would save 43.")));
  }
  told.clear();
  pull_through_cache();
  EXPECT_THAT(told, IsEmpty()) << "the layers are there now";
}

TEST_F(DiffIdTest, OtherFormatsAreToldNothing) {
  put_tars();
  request.uncompressed = false;
  request.format = OutputFormat::oci_archive;
  pull_through_cache();
  EXPECT_THAT(told, IsEmpty());
}

TEST_F(DiffIdTest, WhatIsThereByDiffIdNeedsNoRoom) {
  put_tars();
  request.references.clear();
  const std::string size = "\"size\":" + std::to_string(real.layers[0].size());
  add_changed(image, "huge", size, "\"size\":" + std::to_string(std::uint64_t{15} << 40));
  request.output = "-";
  planning = true;
  EXPECT_EQ(code_of(pull_through_cache()), Errc{});
  std::filesystem::remove(cached(real.tars[0]));
  EXPECT_EQ(code_of(pull_through_cache()), Errc::disk_full);
}

/// A pull of an image whose first layer is where it is for.
class DeltaPullTest : public PipelineTest {
 protected:
  DeltaPullTest() {
    Have have{"old.tar"};
    have.layers.insert(Digest::of(image.layers[0]));
    request.without = {have};
  }

  const TestImage image = add(1);
};

TEST_F(DeltaPullTest, WhatIsThereIsNeitherFetchedNorWritten) {
  for (const bool cached : {false, true}) {
    const std::vector<std::size_t> before = requests_for(image);
    const ImageResult result = cached ? pull_through_cache() : pull_one({});
    ASSERT_FALSE(result.error) << result.error->what();
    EXPECT_EQ(requests_for(image)[0], before[0]);
    const std::string bytes = read_text(*request.output);
    EXPECT_THAT(bytes, AllOf(Not(HasSubstr(image.layers[0])), HasSubstr(image.layers[1]), HasSubstr(image.config)));
    const LayerSums sums = result.sums();
    EXPECT_EQ(sums.left_out_layers, 1U);
    EXPECT_EQ(sums.left_out_bytes, image.layers[0].size());
    EXPECT_EQ(sums.layers, 2U);
    EXPECT_THAT(result.left_out_for, ElementsAre("old.tar"));
    EXPECT_TRUE(result.for_docker);
  }
}

TEST_F(DeltaPullTest, TheConfigIsFetchedOnceIntoACache) {
  ASSERT_FALSE(pull_through_cache().error);
  EXPECT_EQ(registry.count("GET", "/v2/a/b/blobs/" + Digest::of(image.config).to_string()), 1U);
}

TEST_F(DeltaPullTest, TheCacheDoesNotCallItAnImageThatItHas) {
  ASSERT_FALSE(pull_through_cache().error);
  const BlobStore cache(directory / "cache");
  EXPECT_THAT(cache.images(), IsEmpty());
  EXPECT_TRUE(cache.get(Digest::of(image.manifest)));
}

TEST_F(DeltaPullTest, APlanSaysItAndWritesNothing) {
  planning = true;
  const ImageResult result = pull_one(with_temporary({}));
  ASSERT_FALSE(result.error) << result.error->what();
  EXPECT_EQ(result.sums().to_fetch(), image.layers[1].size() + image.layers[2].size());
  EXPECT_EQ(requests_for(image), std::vector<std::size_t>(3, 0));
}

TEST_F(DeltaPullTest, ItIsUpToDateAsADeltaAlone) {
  request.force = false;
  for (const bool uncompressed : {false, true}) {
    request.uncompressed = uncompressed;
    EXPECT_FALSE(pull_through_cache().up_to_date);
    EXPECT_TRUE(pull_through_cache().up_to_date);
    const std::vector<Have> without = std::exchange(request.without, {});
    EXPECT_FALSE(pull_through_cache().up_to_date);
    EXPECT_THAT(read_text(*request.output), HasSubstr(image.layers[0]));
    request.without = without;
  }
}

TEST_F(DeltaPullTest, ImagesThatAreThereAreLookedUp) {
  request.without = {Have{"old.lock"}};
  Reference there = request.references[0].reference;
  there.digest = image.manifest_digest();
  Reference gone = there;
  gone.digest = Digest::of("gone");
  request.without[0].images = {there, gone};
  ask_for("other");
  TestImage other = image;
  add_image(registry.content(), "a/b", "other", other);
  const std::vector<ImageResult> results = pull({});
  EXPECT_EQ(results[0].sums().left_out_layers, 3U);
  EXPECT_THAT(told, Contains(AllOf(HasSubstr("old.lock"), HasSubstr("not taken to be there"))));
}

TEST_F(DeltaPullTest, WhatAnEngineWouldRefuseIsNotWritten) {
  request.without[0].kind = Have::Kind::containerd;
  request.uncompressed = true;
  EXPECT_EQ(code_of(pull_through_cache()), Errc::usage);
  EXPECT_FALSE(std::filesystem::exists(*request.output));
}

TEST_F(PipelineTest, AStoppedRunAsksForNothing) {
  add(1);
  const auto results = pull({}, true);
  EXPECT_NE(code_of(results[0]), Errc{});
  EXPECT_THAT(told, IsEmpty());
  EXPECT_THAT(directory.names(), IsEmpty());
}

TEST(TemporaryStore, GoesWithItsObjectAndAllItHolds) {
  TempDir directory;
  {
    TemporaryStore temporary(directory.path());
    temporary.store.put(Digest::of("blob"), "blob");
    ASSERT_EQ(directory.names().size(), 1U);
    EXPECT_THAT(directory.names()[0], testing::StartsWith(".hawser."));
  }
  EXPECT_THAT(directory.names(), IsEmpty());
}

TEST(TemporaryStore, WhereThereIsNoPlaceForItThatIsSaid) {
  TempDir directory;
  const Failure failure = failure_of([&] { TemporaryStore temporary(directory / "nowhere"); });
  EXPECT_EQ(failure.code, Errc::disk);
  EXPECT_THAT(failure.text, HasSubstr((directory / "nowhere").string()));
}

}  // namespace
}  // namespace hawser::test
