// Deltas made whole, from the parsed command line on.
#include "archive/import_fixture.hpp"
#include "archive/layer_patch.hpp"
#include "archive/sample_images.hpp"
#include "cli/commands.hpp"
#include "support/failure.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class ApplyCommandTest : public ImportTest {
 protected:
  ApplyCommandTest() {
    command.name = CommandName::apply;
    command.cache_directory = (directory / "cache").string();
    command.output = (directory / "whole.tar").string();
    command.quiet = true;
    delta.images.push_back({Reference::parse("nginx:1"), Digest::of(image.manifest), Platform::parse("linux/amd64")});
    delta.left_out.emplace(Digest::of(image.layers[0]),
                           LeftOutLayer{image.layers[0].size(), Digest::of(image.tars[0]), false, {"old.tar"}});
  }

  /// The image without its first layer, and with `text` for what says so.
  std::string delta_tar(const std::string& text) {
    HostileTar tar;
    for (const std::string& content : {image.config, image.manifest, image.layers[1]})
      tar.file(blob_path(Digest::of(content)), content);
    tar.file("index.json", image.index_json());
    if (!text.empty()) tar.file("hawser-delta.json", text);
    return write(tar.end(), "delta.tar");
  }
  Failure failure() {
    return failure_of([&] { run_apply_command(command, {}); });
  }
  /// A tar of docker save with one file for a layer.
  std::string saved(const std::string& layer) {
    const RealImage one({image.tars[0]});
    HostileTar tar;
    tar.file("config.json", one.config).file("layer.tar", layer);
    return write(tar.file("manifest.json", RealImage::docker_manifest("config.json", {"layer.tar"})).end(),
                 "saved.tar");
  }

  Command command;
  const RealImage image{{noise(7000, 1), noise(800, 2)}};
  Delta delta;
};

TEST_F(ApplyCommandTest, TheLayersComeFromTheDeltaAndFromWhatIsThere) {
  command.words = {delta_tar(delta.text())};
  command.haves = {write(image.modern().end(), "old.tar")};
  EXPECT_EQ(run_apply_command(command, {}), ExitCode::done);
  for (const std::string& content : image.layers) EXPECT_THAT(read_text(*command.output), HasSubstr(content));
}

TEST_F(ApplyCommandTest, OfWhatIsThereNoMoreIsTakenThanIsLacking) {
  command.words = {delta_tar(delta.text())};
  const RealImage old({image.tars[0], noise(5000, 9)});
  command.haves = {write(old.modern().end(), "old.tar")};
  EXPECT_EQ(run_apply_command(command, {}), ExitCode::done);
  EXPECT_TRUE(has(image.layers[0]));
  EXPECT_FALSE(has(old.layers[1]));
}

TEST_F(ApplyCommandTest, WithoutACacheNothingIsLeft) {
  command.words = {delta_tar(delta.text())};
  write_layout(image);
  command.haves = {(directory / "layout").string()};
  command.use_cache = false;
  EXPECT_EQ(run_apply_command(command, {}), ExitCode::done);
  EXPECT_THAT(directory.names(), testing::UnorderedElementsAre("delta.tar", "layout", "whole.tar"));
}

