// Whole pulls within the process, against a scripted registry: from references to outputs, and what is left in stores.
#include "pull/pull_run.hpp"

#include "cli/progress.hpp"
#include "image/manifest.hpp"
#include "pull/temporary_store.hpp"
#include "registry/registry_fixture.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class PullRunTest : public testing::Test {
 protected:
  PullRunTest() {
    command.access.plain_http = true;
    command.access.retries = 0;
    command.platform = Platform::parse("linux/amd64");
    command.output = (directory / "image.tar").string();
  }

  /// Puts the image of `seed` into the registry, and into those that are pulled.
  TestImage add(std::uint64_t seed, const std::string& tag = "latest") {
    TestImage image = make_image(seed, {40'000, 3'000, 200});
    add_image(registry.content(), "a/b", tag, image);
    ask_for(tag);
    return image;
  }
  void ask_for(const std::string& tag) { references.push_back(Reference::parse(registry.host() + "/a/b:" + tag)); }
  BlobStore cache(bool writable = true) { return BlobStore(directory / "cache", writable); }

  std::vector<ImageResult> pull(PullStores stores, bool stopped = false) {
    asio::io_context context;
    asio::thread_pool pool(2);
    Session session(context.get_executor(), command.access, 2, {}, nullptr, progress, log);
    PullRun run(context.get_executor(), pool, command, references, plan_outputs(command, references), session, stores,
                progress, log);
    if (stopped) run.stop();
    run_coroutine(context, run.run());
    pool.join();
    return run.results();
  }
  ImageResult pull_one(PullStores stores) { return pull(stores).at(0); }
  ImageResult pull_through_cache() {
    BlobStore store = cache();
    return pull_one({&store, &store});
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
  PullCommand command;
  std::vector<Reference> references;
  std::vector<std::string> told;
  TransferState progress;
  Log log{Log::Level::normal, [this](std::string_view line) { told.emplace_back(line); }};
};

TEST_F(PullRunTest, WhatWentThroughTheCacheIsNotFetchedAgain) {
  const TestImage image = add(1);
  for (int i = 0; i < 2; ++i) {
    const ImageResult result = pull_through_cache();
    EXPECT_EQ(result.exit, ExitCode::done) << result.error;
    EXPECT_EQ(result.digest, image.manifest_digest());
    EXPECT_EQ(result.output, *command.output);
    expect_holds(*command.output, image);
  }
  EXPECT_THAT(requests_for(image), ElementsAre(1, 1, 1));
  EXPECT_EQ(cache().images().size(), 1U);
}

TEST_F(PullRunTest, WithoutACacheTheTarTakesTheBlobs) {
  const TestImage image = add(1);
  EXPECT_EQ(pull_one({}).exit, ExitCode::done);
  expect_holds(*command.output, image);
  EXPECT_THAT(directory.names(), ElementsAre("image.tar"));
}

TEST_F(PullRunTest, ADamagedBlobOfTheCacheIsSetAsideAndFetchedAgain) {
  const TestImage image = add(1);
  pull_through_cache();
  write_text(cached(image.layers[0]), std::string(image.layers[0].size(), 'x'));
  EXPECT_EQ(pull_through_cache().exit, ExitCode::done);
  expect_holds(*command.output, image);
  EXPECT_THAT(told, Contains(HasSubstr("is damaged; it was moved to")));
  EXPECT_THAT(requests_for(image), ElementsAre(2, 1, 1));
}

TEST_F(PullRunTest, ADamagedBlobOfTheCacheCountsAsFetched) {
  const TestImage image = add(1);
  pull_through_cache();
  write_text(cached(image.layers[0]), std::string(image.layers[0].size(), 'x'));
  const auto expect_one_is_missing = [&](const LayerSums& sums) {
    EXPECT_EQ(sums.cached_layers, 2U);
    EXPECT_EQ(sums.cached_bytes, image.layers[1].size() + image.layers[2].size());
    EXPECT_EQ(sums.to_fetch(), image.layers[0].size());
  };
  command.dry_run = true;
  {
    BlobStore store = cache(false);
    expect_one_is_missing(pull_one({&store, nullptr}).sums());
  }
  command.dry_run = false;
  {
    BlobStore store = cache(false);
    expect_one_is_missing(pull_one({&store, nullptr}).sums());
  }
  expect_one_is_missing(pull_through_cache().sums());
  EXPECT_EQ(pull_through_cache().sums().cached_layers, 3U);
}

