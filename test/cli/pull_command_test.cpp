// Pulls, from the parsed command line to their exit code and what they print.
#include "cli/commands.hpp"
#include "registry/registry_fixture.hpp"
#include "support/temp_dir.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>

#include <boost/json.hpp>
#include <fcntl.h>
#include <unistd.h>

namespace hawser::test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class RegistryCommandTest : public testing::Test {
 protected:
  RegistryCommandTest() {
    image = make_image(1, {40'000, 3'000});
    add_image(registry.content(), "a/b", "latest", image);
    pull.words = {registry.host() + "/a/b"};
    pull.platform = Platform::parse("linux/amd64");
    pull.cache_directory = (directory / "cache").string();
    pull.output = (directory / "image.tar").string();
    pull.access.plain_http = true;
    pull.access.retries = 0;
    pull.quiet = true;
  }

  /// What `action` writes to standard output.
  std::string printed(const std::function<void()>& action) const {
    std::fflush(stdout);
    const int before = ::dup(STDOUT_FILENO);
    const int file = ::open((directory / "stdout").c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ::dup2(file, STDOUT_FILENO);
    ::close(file);
    action();
    std::fflush(stdout);
    ::dup2(before, STDOUT_FILENO);
    ::close(before);
    std::string text = read_text(directory / "stdout");
    std::filesystem::remove(directory / "stdout");
    return text;
  }
  Failure pull_failure() {
    return failure_of([&] { run_pull_command(pull, {}); });
  }

  TempDir directory;
  ScriptedRegistry registry;
  TestImage image;
  Command pull;
};

TEST_F(RegistryCommandTest, QuietPullsWriteTheirFileAlone) {
  EXPECT_THAT(printed([&] { EXPECT_EQ(run_pull_command(pull, {}), ExitCode::done); }), IsEmpty());
  EXPECT_THAT(read_text(*pull.output), HasSubstr(image.layers[0]));
  EXPECT_THAT(directory.names(), ElementsAre("cache", "image.tar"));
}

TEST_F(RegistryCommandTest, ThePullsResultIsJsonOnRequest) {
  pull.json = true;
  const std::string text = printed([&] { EXPECT_EQ(run_pull_command(pull, {}), ExitCode::done); });
  const auto document = boost::json::parse(text);
  EXPECT_EQ(document.at("exit_code").to_number<int>(), 0);
  EXPECT_EQ(document.at("images").at(0).at("digest").as_string(), image.manifest_digest().to_string());
}

TEST_F(RegistryCommandTest, WithoutACacheAStoreForTheCallIsUsedAndRemoved) {
  pull.use_cache = false;
  pull.format = OutputFormat::oci_dir;
  pull.output = (directory / "layout").string();
  EXPECT_EQ(run_pull_command(pull, {}), ExitCode::done);
  EXPECT_THAT(directory.names(), ElementsAre("layout"));
}

TEST_F(RegistryCommandTest, AnArchiveOnStandardOutputIsAllThatIsThere) {
  pull.output = "-";
  const std::string text = printed([&] { EXPECT_EQ(run_pull_command(pull, {}), ExitCode::done); });
  EXPECT_THAT(text, HasSubstr(image.layers[1]));
  EXPECT_EQ(text.size() % 512, 0U);
}

TEST_F(RegistryCommandTest, AnArchiveDoesNotGoToATerminal) {
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  ASSERT_GE(terminal, 0);
  ASSERT_EQ(::grantpt(terminal) + ::unlockpt(terminal), 0);
  const int its_other_end = ::open(::ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
  ASSERT_GE(its_other_end, 0);
  pull.output = "-";
  for (const bool dry_run : {false, true}) {
    pull.dry_run = dry_run;
    std::fflush(stdout);
    const int before = ::dup(STDOUT_FILENO);
    ::dup2(its_other_end, STDOUT_FILENO);
    const Failure failure = pull_failure();
    ::dup2(before, STDOUT_FILENO);
    ::close(before);
    EXPECT_EQ(failure.code, Errc::usage);
    EXPECT_THAT(failure.text, HasSubstr("terminal"));
    EXPECT_THAT(failure.hint, HasSubstr("docker load"));
  }
  ::close(its_other_end);
  ::close(terminal);
  EXPECT_THAT(registry.requests(), IsEmpty());
  EXPECT_THAT(directory.names(), IsEmpty());
}

TEST_F(RegistryCommandTest, ADryRunMakesNoCache) {
  pull.dry_run = true;
  EXPECT_EQ(run_pull_command(pull, {}), ExitCode::done);
  EXPECT_THAT(directory.names(), IsEmpty());
}

TEST_F(RegistryCommandTest, ADryRunRefusesACacheThatCanNotBeMade) {
  write_text(directory / "file", "");
  pull.cache_directory = (directory / "file/below/cache").string();
  for (const bool dry_run : {true, false}) {
    pull.dry_run = dry_run;
    const Failure failure = pull_failure();
    EXPECT_EQ(failure.code, Errc::disk);
    EXPECT_THAT(failure.text, HasSubstr("file"));
    EXPECT_THAT(failure.hint, HasSubstr("--cache-dir"));
  }
  pull.dry_run = true;
  pull.cache_directory = (directory / "not/there/yet").string();
  EXPECT_EQ(run_pull_command(pull, {}), ExitCode::done);
  EXPECT_THAT(directory.names(), ElementsAre("file"));
}

TEST_F(RegistryCommandTest, ACacheThatIsSomethingElseIsAnErrorWithAHint) {
  std::filesystem::create_directory(directory / "cache");
  write_text(directory / "cache" / "diary", "precious");
  const Failure failure = pull_failure();
  EXPECT_EQ(failure.code, Errc::disk);
  EXPECT_THAT(failure.hint, HasSubstr("--cache-dir"));
  EXPECT_THAT(registry.requests(), IsEmpty());
}

TEST_F(RegistryCommandTest, TarsAreImportedIntoACacheAlone) {
  EXPECT_EQ(run_pull_command(pull, {}), ExitCode::done);
  pull.import_tars = {*pull.output};
  pull.output = (directory / "second.tar").string();
  pull.cache_directory = (directory / "other").string();
  const std::size_t before = registry.count("GET", "/v2/a/b/blobs/*");
  EXPECT_EQ(run_pull_command(pull, {}), ExitCode::done);
  EXPECT_EQ(registry.count("GET", "/v2/a/b/blobs/*"), before);
  pull.use_cache = false;
  EXPECT_EQ(pull_failure().code, Errc::disk);
}

TEST_F(RegistryCommandTest, ADeltaDoesNotReplaceWhatItIsMadeAgainst) {
  EXPECT_EQ(run_pull_command(pull, {}), ExitCode::done);
  const std::string whole = read_text(*pull.output);
  pull.haves = {*pull.output};
  EXPECT_EQ(pull_failure().code, Errc::usage);
  EXPECT_EQ(read_text(*pull.output), whole);
  pull.output = (directory / "delta.tar").string();
  EXPECT_EQ(run_pull_command(pull, {}), ExitCode::done);
  EXPECT_LT(std::filesystem::file_size(*pull.output), whole.size() / 2);
  pull.haves = {(directory / "nowhere").string()};
  EXPECT_EQ(pull_failure().code, Errc::disk);
}

TEST_F(RegistryCommandTest, AnImageThatIsNotThereIsItsExitCode) {
  pull.words = {registry.host() + "/a/b:nothing"};
  EXPECT_EQ(run_pull_command(pull, {}), ExitCode::not_found);
  EXPECT_FALSE(std::filesystem::exists(*pull.output));
}

TEST_F(RegistryCommandTest, AttackAnEchoedSecretIsShownByNoErrorAndNoResult) {
  const std::string password = "hush99";
  registry.auth().require_basic("me", password);
  registry.content().add_manifest("a/b", "echo", R"({"schemaVersion":2,"mediaType":"application/hush99"})",
                                  "application/vnd.oci.image.manifest.v1+json");
  pull.words = {registry.host() + "/a/b:echo"};
  pull.username = "me";
  const Failure failure = failure_of([&] { run_inspect_command(pull, {password}); });
  EXPECT_THAT(failure.text, AllOf(HasSubstr("application/***"), Not(HasSubstr(password))));
  for (const bool json : {false, true}) {
    for (const bool quiet : {false, true}) {
      pull.json = json;
      pull.quiet = quiet;
      testing::internal::CaptureStderr();
      const std::string out = printed([&] { run_pull_command(pull, {password}); });
      const std::string all = testing::internal::GetCapturedStderr() + out;
      EXPECT_THAT(all, AllOf(HasSubstr("application/***"), Not(HasSubstr(password))));
      EXPECT_EQ(out.find("application/***") != std::string::npos, json);
    }
  }
}

/// What a pull writes of its traffic.
class PullTrafficTest : public RegistryCommandTest {
 protected:
  PullTrafficTest() {
    pull.timeline = (directory / "pull.json").string();
    pull.trace_http = (directory / "pull.har").string();
  }

  boost::json::value timeline() const { return boost::json::parse(read_text(pull.timeline)); }
  boost::json::array entries() const {
    return boost::json::parse(read_text(pull.trace_http)).at("log").at("entries").as_array();
  }
  /// How often something was asked for with such a status.
  std::ptrdiff_t count(const boost::json::value& document, std::string_view purpose, int status) const {
    return std::ranges::count_if(document.at("exchanges").as_array(), [&](const boost::json::value& exchange) {
      const auto* const is = exchange.as_object().if_contains("purpose");
      const auto* const got = exchange.as_object().if_contains("status");
      return is && is->as_string() == purpose && got && got->to_number<int>() == status;
    });
  }
};

TEST_F(PullTrafficTest, ATimelineSaysWhatWasAskedForAndWhatCame) {
  registry.auth().require_token(registry.url("/token"));
  EXPECT_EQ(run_pull_command(pull, {}), ExitCode::done);
  const auto document = timeline();
  EXPECT_EQ(document.at("kind").as_string(), "timeline");
  EXPECT_EQ(document.at("images").at(0).as_string(), registry.host() + "/a/b:latest");
  EXPECT_EQ(document.at("exit_code").to_number<int>(), 0);
  EXPECT_EQ(count(document, "token", 200), 1);
  EXPECT_EQ(count(document, "manifest", 200), 1);
  EXPECT_EQ(count(document, "config", 200), 1);
  EXPECT_GE(count(document, "layer", 200) + count(document, "layer", 206), 2);
  const auto& arrivals = document.at("arrivals").as_array();
  EXPECT_GE(arrivals.back().at(1).to_number<std::size_t>(),
            image.config.size() + image.layers[0].size() + image.layers[1].size());
  const double elapsed = document.at("elapsed").to_number<double>();
  for (const auto& exchange : document.at("exchanges").as_array())
    EXPECT_LE(exchange.at("ended").to_number<double>(), elapsed + 1e-6);
  for (const auto& connection : document.at("connections").as_array())
    EXPECT_TRUE(connection.as_object().contains("ended"));
  EXPECT_EQ(entries().size(), document.at("exchanges").as_array().size());
}

TEST_F(PullTrafficTest, BothAreWrittenOfAPullThatFails) {
  pull.words = {registry.host() + "/a/b:nothing"};
  EXPECT_EQ(run_pull_command(pull, {}), ExitCode::not_found);
  EXPECT_EQ(timeline().at("exit_code").to_number<int>(), 4);
  EXPECT_EQ(timeline().at("images").at(0).as_string(), registry.host() + "/a/b:nothing");
  EXPECT_EQ(count(timeline(), "manifest", 404), 1);
  EXPECT_FALSE(entries().empty());
  EXPECT_THAT(directory.names(), Not(testing::Contains(HasSubstr("partial"))));
}

TEST_F(PullTrafficTest, BothAreWrittenOfAPullThatCannotBegin) {
  pull.access.tls.ca_files = {(directory / "nowhere").string()};
  EXPECT_EQ(pull_failure().code, Errc::usage);
  EXPECT_EQ(timeline().at("exit_code").to_number<int>(), 2);
  EXPECT_TRUE(entries().empty());
}

TEST_F(PullTrafficTest, AFileThatIsAnotherOneOfThePullIsRefusedAndLeftAlone) {
  pull.lists = {(directory / "list").string()};
  write_text(pull.lists[0], registry.host() + "/a/b\n");
  const std::string list = read_text(pull.lists[0]);
  for (std::string* path : {&pull.timeline, &pull.trace_http}) {
    const std::string before = std::exchange(*path, pull.lists[0]);
    EXPECT_EQ(pull_failure().code, Errc::usage);
    EXPECT_EQ(read_text(pull.lists[0]), list);
    *path = before;
  }
  pull.trace_http = pull.timeline;
  EXPECT_EQ(pull_failure().code, Errc::usage);
  pull.trace_http = *pull.output;
  write_text(*pull.output, "something");
  EXPECT_EQ(pull_failure().code, Errc::usage);
  EXPECT_EQ(read_text(*pull.output), "something");
  EXPECT_EQ(registry.requests().size(), 0U);
}

TEST_F(PullTrafficTest, APageHasTheTimelineInIt) {
  pull.timeline = (directory / "pull.html").string();
  EXPECT_EQ(run_pull_command(pull, {}), ExitCode::done);
  EXPECT_THAT(read_text(pull.timeline), AllOf(HasSubstr("<!DOCTYPE html>"), HasSubstr("\"kind\":\"timeline\""),
                                              HasSubstr("\"purpose\":\"layer\"")));
}

TEST_F(PullTrafficTest, QuestionsAboutTagsAreAPartOfIt) {
  pull.words = {registry.host() + "/a/b:l*"};
  EXPECT_EQ(run_pull_command(pull, {}), ExitCode::done);
  EXPECT_EQ(count(timeline(), "tags", 200), 1);
  EXPECT_EQ(timeline().at("images").at(0).as_string(), registry.host() + "/a/b:latest");
}

TEST_F(PullTrafficTest, ATimelineAloneKeepsNoHeaders) {
  pull.trace_http.clear();
  EXPECT_EQ(run_pull_command(pull, {}), ExitCode::done);
  EXPECT_EQ(timeline().at("kind").as_string(), "timeline");
  EXPECT_THAT(directory.names(), ElementsAre("cache", "image.tar", "pull.json"));
}

TEST_F(RegistryCommandTest, AttackNoSecretIsInWhatIsWrittenOfTheTraffic) {
  const std::string password = "hush99";
  pull.username = "me";
  pull.timeline = (directory / "pull.json").string();
  pull.trace_http = (directory / "pull.har").string();
  // A hostile registry repeats what it was sent, in the headers that are shown.
  registry.on("GET", "/v2/a/b/manifests/*").with_fault([&](Reply& reply) {
    if (reply.status != 200) return;  // it has been sent nothing yet
    reply.headers.emplace_back("Server", "hush99");
    reply.headers.emplace_back("ETag", "bWU6aHVzaDk5");
    reply.headers.emplace_back("Location", "/x?hush99");
  });
  for (const bool tokens : {false, true}) {
    if (tokens)
      registry.auth().require_token(registry.url("/token"), "me", password);
    else
      registry.auth().require_basic("me", password);
    pull.force = true;
    EXPECT_EQ(run_pull_command(pull, {password}), ExitCode::done);
    const std::string all = read_text(pull.timeline) + read_text(pull.trace_http);
    EXPECT_THAT(all, AllOf(HasSubstr("\"Authorization\",\"value\":\"***\""), Not(HasSubstr(password)),
                           Not(HasSubstr("bWU6aHVzaDk5"))));
    for (const ScriptedRequest& request : registry.requests()) {
      const std::string sent = request.header("Authorization");
      if (sent.empty()) continue;
      EXPECT_THAT(all, Not(HasSubstr(sent.substr(sent.find(' ') + 1))));
    }
  }
}

/// A machine whose registries.conf names two registries for short names; the image is at the second.
class ShortNameTest : public RegistryCommandTest {
 protected:
  ShortNameTest() {
    std::filesystem::create_directories(directory / "machine/etc/containers");
    write_text(directory / "machine/etc/containers/registries.conf",
               "unqualified-search-registries=['" + first.host() + "', '" + registry.host() + "']");
    environment.registry_files.system = (directory / "machine").string();
    pull.words = {"a/b"};
  }

  ScriptedRegistry first;
  Environment environment;
};

TEST_F(ShortNameTest, AShortNameIsTheFirstOfTheRegistriesToSearchThatHasIt) {
  pull.json = true;
  const std::string text = printed([&] { EXPECT_EQ(run_pull_command(pull, environment), ExitCode::done); });
  EXPECT_EQ(boost::json::parse(text).at("images").at(0).at("reference").as_string(), registry.host() + "/a/b:latest");
  EXPECT_EQ(first.count("HEAD", "/v2/a/b/manifests/latest"), 1U);
  EXPECT_EQ(registry.count("GET", "/v2/a/b/manifests/latest"), 1U);
  pull.json = false;
  EXPECT_EQ(run_digest_command(pull, environment).text, image.manifest_digest().to_string() + "\n");
}

TEST_F(ShortNameTest, WhereNobodyHasItAllAreNamed) {
  pull.words = {"a/c:1"};
  const auto all_named =
      AllOf(HasSubstr("\n  " + first.host() + "/a/c:1: "), HasSubstr("\n  " + registry.host() + "/a/c:1: "));
  const std::string hint = "name the registry: " + first.host() + "/a/c:1";
  const Failure failure = failure_of([&] { run_inspect_command(pull, environment); });
  EXPECT_EQ(failure.code, Errc::not_found);
  EXPECT_THAT(failure.text, all_named);
  EXPECT_EQ(failure.hint, hint);
  pull.json = true;
  const std::string text = printed([&] { EXPECT_EQ(run_pull_command(pull, environment), ExitCode::not_found); });
  const auto result = boost::json::parse(text).at("images").at(0);
  EXPECT_THAT(std::string(result.at("error").as_string()), all_named);
  EXPECT_EQ(result.at("hint").as_string(), hint);
}

TEST_F(ShortNameTest, ANameThatNobodyHasStopsNoOtherButThoseOfItsFile) {
  pull.words = {"a/c:1", "a/b"};
  EXPECT_EQ(run_pull_command(pull, environment), ExitCode::not_found);
  EXPECT_FALSE(std::filesystem::exists(*pull.output)) << "an archive has all of its images";
  std::filesystem::create_directory(directory / "out");
  pull.output = (directory / "out").string();
  pull.failed_file = (directory / "failed").string();
  EXPECT_EQ(run_pull_command(pull, environment), ExitCode::not_found);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory / "out"), {}), 1);
  const std::string failed = read_text(directory / "failed");
  EXPECT_THAT(failed, AllOf(testing::StartsWith("a/c:1  # exit code 4: "), Not(HasSubstr("a/b"))));
}

