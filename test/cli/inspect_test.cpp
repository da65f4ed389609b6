// What inspect and tags print of a scripted registry.
#include "cli/commands.hpp"
#include "image/manifest.hpp"
#include "registry/registry_fixture.hpp"

#include <boost/json.hpp>

namespace hawser::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Inspect : public testing::Test {
 protected:
  Inspect() {
    command.words = {registry.host() + "/a/b"};
    command.access.plain_http = true;
    command.access.retries = 0;
    command.quiet = true;
  }

  static std::string config_of(const std::string& architecture) {
    return R"({"architecture":")" + architecture + R"(","os":"linux","rootfs":{"type":"layers","diff_ids":[]}})";
  }
  static std::string entry(const std::string& type, const Digest& digest, std::size_t size,
                           const std::string& more = "") {
    return R"({"mediaType":")" + type + R"(","digest":")" + digest.to_string() + R"(","size":)" + std::to_string(size) +
           more + "}";
  }
  static std::string of_platform(const std::string& os, const std::string& architecture) {
    return R"(,"platform":{"os":")" + os + R"(","architecture":")" + architecture + R"("})";
  }

  /// Puts a manifest of this config and these layers into the registry; returns its bytes.
  std::string add_manifest(const std::string& config, const std::string& layers = "",
                           const std::string& config_type = std::string(media_type::oci_config)) {
    registry.content().add_blob(config);
    const std::string type(media_type::oci_manifest);
    const std::string bytes = R"({"schemaVersion":2,"mediaType":")" + type + R"(","config":)" +
                              entry(config_type, Digest::of(config), config.size()) + R"(,"layers":[)" + layers + "]}";
    registry.content().add_manifest("a/b", "latest", bytes, type);
    return bytes;
  }
  std::string add_index(const std::string& entries) {
    const std::string type(media_type::oci_index);
    const std::string bytes = R"({"schemaVersion":2,"mediaType":")" + type + R"(","manifests":[)" + entries + "]}";
    registry.content().add_manifest("a/b", "latest", bytes, type);
    return bytes;
  }
  /// An index of arm64 and amd64, each with a config.
  std::string add_two_platforms() {
    std::string entries;
    for (const std::string architecture : {"arm64", "amd64"}) {
      const std::string manifest = add_manifest(config_of(architecture));
      entries += (entries.empty() ? "" : ",") + entry(std::string(media_type::oci_manifest), Digest::of(manifest),
                                                      manifest.size(), of_platform("linux", architecture));
    }
    return add_index(entries);
  }

  std::string shown() const { return run_inspect_command(command, {}).text; }
  Failure failure() const {
    return failure_of([&] { shown(); });
  }

  ScriptedRegistry registry;
  Command command;
};

TEST_F(Inspect, AManifestIsATableOfLayers) {
  const std::string manifest =
      add_manifest("{}", entry(std::string(media_type::oci_layer_gzip), Digest::of("one"), 3'000'000) + "," +
                             entry(std::string(media_type::oci_layer_zstd), Digest::of("two"), 1'500'000));
  EXPECT_THAT(shown(), HasSubstr("reference:   " + registry.host() + "/a/b:latest\n"));
  EXPECT_THAT(shown(), HasSubstr("digest:      " + Digest::of(manifest).to_string()));
  EXPECT_THAT(shown(), HasSubstr("layers:      2, 4.5 MB\n"));
  EXPECT_THAT(shown(),
              HasSubstr(Digest::of("two").to_string() + "  1.5 MB  " + std::string(media_type::oci_layer_zstd)));
}

TEST_F(Inspect, AnIndexIsATableOfPlatforms) {
  const std::string type(media_type::oci_manifest);
  const std::string index = add_index(entry(type, Digest::of("amd64"), 500, of_platform("linux", "amd64")) + "," +
                                      entry(type, Digest::of("attestation"), 70, of_platform("unknown", "unknown")));
  EXPECT_THAT(shown(), HasSubstr("linux/amd64    " + Digest::of("amd64").to_string() + "   500\n"));
  EXPECT_THAT(shown(), HasSubstr("(attestation)  " + Digest::of("attestation").to_string() + "    70\n"));
  command.raw = true;
  EXPECT_EQ(shown(), index);
}

