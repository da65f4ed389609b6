// What `hawser import` takes from whole tars, of good and of ill will, is in import_test.cpp.
#include "archive/tar_import.hpp"

#include "archive/import_fixture.hpp"
#include "archive/sample_images.hpp"
#include "archive/tar_header.hpp"
#include "util/decompressor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace hawser {
namespace {

using test::noise;
using testing::ElementsAre;
using testing::IsEmpty;
using Kind = ImportedBlob::Kind;

const std::string layer = "\x1f\x8b, as gzip begins";
const std::string config = R"({"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[")" +
                           Digest::of("the layer's tar").to_string() + R"("]}})";

std::string descriptor(std::string_view type, const std::string& content) {
  return R"({"mediaType":")" + std::string(type) + R"(","digest":")" + Digest::of(content).to_string() +
         R"(","size":)" + std::to_string(content.size()) + "}";
}

const std::string manifest = R"({"schemaVersion":2,"config":)" + descriptor(media_type::oci_config, config) +
                             R"(,"layers":[)" + descriptor(media_type::oci_layer_gzip, layer) + "]}";

std::string entry(const std::string& path, const std::string& data) {
  std::string result = tar_file_header(path, data.size()) + data;
  result.resize(tar_padded(result.size()), '\0');
  return result;
}

class TarReaderTest : public testing::Test {
 protected:
  /// The path of a tar.
  std::filesystem::path tar_of(const std::string& entries) {
    test::write_text(scratch / "a.tar", entries + std::string(tar_trailer_size, '\0'));
    return scratch / "a.tar";
  }

  test::TempDir scratch;
};

std::string data_of(TarEntry& entry) {
  std::string data(static_cast<std::size_t>(entry.size()), '\0');
  for (std::size_t done = 0; done < data.size();)
    done += entry.read(std::as_writable_bytes(std::span(data)).subspan(done));
  std::byte more{};
  EXPECT_EQ(entry.read(std::span(&more, 1)), 0U);
  return data;
}

std::vector<std::string> paths(const std::filesystem::path& tar, const ImportLimits& limits = {}) {
  std::vector<std::string> result;
  each_in_tar(tar, limits, [&](const TarEntry& entry) {
    result.push_back(entry.name());
    return true;
  });
  return result;
}