TEST_F(RegistryCommandTest, ALockSaysWhatATagStoodFor) {
  const std::string lock = (directory / "lock").string(), name = registry.host() + "/a/b:latest";
  pull.lock = lock;
  pull.dry_run = true;
  EXPECT_EQ(run_pull_command(pull, {}), ExitCode::done);
  EXPECT_THAT(read_text(lock), HasSubstr("\n" + name + "@" + image.manifest_digest().to_string() + "\n"));
  // The tag moves, and the locked image is pulled.
  add_image(registry.content(), "a/b", "latest", make_image(99, {500}));
  pull.lock.clear();
  pull.locked = lock;
  pull.dry_run = false;
  pull.json = true;
  pull.words = {registry.host() + "/a/b:l*"};
  const std::string text = printed([&] { EXPECT_EQ(run_pull_command(pull, {}), ExitCode::done); });
  EXPECT_EQ(boost::json::parse(text).at("images").at(0).at("digest").as_string(), image.manifest_digest().to_string());
  EXPECT_EQ(registry.count("GET", "/v2/a/b/tags/*"), 0U);
  pull.words = {registry.host() + "/a/b:2", registry.host() + "/a/c:*"};
  const Failure failure = pull_failure();
  EXPECT_EQ(failure.code, Errc::usage);
  EXPECT_THAT(failure.text, AllOf(HasSubstr(lock + ":\n"), HasSubstr("\n  " + registry.host() + "/a/b:2"),
                                  HasSubstr("\n  " + registry.host() + "/a/c:*")));
}

