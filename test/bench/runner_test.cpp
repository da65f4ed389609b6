#include "bench/runner.hpp"

#include "pull/state_directory.hpp"
#include "registry/registry_fixture.hpp"
#include "registry/registry_rule.hpp"
#include "support/temp_dir.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

namespace hawser::test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class BenchTest : public testing::Test {
 protected:
  BenchTest() {
    image = make_image(1, {400'000, 3'000});
    add_image(registry.content(), "a/b", "latest", image);
    request.references = {Reference::parse(registry.host() + "/a/b")};
    request.platform = Platform::parse("linux/amd64");
    request.access.plain_http = true;
    options.connections = {4};
    options.runs = 2;
  }

  /// Runs the bench, and what `prepared` says between its two steps; throws what it throws.
  void run(const std::function<void(Bench&)>& prepared = [](Bench&) {}) {
    boost::asio::io_context context;
    boost::asio::thread_pool pool(2);
    BenchWatcher watcher{on_status, [this](const std::string& line) { said += line + "\n"; }};
    bench = std::make_unique<Bench>(context.get_executor(), pool, request, options, watcher);
    std::exception_ptr failure;
    const auto task = [&]() -> boost::asio::awaitable<void> {
      co_await bench->prepare();
      prepared(*bench);
      co_await bench->run();
    };
    boost::asio::co_spawn(context, task(), [&](std::exception_ptr thrown) {
      failure = std::move(thrown);
      context.stop();
    });
    context.run();
    pool.join();
    result = bench->result();
    summary = summarize(result);
    if (failure) std::rethrow_exception(failure);
  }

  /// Makes a mirror of `server`.
  void ask_first(const ScriptedRegistry& server) {
    Endpoint endpoint;
    endpoint.host = server.host();
    endpoint.scheme = Endpoint::Scheme::http;
    endpoint.repository = "a/b";
    request.access.endpoints = [endpoint](const Reference& reference) {
      return std::vector<Endpoint>{endpoint, own_endpoint(reference)};
    };
  }

  ScriptedRegistry registry, mirror{{.content = registry.shared_content()}};
  TestImage image;
  PullRequest request;
  BenchOptions options;
  std::function<void(const std::string&)> on_status = [](const std::string&) {};
  std::unique_ptr<Bench> bench;
  std::string said;
  BenchResult result;
  BenchSummary summary;
};

TEST_F(BenchTest, EachRoundPullsWithEachSetting) {
  run();
  EXPECT_EQ(result.settings.size(), 2U);
  for (const auto& samples : result.samples) {
    ASSERT_EQ(samples.size(), 2U);
    EXPECT_EQ(samples[1].round, 2U);
    EXPECT_EQ(samples[0].bytes, image.config.size() + image.layers[0].size() + image.layers[1].size());
    EXPECT_GT(samples[0].seconds, 0);
    EXPECT_GT(samples[0].memory, 0U);
    EXPECT_TRUE(samples[0].first_byte);
  }
  EXPECT_EQ(result.downloaded, 5 * result.samples[0][0].bytes);
  EXPECT_EQ(result.counted_pulls, 6U);
  EXPECT_EQ(result.ended, "");
  EXPECT_EQ(result.samples[0][0].connections, 1U);
  const BenchSample& sample = result.samples[1][0];
  EXPECT_TRUE(sample.phases.resolve && sample.phases.connect && sample.phases.manifest && sample.phases.layers);
  EXPECT_FALSE(sample.phases.tls || sample.phases.token || sample.phases.redirect);
  EXPECT_EQ(result.samples[0][0].wasted, 0U) << "one connection asks for nothing twice";
  EXPECT_THAT(sample.storage, ElementsAre(registry.host()));
  EXPECT_TRUE(result.link.round_trip && result.link.loss);
  EXPECT_THAT(said, AllOf(HasSubstr("round 1 of 2, 4: "), HasSubstr("round 2 of 2, 1: ")));
}

TEST_F(BenchTest, ItsPullsUseNothingOfEachOther) {
  run();
  // The plan, the warm-up and four pulls: each asks for everything.
  EXPECT_EQ(registry.count("GET", "/v2/a/b/manifests/*"), 6U);
  EXPECT_GE(registry.count("GET", "/v2/a/b/blobs/" + Digest::of(image.layers[1]).to_string()), 5U);
}

TEST_F(BenchTest, ATarOfEachRunIsNotKept) {
  request.output = "tar";
  run();
  EXPECT_THAT(result.samples[1], SizeIs(2));
  EXPECT_EQ(result.ended, "");
}

TEST_F(BenchTest, AnImageThatIsNotThereIsToldAsSuch) {
  request.references = {Reference::parse(registry.host() + "/a/c")};
  EXPECT_EQ(code_of([&] { run(); }), Errc::not_found);
}

