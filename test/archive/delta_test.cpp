// What an archive says that it lacks, and the archives that say it.
#include "archive/delta.hpp"

#include "archive/archive_layout.hpp"
#include "archive/classic_writer.hpp"
#include "archive/sample_images.hpp"
#include "support/failure.hpp"
#include "util/json.hpp"

#include <hawser/util/error.hpp>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using test::code_of;
using test::failure_of;
using test::noise;
using test::sample_image;
using test::SampleImage;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const Digest x = Digest::of("x"), y = Digest::of("y");

Delta delta_without(const Digest& digest) {
  Delta delta;
  delta.images.push_back({Reference::parse("nginx:2"), y, Platform::parse("linux/arm/v7")});
  delta.left_out.emplace(digest, LeftOutLayer{700, x, false, {"old.tar"}});
  return delta;
}

TEST(Delta, IsReadAsItWasWritten) {
  Delta delta = delta_without(x);
  delta.all_platforms = true;
  delta.left_out.emplace(y, LeftOutLayer{7, {}, true, {"a", "b"}});
  const Delta again = Delta::parse(delta.text());
  EXPECT_EQ(again.text(), delta.text());
  EXPECT_TRUE(again.all_platforms);
  EXPECT_EQ(again.images.at(0).reference, Reference::parse("nginx:2"));
  EXPECT_EQ(again.images.at(0).platform, Platform::parse("linux/arm/v7"));
  EXPECT_EQ(again.left_out.at(x).diff_id, x);
  EXPECT_TRUE(again.left_out.at(y).plain);
  EXPECT_EQ(again.left_out_bytes(), 707U);
  EXPECT_THAT(again.holders(), ElementsAre("a", "b", "old.tar"));
}

TEST(Delta, PatchesAreOfTheSecondVersion) {
  Delta delta = delta_without(x);
  EXPECT_THAT(delta.text(), HasSubstr("\"hawser_delta\":1"));
  delta.left_out.at(x).patch = LayerPatch{y, 12, 3456, {{x, y, 789}}};
  EXPECT_THAT(delta.text(), HasSubstr("\"hawser_delta\":2"));
  const Delta again = Delta::parse(delta.text());
  EXPECT_EQ(again.text(), delta.text());
  const LayerPatch patch = again.left_out.at(x).patch.value();
  EXPECT_EQ(patch.digest, y);
  EXPECT_EQ(patch.size, 12U);
  EXPECT_EQ(patch.tar_size, 3456U);
  EXPECT_EQ(patch.from.at(0).diff_id, x);
  EXPECT_EQ(patch.from.at(0).digest, y);
  EXPECT_EQ(patch.from.at(0).size, 789U);
}

TEST(Delta, WhatMakesNoSenseIsRefused) {
  const std::string images = R"("images":[{"reference":"a:1","digest":")" + x.to_string() + R"("}])";
  const auto with = [&](const std::string& members) { return "{\"hawser_delta\":1," + members + "}"; };
  const auto layer = [&](const std::string& members) {
    return with(images + R"(,"left_out":[{"digest":")" + y.to_string() + "\"," + members + "}]");
  };
  EXPECT_NO_THROW((void)Delta::parse(layer("\"size\":1")));
  for (const std::string& text : {
           std::string("no JSON"),
           std::string("[]"),
           with(images),
           with(R"("left_out":[])"),
           with(R"("images":[],"left_out":[])"),
           with(R"("images":["a"],"left_out":[])"),
           with(R"("images":[{"reference":"A B","digest":")" + x.to_string() + R"("}],"left_out":[])"),
           with(R"("images":[{"reference":"a:1","digest":"x"}],"left_out":[])"),
           with(images + R"(,"left_out":{})"),
           with(images + R"(,"left_out":[1])"),
           layer("\"size\":-1"),
           layer("\"size\":1e30"),
           layer("\"size\":18000000000000000000"),
           layer("\"size\":\"1\""),
           layer("\"diff_id\":\"sha256:0\",\"size\":1"),
           layer("\"size\":1,\"held_by\":[1]"),
           layer("\"size\":1,\"held_by\":[\"" + std::string(2000, 'a') + "\"]"),
           layer("\"size\":1,\"diff_id\":\"" + x.to_string() + "\",\"patch\":1"),
           layer("\"size\":1,\"patch\":{}"),
           layer("\"size\":1,\"diff_id\":\"" + x.to_string() + R"(","patch":{"digest":")" + x.to_string() +
                 R"(","size":1,"tar_size":1,"from":[1]})"),
           layer("\"size\":1,\"diff_id\":\"" + x.to_string() + R"(","patch":{"digest":")" + x.to_string() +
                 R"(","size":1,"tar_size":-1,"from":[]})"),
           "{\"hawser_delta\":3," + images + ",\"left_out\":[]}",
           "{" + images + ",\"left_out\":[]}",
           std::string(100, '['),
       }) {
    const auto failure = failure_of([&] { (void)Delta::parse(text); });
    EXPECT_EQ(failure.code, Errc::malformed) << text;
    EXPECT_THAT(failure.text, HasSubstr("hawser-delta.json")) << text;
  }
}