TEST_F(RegistryCommandTest, WhatFailedIsLeftOutOfTheLockAndTheListIsEmptyWhereNothingDid) {
  std::filesystem::create_directory(directory / "out");
  pull.output = (directory / "out").string();
  pull.quiet = false;
  pull.words.push_back(registry.host() + "/a/b:nothing");
  pull.lock = (directory / "lock").string();
  pull.failed_file = (directory / "failed").string();
  testing::internal::CaptureStderr();
  EXPECT_EQ(run_pull_command(pull, {}), ExitCode::not_found);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("lacks 1 image that failed"));
  EXPECT_THAT(read_text(directory / "lock"), Not(HasSubstr("nothing")));
  EXPECT_THAT(read_text(directory / "failed"), HasSubstr("/a/b:nothing  # "));
  pull.shard = {3, 3};
  EXPECT_EQ(run_pull_command(pull, {}), ExitCode::done);
  EXPECT_EQ(read_text(directory / "failed"), "") << "a shard without an image fails in nothing";
}

TEST_F(RegistryCommandTest, APatternStandsForTagsAndFailsAlone) {
  for (const char* tag : {"1.9", "1.10", "1.10-rc1"}) add_image(registry.content(), "a/b", tag, image);
  pull.words = {registry.host() + "/a/b:1.*", registry.host() + "/a/b:9.*", registry.host() + "/a/none:1.*"};
  pull.latest = 2;
  std::filesystem::create_directory(directory / "out");
  pull.output = (directory / "out").string();
  pull.failed_file = (directory / "failed").string();
  pull.json = true;
  const std::string text = printed([&] { EXPECT_EQ(run_pull_command(pull, {}), ExitCode::not_found); });
  const auto images = boost::json::parse(text).at("images").as_array();
  ASSERT_EQ(images.size(), 4U);
  EXPECT_EQ(images[0].at("reference").as_string(), registry.host() + "/a/b:1.10-rc1");
  EXPECT_EQ(images[1].at("reference").as_string(), registry.host() + "/a/b:1.10");
  EXPECT_THAT(read_text(directory / "failed"),
              AllOf(HasSubstr(registry.host() + "/a/b:9.*  # exit code 4: none of 4 tags"),
                    HasSubstr(registry.host() + "/a/none:1.*  # exit code 4: ")));
}

