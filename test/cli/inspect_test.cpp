#include "cli/inspect.hpp"

#include "image/manifest.hpp"
#include "support/run_coroutine.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using testing::HasSubstr;
using testing::Not;

Descriptor descriptor(std::string_view type, std::string_view content, std::uint64_t size) {
  return {std::string(type), Digest::of(content), size};
}

InspectedDocument sample_manifest() {
  Manifest manifest{std::string(media_type::oci_manifest), descriptor(media_type::oci_config, "config", 100), {}};
  manifest.layers.push_back(descriptor(media_type::oci_layer_gzip, "one", 3'000'000));
  manifest.layers.push_back(descriptor(media_type::oci_layer_zstd, "two", 1'500'000));
  return {"nginx:latest", Digest::of("m"), manifest.media_type, R"({"schemaVersion":2})", manifest};
}

TEST(Inspect, AManifestIsATableOfLayers) {
  const std::string text = inspection_text(sample_manifest());
  EXPECT_THAT(text, HasSubstr("reference:   nginx:latest\n"));
  EXPECT_THAT(text, HasSubstr("digest:      " + Digest::of("m").to_string()));
  EXPECT_THAT(text, HasSubstr("layers:      2, 4.5 MB\n"));
  EXPECT_THAT(text, HasSubstr(Digest::of("two").to_string() + "  1.5 MB  " + std::string(media_type::oci_layer_zstd)));
}

TEST(Inspect, AnIndexIsATableOfPlatforms) {
  Index index{std::string(media_type::oci_index), {}};
  index.manifests.push_back(descriptor(media_type::oci_manifest, "amd64", 500));
  index.manifests.back().platform = Platform{"linux", "amd64", "", ""};
  index.manifests.push_back(descriptor(media_type::oci_manifest, "attestation", 70));
  index.manifests.back().platform = Platform{"unknown", "unknown", "", ""};
  const std::string text = inspection_text({"a:1", Digest::of("i"), index.media_type, "{}", index});
  EXPECT_THAT(text, HasSubstr("linux/amd64    " + Digest::of("amd64").to_string() + "   500\n"));
  EXPECT_THAT(text, HasSubstr("(attestation)  " + Digest::of("attestation").to_string() + "    70\n"));
}

TEST(Inspect, AConfigIsShownAndControlCharactersAreNot) {
  const InspectedDocument config{"a:1", Digest::of("c"), "application/json\x1b", R"({"os":"linux"})", {}};
  const std::string text = inspection_text(config);
  EXPECT_THAT(text, HasSubstr(R"({"os":"linux"})"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST(Inspect, JsonHoldsTheDocument) {
  const auto object = boost::json::parse(inspection_json(sample_manifest())).as_object();
  EXPECT_EQ(object.at("reference").as_string(), "nginx:latest");
  EXPECT_EQ(object.at("digest").as_string(), Digest::of("m").to_string());
  EXPECT_EQ(object.at("size").to_number<int>(), 19);
  EXPECT_EQ(object.at("document").at("schemaVersion").to_number<int>(), 2);
}

TEST(Inspect, JsonHoldsNothingThatATerminalObeys) {
  InspectedDocument config{"a:1", Digest::of("c"), "application/json", "{\"os\":\"\xc2\x9b\xe2\x80\xae\"}", {}};
  EXPECT_THAT(inspection_json(config), HasSubstr(R"({"os":"\u009b\u202e"})"));
}

TEST(Inspect, WhatIsNotJsonIsMalformed) {
  InspectedDocument config{"a:1", Digest::of("c"), "application/json", "<html>", {}};
  try {
    inspection_json(config);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::malformed);
  }
  EXPECT_THROW(inspection_text(config), Error);
}

/// A registry of one image: an index of arm64 and amd64, each with a config.
class InspectImage : public testing::Test {
 protected:
  InspectImage() {
    for (const std::string architecture : {"arm64", "amd64"}) {
      const std::string config = config_of(architecture);
      blobs[Digest::of(config)] = config;
      const std::string manifest = R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",)"
                                   R"("config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")" +
                                   Digest::of(config).to_string() + R"(","size":)" + std::to_string(config.size()) +
                                   R"(},"layers":[]})";
      manifests[Digest::of(manifest).to_string()] = manifest;
      entries += (entries.empty() ? "" : ",") + index_entry(manifest, architecture);
    }
    set_index(entries);
    source.get_manifest = [this](std::string selector) { return get_manifest(std::move(selector)); };
    source.get_blob = [this](Descriptor descriptor) { return get_blob(std::move(descriptor)); };
  }

  static std::string config_of(const std::string& architecture) {
    return R"({"architecture":")" + architecture + R"(","os":"linux","rootfs":{"type":"layers","diff_ids":[]}})";
  }
  static std::string index_entry(const std::string& manifest, const std::string& architecture) {
    return R"({"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":")" +
           Digest::of(manifest).to_string() + R"(","size":)" + std::to_string(manifest.size()) +
           R"(,"platform":{"os":"linux","architecture":")" + architecture + R"("}})";
  }
  void set_index(const std::string& list) {
    manifests["latest"] =
        R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[)" + list + "]}";
  }

  asio::awaitable<FetchedManifest> get_manifest(std::string selector) {
    const auto found = manifests.find(selector);
    if (found == manifests.end()) throw Error(Errc::not_found, "no manifest " + selector);
    FetchedManifest fetched{found->second, "", Digest::of(found->second)};
    co_return fetched;
  }
  asio::awaitable<std::string> get_blob(Descriptor descriptor) { co_return blobs.at(descriptor.digest); }

  std::string run(const InspectCommand& command) {
    boost::asio::io_context context;
    return test::run_coroutine(context, inspect_image(source, Reference::parse("a"), command));
  }

  std::map<std::string, std::string> manifests;
  std::map<Digest, std::string> blobs;
  std::string entries;
  ImageSource source;
};

