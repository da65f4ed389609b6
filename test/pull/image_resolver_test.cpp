// From a reference to its manifests, against a scripted registry, and how much a hostile one may name.
#include "pull/image_resolver.hpp"

#include "image/manifest.hpp"
#include "registry/registry_fixture.hpp"
#include "support/temp_dir.hpp"

namespace hawser::test {
namespace {

using testing::HasSubstr;

class ImageResolverTest : public testing::Test {
 protected:
  ImageResolverTest() {
    access.plain_http = true;
    access.max_connections = 1;
  }

  ResolvedImage resolve(bool all, const std::string& tag = "latest", BlobStore* store = nullptr) {
    TransferObserver nobody;
    Session session(context.get_executor(), pool, access, nobody);
    const Reference reference = Reference::parse(registry.host() + "/a/b:" + tag);
    return run_coroutine(context, resolve_image(session, store, reference, Platform::parse("linux/amd64"), all));
  }
  Failure failure(bool all, const std::string& tag = "latest") {
    return failure_of([&] { resolve(all, tag); });
  }

  static std::string entry(const Digest& digest, std::size_t size, std::string_view type,
                           const std::string& architecture = "amd64") {
    return "{\"mediaType\":\"" + std::string(type) + "\",\"digest\":\"" + digest.to_string() +
           "\",\"size\":" + std::to_string(size) + R"(,"platform":{"os":"linux","architecture":")" + architecture +
           "\"}}";
  }
  /// Puts an index of these entries into the registry; returns its own entry. `padding` makes it larger.
  std::string add_index(const std::string& tag, const std::string& entries, std::size_t padding = 0) {
    const std::string bytes = "{\"schemaVersion\":2,\"mediaType\":\"" + std::string(media_type::oci_index) +
                              "\",\"manifests\":[" + entries + "]" + std::string(padding, ' ') + "}";
    const Digest digest = registry.content().add_manifest("a/b", tag, bytes, std::string(media_type::oci_index));
    return entry(digest, bytes.size(), media_type::oci_index);
  }
  std::string add_manifest(std::uint64_t seed, const std::string& architecture = "amd64") {
    const TestImage image = make_image(seed, 0, 0);
    const std::string bytes = image.manifest + std::string(seed, ' ');  // a digest of its own
    const Digest digest = registry.content().add_manifest("a/b", "", bytes, std::string(media_type::oci_manifest));
    return entry(digest, bytes.size(), media_type::oci_manifest, architecture);
  }