TEST_F(RegistryCommandTest, APatternThatStandsForTooManyOrCannotBeAskedAboutIsTold) {
  std::string tags;
  for (int i = 0; i <= 1000; ++i) tags += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\"";
  registry.on("GET", "/v2/a/many/tags/list").reply_with(Reply::of(200, R"({"name":"a/many","tags":[)" + tags + "]}"));
  registry.on("GET", "/v2/a/odd/tags/list").reply_with(Reply::of(200, R"({"name":"a/odd","tags":["-no/tag"]})"));
  registry.on("GET", "/v2/a/none/tags/list").reply_with(Reply::of(405, "{}"));
  pull.words = {registry.host() + "/a/many:*", registry.host() + "/a/odd:*", registry.host() + "/a/none:*"};
  pull.json = true;
  const std::string text = printed([&] { EXPECT_EQ(run_pull_command(pull, {}), ExitCode::integrity); });
  const auto images = boost::json::parse(text).at("images").as_array();
  const auto told = [&](std::size_t i) { return std::string(images[i].at("error").as_string()); };
  EXPECT_THAT(told(0), HasSubstr("stands for 1001 images, more than 1000"));
  EXPECT_THAT(told(1), HasSubstr("none of 1 tag is like"));
  EXPECT_THAT(std::string(images[2].at("hint").as_string()), HasSubstr("lists no tags"));
}