TEST_F(PullRunTest, WhatACacheForReadingLacksGoesThroughAStoreForTheCall) {
  const TestImage image = add(1);
  pull_through_cache();
  std::filesystem::remove(cached(image.layers[0]));
  write_text(cached(image.layers[1]), std::string(image.layers[1].size(), 'x'));
  command.format = OutputFormat::oci_dir;
  command.output = (directory / "layout").string();
  {
    BlobStore store = cache(false);
    TemporaryStore temporary(directory.path());
    const ImageResult result = pull_one({&store, &temporary.store()});
    EXPECT_EQ(result.exit, ExitCode::done) << result.error;
  }
  for (const std::string& content : {image.layers[0], image.layers[1], image.layers[2], image.config, image.manifest})
    EXPECT_EQ(read_text(directory / "layout" / "blobs" / "sha256" / Digest::of(content).hex()), content);
  EXPECT_THAT(requests_for(image), ElementsAre(2, 2, 1));
  EXPECT_FALSE(std::filesystem::exists(cached(image.layers[0])));
  EXPECT_THAT(directory.names(), ElementsAre("cache", "image.tar", "layout"));
}

TEST_F(PullRunTest, WhatACacheForReadingLacksGoesStraightIntoATar) {
  const TestImage image = add(1);
  pull_through_cache();
  std::filesystem::remove(cached(image.layers[0]));
  BlobStore store = cache(false);
  EXPECT_EQ(pull_one({&store, nullptr}).exit, ExitCode::done);
  expect_holds(*command.output, image);
  EXPECT_THAT(requests_for(image), ElementsAre(2, 1, 1));
}

TEST_F(PullRunTest, ALayoutTellsWhetherItHasImagesOfEarlierCalls) {
  add(1, "one");
  command.format = OutputFormat::oci_dir;
  command.output = (directory / "layout").string();
  const auto is_alone = [&] {
    TemporaryStore temporary(directory.path());
    return pull_one({nullptr, &temporary.store()}).alone;
  };
  EXPECT_TRUE(is_alone());
  EXPECT_TRUE(is_alone());  // in its own place
  references.clear();
  add(2, "two");
  EXPECT_FALSE(is_alone());
}

TEST_F(PullRunTest, AnImageThatIsNotThereDoesNotStopTheOthers) {
  const TestImage image = add(1);
  ask_for("nothing");
  command.output = directory.path().string();
  const auto results = pull({});
  EXPECT_EQ(results[0].exit, ExitCode::done);
  EXPECT_EQ(results[1].exit, ExitCode::not_found);
  EXPECT_THAT(told, Contains(HasSubstr("a/b:nothing")));
  ASSERT_EQ(directory.names().size(), 1U);
  expect_holds(directory / directory.names()[0], image);
}

TEST_F(PullRunTest, AnOutputOfSeveralIsNotWrittenWhereOneFails) {
  add(1);
  ask_for("nothing");
  const auto results = pull({});
  EXPECT_EQ(results[0].exit, ExitCode::not_found);
  EXPECT_THAT(results[0].error, HasSubstr("not written, since"));
  EXPECT_EQ(results[1].exit, ExitCode::not_found);
  EXPECT_THAT(results[1].error, HasSubstr("nothing"));
  EXPECT_THAT(directory.names(), IsEmpty());
}

TEST_F(PullRunTest, ADryRunFetchesNoLayerAndWritesNothing) {
  const TestImage image = add(1);
  command.dry_run = true;
  const ImageResult result = pull_one({});
  EXPECT_EQ(result.exit, ExitCode::done) << result.error;
  EXPECT_EQ(result.layers.size(), 3U);
  EXPECT_THAT(requests_for(image), ElementsAre(0, 0, 0));
  EXPECT_THAT(directory.names(), IsEmpty());
}

TEST_F(PullRunTest, ADryRunRefusesAnImageOfAnotherPlatform) {
  add(1);
  command.dry_run = true;
  command.platform = Platform::parse("linux/s390x");
  EXPECT_EQ(pull_one({}).exit, ExitCode::not_found);
}