TEST_F(BenchTest, MoreThanTheBudgetIsRefusedBeforeALayerIsFetched) {
  options.max_bytes = 1'000'000;  // two pulls, but a warm-up and a round are three
  EXPECT_EQ(code_of([&] { run(); }), Errc::usage);
  EXPECT_EQ(registry.count("GET", "/v2/a/b/blobs/" + Digest::of(image.layers[0]).to_string()), 0U);
}

TEST_F(BenchTest, TheBudgetIsKept) {
  options.runs.reset();
  options.max_bytes = 5 * (image.config.size() + image.layers[0].size() + image.layers[1].size());
  run();
  EXPECT_EQ(result.rounds, 2U);
  EXPECT_THAT(result.warnings, SizeIs(1));
  EXPECT_THAT(result.warnings[0], HasSubstr("2 rounds only"));
  EXPECT_LE(result.downloaded, options.max_bytes);
}

TEST_F(BenchTest, ItEndsWhereTheRegistryWantsFewerRequests) {
  registry.on("GET", "/v2/a/b/manifests/*")
      .skip(4)
      .reply_with(Reply::error(429, "TOOMANYREQUESTS", "slow down").with("Retry-After", "60"));
  run();
  EXPECT_EQ(bench->failure().value().code(), Errc::rate_limited);
  EXPECT_THAT(result.ended, HasSubstr("the registry wants fewer requests"));
  EXPECT_EQ(result.samples[0].size() + result.samples[1].size(), 2U);
  EXPECT_EQ(registry.count("GET", "/v2/a/b/manifests/*"), 5U);  // and is asked no more
}

TEST_F(BenchTest, ItEndsWhenItsTimeIsOver) {
  options.runs = 1000;
  options.max_time = std::chrono::seconds(1);
  (void)failure_of([&] { run(); });  // a slow machine measures nothing in that time
  EXPECT_THAT(result.ended, HasSubstr("--max-time"));
  EXPECT_FALSE(bench->failure());
}

TEST_F(BenchTest, ThatNothingWasMeasuredIsAnError) {
  options.max_time = std::chrono::milliseconds(0);
  const Failure failure = failure_of([&] { run(); });
  EXPECT_EQ(failure.code, Errc::usage);
  EXPECT_THAT(failure.text, HasSubstr("nothing was measured: --max-time"));
  EXPECT_THAT(result.samples[0], IsEmpty());
}

TEST_F(BenchTest, StoppedItKeepsWhatThereIs) {
  run([](Bench& running) { running.stop(); });
  EXPECT_EQ(result.ended, "it was stopped");
  EXPECT_EQ(result.downloaded, 0U);
}

TEST_F(BenchTest, ThatTheFirstPullFailsIsAnError) {
  request.access.retries = 0;
  registry.on("GET", "/v2/a/b/blobs/" + Digest::of(image.layers[0]).to_string())
      .reply_with(Reply::error(404, "BLOB_UNKNOWN", "gone"));
  EXPECT_EQ(code_of([&] { run(); }), Errc::not_found);
}

TEST_F(BenchTest, APullThatFailsLaterIsLeftOutAndThreeAreTheEnd) {
  request.access.retries = 0;
  options.runs = 4;
  registry.on("GET", "/v2/a/b/manifests/*").skip(4).reply_with(Reply::error(404, "MANIFEST_UNKNOWN", "gone"));
  run();
  EXPECT_EQ(result.samples[0].size() + result.samples[1].size(), 2U);
  EXPECT_THAT(result.warnings, SizeIs(3));
  EXPECT_THAT(result.ended, HasSubstr("failed"));
  EXPECT_EQ(bench->failure().value().code(), Errc::not_found);
}

TEST_F(BenchTest, WhereNoPullOfARoundSucceedsItsFailureIsTheError) {
  request.access.retries = 0;
  std::size_t asked = 0;
  registry.on("GET", "/v2/a/b/manifests/*").reply_with([&](const ScriptedRequest&) {
    return ++asked > 2 ? Reply::error(403, "DENIED", "no more")
                       : Reply::of(200, image.manifest, "application/vnd.oci.image.manifest.v1+json");
  });
  for (const std::size_t runs : {1, 2}) {  // fewer failures than end it, and as many
    asked = 0;
    options.runs = runs;
    EXPECT_EQ(code_of([&] { run(); }), Errc::forbidden);
    EXPECT_THAT(result.warnings, SizeIs(runs == 1 ? 2 : 3));
  }
}

TEST_F(BenchTest, AFailureOfThisSideIsAnError) {
  const TempDir directory;
  ::setenv("TMPDIR", directory.path().c_str(), 1);
  request.output = "tar";
  on_status = [&](const std::string& status) {
    if (!status.starts_with("round 2")) return;
    for (const std::string& name : directory.names()) std::filesystem::remove_all(directory / name);
  };
  const Errc code = code_of([&] { run(); });
  ::unsetenv("TMPDIR");
  EXPECT_EQ(code, Errc::disk);
  EXPECT_THAT(result.samples[0], SizeIs(1));
}