TEST_F(Inspect, AConfigIsShownAndControlCharactersAreNot) {
  add_manifest(R"({"os":"linux"})", "", R"(application/json\u001b)");
  command.config = true;
  EXPECT_THAT(shown(), AllOf(HasSubstr(R"({"os":"linux"})"), Not(HasSubstr("\x1b"))));
}

TEST_F(Inspect, JsonHoldsTheDocument) {
  const std::string manifest = add_manifest("{}");
  command.json = true;
  const auto object = boost::json::parse(shown()).as_object();
  EXPECT_EQ(object.at("reference").as_string(), registry.host() + "/a/b:latest");
  EXPECT_EQ(object.at("digest").as_string(), Digest::of(manifest).to_string());
  EXPECT_EQ(object.at("mediaType").as_string(), std::string(media_type::oci_manifest));
  EXPECT_EQ(object.at("size").to_number<std::size_t>(), manifest.size());
  EXPECT_EQ(object.at("document").at("schemaVersion").to_number<int>(), 2);
}

TEST_F(Inspect, JsonHoldsNothingThatATerminalObeys) {
  add_manifest("{\"os\":\"\xc2\x9b\xe2\x80\xae\"}");
  command.config = command.json = true;
  EXPECT_THAT(shown(), HasSubstr(R"({"os":"\u009b\u202e"})"));
}

TEST_F(Inspect, WhatIsNotJsonIsMalformed) {
  add_manifest("<html>");
  command.config = true;
  for (const bool json : {false, true}) {
    command.json = json;
    EXPECT_EQ(failure().code, Errc::malformed);
  }
}

TEST_F(Inspect, APlatformChoosesTheManifestAndItsConfig) {
  add_two_platforms();
  EXPECT_THAT(shown(), AllOf(HasSubstr("linux/arm64"), HasSubstr("linux/amd64")));
  command.platform = Platform::parse("linux/arm64");
  EXPECT_THAT(shown(), HasSubstr("layers:      0"));
  command.config = command.raw = true;
  EXPECT_EQ(shown(), config_of("arm64"));
  command.platform = Platform::parse("linux/s390x");
  EXPECT_EQ(failure().code, Errc::no_platform);
}

TEST_F(Inspect, AnImageOfOnePlatformIsNotShownForAnother) {
  add_manifest(config_of("arm64"));
  for (const bool config : {false, true}) {
    command.config = config;
    command.platform.reset();
    EXPECT_THAT(shown(), HasSubstr(config ? "arm64" : "layers:"));  // none was asked for
    command.platform = Platform::parse("linux/arm64");
    EXPECT_THAT(shown(), HasSubstr(config ? "arm64" : "layers:"));
    command.platform = Platform::parse("linux/amd64");
    EXPECT_EQ(failure().code, Errc::no_platform);
  }
}

TEST_F(Inspect, WhatIsNoImageIsShownToo) {
  add_manifest("{}", "", "application/x-thing");
  command.platform = Platform::parse("linux/amd64");
  EXPECT_THAT(shown(), HasSubstr("layers:      0"));
  command.config = true;
  EXPECT_THAT(shown(), HasSubstr("application/x-thing"));
}

TEST_F(Inspect, IndexesNestedTooDeepAreRefused) {
  std::string index = add_two_platforms();
  for (int depth = 0; depth < 4; ++depth)
    index = add_index(entry(std::string(media_type::oci_index), Digest::of(index), index.size()));
  EXPECT_THAT(shown(), HasSubstr(std::string(media_type::oci_index)));
  command.config = true;
  EXPECT_EQ(failure().code, Errc::malformed);
}

TEST_F(Inspect, FailuresOfTheRegistryComeThrough) {
  EXPECT_EQ(failure().code, Errc::not_found);
  command.config = true;
  EXPECT_EQ(failure().code, Errc::not_found);
}

