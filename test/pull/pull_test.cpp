// The library's face: what a program that embeds it sees.
#include "registry/registry_fixture.hpp"
#include "store/blob_store.hpp"
#include "support/temp_dir.hpp"

#include <hawser/pull/pull.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>

namespace hawser::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Counter : TransferObserver {
  void blob_planned(const Digest&, std::uint64_t size, std::uint64_t) override { planned += size; }
  void blob_progress(const Digest&, std::uint64_t bytes) override { arrived += bytes; }
  std::uint64_t planned = 0, arrived = 0;
};

class PullTest : public testing::Test {
 protected:
  PullTest() {
    image = make_image(1, {40'000, 3'000});
    add_image(registry.content(), "a/b", "latest", image);
    request.references = {Reference::parse(registry.host() + "/a/b")};
    request.platform = Platform::parse("linux/amd64");
    request.output = (directory / "image.tar").string();
    request.cache_directory = (directory / "cache").string();
    request.access.plain_http = true;
    request.access.retries = 0;
  }
  std::uint64_t layer_bytes() const { return image.layers[0].size() + image.layers[1].size(); }
  Failure failure() {
    return failure_of([&] { pull(request, counter); });
  }

  TempDir directory;
  ScriptedRegistry registry;
  TestImage image;
  PullRequest request;
  Counter counter;
};

TEST_F(PullTest, AnObserverSeesTheBytesOfAPullArrive) {
  const auto results = pull(request, counter);
  ASSERT_EQ(results.size(), 1U);
  EXPECT_FALSE(results[0].error);
  EXPECT_EQ(results[0].digest, image.manifest_digest());
  EXPECT_EQ(counter.arrived, image.config.size() + layer_bytes());
  EXPECT_EQ(counter.arrived, counter.planned);
  EXPECT_THAT(directory.names(), ElementsAre("cache", "image.tar"));
}

TEST_F(PullTest, APullIntoNothingHashesAllAndWritesNothing) {
  request.format = OutputFormat::nothing;
  request.cache_directory.clear();
  const auto results = pull(request, counter);
  EXPECT_FALSE(results.at(0).error);
  EXPECT_EQ(results[0].output, "");
  EXPECT_EQ(counter.arrived, image.config.size() + layer_bytes());
  EXPECT_GT(results[0].held, 0U);
  EXPECT_THAT(directory.names(), IsEmpty());
}

TEST_F(PullTest, AWrongBlobOfAPullIntoNothingIsAnError) {
  request.format = OutputFormat::nothing;
  request.cache_directory.clear();
  std::string wrong = image.layers[0];
  wrong[100] ^= 1;
  registry.on("GET", "/v2/a/b/blobs/" + Digest::of(image.layers[0]).to_string()).reply_with(Reply::of(200, wrong));
  const auto results = pull(request, counter);
  ASSERT_TRUE(results.at(0).error);
  EXPECT_EQ(results[0].error->code(), Errc::digest_mismatch);
}

TEST_F(PullTest, NothingIsLeftOfAPullThatIsOver) {
  // A mirror that says nothing is waited for for 3 s; its answer would come after the pull.
  ScriptedRegistry silent;
  Reply late = Reply::of(200);
  late.delay = std::chrono::seconds(10);
  silent.on("GET", "*").reply_with(late);
  request.access.endpoints = [&](const Reference& reference) {
    Endpoint mirror, origin;
    mirror.host = silent.host();
    origin.host = registry.host();
    origin.is_registry = true;
    mirror.scheme = origin.scheme = Endpoint::Scheme::http;
    mirror.repository = origin.repository = reference.path;
    return std::vector<Endpoint>{mirror, origin};
  };
  boost::asio::io_context context;
  boost::asio::thread_pool pool(2);
  auto running = std::make_unique<Pull>(context.get_executor(), pool, request, counter);
  boost::asio::co_spawn(context, running->run(), [&](const std::exception_ptr&) {
    EXPECT_FALSE(running->results().at(0).error);
    running.reset();
  });
  context.run();
  EXPECT_FALSE(running);
  pool.join();
}

