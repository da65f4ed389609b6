#include "cli/commands.hpp"
#include "support/temp_dir.hpp"

#include <hawser/util/error.hpp>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class CacheCommandTest : public testing::Test {
 protected:
  CacheCommandTest() { command.cache_directory = (directory / "cache").string(); }

  void store(const std::string& content) { BlobStore(command.cache_directory).put(Digest::of(content), content); }
  Outcome run_quiet(const std::string& action) {
    command.quiet = true;
    return run(action);
  }
  Outcome run(const std::string& action, bool json = false) {
    command.words = {action};
    command.json = json;
    return run_cache_command(command);
  }

  test::TempDir directory;
  Command command;
};

TEST_F(CacheCommandTest, ACacheThatIsNotThereIsAnErrorAndNotMade) {
  try {
    run("ls");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::disk);
    EXPECT_THAT(error.what(), HasSubstr(command.cache_directory));
  }
  EXPECT_FALSE(std::filesystem::exists(command.cache_directory));
}

TEST_F(CacheCommandTest, ADirectoryOfSomethingElseIsLeftAlone) {
  const auto diary = std::filesystem::path(command.cache_directory) / "notes" / "diary";
  std::filesystem::create_directories(diary.parent_path());
  std::ofstream(diary) << "precious";
  for (const char* action : {"ls", "du", "verify", "prune"}) {
    try {
      run(action);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::disk);
      EXPECT_THAT(error.what(), HasSubstr("no cache of hawser"));
    }
  }
  EXPECT_TRUE(std::filesystem::exists(diary));
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::path(command.cache_directory) / "blobs"));
}

TEST_F(CacheCommandTest, AReportOfAStoreForReadingDoesNotSpeakOfQuarantine) {
  BlobStore::VerifyReport report;
  report.corrupt = {Digest::of("hello")};
  EXPECT_THAT(verify_report(report, command), HasSubstr("corrupt, quarantined: sha256:"));
  report.quarantines = false;
  EXPECT_THAT(verify_report(report, command), HasSubstr("corrupt: sha256:"));
}

TEST_F(CacheCommandTest, LsListsBlobs) {
  store("hello");
  const Outcome outcome = run("ls");
  EXPECT_EQ(outcome.exit, ExitCode::done);
  EXPECT_THAT(outcome.text, HasSubstr(Digest::of("hello").to_string() + "   5 B  complete\n"));
  EXPECT_THAT(outcome.text, HasSubstr("1 blob, 5 B\n"));
  const auto document = boost::json::parse(run("ls", true).text);
  EXPECT_EQ(document.at("blobs").at(0).at("digest").as_string(), Digest::of("hello").to_string());
  EXPECT_EQ(document.at("bytes").to_number<int>(), 5);
}

TEST_F(CacheCommandTest, LsListsImagesFirst) {
  const std::string layer = "a layer", config = "{}";
  const std::string manifest =
      R"({"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")" +
      Digest::of(config).to_string() +
      R"(","size":2},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":")" +
      Digest::of(layer).to_string() + R"(","size":7}]})";
  store(manifest);
  BlobStore cache(command.cache_directory);
  cache.record_image({"application/vnd.oci.image.manifest.v1+json", Digest::of(manifest), manifest.size()},
                     "docker.io/library/nginx:1", "1");
  cache.record_image({"x/y", Digest::of("gone"), 4}, "docker.io/library/gone:1", "1");
  const std::string text = run("ls").text;
  EXPECT_THAT(text, HasSubstr("docker.io/library/nginx:1  " + Digest::of(manifest).to_string() + "   9 B\n"));
  EXPECT_THAT(text, HasSubstr("docker.io/library/gone:1   " + Digest::of("gone").to_string() + "     -\n"));
  EXPECT_LT(text.find("IMAGE"), text.find("BLOB"));
  EXPECT_THAT(text, HasSubstr("\n2 images, 1 blob, "));
  const auto document = boost::json::parse(run("ls", true).text);
  EXPECT_EQ(document.at("images").at(1).at("name").as_string(), "docker.io/library/nginx:1");
  EXPECT_EQ(document.at("images").at(1).at("size").to_number<int>(), 9);
}

TEST_F(CacheCommandTest, LsAsJsonHoldsNothingThatATerminalObeys) {
  const std::string name = "nginx\x1b]0;\xc2\x9b\xe2\x80\xae";
  BlobStore(command.cache_directory).record_image({"x/y", Digest::of("a"), 1}, name, "1");
  const std::string text = run("ls", true).text;
  EXPECT_THAT(text, HasSubstr(R"("nginx\u001b]0;\u009b\u202e")"));
  EXPECT_EQ(boost::json::parse(text).at("images").at(0).at("name").as_string(), name);
}