TEST_F(Inspect, ADigestIsAskedForByHead) {
  const Digest index = Digest::of(add_two_platforms());
  registry.on("HEAD", "/v2/a/b/manifests/latest")
      .reply_with(Reply::of(200).with("Docker-Content-Digest", index.to_string()));
  const auto digest = [&] { return run_digest_command(command, {}).text; };
  EXPECT_EQ(digest(), index.to_string() + "\n");
  EXPECT_EQ(registry.count("GET", "*"), 0U);
  command.json = true;
  EXPECT_EQ(digest(),
            "{\"reference\":\"" + registry.host() + "/a/b:latest\",\"digest\":\"" + index.to_string() + "\"}\n");
  command.json = false;
  command.platform = Platform::parse("linux/arm64");
  const std::string arm64 = digest();
  command.platform = Platform::parse("linux/amd64");
  EXPECT_NE(digest(), arm64);
  EXPECT_NE(digest(), index.to_string() + "\n");
}

TEST_F(Inspect, ADigestIsComputedWhereHeadTellsNone) {
  const std::string manifest = add_manifest("{}");
  EXPECT_EQ(run_digest_command(command, {}).text, Digest::of(manifest).to_string() + "\n");
  registry.on("HEAD", "*").reply_with(Reply::of(403));
  EXPECT_EQ(run_digest_command(command, {}).text, Digest::of(manifest).to_string() + "\n");
  EXPECT_EQ(registry.count("GET", "*"), 2U);
}

TEST_F(Inspect, ADigestOfNothingIsNotFoundInTheRegistrysWords) {
  const Failure missing = failure_of([&] { run_digest_command(command, {}); });
  EXPECT_EQ(missing.code, Errc::not_found);
  EXPECT_THAT(missing.text, HasSubstr("there is no such repository"));
  registry.on("HEAD", "*").reply_with(Reply::of(503));
  EXPECT_EQ(failure_of([&] { run_digest_command(command, {}); }).code, Errc::server_error);
}

TEST_F(Inspect, TheRateLimitIsShown) {
  add_manifest("{}");
  EXPECT_EQ(run_ratelimit_command(command, {}).text, registry.host() + " tells no limit\n");
  command.json = true;
  EXPECT_THAT(run_ratelimit_command(command, {}).text,
              HasSubstr(R"("limit":null,"window_seconds":null,"remaining":null,"source":null)"));
  registry.on("HEAD", "*")
      .reply_with(Reply::of(200)
                      .with("ratelimit-limit", "100;w=21600")
                      .with("ratelimit-remaining", "76;w=21600")
                      .with("docker-ratelimit-source", "203.0.113.7"));
  EXPECT_THAT(run_ratelimit_command(command, {}).text,
              HasSubstr(R"("limit":100,"window_seconds":21600,"remaining":76,"source":"203.0.113.7"})"));
  command.json = false;
  EXPECT_EQ(run_ratelimit_command(command, {}).text,
            registry.host() + " allows 100 pulls in 6 hours, 76 left, counted for 203.0.113.7\n");
  EXPECT_EQ(registry.count("GET", "*"), 0U);
}

TEST_F(Inspect, TagsAreListed) {
  add_image(registry.content(), "a/b", "v2", make_image(1, 0, 0));
  add_image(registry.content(), "a/b", "latest", make_image(1, 0, 0));
  EXPECT_EQ(run_tags_command(command, {}).text, "latest\nv2\n");
  command.json = true;
  EXPECT_EQ(run_tags_command(command, {}).text, "[\"latest\",\"v2\"]\n");
  command.words = {registry.host() + "/no/where"};
  EXPECT_EQ(failure_of([&] { run_tags_command(command, {}); }).code, Errc::not_found);
}

TEST_F(Inspect, TagsArePrintableAndMayBeNone) {
  registry.on("GET", "/v2/a/b/tags/list").reply_with(Reply::of(200, R"({"name":"a/b","tags":["a\u001b[2J"]})"));
  EXPECT_THAT(run_tags_command(command, {}).text, Not(HasSubstr("\x1b")));
  command.words = {registry.host() + "/c/d"};
  registry.on("GET", "/v2/c/d/tags/list").reply_with(Reply::of(200, R"({"name":"c/d","tags":[]})"));
  EXPECT_EQ(run_tags_command(command, {}).text, "");
}

}  // namespace
}  // namespace hawser::test