TEST_F(RegistryCommandTest, OfflineNothingIsAskedAndWhatIsMissingIsNamed) {
  EXPECT_EQ(run_pull_command(pull, {}), ExitCode::done);
  const std::string first = read_text(*pull.output);
  const std::size_t asked = registry.requests().size();
  pull.access.offline = true;
  pull.output = (directory / "offline.tar").string();
  EXPECT_EQ(run_pull_command(pull, {}), ExitCode::done);
  EXPECT_EQ(read_text(*pull.output), first);
  pull.words = {registry.host() + "/a/b:lat*"};
  EXPECT_EQ(run_pull_command(pull, {}), ExitCode::done);
  pull.words = {registry.host() + "/a/b:9*", registry.host() + "/a/c"};
  EXPECT_EQ(run_pull_command(pull, {}), ExitCode::not_found);
  EXPECT_EQ(registry.requests().size(), asked);
}

TEST_F(RegistryCommandTest, FilesBesideTheOutputsAreTriedBeforeAnythingIsFetched) {
  pull.lock = (directory / "nowhere/lock").string();
  EXPECT_EQ(pull_failure().code, Errc::disk);
  pull.lock.clear();
  pull.failed_file = (directory / "nowhere/failed").string();
  EXPECT_EQ(pull_failure().code, Errc::disk);
  pull.failed_file.clear();
  pull.timeline = (directory / "nowhere/t.json").string();
  EXPECT_EQ(pull_failure().code, Errc::disk);
  pull.timeline.clear();
  pull.trace_http = (directory / "nowhere/t.har").string();
  EXPECT_EQ(pull_failure().code, Errc::disk);
  EXPECT_EQ(registry.count("GET", "/*"), 0U);
}