TEST_F(InspectImage, AnIndexIsShownAsSuch) {
  EXPECT_THAT(run({}), testing::AllOf(HasSubstr("linux/arm64"), HasSubstr("linux/amd64")));
  InspectCommand raw;
  raw.raw = true;
  EXPECT_EQ(run(raw), manifests["latest"]);
}

TEST_F(InspectImage, APlatformChoosesTheManifestAndItsConfig) {
  InspectCommand command;
  command.platform = Platform::parse("linux/arm64");
  EXPECT_THAT(run(command), HasSubstr("layers:      0"));
  command.config = true;
  command.raw = true;
  EXPECT_EQ(run(command), config_of("arm64"));
  command.platform = Platform::parse("linux/s390x");
  EXPECT_THROW(run(command), Error);
}

TEST_F(InspectImage, AnImageOfOnePlatformIsNotShownForAnother) {
  const auto is_arm64 = [](const auto& entry) {
    return entry.second.find(Digest::of(config_of("arm64")).to_string()) != std::string::npos;
  };
  manifests["latest"] = std::ranges::find_if(manifests, is_arm64)->second;
  for (const bool config : {false, true}) {
    InspectCommand command;
    command.config = config;
    EXPECT_THAT(run(command), HasSubstr(config ? "arm64" : "layers:"));  // none was asked for
    command.platform = Platform::parse("linux/arm64");
    EXPECT_THAT(run(command), HasSubstr(config ? "arm64" : "layers:"));
    command.platform = Platform::parse("linux/amd64");
    try {
      run(command);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::no_platform);
    }
  }
}

TEST_F(InspectImage, AnIndexThatHoldsItselfIsRefused) {
  manifests[Digest::of("loop").to_string()] =
      R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[)"
      R"({"mediaType":"application/vnd.oci.image.index.v1+json","size":1,"digest":")" +
      Digest::of("loop").to_string() + R"("}]})";
  manifests["latest"] = manifests[Digest::of("loop").to_string()];
  InspectCommand command;
  command.config = true;
  try {
    run(command);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::malformed);
  }
}

TEST_F(InspectImage, FailuresOfTheRegistryComeThrough) {
  manifests.clear();
  try {
    run({});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::not_found);
  }
}

TEST(Inspect, Tags) {
  EXPECT_EQ(tags_text({"1.0", "latest"}, false), "1.0\nlatest\n");
  EXPECT_EQ(tags_text({"1.0", "latest"}, true), "[\"1.0\",\"latest\"]\n");
  EXPECT_EQ(tags_text({}, false), "");
  EXPECT_EQ(tags_text({}, true), "[]\n");
  EXPECT_THAT(tags_text({"a\x1b[2J"}, false), Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace hawser