TEST_F(PullTest, APlanSaysWhatIsToBeFetchedAndWritesNothing) {
  EXPECT_EQ(plan(request).at(0).sums().to_fetch(), layer_bytes());
  EXPECT_THAT(directory.names(), IsEmpty());
  pull(request, counter);
  EXPECT_EQ(plan(request).at(0).sums().to_fetch(), 0U);
}

TEST_F(PullTest, WhatFailsIsInTheResultOfItsImage) {
  request.references[0] = Reference::parse(registry.host() + "/a/b:nothing");
  const auto results = pull(request, counter);
  ASSERT_TRUE(results.at(0).error);
  EXPECT_EQ(results[0].error->code(), Errc::not_found);
}

TEST_F(PullTest, CredentialsAreAskedForByTheRegistrysName) {
  registry.auth().require_basic("me", "hush99");
  std::string asked;
  request.access.credentials = [&](const std::string& name) {
    asked = name;
    return Logins{{{{}, {"me", "hush99", {}}}}, {}};
  };
  EXPECT_FALSE(pull(request, counter).at(0).error);
  EXPECT_EQ(asked, registry.host());
}

TEST_F(PullTest, TheCacheItselfIsNoOutput) {
  std::filesystem::create_directory_symlink("cache", directory / "link");
  request.format = OutputFormat::oci_dir;
  for (const char* name : {"cache", "cache/", "link", "nowhere/../cache/."}) {
    request.output = (directory / name).string();
    for (const bool there : {false, true}) {
      if (there)
        BlobStore(directory / "cache");
      else if (name == std::string("link"))
        continue;  // to nothing
      const Failure refused = failure();
      EXPECT_EQ(refused.code, Errc::usage) << name;
      EXPECT_THAT(refused.text, HasSubstr("the cache itself"));
      EXPECT_EQ(failure_of([&] { plan(request); }).code, Errc::usage);
    }
    std::filesystem::remove_all(directory / "cache");
  }
  request.output = (directory / "layout").string();
  EXPECT_EQ(failure().code, Errc{});
}

TEST_F(PullTest, AttackNoListWritesIntoTheCache) {
  request.output = directory.path().string();
  EXPECT_EQ(failure().code, Errc{});
  const std::string blob = "blobs/sha256/" + image.manifest_digest().hex();
  for (const std::string& file : {std::string("oci-layout"), std::string("index.json"), blob}) {
    const std::string before = read_text(directory / "cache" / file);
    request.force = true;
    request.references[0].output = "cache/" + file;
    EXPECT_EQ(failure().code, Errc::usage) << file;
    EXPECT_EQ(read_text(directory / "cache" / file), before);
  }
}

TEST_F(PullTest, AttackLinksInTheOutputDirectoryAreReplaced) {
  std::filesystem::create_directory(directory / "shared");
  write_text(directory / "victim", "precious");
  request.output = (directory / "shared").string();
  const std::string name = pull(request, counter).at(0).output;
  for (const OutputFormat format : {OutputFormat::docker_archive, OutputFormat::oci_archive}) {
    std::filesystem::remove(name);
    std::filesystem::create_symlink("../victim", name);
    request.format = format;
    EXPECT_FALSE(pull(request, counter).at(0).error);
    EXPECT_TRUE(std::filesystem::is_regular_file(std::filesystem::symlink_status(name)));
  }
  EXPECT_EQ(read_text(directory / "victim"), "precious");
}

TEST_F(PullTest, ACacheThatCannotBeMadeIsAnError) {
  write_text(directory / "file", "");
  request.cache_directory = (directory / "file/cache").string();
  EXPECT_EQ(failure().code, Errc::disk);
  EXPECT_THAT(directory.names(), ElementsAre("file"));
}

}  // namespace
}  // namespace hawser::test
