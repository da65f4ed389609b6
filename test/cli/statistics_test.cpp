#include "cli/statistics.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using testing::HasSubstr;
using testing::Not;

/// A layer of 25 MB that the cache has, one of 10 MB of which 1 MB is left to resume, and so on.
const PlannedLayer cached{Digest::of("cached"), 25'000'000, 25'000'000, true};
const PlannedLayer resumable{Digest::of("resumable"), 10'000'000, 1'000'000};
const PlannedLayer missing{Digest::of("missing"), 21'000'000};
const PlannedLayer attestation{Digest::of("attestation"), 2'000, 0, false, true};

PullStatistics sample() {
  PullStatistics statistics;
  ImageResult image;
  image.reference = "nginx:1.21";
  image.platforms = {"linux/amd64"};
  image.digest = Digest::of("manifest");
  image.output = "my images/nginx.tar";
  image.layers = {cached, resumable, missing};
  statistics.images.push_back(image);
  statistics.received = 30'000'000;
  statistics.resumed = 1'000'000;
  statistics.retries = 2;
  statistics.elapsed = std::chrono::seconds{3};
  return statistics;
}

TEST(Statistics, AnOutputInPartsIsNamedByThemAndJoined) {
  PullStatistics statistics = sample();
  statistics.images[0].parts = 12;
  std::string text = format_statistics(statistics);
  EXPECT_THAT(text, HasSubstr("saved to my images/nginx.tar.001 to my images/nginx.tar.012\n"
                              "  hawser join 'my images/nginx.tar.parts'\n"));
  EXPECT_THAT(text, Not(HasSubstr("docker load")));
  EXPECT_EQ(boost::json::parse(statistics_json(statistics)).at("images").at(0).at("parts").as_int64(), 12);
  statistics.images[0].parts = 1;
  EXPECT_THAT(format_statistics(statistics), HasSubstr("saved to my images/nginx.tar.001\n"));
  statistics.images.push_back(statistics.images[0]);
  statistics.images[1].output = "other.tar";
  statistics.images[1].parts = 2;
  EXPECT_THAT(format_statistics(statistics), HasSubstr("  other.tar.001 to other.tar.002\n"));
}

TEST(Statistics, TextSaysHitsPercentAndWhatWasSaved) {
  const std::string text = format_statistics(sample());
  EXPECT_THAT(text, HasSubstr("nginx:1.21 (linux/amd64): 3 layers, 56.0 MB, " + Digest::of("manifest").to_string()));
  EXPECT_THAT(text, HasSubstr("cache: 1 of 3 layers hit (33%), 25.0 MB saved\n"));
  EXPECT_THAT(text, HasSubstr("downloaded 30.0 MB in 3.0 s, 10.0 MB/s, 1.0 MB resumed, tried again 2 times\n"));
  EXPECT_THAT(text, HasSubstr("saved to my images/nginx.tar\n  docker load -i 'my images/nginx.tar'\n"));
}

TEST(Statistics, OfADeltaWhatWasLeftOut) {
  PullStatistics statistics = sample();
  statistics.delta = true;
  ImageResult& image = statistics.images[0];
  image.output = "app.delta.tar";
  image.left_out_for = {"old.tar"};
  image.layers[0].left_out = true;
  EXPECT_EQ(statistics.sums().to_fetch(), 30'000'000U);
  std::string text = format_statistics(statistics);
  EXPECT_THAT(text, HasSubstr("2 layers, 31.0 MB"));
  EXPECT_THAT(text, HasSubstr("left out: 1 layer, 25.0 MB, there by old.tar\n"));
  EXPECT_THAT(text, HasSubstr("saved to app.delta.tar\n  hawser apply app.delta.tar --with HAVE -o app.tar\n"
                              "  taken as it is, where the layers left out are, by docker load, podman load and ctr "
                              "image import\n"));
  EXPECT_THAT(text, Not(HasSubstr("docker load -i")));
  image.for_docker = false;
  EXPECT_THAT(format_statistics(statistics), HasSubstr(", by podman load and ctr image import\n"));
  statistics.uncompressed = true;
  EXPECT_THAT(format_statistics(statistics), Not(testing::AnyOf(HasSubstr("taken as it is"), HasSubstr("apply"))));
  image.for_docker = true;
  EXPECT_THAT(format_statistics(statistics), HasSubstr(", by docker load\n"));
  statistics.uncompressed = false;
  statistics.format = OutputFormat::oci_dir;
  image.output = "delta";
  EXPECT_THAT(format_statistics(statistics), HasSubstr("--with HAVE -o whole\n"));
  statistics.dry_run = true;
  EXPECT_THAT(format_statistics(statistics), HasSubstr("left out\n"));
  const auto json = boost::json::parse(statistics_json(statistics));
  EXPECT_EQ(json.at("left_out_bytes").to_number<int>(), 25'000'000);
  EXPECT_EQ(json.at("images").at(0).at("left_out_layers").to_number<int>(), 1);
}

TEST(Statistics, OfAFineDeltaWhatWasPatched) {
  PullStatistics statistics = sample();
  statistics.delta = true;
  statistics.images[0].output = "app.delta.tar";
  statistics.images[0].layers[0].patch = 1'500'000;
  const std::string text = format_statistics(statistics);
  EXPECT_THAT(text, HasSubstr("left out: 0 layers"));
  EXPECT_THAT(text, HasSubstr("patched: 1 layer, 1.5 MB instead of 25.0 MB\n"));
  EXPECT_THAT(text, Not(HasSubstr("taken as it is")));
  const auto json = boost::json::parse(statistics_json(statistics));
  for (const auto& sums : {json, json.at("images").at(0)}) {
    EXPECT_EQ(sums.at("patched_layers").to_number<int>(), 1);
    EXPECT_EQ(sums.at("patched_bytes").to_number<int>(), 25'000'000);
    EXPECT_EQ(sums.at("patch_bytes").to_number<int>(), 1'500'000);
  }
}

TEST(Statistics, ALayerThatOneOutputNeedsIsNotLeftOut) {
  PullStatistics statistics = sample();
  statistics.images.push_back(statistics.images[0]);
  statistics.images[0].layers[2].left_out = true;
  EXPECT_EQ(statistics.sums().left_out_layers, 0U);
  std::swap(statistics.images[0], statistics.images[1]);
  EXPECT_EQ(statistics.sums().left_out_layers, 0U);
}

TEST(Statistics, WhatWasAppliedWasNotDownloaded) {
  PullStatistics statistics = sample();
  statistics.applied = true;
  EXPECT_THAT(format_statistics(statistics), Not(testing::AnyOf(HasSubstr("downloaded"), HasSubstr("cache:"))));
}

TEST(Statistics, WhatCameFromWhereIsToldToWhoWantsDetails) {
  PullStatistics statistics = sample();
  SourceResult registry;
  registry.host = "registry.example";
  registry.is_registry = true;
  statistics.sources = {registry};
  statistics.verbose = true;
  EXPECT_THAT(format_statistics(statistics), Not(HasSubstr("from ")));  // nothing but the registry was asked
  SourceResult mirror;
  mirror.host = "mirror.example:5000";
  mirror.bytes = 30'000'000;
  mirror.configured_at = "--mirror";
  SourceResult down;
  down.host = "down.example";
  down.trouble = "refused";
  statistics.sources = {mirror, down, registry};
  EXPECT_THAT(format_statistics(statistics), HasSubstr("from mirror.example:5000: 30.0 MB (100%)\n"
                                                       "from down.example: 0 B (0%), left out: refused\n"
                                                       "from registry.example: 0 B (0%)\n"));
  statistics.verbose = false;
  EXPECT_THAT(format_statistics(statistics), Not(HasSubstr("from ")));
  EXPECT_THAT(statistics_json(statistics),
              HasSubstr(R"({"host":"mirror.example:5000","registry":false,"configured_at":"--mirror",)"
                        R"("bytes":30000000,"left_out":null})"));
  EXPECT_THAT(statistics_json(statistics), HasSubstr(R"("left_out":"refused")"));
}

TEST(Statistics, AnOutputOfSeveralImagesIsNamedOnce) {
  PullStatistics statistics = sample();
  statistics.images.push_back(statistics.images.front());
  const std::string text = format_statistics(statistics);
  EXPECT_EQ(text.find("saved to"), text.rfind("saved to"));
}

TEST(Statistics, EachFormatIsLoadedByItsOwnAndStandardOutputByNobody) {
  PullStatistics statistics = sample();
  statistics.format = OutputFormat::oci_archive;
  EXPECT_THAT(format_statistics(statistics), HasSubstr("  podman load -i 'my images/nginx.tar'\n"));
  statistics.format = OutputFormat::oci_dir;
  statistics.images.front().output = "/images/nginx";
  EXPECT_THAT(format_statistics(statistics), HasSubstr("  podman pull oci:/images/nginx\n"));
  statistics.images.push_back(statistics.images.front());
  EXPECT_THAT(format_statistics(statistics), Not(HasSubstr("podman")));
  statistics.images.pop_back();
  statistics.images.front().output = "-";
  EXPECT_THAT(format_statistics(statistics), Not(HasSubstr("saved to")));
}

TEST(Statistics, PodmanIsOfferedALayoutOnlyWhereItTakesIt) {
  PullStatistics statistics = sample();
  statistics.format = OutputFormat::oci_dir;
  ImageResult& image = statistics.images.front();
  const auto is_offered = [&](const std::string& path) {
    image.output = path;
    return format_statistics(statistics).find("podman pull oci:" + path + "\n") != std::string::npos;
  };
  for (const char* path : {"layout", "/srv/images/layout", "a/b.c_d__e---f", "127.0.0.1_5000_a_b_v1"})
    EXPECT_TRUE(is_offered(path)) << path;
  for (const char* path : {"Layout", "my layout", "./layout", "../layout", "layout/", "layout:1", "a@b", "a..b",
                           "-layout", "a+b", "\u00e4"})
    EXPECT_FALSE(is_offered(path)) << path;
  EXPECT_FALSE(is_offered(std::string(250, 'a')));
  image.alone = false;
  EXPECT_FALSE(is_offered("layout"));
}

ImageResult failure() {
  ImageResult failed;
  failed.reference = "gone:1";
  failed.error.emplace(Errc::not_found, "no such image \x1b[2J", "it is there for: linux/arm64");
  failed.told = true;
  failed.layers = {missing};
  return failed;
}

TEST(Statistics, FailuresAreListedAndDecideTheExitCode) {
  PullStatistics statistics = sample();
  EXPECT_EQ(statistics.exit(), ExitCode::done);
  statistics.images.push_back(failure());
  const std::string text = format_statistics(statistics);
  EXPECT_THAT(text, HasSubstr("\ngone:1                                    failed, exit code 4\n"));
  EXPECT_THAT(text, HasSubstr("1 of 2 images failed\n"));
  EXPECT_EQ(statistics.exit(), ExitCode::not_found);
  const auto document = boost::json::parse(statistics_json(statistics)).as_object();
  const auto& image = document.at("images").as_array().at(1).as_object();
  EXPECT_EQ(image.at("hint").as_string(), "it is there for: linux/arm64");
  EXPECT_TRUE(image.at("output").is_null());
}

TEST(Statistics, WhatTheLogHasNotSaidIsSaid) {
  PullStatistics statistics;
  statistics.images.push_back(failure());
  statistics.images.back().error.emplace(Errc::not_found, "not written, since other:1 failed");
  statistics.images.back().told = false;
  EXPECT_EQ(format_statistics(statistics), "gone:1: not written, since other:1 failed\n");
}

TEST(Statistics, WhereNothingCameOfItThereIsLittleToSay) {
  PullStatistics statistics;
  statistics.images.push_back(failure());
  EXPECT_EQ(format_statistics(statistics), "gone:1: failed\n");
  statistics.dry_run = true;
  EXPECT_EQ(format_statistics(statistics), "gone:1: failed\n");
}

TEST(Statistics, ADryRunListsTheLayersAndSaysWhatIsLeftToFetch) {
  PullStatistics statistics = sample();
  statistics.dry_run = true;
  const std::string text = format_statistics(statistics);
  EXPECT_THAT(text, HasSubstr("\n  " + cached.digest.to_string() + "   25.0 MB  cached\n  " +
                              resumable.digest.to_string() + "   10.0 MB  1.0 MB there, to be resumed\n  " +
                              missing.digest.to_string() + "   21.0 MB  to be fetched\n"));
  EXPECT_THAT(text, HasSubstr("to download: 30.0 MB, 1.0 MB are left by an earlier run\n"));
  EXPECT_THAT(text, Not(HasSubstr("saved to")));
  const auto document = boost::json::parse(statistics_json(statistics)).as_object();
  EXPECT_EQ(document.at("to_fetch_bytes").to_number<int>(), 30'000'000);
  EXPECT_EQ(document.at("resumed_bytes").to_number<int>(), 1'000'000);
}

TEST(Statistics, WhatImagesShareCountsOnce) {
  PullStatistics statistics = sample();
  statistics.dry_run = true;
  statistics.images.push_back(statistics.images.front());
  statistics.images.push_back(failure());  // is not fetched at all
  const std::string text = format_statistics(statistics);
  EXPECT_THAT(text, HasSubstr("cache: 1 of 3 layers hit (33%), 25.0 MB saved\n"));
  EXPECT_THAT(text, HasSubstr(missing.digest.to_string() + "   21.0 MB  as above\n"));
  EXPECT_THAT(text, HasSubstr("to download: 30.0 MB, "));
  EXPECT_THAT(text, HasSubstr("1 of 3 images failed\n"));
  EXPECT_EQ(statistics.sums().bytes, 56'000'000U);
}

TEST(Statistics, ManyPlatformsAreCountedAndAttestationsAreNoLayers) {
  PullStatistics statistics = sample();
  ImageResult& image = statistics.images.front();
  image.platforms = {"linux/amd64", "linux/arm64"};
  image.layers.push_back(attestation);
  EXPECT_THAT(format_statistics(statistics), HasSubstr("nginx:1.21 (2 platforms): 3 layers, 56.0 MB"));
  EXPECT_EQ(statistics.sums().to_fetch(), 30'002'000U);
  const auto document = boost::json::parse(statistics_json(statistics)).as_object();
  const auto& entry = document.at("images").as_array().at(0).as_object();
  EXPECT_EQ(entry.at("platform").as_string(), "");
  EXPECT_EQ(entry.at("platforms").as_array().size(), 2U);
}

TEST(Statistics, JsonHoldsTheSame) {
  const auto document = boost::json::parse(statistics_json(sample())).as_object();
  EXPECT_EQ(document.at("layers").to_number<int>(), 3);
  EXPECT_EQ(document.at("cached_layers").to_number<int>(), 1);
  EXPECT_EQ(document.at("to_fetch_bytes").to_number<int>(), 30'000'000);
  EXPECT_EQ(document.at("received_bytes").to_number<int>(), 30'000'000);
  EXPECT_EQ(document.at("bytes_per_second").to_number<int>(), 10'000'000);
  EXPECT_EQ(document.at("elapsed_seconds").to_number<double>(), 3.0);
  EXPECT_EQ(document.at("exit_code").to_number<int>(), 0);
  const auto& image = document.at("images").as_array().at(0).as_object();
  EXPECT_EQ(image.at("reference").as_string(), "nginx:1.21");
  EXPECT_EQ(image.at("platform").as_string(), "linux/amd64");
  EXPECT_EQ(image.at("digest").as_string(), Digest::of("manifest").to_string());
  EXPECT_EQ(image.at("output").as_string(), "my images/nginx.tar");
  EXPECT_TRUE(image.at("error").is_null());
}

TEST(Statistics, ShellQuoting) {
  EXPECT_EQ(shell_quoted("library_nginx_latest.tar"), "library_nginx_latest.tar");
  EXPECT_EQ(shell_quoted("a b"), "'a b'");
  EXPECT_EQ(shell_quoted("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_quoted("$(rm)"), "'$(rm)'");
  EXPECT_EQ(shell_quoted(""), "''");
  EXPECT_EQ(shell_quoted("-x.tar"), "'./-x.tar'");
}

}  // namespace
}  // namespace hawser