TEST_F(RegistryCommandTest, FilesThatAreSomethingElseAreNotReplaced) {
  write_text(directory / "list", registry.host() + "/a/b  # not mine\n");
  pull.lists = {(directory / "list").string()};
  for (std::string* option : {&pull.lock, &pull.failed_file}) {
    for (const char* name : {"list", "both.tar"}) {
      write_text(directory / "both.tar", "precious");
      *option = (directory / name).string();
      EXPECT_EQ(pull_failure().code, Errc::usage) << name;
      std::filesystem::remove(directory / "both.tar");
    }
    pull.output = *option = (directory / "both.tar").string();
    EXPECT_EQ(pull_failure().code, Errc::usage);
    option->clear();
  }
  EXPECT_THAT(directory.names(), ElementsAre("list"));
  EXPECT_EQ(registry.count("GET", "/*"), 0U);
  // Of a pattern it is known later where its images go; the list of what failed is there by then.
  std::filesystem::create_directory(directory / "out");
  pull.output = (directory / "out").string();
  pull.failed_file = pull.lists[0] = (directory / "failed").string();
  write_text(directory / "failed", registry.host() + "/a/b:l*  # exit code 4: not found\n");
  EXPECT_EQ(run_pull_command(pull, {}), ExitCode::done);
  EXPECT_EQ(read_text(directory / "failed"), "");
  std::string name = registry.host() + "_a_b_latest_amd64.tar";
  std::ranges::replace(name, ':', '_');
  std::filesystem::remove(directory / "out" / name);
  pull.failed_file = (directory / "out" / name).string();
  pull.lists.clear();
  pull.words = {registry.host() + "/a/b:l*"};
  EXPECT_EQ(pull_failure().code, Errc::usage);
}