TEST_F(PullRunTest, ADryRunRefusesWhatHasNoRoom) {
  const TestImage image = add(1);
  references.clear();
  const std::string size = "\"size\":" + std::to_string(image.layers[0].size());
  add_changed(image, "huge", size, "\"size\":" + std::to_string(std::uint64_t{15} << 40));
  command.dry_run = true;
  EXPECT_EQ(pull_one({}).exit, ExitCode::local_disk);  // in the output
  command.output = "-";
  EXPECT_EQ(pull_one({}).exit, ExitCode::done);
  PullStores stores;
  stores.rehearsed = directory.path();
  const ImageResult result = pull_one(stores);  // where the blobs would be
  EXPECT_EQ(result.exit, ExitCode::local_disk);
  EXPECT_THAT(result.error, HasSubstr("not enough space in " + directory.path().string()));
  EXPECT_THAT(directory.names(), IsEmpty());
}

TEST_F(PullRunTest, AnImageOfAnotherPlatformLeavesNoArchive) {
  add(1);
  command.platform = Platform::parse("linux/s390x");
  const ImageResult result = pull_one({});
  EXPECT_EQ(result.exit, ExitCode::not_found);
  EXPECT_FALSE(result.error.empty());
  EXPECT_THAT(directory.names(), IsEmpty());
}

TEST_F(PullRunTest, ForeignLayersNeedPermissionAndComeFromTheirUrls) {
  const TestImage image = make_image(1, {40'000, 3'000, 200});
  add_image(registry.content(), "a/b", "own", image);
  ScriptedRegistry elsewhere;
  elsewhere.on("GET", "/gone").reply_with(Reply::of(404));
  elsewhere.on("GET", "/layer").reply_with(Reply::of(200, image.layers[0]));
  add_changed(image, "foreign", R"("mediaType":"application/vnd.oci.image.layer.v1.tar")",
              R"("mediaType":"application/vnd.oci.image.layer.nondistributable.v1.tar","urls":[")" +
                  elsewhere.url("/gone") + "\",\"" + elsewhere.url("/layer") + "\"]");
  const ImageResult refused = pull_one({});
  EXPECT_EQ(refused.exit, ExitCode::other);
  EXPECT_THAT(refused.hint, HasSubstr("--allow-foreign-layers"));
  EXPECT_THAT(elsewhere.requests(), IsEmpty());
  command.allow_foreign_layers = true;
  const ImageResult result = pull_one({});
  EXPECT_EQ(result.exit, ExitCode::done) << result.error;
  EXPECT_THAT(read_text(*command.output), HasSubstr(image.layers[0]));
  EXPECT_EQ(elsewhere.count("GET", "/layer"), 1U);
}

TEST_F(PullRunTest, ABlobOfTwoSizesIsRefusedInOneOutput) {
  const TestImage image = add(1);
  const std::string size = "\"size\":" + std::to_string(image.layers[0].size());
  add_changed(image, "liar", size, size + "0");
  const auto results = pull({});
  EXPECT_EQ(results[1].exit, ExitCode::integrity);
  EXPECT_THAT(results[1].error, HasSubstr("two sizes"));
  EXPECT_THAT(directory.names(), IsEmpty());
}

TEST_F(PullRunTest, TwoImagesOfOneNameAreRefusedInOneOutput) {
  const TestImage one = add(1, "one");
  const TestImage two = make_image(2, {500});
  add_image(registry.content(), "a/b", "two", two);
  ask_for("one@" + two.manifest_digest().to_string());
  for (const bool dry_run : {true, false}) {
    command.dry_run = dry_run;
    told.clear();
    const auto results = pull({});
    EXPECT_EQ(results[0].exit, ExitCode::usage);
    EXPECT_EQ(results[1].exit, ExitCode::usage);
    for (const Reference& reference : references)
      EXPECT_THAT(told, Contains(HasSubstr(reference.to_string() + " "))) << dry_run;
    EXPECT_THAT(requests_for(one), ElementsAre(0, 0, 0));
    EXPECT_THAT(directory.names(), IsEmpty());
  }
  // In an output of its own each may have it.
  command.output = directory.path().string();
  for (const ImageResult& result : pull({})) EXPECT_EQ(result.exit, ExitCode::done) << result.error;
}

