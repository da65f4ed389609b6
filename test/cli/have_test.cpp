// Files that tell what is there already: all kinds, and of ill will.
#include "cli/have.hpp"

#include "archive/classic_writer.hpp"
#include "archive/import_fixture.hpp"
#include "support/failure.hpp"
#include "support/temp_dir.hpp"

#include <hawser/util/error.hpp>

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace hawser::test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

const Digest a = Digest::of("a"), b = Digest::of("b");

std::string inspected(const std::string& layers, const std::string& more = "") {
  return R"({"Id":"x",)" + more + R"("RootFS":{"Type":"layers","Layers":[)" + layers + "]}}";
}
const std::string two_layers = "\"" + a.to_string() + "\",\"" + b.to_string() + "\"";

TEST(Have, WhatDockerImageInspectPrints) {
  for (const std::string& text : {"[" + inspected(two_layers) + "]", " \n" + inspected(two_layers)}) {
    const Have have = parse_have(text, "docker.json");
    EXPECT_EQ(have.kind, Have::Kind::docker);
    EXPECT_EQ(have.name, "docker.json");
    EXPECT_THAT(have.diff_ids, UnorderedElementsAre(a, b));
    EXPECT_THAT(have.chains, UnorderedElementsAre(a, chain_id(a, b)));
    EXPECT_THAT(have.layers, IsEmpty());
  }
}

TEST(Have, PodmansIsToldFromDockers) {
  EXPECT_EQ(parse_have("[" + inspected(two_layers, "\"Digest\":\"x\",") + "]", "").kind, Have::Kind::podman);
}

TEST(Have, WhatCtrContentLsPrints) {
  for (const char* const head : {"DIGEST\t\tSIZE\tAGE\tLABELS\n", ""}) {
    const Have have =
        parse_have(head + a.to_string() + "\t143B\t1 second\tcontainerd.io/gc.ref.content.l.0=" + b.to_string() + "\n" +
                       Digest::of("c").to_string() + "\n",
                   "ctr.txt");
    EXPECT_EQ(have.kind, Have::Kind::containerd);
    EXPECT_THAT(have.layers, UnorderedElementsAre(a, Digest::of("c"))) << "what others refer to need not be there";
  }
}

TEST(Have, WhatCtrImageLsPrints) {
  const Have have = parse_have("REF TYPE DIGEST SIZE PLATFORMS LABELS\r\ndocker.io/library/nginx:1 application/x " +
                                   a.to_string() + " 1.8 KiB linux/amd64 -\r\n" + b.to_string() + " application/x " +
                                   b.to_string() + " 1.8 KiB linux/amd64 -\r\n",
                               "ctr.txt");
  EXPECT_EQ(have.kind, Have::Kind::containerd);
  EXPECT_THAT(have.images, ElementsAre(Reference::parse("nginx:1@" + a.to_string())));
}

TEST(Have, ALock) {
  const Have have = parse_have("# a comment\ndocker.io/library/nginx:1@" + a.to_string() + "\n", "old.lock");
  EXPECT_EQ(have.kind, Have::Kind::files);
  EXPECT_THAT(have.images, ElementsAre(Reference::parse("nginx:1@" + a.to_string())));
}

TEST(Have, WhatMakesNoSenseIsRefused) {
  for (const std::string& text : {
           std::string(),
           std::string(" \n"),
           std::string("[1"),
           std::string("[1]"),
           std::string("{}"),
           std::string("[[]]"),
           "[" + inspected("1") + "]",
           "[" + inspected("\"sha256:0\"") + "]",
           std::string(10'000, '['),
           std::string("REF TYPE DIGEST\nnginx x\n"),
           std::string("REF TYPE DIGEST\nnginx x sha256:0\n"),
           a.to_string() + "\nsomething else\n",
           std::string("# nothing\n"),
           std::string("nginx:1\n"),
       })
    EXPECT_THAT(failure_of([&] { (void)parse_have(text, "x"); }).code,
                testing::AnyOf(Errc::malformed, Errc::usage, Errc::bad_reference))
        << text.substr(0, 100);
  std::string many;
  for (int i = 0; i < 1025; ++i) many += (i == 0 ? "\"" : ",\"") + a.to_string() + "\"";
  EXPECT_EQ(failure_of([&] { (void)parse_have(inspected(many), "x"); }).code, Errc::malformed);
}

class HaveFileTest : public ImportTest {};

TEST_F(HaveFileTest, ATarHasItsLayersByBothDigests) {
  const RealImage image({"tar one", "tar two"});
  const Have have = read_have(write(image.modern().end(), "old.tar"));
  EXPECT_EQ(have.name, "old.tar");
  EXPECT_THAT(have.layers, UnorderedElementsAre(Digest::of(image.layers[0]), Digest::of(image.layers[1])));
  EXPECT_THAT(have.diff_ids, UnorderedElementsAre(Digest::of("tar one"), Digest::of("tar two")));
}

TEST_F(HaveFileTest, PlainLayersAreKnownByTheirDiffIds) {
  const RealImage image({"tar one"});
  HostileTar tar;
  tar.file("layer.tar", "tar one").file("config.json", image.config);
  tar.file("manifest.json", RealImage::docker_manifest("config.json", {"layer.tar"}));
  EXPECT_THAT(read_have(write(tar.end())).diff_ids, ElementsAre(Digest::of("tar one")));
}

TEST_F(HaveFileTest, ALayoutHasWhatLiesInIt) {
  const RealImage image({"tar one", "tar two"});
  write_layout(image);
  std::filesystem::remove(directory / "layout" / blob_path(Digest::of(image.layers[1])));
  for (const char* const name : {"layout", "layout/"}) {
    const Have have = read_have(directory / name);
    EXPECT_EQ(have.name, "layout");
    EXPECT_THAT(have.layers, ElementsAre(Digest::of(image.layers[0])));
  }
}

TEST_F(HaveFileTest, ADeltaCountsWithWhatItWasMadeAgainst) {
  const RealImage image({"tar one", "tar two"});
  Delta delta;
  delta.images.push_back({Reference::parse("nginx:1"), Digest::of(image.manifest)});
  delta.left_out.emplace(a, LeftOutLayer{1, b});
  const Have have = read_have(write(image.modern().file("hawser-delta.json", delta.text()).end()));
  EXPECT_TRUE(have.layers.contains(a));
  EXPECT_TRUE(have.diff_ids.contains(b));
}

TEST_F(HaveFileTest, APipeIsReadAsText) {
  const std::filesystem::path pipe = directory / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  std::thread writer([&] { test::write_text(pipe, a.to_string() + "\n"); });
  EXPECT_THAT(read_have(pipe).layers, ElementsAre(a));
  writer.join();
}

TEST_F(HaveFileTest, ErrorsNameTheFile) {
  const auto failure = [&](const std::filesystem::path& file) { return failure_of([&] { (void)read_have(file); }); };
  EXPECT_EQ(failure(directory / "nowhere").code, Errc::disk);
  EXPECT_THAT(failure(write("hello", "note")).text, AllOf(HasSubstr("--without"), HasSubstr("note")));
  EXPECT_EQ(failure(write(std::string(17 << 20, 'a'), "long")).code, Errc::too_large);
  EXPECT_EQ(failure(write(std::string(2000, '\0'), "zeros")).code, Errc::malformed);
  const std::string whole = RealImage({std::string(5000, 'x')}).modern().end();
  EXPECT_EQ(failure(write(whole.substr(0, 700), "cut.tar")).code, Errc::malformed);
  EXPECT_EQ(failure(directory.path()).code, Errc::malformed) << "no layout";
}

}  // namespace
}  // namespace hawser::test