TEST_F(RegistryCommandTest, ALockKeepsWhatItHadOfWhatFails) {
  std::filesystem::create_directory(directory / "out");
  pull.output = (directory / "out").string();
  pull.lock = (directory / "lock").string();
  const std::string digest = "@" + Digest::of("x").to_string(), host = registry.host();
  const std::string kept = host + "/a/b:nothing" + digest + "\n" + host + "/a/c:1.2" + digest + "\n";
  write_text(directory / "lock", host + "/a/b:latest" + digest + "\n" + kept + host + "/a/z:1" + digest + "\n");
  pull.words = {host + "/a/b", host + "/a/b:nothing", host + "/a/c:1.*", host + "/a/d:1.*", host + "/a/e:1" + digest};
  pull.quiet = false;
  testing::internal::CaptureStderr();
  EXPECT_EQ(run_pull_command(pull, {}), ExitCode::not_found);
  const std::string told = testing::internal::GetCapturedStderr();
  EXPECT_THAT(told, AllOf(HasSubstr("has what it had before of 2 images that failed"),
                          HasSubstr("lacks 2 images that failed")));
  const std::string text = read_text(directory / "lock");
  EXPECT_THAT(text,
              testing::EndsWith("\n" + host + "/a/b:latest@" + image.manifest_digest().to_string() + "\n" + kept));
}

TEST_F(ShortNameTest, OfflineAPatternIsLookedForAtAllRegistriesToSearch) {
  add_image(first.content(), "a/b", "1.0", image);
  pull.words = {first.host() + "/a/b:1.0", registry.host() + "/a/b:latest"};
  EXPECT_EQ(run_pull_command(pull, environment), ExitCode::done);
  pull.words = {"a/b:l*"};
  pull.access.offline = true;
  EXPECT_EQ(run_pull_command(pull, environment), ExitCode::done);
}

TEST_F(ShortNameTest, APasswordIsShownToNoRegistryThatWasNotNamed) {
  pull.username = "me";
  const Failure failure = failure_of([&] { run_pull_command(pull, environment); });
  EXPECT_EQ(failure.code, Errc::usage);
  EXPECT_THAT(failure.text, HasSubstr("--username is for one registry"));
  EXPECT_EQ(first.count("HEAD", "/v2/a/b/manifests/latest"), 0U);
}

TEST_F(ShortNameTest, ABrokenFileIsWarnedOfAndThePullGoesOn) {
  write_text(directory / "machine/etc/containers/registries.conf", "[");
  pull.words = {registry.host() + "/a/b"};
  pull.quiet = false;
  testing::internal::CaptureStderr();
  EXPECT_EQ(run_pull_command(pull, environment), ExitCode::done);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("registries.conf:1: is no TOML"));
}

}  // namespace
}  // namespace hawser::test
