// Which layers a delta leaves out, and what is said of it.
#include "pull/delta.hpp"

#include "archive/classic_writer.hpp"
#include "support/failure.hpp"

#include <hawser/util/error.hpp>

#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using test::failure_of;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Digest tar(const std::string& name) {
  return Digest::of("tar " + name);
}

class DeltaTest : public testing::Test {
 protected:
  /// An image of these layers, under the name app:<tag>.
  void add(const std::string& tag, const std::vector<std::string>& layers) {
    const Digest digest = Digest::of("manifest " + tag);
    Manifest manifest{std::string(media_type::oci_manifest), {std::string(media_type::oci_config), digest, 2}, {}};
    ImageConfig config{Platform::parse("linux/amd64"), {}};
    for (const std::string& layer : layers) {
      manifest.layers.push_back({std::string(media_type::oci_layer_gzip), Digest::of(layer), layer.size()});
      config.diff_ids.push_back(tar(layer));
    }
    request.references.push_back(Reference::parse("app:" + tag));
    archive.push_back({{request.references.back().reference},
                       {{{std::string(media_type::oci_manifest), digest}, "", std::move(manifest)}}});
    configs.emplace(digest, std::move(config));
  }
  Delta make(const std::vector<Have>& haves) {
    Output output(request, "x.tar", {});
    output.archive = archive;
    return make_delta(output, configs, haves);
  }
  bool for_docker(const Delta& delta, OutputFormat format = OutputFormat::docker_archive) {
    Output output(request, "x.tar", {});
    output.archive = archive;
    return is_for_docker(delta, output, format);
  }
  static std::vector<Digest> left_out(const Delta& delta) {
    std::vector<Digest> digests;
    for (const auto& [digest, layer] : delta.left_out) digests.push_back(digest);
    return digests;
  }

  PullRequest request;
  std::vector<ArchiveImage> archive;
  std::map<Digest, ImageConfig> configs;
  const Have files{"old.tar", "", Have::Kind::files, {Digest::of("a")}, {tar("b")}};
};

TEST_F(DeltaTest, LayersAreKnownByDigestAndByDiffId) {
  add("2", {"a", "b", "c"});
  const Delta delta = make({files});
  EXPECT_EQ(delta.left_out.size(), 2U);
  EXPECT_FALSE(delta.left_out.at(Digest::of("a")).plain);
  EXPECT_TRUE(delta.left_out.at(Digest::of("b")).plain);
  EXPECT_EQ(delta.left_out.at(Digest::of("b")).diff_id, tar("b"));
  EXPECT_THAT(delta.left_out.at(Digest::of("a")).held_by, ElementsAre("old.tar"));
  EXPECT_EQ(delta.images.at(0).reference, Reference::parse("app:2"));
  EXPECT_EQ(delta.images.at(0).platform, Platform::parse("linux/amd64"));
}

TEST_F(DeltaTest, SeveralFilesAreToldOf) {
  add("2", {"a", "c"});
  const Delta delta = make(
      {files, {"old.tar", "", Have::Kind::files, {Digest::of("a")}}, {"b", "", Have::Kind::files, {}, {tar("a")}}});
  EXPECT_THAT(delta.left_out.at(Digest::of("a")).held_by, ElementsAre("old.tar", "b"));
  EXPECT_FALSE(delta.left_out.at(Digest::of("a")).plain);
}

TEST_F(DeltaTest, DockerKnowsALayerByWhatIsBelowIt) {
  const Have docker{
      "docker.json", "", Have::Kind::docker, {}, {tar("a"), tar("b")}, {tar("a"), chain_id(tar("a"), tar("b"))}};
  add("2", {"a", "b", "c"});
  EXPECT_EQ(make({docker}).left_out.size(), 2U);
  add("3", {"b", "a"});
  EXPECT_THAT(make({docker}).left_out, IsEmpty()) << "each is needed by the other image";
}

TEST_F(DeltaTest, ContainerdKnowsDigestsAlone) {
  add("2", {"a", "b"});
  EXPECT_THAT(left_out(make({{"ctr.txt", "", Have::Kind::containerd, {Digest::of("a")}, {tar("b")}}})),
              ElementsAre(Digest::of("a")));
}

TEST_F(DeltaTest, ALayerWithoutAConfigIsKnownByDigest) {
  add("2", {"a", "b"});
  configs.clear();
  const Delta delta = make({files});
  EXPECT_THAT(left_out(delta), ElementsAre(Digest::of("a")));
  EXPECT_EQ(delta.left_out.begin()->second.diff_id, std::nullopt);
}

TEST_F(DeltaTest, WhatAnEngineWouldRefuseIsRefusedByName) {
  add("2", {"a", "b"});
  const Have docker{"docker.json", "", Have::Kind::docker, {}, {}, {tar("a")}};
  const Have podman{"podman.json", "", Have::Kind::podman, {}, {tar("a")}};
  const Have ctr{"ctr.txt", "", Have::Kind::containerd, {Digest::of("a")}};
  struct Case {
    const Have& have;
    OutputFormat format;
    bool uncompressed;
    std::string refused;
  };
  const std::vector<Case> cases{
      {docker, OutputFormat::docker_archive, false, ""},
      {docker, OutputFormat::docker_archive, true, ""},
      {docker, OutputFormat::oci_archive, false, "docker load"},
      {docker, OutputFormat::oci_dir, false, "docker load"},
      {podman, OutputFormat::docker_archive, false, ""},
      {podman, OutputFormat::docker_archive, true, "podman load"},
      {ctr, OutputFormat::oci_archive, false, ""},
      {ctr, OutputFormat::docker_archive, true, "ctr image import"},
      {files, OutputFormat::docker_archive, true, ""},
  };
  for (const Case& each : cases) {
    const auto failure =
        failure_of([&] { (void)check_delta(make({each.have}), {each.have}, each.format, each.uncompressed); });
    if (each.refused.empty()) {
      EXPECT_EQ(failure.text, "");
    } else {
      EXPECT_EQ(failure.code, Errc::usage);
      EXPECT_THAT(failure.text, AllOf(HasSubstr(each.refused + " would refuse it"), HasSubstr(each.have.name),
                                      HasSubstr(Digest::of("a").to_string())));
    }
  }
}

TEST_F(DeltaTest, WhatIsNotKnownIsSaid) {
  add("2", {"a", "b"});
  const Have podman{"podman.json", "", Have::Kind::podman, {}, {tar("a")}};
  const auto told = [&](const Have& have, bool uncompressed = false) {
    return check_delta(make({have}), {have}, OutputFormat::docker_archive, uncompressed);
  };
  EXPECT_THAT(told(podman), ElementsAre(HasSubstr("podman.json does not tell")));
  EXPECT_THAT(told(files), ElementsAre(HasSubstr("1 layer of what is left out is there as plain tar alone")));
  EXPECT_THAT(told(files, true), IsEmpty());
  EXPECT_THAT(told({"other.tar", "", Have::Kind::files, {Digest::of("z")}}), IsEmpty());
}

TEST_F(DeltaTest, DockerTakesWhatLacksTheLowestLayers) {
  add("2", {"a", "b", "c"});
  EXPECT_TRUE(for_docker(make({files})));
  EXPECT_FALSE(for_docker(make({files}), OutputFormat::oci_archive));
  EXPECT_FALSE(for_docker(make({{"x", "", Have::Kind::files, {Digest::of("b")}}})));
}

}  // namespace
}  // namespace hawser