TEST_F(PullRunTest, OneImageTwiceUnderOneNameIsOne) {
  const TestImage image = add(1, "one");
  ask_for("one@" + image.manifest_digest().to_string());
  for (const ImageResult& result : pull({})) EXPECT_EQ(result.exit, ExitCode::done) << result.error;
  expect_holds(*command.output, image);
}

TEST_F(PullRunTest, AStoppedRunAsksForNothing) {
  add(1);
  const auto results = pull({}, true);
  EXPECT_NE(results[0].exit, ExitCode::done);
  EXPECT_THAT(told, IsEmpty());
  EXPECT_THAT(directory.names(), IsEmpty());
}

TEST(TemporaryStore, GoesWithItsObjectAndAllItHolds) {
  TempDir directory;
  {
    TemporaryStore temporary(directory.path());
    temporary.store().put(Digest::of("blob"), "blob");
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

namespace hawser {
namespace {

using testing::ElementsAre;

std::vector<Reference> references(const std::vector<std::string>& texts) {
  std::vector<Reference> result;
  for (const std::string& text : texts) result.push_back(Reference::parse(text));
  return result;
}

std::vector<std::string> paths_of(const std::vector<OutputPlan>& plans) {
  std::vector<std::string> result;
  for (const OutputPlan& plan : plans) result.push_back(plan.path);
  return result;
}

TEST(PlanOutputs, EachImageHasAFileUnderItsDefaultName) {
  const auto plans = plan_outputs({}, references({"nginx", "quay.io/a/b:1"}));
  EXPECT_THAT(paths_of(plans), ElementsAre("library_nginx_latest.tar", "quay.io_a_b_1.tar"));
  EXPECT_THAT(plans[0].images, ElementsAre(0));
  EXPECT_THAT(plans[1].images, ElementsAre(1));
}

TEST(PlanOutputs, ThePlatformThatWasAskedForIsInTheName) {
  PullCommand command;
  command.platform = Platform::parse("linux/arm64");
  EXPECT_THAT(paths_of(plan_outputs(command, references({"nginx"}))), ElementsAre("library_nginx_latest_arm64.tar"));
}

TEST(PlanOutputs, AFileOrStdoutTakesAllImages) {
  for (const std::string output : {"all.tar", "-"}) {
    PullCommand command;
    command.output = output;
    const auto plans = plan_outputs(command, references({"nginx", "redis"}));
    EXPECT_THAT(paths_of(plans), ElementsAre(output));
    EXPECT_THAT(plans[0].images, ElementsAre(0, 1));
  }
}

TEST(PlanOutputs, ADirectoryTakesAFileForEach) {
  const test::TempDir directory;
  PullCommand command;
  command.output = directory.path().string();
  EXPECT_THAT(paths_of(plan_outputs(command, references({"nginx", "redis"}))),
              ElementsAre((directory / "library_nginx_latest.tar").string(),
                          (directory / "library_redis_latest.tar").string()));
  command.output = "not/there/yet/";
  EXPECT_THAT(paths_of(plan_outputs(command, references({"nginx"}))),
              ElementsAre("not/there/yet/library_nginx_latest.tar"));
}

TEST(PlanOutputs, AnImageLayoutTakesAllImagesAndIsNamedWithoutExtension) {
  const test::TempDir directory;
  PullCommand command;
  command.format = OutputFormat::oci_dir;
  EXPECT_THAT(paths_of(plan_outputs(command, references({"nginx", "redis"}))),
              ElementsAre("library_nginx_latest", "library_redis_latest"));
  command.output = directory.path().string();
  const auto plans = plan_outputs(command, references({"nginx", "redis"}));
  EXPECT_THAT(paths_of(plans), ElementsAre(directory.path().string()));
  EXPECT_THAT(plans[0].images, ElementsAre(0, 1));
}

TEST(PlanOutputs, TagsTellImagesOfOneRepositoryApart) {
  const auto plans = plan_outputs({}, references({"nginx:1", "nginx:2"}));
  EXPECT_THAT(paths_of(plans), ElementsAre("library_nginx_1.tar", "library_nginx_2.tar"));
}

TEST(PlanOutputs, ATagWithDotsKeepsThemInALayoutsName) {
  PullCommand command;
  command.format = OutputFormat::oci_dir;
  EXPECT_THAT(paths_of(plan_outputs(command, references({"nginx:1.25.3"}))), ElementsAre("library_nginx_1.25.3"));
}

}  // namespace
}  // namespace hawser