/// Deltas whose last layer is patched of the one that the archive before has in its place.
class ApplyPatchesTest : public ApplyCommandTest {
 protected:
  /// A delta from one image to the next, as a pull with --fine writes it; or with a patch that makes `another`.
  std::string fine(const RealImage& from, const RealImage& to, const std::string& name,
                   const RealImage* another = nullptr) {
    const RealImage& made = another ? *another : to;
    const std::string patch =
        make_layer_patch(as_bytes(made.layers[0]), as_bytes(made.tars[0]), {as_bytes(from.tars[0])});
    Delta fine_delta;
    fine_delta.images.push_back({Reference::parse("nginx:1"), Digest::of(to.manifest), Platform::parse("linux/amd64")});
    LeftOutLayer layer{to.layers[0].size(), Digest::of(to.tars[0]), false, {"old.tar"}};
    layer.patch = LayerPatch{Digest::of(patch), patch.size(), to.tars[0].size(), {}};
    layer.patch->from.push_back({Digest::of(from.tars[0]), Digest::of(from.layers[0]), from.layers[0].size()});
    fine_delta.left_out.emplace(Digest::of(to.layers[0]), layer);
    HostileTar tar;
    for (const std::string& content : {to.config, to.manifest, patch})
      tar.file(blob_path(Digest::of(content)), content);
    return write(tar.file("index.json", to.index_json()).file("hawser-delta.json", fine_delta.text()).end(), name);
  }
  static RealImage version(const std::string& text) {
    return RealImage({HostileTar().file("lib", noise(60'000, 1)).file("version", text).end()});
  }

  const RealImage first = version("1"), second = version("2"), third = version("3");
  const std::string to_second = fine(first, second, "2.delta.tar"), to_third = fine(second, third, "3.delta.tar");
};

TEST_F(ApplyPatchesTest, APatchMakesTheRegistrysBytes) {
  command.words = {to_second};
  command.haves = {write(first.modern().end(), "old.tar")};
  EXPECT_LT(std::filesystem::file_size(to_second), 12'000U);
  EXPECT_EQ(run_apply_command(command, {}), ExitCode::done);
  EXPECT_THAT(read_text(*command.output), HasSubstr(second.layers[0]));
}

TEST_F(ApplyPatchesTest, APlainTarIsEnoughToPatch) {
  command.words = {to_second};
  HostileTar tar;
  tar.file("config.json", first.config).file("layer.tar", first.tars[0]);
  command.haves = {
      write(tar.file("manifest.json", RealImage::docker_manifest("config.json", {"layer.tar"})).end(), "saved.tar")};
  EXPECT_EQ(run_apply_command(command, {}), ExitCode::done);
  EXPECT_THAT(read_text(*command.output), HasSubstr(second.layers[0]));
}

TEST_F(ApplyPatchesTest, SeveralInARow) {
  command.words = {to_second, to_third};
  command.haves = {write(first.modern().end(), "old.tar")};
  EXPECT_EQ(run_apply_command(command, {}), ExitCode::done);
  EXPECT_THAT(read_text(*command.output), HasSubstr(third.layers[0]));
}

TEST_F(ApplyPatchesTest, WhatAPatchIsOfIsNamedWhereItIsNowhere) {
  command.words = {to_second};
  const Failure found = failure();
  EXPECT_EQ(found.code, Errc::not_found);
  EXPECT_THAT(found.text, AllOf(HasSubstr(Digest::of(first.layers[0]).to_string()), HasSubstr("in old.tar"),
                                testing::Not(HasSubstr(Digest::of(second.layers[0]).to_string()))));
  EXPECT_FALSE(std::filesystem::exists(*command.output));
}

TEST_F(ApplyPatchesTest, ADeltaThatLacksItsPatchIsNotWhole) {
  std::string bytes = read_text(to_second);
  const std::size_t at = bytes.find("HWSRPTC1") - 512;
  bytes.replace(at, 100, "blobs/sha256/elsewhere" + std::string(78, '\0'));
  unsigned sum = 0;
  bytes.replace(at + 148, 8, "        ");
  for (std::size_t i = 0; i < 512; ++i) sum += static_cast<unsigned char>(bytes[at + i]);
  char digits[8];
  std::snprintf(digits, sizeof digits, "%06o", sum);
  bytes.replace(at + 148, 7, std::string(digits) + '\0');
  command.words = {write(bytes, "without.delta.tar")};
  command.haves = {write(first.modern().end(), "old.tar")};
  const Failure found = failure();
  EXPECT_EQ(found.code, Errc::not_found);
  EXPECT_THAT(found.text, HasSubstr(Digest::of(second.layers[0]).to_string()));
}

TEST_F(ApplyPatchesTest, APatchThatMakesSomethingElseIsRefused) {
  command.words = {fine(first, second, "other.delta.tar", &third)};
  command.haves = {write(first.modern().end(), "old.tar")};
  const Failure found = failure();
  EXPECT_EQ(found.code, Errc::digest_mismatch);
  EXPECT_THAT(found.text, AllOf(HasSubstr("other.delta.tar"), HasSubstr(Digest::of(second.layers[0]).to_string())));
  EXPECT_FALSE(std::filesystem::exists(*command.output));
}

TEST_F(ApplyCommandTest, WhatIsNoDeltaIsRefused) {
  command.words = {delta_tar("")};
  EXPECT_EQ(failure().code, Errc::usage);
  EXPECT_THAT(failure().text, AllOf(HasSubstr("delta.tar"), HasSubstr("it is no delta")));
  command.words = {delta_tar("{\"hawser_delta\":1}")};
  EXPECT_EQ(failure().code, Errc::malformed);
  command.words = {(directory / "nowhere.tar").string()};
  EXPECT_EQ(failure().code, Errc::disk);
}

TEST_F(ApplyCommandTest, ADeltaCutShortIsRefused) {
  const std::string path = delta_tar(delta.text());
  const std::string bytes = read_text(path);
  write_text(path, bytes.substr(0, bytes.size() - 1500));
  command.words = {path};
  EXPECT_EQ(failure().code, Errc::malformed);
}

TEST_F(ApplyCommandTest, WhatIsNowhereIsNamed) {
  command.words = {delta_tar(delta.text())};
  const Failure found = failure();
  EXPECT_EQ(found.code, Errc::not_found);
  EXPECT_THAT(found.text, AllOf(HasSubstr("1 layer"), HasSubstr(Digest::of(image.layers[0]).to_string()),
                                HasSubstr(Digest::of(image.tars[0]).to_string()), HasSubstr("in old.tar")));
  EXPECT_FALSE(std::filesystem::exists(*command.output));
}

TEST_F(ApplyCommandTest, WhatADeltaDoesNotOwnUpToIsNamedToo) {
  delta.left_out.clear();
  command.words = {delta_tar(delta.text())};
  EXPECT_EQ(run_apply_command(command, {}), ExitCode::not_found);
  EXPECT_FALSE(std::filesystem::exists(*command.output));
}

TEST_F(ApplyCommandTest, ALayerOfAnotherSizeThanTheDeltaSaysIsMissing) {
  delta.left_out.begin()->second.size += 1;
  command.words = {delta_tar(delta.text())};
  command.haves = {write(image.modern().end(), "old.tar")};
  EXPECT_EQ(failure().code, Errc::not_found);
}

TEST_F(ApplyCommandTest, PlainTarsAreForAnUncompressedArchive) {
  command.words = {delta_tar(delta.text())};
  command.haves = {saved(image.tars[0])};
  EXPECT_THAT(failure().hint, HasSubstr("--uncompressed"));
  command.uncompressed = true;
  EXPECT_EQ(run_apply_command(command, {}), ExitCode::done);
  EXPECT_THAT(read_text(*command.output), HasSubstr(image.tars[0]));
}

TEST_F(ApplyCommandTest, DamagedBytesAreNotTaken) {
  std::string other = image.tars[0];
  other[100] = static_cast<char>(other[100] ^ 1);
  command.words = {delta_tar(delta.text())};
  command.haves = {saved(other)};
  command.uncompressed = true;
  testing::internal::CaptureStderr();
  EXPECT_EQ(failure().code, Errc::not_found);
  testing::internal::GetCapturedStderr();
  std::string bytes = read_text(command.words[0]);
  bytes[bytes.find(image.layers[1]) + 30] ^= 1;
  write_text(command.words[0], bytes);
  command.cache_directory = (directory / "another").string();
  const Failure damaged = failure();
  EXPECT_EQ(damaged.code, Errc::digest_mismatch);
  EXPECT_THAT(damaged.text, HasSubstr(Digest::of(image.layers[1]).to_string()));
}

TEST_F(ApplyCommandTest, ADeltaOfPlainTarsIsForDockerAlone) {
  HostileTar tar;
  const RealImage one({image.tars[1]});
  tar.file("config.json", one.config).file("layer.tar", image.tars[1]);
  tar.file("manifest.json", RealImage::docker_manifest("config.json", {"layer.tar"}));
  delta.left_out.clear();
  command.words = {write(tar.file("hawser-delta.json", delta.text()).end(), "plain.tar")};
  const Failure found = failure();
  EXPECT_EQ(found.code, Errc::unsupported);
  EXPECT_THAT(found.hint, HasSubstr("--uncompressed"));
}

}  // namespace
}  // namespace hawser::test