  asio::io_context context;
  asio::thread_pool pool{1};
  ScriptedRegistry registry;
  RegistryAccess access;
};

TEST_F(ImageResolverTest, AnIndexGivesThePlatformOrAll) {
  add_index("latest", add_manifest(1) + "," + add_manifest(2, "arm64"));
  const ResolvedImage one = resolve(false);
  EXPECT_TRUE(one.from_index);
  EXPECT_EQ(one.archive.manifests.size(), 1U);
  EXPECT_EQ(one.fetched.size(), 2U);
  const ResolvedImage all = resolve(true);
  EXPECT_EQ(all.archive.manifests.size(), 2U);
  EXPECT_EQ(all.archive.indexes.size(), 1U);
}

TEST_F(ImageResolverTest, WhereNoEntryNamesAPlatformTheConfigsDo) {
  const auto add = [&](std::uint64_t seed, const std::string& architecture) {
    TestImage image = make_image(seed, 0, 0);
    const Digest old = Digest::of(image.config);
    image.config.replace(image.config.find("amd64"), 5, architecture);
    image.manifest.replace(image.manifest.find(old.to_string()), old.to_string().size(),
                           registry.content().add_blob(image.config).to_string());
    const std::string size = "\"size\":";
    const std::size_t at = image.manifest.find(size) + size.size();
    image.manifest.replace(at, image.manifest.find_first_not_of("0123456789", at) - at,
                           std::to_string(image.config.size()));
    std::string bytes = image.manifest + std::string(seed, ' ');
    const std::size_t length = bytes.size();
    const Digest digest =
        registry.content().add_manifest("a/b", "", std::move(bytes), std::string(media_type::oci_manifest));
    return "{\"mediaType\":\"" + std::string(media_type::oci_manifest) + "\",\"digest\":\"" + digest.to_string() +
           "\",\"size\":" + std::to_string(length) + "}";
  };
  add_index("latest", add(1, "s390x") + "," + add(2, "amd64") + "," + add(3, "arm64"));
  const ResolvedImage found = resolve(false);
  ASSERT_EQ(found.archive.manifests.size(), 1U);
  EXPECT_TRUE(found.archive.manifests.front().bytes.ends_with("}  "));
  EXPECT_EQ(found.archive.manifests.front().descriptor.platform, std::nullopt);
  // What the choice took is enough for the next one.
  const TempDir directory;
  BlobStore store(directory / "cache");
  for (const auto& [digest, bytes] : found.fetched) store.put(digest, bytes);
  const std::size_t asked = registry.count("GET", "/v2/a/b/blobs/*");
  EXPECT_EQ(asked, 2U);
  EXPECT_EQ(resolve(false, "latest", &store).archive.root().digest, found.archive.root().digest);
  EXPECT_EQ(registry.count("GET", "/v2/a/b/blobs/*"), asked);

  add_index("latest", add(1, "s390x") + "," + add(3, "arm64"));
  const ResolvedImage none = resolve(false);  // for check_config() to refuse
  EXPECT_TRUE(none.archive.manifests.front().bytes.ends_with("}   "));
}

TEST_F(ImageResolverTest, OfIndexesWithoutAPlatformTheOneThatHasTheImage) {
  const auto without_platform = [](const std::string& entry) {
    return entry.substr(0, entry.find(",\"platform")) + "}";
  };
  add_index("latest", without_platform(add_index("", add_manifest(1, "s390x"))) + "," +
                          without_platform(add_index("", add_manifest(2))));
  EXPECT_EQ(resolve(false).archive.manifests.size(), 1U);
}

TEST_F(ImageResolverTest, ADocumentNamedTwiceIsFetchedOnce) {
  const std::string manifest = add_manifest(1);
  add_index("latest", manifest + "," + add_index("", manifest));
  EXPECT_EQ(resolve(true).archive.manifests.size(), 1U);
  EXPECT_EQ(registry.count("GET", "*"), 3U);
}

TEST_F(ImageResolverTest, AttackIndexesWithoutEndAreRefused) {
  std::string entries;
  for (std::size_t i = 0; i < 600; ++i) entries += (i == 0 ? "" : ",") + add_index("", "", i);
  add_index("latest", entries);
  EXPECT_EQ(failure(true).code, Errc::too_large);
  EXPECT_LE(registry.count("GET", "*"), 513U);
}

TEST_F(ImageResolverTest, AttackManifestsOfTooManyBytesAreRefused) {
  std::string entries;
  for (std::size_t i = 0; i < 20; ++i) entries += (i == 0 ? "" : ",") + add_index("", "", 4'000'000 + i);
  add_index("latest", entries);
  const Failure refused = failure(true);
  EXPECT_EQ(refused.code, Errc::too_large);
  EXPECT_THAT(refused.text, HasSubstr("67.1 MB"));
}

TEST_F(ImageResolverTest, AttackIndexesNestedTooDeepAreRefused) {
  std::string inner = add_manifest(1);
  for (int depth = 0; depth < 4; ++depth) inner = add_index("deepest", inner);
  EXPECT_EQ(resolve(false, "deepest").archive.manifests.size(), 1U);
  add_index("deeper", inner);
  for (const bool all : {false, true}) {
    const Failure refused = failure(all, "deeper");
    EXPECT_EQ(refused.code, Errc::malformed);
    EXPECT_THAT(refused.text, HasSubstr("nested too deep"));
  }
}

// No index can hold its own digest; one that claims to is found out by its bytes.
TEST_F(ImageResolverTest, AttackAnIndexThatHoldsItselfIsRefused) {
  const Digest claimed = Digest::of("itself");
  const std::string bytes = "{\"schemaVersion\":2,\"manifests\":[" + entry(claimed, 0, media_type::oci_index) + "]}";
  registry.on("GET", "*").reply_with(Reply::of(200, bytes, std::string(media_type::oci_index)));
  for (const bool all : {false, true}) EXPECT_EQ(failure(all).code, Errc::digest_mismatch);
}

TEST_F(ImageResolverTest, AnIndexWithoutImagesIsNotFound) {
  add_index("latest", "");
  EXPECT_EQ(failure(true).code, Errc::not_found);
  EXPECT_EQ(failure(false).code, Errc::no_platform);
}

TEST(CheckConfig, ABuildOfWindowsMustServeWhatWasAskedFor) {
  const ImageConfig config{Platform::parse("windows(10.0.17763.9)/amd64"), {}};
  const Manifest manifest{"", {"", Digest::of("config")}, {}};
  for (const char* wanted : {"windows/amd64", "windows(10.0.17763)/amd64", "windows(10.0.20348)/amd64"})
    EXPECT_NO_THROW(check_config(config, manifest, Platform::parse(wanted), "x")) << wanted;
  const Failure refused =
      failure_of([&] { check_config(config, manifest, Platform::parse("windows(10.0.14393)/amd64"), "x"); });
  EXPECT_EQ(refused.code, Errc::no_platform);
  EXPECT_EQ(refused.hint, "say --platform 'windows(10.0.17763.9)/amd64' if that is what you want");
}

}  // namespace
}  // namespace hawser::test