TEST_F(TarReaderTest, VisitsRegularFilesInOrderAsOftenAsOneLikes) {
  const std::string large = noise(300'000, 1);
  const auto tar =
      tar_of(entry("./b", "text") + tar_directory_header("dir/") + entry("dir/a", large) + entry("empty", ""));
  for (int time = 0; time < 2; ++time) {
    EXPECT_THAT(paths(tar), ElementsAre("b", "dir/a", "empty"));
    std::vector<std::string> data;
    each_in_tar(tar, {}, [&](TarEntry& each) {
      data.push_back(data_of(each));
      return true;
    });
    EXPECT_THAT(data, ElementsAre("text", large, ""));
  }
}

TEST_F(TarReaderTest, EndsWhereTheVisitorHasSeenEnough) {
  int seen = 0;
  each_in_tar(tar_of(entry("a", "1") + entry("b", "2")), {}, [&](const TarEntry&) { return ++seen < 1; });
  EXPECT_EQ(seen, 1);
}

TEST_F(TarReaderTest, WhatWasLookedAtIsReadAllTheSame) {
  std::vector<std::string> heads, data;
  each_in_tar(tar_of(entry("a", "abc") + entry("b", "") + entry("c", noise(300'000, 1))), {}, [&](TarEntry& each) {
    heads.emplace_back(each.head());
    EXPECT_EQ(each.head(), heads.back());
    data.push_back(data_of(each));
    return true;
  });
  EXPECT_THAT(heads, ElementsAre("abc", "", noise(300'000, 1).substr(0, longest_magic)));
  EXPECT_THAT(data, ElementsAre("abc", "", noise(300'000, 1)));
}

TEST_F(TarReaderTest, TellsLinksAndTheNumbersOfEntries) {
  const auto link = [](char type, const std::string& target) {
    return test::HostileTar().raw("l" + std::string(1, type), type, target).bytes;
  };
  const auto tar = tar_of(tar_directory_header("d/") + entry("d//./a", "1") + link('1', "d/a") + link('2', "../d/a"));
  std::vector<std::string> seen;
  each_in_tar(tar, {}, [&](const TarEntry& each) {
    const char* kind = each.kind() == TarEntry::Kind::file        ? "file"
                       : each.kind() == TarEntry::Kind::hard_link ? "hard"
                                                                  : "symbolic";
    seen.push_back(std::to_string(each.number()) + " " + kind + " " + each.name() + " " + each.target());
    return true;
  });
  EXPECT_THAT(seen, ElementsAre("2 file d/a ", "3 hard l1 d/a", "4 symbolic l2 ../d/a"));
}

TEST_F(TarReaderTest, HoldsToItsLimits) {
  const std::string two = entry("a", "1") + entry("long/path", "2");
  EXPECT_EQ(test::code_of([&] { paths(tar_of(two), {.max_entries = 1}); }), Errc::too_large);
  EXPECT_THAT(paths(tar_of(two), {.max_path = 4}), ElementsAre("a"));
}

TEST_F(TarReaderTest, SaysWhatItCannotRead) {
  test::write_text(scratch / "no.tar", noise(2000, 1));
  EXPECT_EQ(test::code_of([&] { paths(scratch / "no.tar"); }), Errc::malformed);
  EXPECT_EQ(test::code_of([&] { paths(scratch / "none.tar"); }), Errc::disk);
  test::write_text(scratch / "a.tar", entry("a", noise(3000, 1)).substr(0, 1024));
  EXPECT_EQ(
      test::code_of([&] { each_in_tar(scratch / "a.tar", {}, [](TarEntry& each) { return !data_of(each).empty(); }); }),
      Errc::malformed);
}

TEST_F(TarReaderTest, WhatTheDiskRefusesIsTheDisksError) {
  // Nothing is mapped at the address 0.
  const auto failure = test::failure_of([&] { paths("/proc/self/mem"); });
  EXPECT_EQ(failure.code, Errc::disk);
  EXPECT_EQ(failure.text, "cannot read /proc/self/mem: Input/output error");
}

class TarImportTest : public testing::Test {
 protected:
  void add(const std::string& path, const std::string& data) {
    tar += tar_file_header(path, data.size()) + data;
    tar.resize(tar_padded(tar.size()), '\0');
  }
  void add_blob(const std::string& content) { add(blob_path(Digest::of(content)), content); }
  TarImport import(const ImportLimits& limits = {}) {
    test::write_text(scratch / "a.tar", tar + std::string(tar_trailer_size, '\0'));
    return read_saved_images(scratch / "a.tar", limits);
  }

  test::TempDir scratch;
  std::string tar;
};

TEST_F(TarImportTest, FollowsIndexJsonToTheLayers) {
  add("index.json", R"({"manifests":[{"digest":")" + Digest::of(manifest).to_string() +
                        R"(","annotations":{"io.containerd.image.name":"docker.io/library/a:1"}}]})");
  add("stranger", "passed over");
  add_blob(layer);
  add_blob(manifest);
  const TarImport without = import();
  EXPECT_THAT(without.missing, ElementsAre(Digest::of(config)));
  EXPECT_THAT(without.lacking, IsEmpty());
  add_blob(config);
  const TarImport import_ = import();
  EXPECT_THAT(import_.names, ElementsAre("docker.io/library/a:1"));
  EXPECT_THAT(import_.missing, IsEmpty());
  std::vector<std::pair<Digest, Kind>> seen;
  read_blobs(scratch / "a.tar", import_.blobs, [&](const ImportedBlob& blob, TarEntry& entry) {
    EXPECT_EQ(entry.size(), blob.size);
    seen.emplace_back(blob.digest, blob.kind);
  });
  EXPECT_THAT(seen,
              ElementsAre(std::pair(Digest::of(layer), Kind::layer), std::pair(Digest::of(manifest), Kind::document),
                          std::pair(Digest::of(config), Kind::document)));
}

TEST_F(TarImportTest, ALayerThatManifestJsonNamesIsLackedWhereItIsNotThere) {
  add("c.json", config);
  add("manifest.json", R"([{"Config":"c.json","RepoTags":["a:1"],"Layers":["x/layer.tar"]}])");
  const TarImport cut = import();
  EXPECT_THAT(cut.names, ElementsAre("a:1"));
  EXPECT_THAT(cut.lacking, ElementsAre(Digest::of("the layer's tar")));
  add("x/layer.tar", "the layer's tar");
  const TarImport whole = import();
  EXPECT_THAT(whole.lacking, IsEmpty());
  ASSERT_EQ(whole.blobs.size(), 2U);
  EXPECT_EQ(whole.blobs[1].kind, Kind::uncompressed_layer);
}

TEST_F(TarImportTest, LevelsOfIndexesAreFollowedAsFarAsThereIsSense) {
  const auto index_of = [](const std::string& child) {
    return R"({"schemaVersion":2,"manifests":[)" + descriptor(media_type::oci_index, child) + "]}";
  };
  const std::string second = index_of(manifest), first = index_of(second), deeper = index_of(first);
  for (const std::string& content : {layer, config, manifest, second, first, deeper}) add_blob(content);
  const std::string blobs = tar;
  add("index.json", index_of(first));
  EXPECT_EQ(import().blobs.size(), 5U);
  tar = blobs;
  add("index.json", index_of(deeper));
  EXPECT_EQ(import().blobs.size(), 4U) << "the manifest is not read, so its config and layer are not known";
}

/// Counts how often a file is opened.
class Opened {
 public:
  explicit Opened(const std::filesystem::path& path) : fd_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    // Closing is watched as well, since the kernel makes one event of two that are the same.
    EXPECT_GE(::inotify_add_watch(fd_, path.c_str(), IN_OPEN | IN_CLOSE), 0);
  }
  ~Opened() { ::close(fd_); }
  std::size_t times() const {
    alignas(inotify_event) char buffer[4096];
    std::size_t result = 0;
    for (ssize_t size = 0; (size = ::read(fd_, buffer, sizeof buffer)) > 0;)
      for (ssize_t at = 0; at < size;) {
        const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
        if (event->mask & IN_OPEN) ++result;
        at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      }
    return result;
  }

 private:
  int fd_;
};

TEST_F(TarImportTest, AnArchiveOfTwentyThousandLayersIsReadTwice) {
  constexpr int images = 20, layers = 1000;
  std::string index_json, manifest_json;
  for (int i = 0; i < images; ++i) {
    std::string paths, diff_ids, descriptors;
    for (int j = 0; j < layers; ++j) {
      const std::string content = std::to_string(i * layers + j);
      const char* comma = j == 0 ? "" : ",";
      add_blob(content);
      paths += comma + ('"' + blob_path(Digest::of(content)) + '"');
      diff_ids += comma + ('"' + Digest::of(content + "'s tar").to_string() + '"');
      descriptors += comma + descriptor(media_type::oci_layer_gzip, content);
    }
    const std::string own =
        R"({"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[)" + diff_ids + "]}}";
    const std::string image = R"({"schemaVersion":2,"config":)" + descriptor(media_type::oci_config, own) +
                              R"(,"layers":[)" + descriptors + "]}";
    add_blob(own);
    add_blob(image);
    const char* comma = i == 0 ? "" : ",";
    index_json += comma + descriptor(media_type::oci_manifest, image);
    manifest_json += comma + (R"({"Config":")" + blob_path(Digest::of(own)) + R"(","RepoTags":["a:)") +
                     std::to_string(i) + R"("],"Layers":[)" + paths + "]}";
  }
  add("index.json", R"({"schemaVersion":2,"manifests":[)" + index_json + "]}");
  add("manifest.json", "[" + manifest_json + "]");
  test::write_text(scratch / "a.tar", tar + std::string(tar_trailer_size, '\0'));
  const Opened opened(scratch / "a.tar");
  const TarImport whole = read_saved_images(scratch / "a.tar");
  EXPECT_EQ(opened.times(), 1U) << "passes over the tar for its documents";
  std::size_t blobs = 0;
  read_blobs(scratch / "a.tar", whole.blobs, [&](const ImportedBlob&, TarEntry&) { ++blobs; });
  EXPECT_EQ(opened.times(), 1U) << "passes over the tar for its blobs";
  EXPECT_EQ(blobs, std::size_t{images} * (layers + 2));
  EXPECT_EQ(whole.names.size(), std::size_t{images});
  EXPECT_THAT(whole.missing, IsEmpty());
}

TEST_F(TarImportTest, ADocumentThatDoesNotLookLikeOneIsReadOnASecondPass) {
  const std::string odd = "\n" + manifest;
  for (const std::string& content : {layer, config, odd}) add_blob(content);
  add("index.json", R"({"manifests":[{"digest":")" + Digest::of(odd).to_string() + R"("}]})");
  EXPECT_EQ(import().blobs.size(), 3U);
}

TEST_F(TarImportTest, DocumentsHaveALimitTogether) {
  for (const std::string& content : {layer, config, manifest}) add_blob(content);
  add("index.json", R"({"manifests":[{"digest":")" + Digest::of(manifest).to_string() + R"("}]})");
  const std::uint64_t size = tar.size();
  EXPECT_EQ(import({.max_documents = size}).blobs.size(), 3U);
  EXPECT_EQ(test::code_of([&] { import({.max_documents = manifest.size()}); }), Errc::too_large);
}

}  // namespace
}  // namespace hawser