TEST(Delta, LayersAreNamedUpToANumber) {
  Delta delta = delta_without(x);
  EXPECT_EQ(describe_layers(delta.left_out, "- "),
            "- " + x.to_string() + ", 700 B, diff ID " + x.to_string() + ", in old.tar\n");
  delta.left_out.emplace(y, LeftOutLayer{7, {}, false, {"\x1b[2J"}});
  EXPECT_THAT(describe_layers(delta.left_out, "", 1), HasSubstr("\nand 1 more\n"));
  EXPECT_THAT(describe_layers(delta.left_out, ""), Not(HasSubstr("\x1b")));
}

TEST(Delta, AnArchiveHasAllButWhatIsLeftOutAndSaysSo) {
  const SampleImage sample = sample_image({"nginx:2"}, {noise(700, 1), noise(300, 2)});
  const std::vector<Descriptor>& layers = sample.image.manifests.front().manifest.layers;
  const Delta delta = delta_without(layers[0].digest);
  for (const OutputFormat format : {OutputFormat::docker_archive, OutputFormat::oci_archive, OutputFormat::oci_dir}) {
    const ArchiveLayout layout(format, {sample.image}, delta);
    EXPECT_THAT(layout.blobs(), ElementsAre(sample.config(), layers[1].digest));
    EXPECT_EQ(code_of([&] { (void)layout.at(layers[0].digest); }), Errc::malformed);
    std::map<std::string, std::string> texts;
    for (const ArchiveEntry& entry : layout.entries())
      if (const auto* text = std::get_if<std::string>(&entry.content)) texts.emplace(entry.path, *text);
    EXPECT_EQ(texts.at("hawser-delta.json"), delta.text());
    const auto index = boost::json::parse(texts.at("index.json"));
    EXPECT_EQ(index.at("annotations"), (boost::json::value{{"io.github.hawser.delta", "hawser-delta.json"}}));
    // docker looks for what it has under the path that the layer would have.
    const bool for_docker = format == OutputFormat::docker_archive;
    EXPECT_EQ(for_docker && texts.at("manifest.json").find(layers[0].digest.hex()) != std::string::npos, for_docker);
  }
}

TEST(Delta, APlainTarKeepsThePathsOfWhatIsLeftOut) {
  const Digest blob = Digest::of("gz a"), other = Digest::of("gz b");
  const Descriptor config{std::string(media_type::oci_config), Digest::of("{}"), 2};
  const ArchiveManifest manifest{{std::string(media_type::oci_manifest), y},
                                 "",
                                 {std::string(media_type::oci_manifest), config, {{"", blob, 4}, {"", other, 4}}}};
  const std::vector<ArchiveImage> images{{{Reference::parse("nginx:2")}, {manifest}}};
  const ClassicConfigs configs{{y, {ImageConfig{{}, {Digest::of("a"), Digest::of("b")}}, "{}"}}};
  const ClassicLayout whole(images, configs), layout(images, configs, delta_without(blob));
  ASSERT_EQ(layout.layers.size(), 1U);
  EXPECT_EQ(layout.layers[0].blob, other);
  EXPECT_EQ(layout.layers[0].id, whole.layers[1].id);
  EXPECT_EQ(layout.documents[0].text, whole.documents[0].text);
  EXPECT_EQ(layout.documents.back().path, "hawser-delta.json");
  EXPECT_EQ(layout.index_of(blob), std::nullopt);
  EXPECT_EQ(layout.index_of(other), 0U);
}

}  // namespace
}  // namespace hawser