TEST_F(CacheCommandTest, QuietSaysWhatIsWrongAlone) {
  store("hello");
  EXPECT_EQ(run_quiet("verify").text, "");
  const auto path = std::filesystem::path(command.cache_directory) / "blobs/sha256" / Digest::of("hello").hex();
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  std::ofstream(path) << "jello";
  EXPECT_EQ(run_quiet("verify").text, "corrupt, quarantined: " + Digest::of("hello").to_string() + "\n");
  EXPECT_EQ(run_quiet("prune").text, "");
}

TEST_F(CacheCommandTest, VerifyFindsWhatIsCorrupt) {
  store("hello");
  store("world");
  testing::internal::CaptureStderr();
  EXPECT_THAT(run("verify").text, HasSubstr("2 blobs, 10 B verified, 0 corrupt\n"));
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              AllOf(HasSubstr("verifying " + Digest::of("hello").short_string() + ", 5 B\n"),
                    HasSubstr("verifying " + Digest::of("world").short_string() + ", 5 B\n")));
  const auto path = std::filesystem::path(command.cache_directory) / "blobs/sha256" / Digest::of("hello").hex();
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  std::ofstream(path) << "jello";
  const Outcome outcome = run("verify");
  EXPECT_EQ(outcome.exit, ExitCode::integrity);
  EXPECT_THAT(outcome.text, HasSubstr("corrupt, quarantined: " + Digest::of("hello").to_string()));
  EXPECT_EQ(boost::json::parse(run("verify", true).text).at("blobs").to_number<int>(), 1);
}

TEST_F(CacheCommandTest, DuTellsWhatImagesTakeAloneAndTogether) {
  const std::string shared(5000, 's'), own(3000, 'o'), loose(700, 'l');
  for (const std::string* content : {&shared, &own, &loose}) store(*content);
  const auto image = [&](const std::string& name, const std::vector<std::string>& layers) {
    std::string list;
    for (const std::string& layer : layers)
      list += std::string(list.empty() ? "" : ",") +
              R"({"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":")" + Digest::of(layer).to_string() +
              R"(","size":)" + std::to_string(layer.size()) + "}";
    const std::string manifest =
        R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")" +
        Digest::of(name).to_string() + R"(","size":1},"layers":[)" + list + "]}";
    store(manifest);
    BlobStore(command.cache_directory)
        .record_image({"application/vnd.oci.image.manifest.v1+json", Digest::of(manifest), manifest.size()}, name, "1");
    return manifest.size();
  };
  const std::size_t a = image("a:1", {shared, own}), b = image("b:1", {shared});
  const auto json = boost::json::parse(run("du", true).text);
  const auto& first = json.at("images").at(0);
  EXPECT_EQ(first.at("size").to_number<std::size_t>(), 8000 + a);
  EXPECT_EQ(first.at("alone").to_number<std::size_t>(), 3000 + a);
  EXPECT_EQ(first.at("missing_blobs").to_number<int>(), 1);  // its config
  EXPECT_GT(first.at("last_use").to_number<std::int64_t>(), 1'600'000'000);
  EXPECT_EQ(json.at("images").at(1).at("alone").to_number<std::size_t>(), b);
  EXPECT_EQ(json.at("unreferenced_bytes").to_number<int>(), 700);
  const std::string text = run("du").text;
  EXPECT_THAT(text, AllOf(HasSubstr("a:1"), HasSubstr("lacks 1 blob"), HasSubstr("2 images, 5 blobs, "),
                          HasSubstr("in no image: 700 B, begun: 0 B\n")));
  command.prune.max_bytes = 0;
  command.prune.keep_referenced = true;
  EXPECT_THAT(run("prune").text,
              AllOf(HasSubstr("freed "), HasSubstr("more than --max-size"), HasSubstr("referenced by images")));
  EXPECT_THAT(run("du").text, HasSubstr("in no image: 0 B"));
}

TEST_F(CacheCommandTest, PruneMakesRoom) {
  store("hello");
  command.prune.age = std::chrono::hours{1};
  EXPECT_EQ(boost::json::parse(run("prune", true).text).at("freed_bytes").to_number<int>(), 0);
  command.prune.age = std::chrono::seconds{0};
  EXPECT_THAT(run("prune").text, HasSubstr("freed "));
  EXPECT_THAT(run("ls").text, HasSubstr("0 blobs"));
}

}  // namespace
}  // namespace hawser