TEST_F(BenchTest, ALimitOfPullsIsWarnedOf) {
  registry.on("HEAD", "/v2/a/b/manifests/*")
      .reply_with(Reply::of(200).with("ratelimit-limit", "100;w=21600").with("ratelimit-remaining", "3;w=21600"));
  run();
  ASSERT_THAT(result.warnings, SizeIs(1));
  EXPECT_THAT(result.warnings[0], AllOf(HasSubstr("3 left"), HasSubstr("makes 5 pulls")));
}

TEST_F(BenchTest, ALimitThatIsNotToldIsNotWaitedFor) {
  request.access.stall_timeout = std::chrono::milliseconds(500);
  registry.expect("HEAD", "/v2/a/b/manifests/*").reply_with(Reply::error(500, "UNKNOWN", "broken"));
  run();
  EXPECT_EQ(registry.count("HEAD", "/v2/a/b/manifests/*"), 1U);
  registry.expect("HEAD", "/v2/a/b/manifests/*").with_fault([](Reply& reply) { reply.stall_after = 0; });
  run();
  EXPECT_EQ(registry.count("HEAD", "/v2/a/b/manifests/*"), 2U);
  EXPECT_THAT(result.samples[0], SizeIs(2));
}

TEST_F(BenchTest, ARegistryThatMayNotBeAskedIsNot) {
  ask_first(mirror);
  request.access.no_origin = true;
  run();
  EXPECT_THAT(result.samples[0], SizeIs(2));
  EXPECT_EQ(registry.connections_accepted(), 0U);
}

TEST_F(BenchTest, WhatIsRecommendedIsKeptForTheOriginOfTheLayers) {
  options.runs = 4;
  run();
  const TempDir state;
  EXPECT_THAT(bench->save(summary, state.path().string()),
              AllOf(HasSubstr("kept for the next pulls: " + registry.url("")), HasSubstr("connection")));
  StateDirectory kept(state.path());
  const Origin origin = Origin::from_host(registry.host(), false);
  EXPECT_EQ(kept.recall(origin).preferred, *result.settings[*summary.recommended].connections);
}

TEST_F(BenchTest, WhatIsRecommendedIsKeptForAMirrorThatHadTheLayers) {
  ask_first(mirror);
  options.runs = 4;
  run();
  const TempDir state;
  EXPECT_THAT(bench->save(summary, state.path().string()), HasSubstr("kept for the next pulls: " + mirror.url("")));
  StateDirectory kept(state.path());
  EXPECT_EQ(kept.recall(mirror.origin()).preferred, *result.settings[*summary.recommended].connections);
  EXPECT_EQ(kept.recall(mirror.origin()).storage, mirror.origin());
  EXPECT_EQ(kept.recall(registry.origin()), OriginNote());
}

TEST_F(BenchTest, ItsRoundTripsAreThoseOfWhoHadTheLayers) {
  const TestCa ca;
  const ScriptedRegistry with_tls(
      {.certificate = ca.issue(CertificateKind::valid), .content = registry.shared_content()});
  request.references = {Reference::parse(with_tls.host() + "/a/b")};
  request.access.plain_http = false;
  request.access.tls.ca_files = {ca.file().string()};
  run();
  EXPECT_EQ(result.link.round_trips, 4U);  // TCP, TLS, manifest, layer
  ask_first(mirror);
  run();
  EXPECT_EQ(result.link.round_trips, 3U);
}

TEST_F(BenchTest, NothingIsKeptOfTooFewRounds) {
  const TempDir state;
  options.runs = 3;
  run();
  EXPECT_THAT(bench->save(summary, state.path().string()), HasSubstr("nothing was kept: fewer than 4 rounds"));
  EXPECT_THAT(bench->save(BenchSummary(), state.path().string()), HasSubstr("nothing was kept: nothing was measured"));
  EXPECT_THAT(state.names(), IsEmpty());
}

TEST_F(BenchTest, NothingIsKeptWhereFailuresEndedIt) {
  const TempDir state;
  options.runs = 6;
  registry.on("GET", "/v2/a/b/manifests/*").skip(2 + 2 * 4).reply_with(Reply::error(404, "MANIFEST_UNKNOWN", "gone"));
  run();
  EXPECT_THAT(result.samples[0], SizeIs(4));
  EXPECT_THAT(bench->save(summary, state.path().string()), AllOf(HasSubstr("nothing was kept"), HasSubstr("failed")));
  EXPECT_THAT(state.names(), IsEmpty());
}

}  // namespace
}  // namespace hawser::test
