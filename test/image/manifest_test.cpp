#include "image/manifest.hpp"

#include <hawser/util/error.hpp>

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace hawser::media_type {
namespace {

TEST(MediaType, ParametersAndCaseOfAContentTypeDoNotMatter) {
  EXPECT_EQ(essence("Application/JSON; charset=utf-8"), "application/json");
  EXPECT_EQ(essence(" text/html\t;a=b;c"), "text/html");
  EXPECT_EQ(essence(oci_index), oci_index);
  EXPECT_EQ(essence(""), "");
  EXPECT_EQ(essence(";charset=utf-8"), "");
}

TEST(MediaType, TellsIndexesManifestsAndLayersApart) {
  for (const auto type : {oci_index, docker_manifest_list}) {
    EXPECT_TRUE(is_index(type));
    EXPECT_FALSE(is_manifest(type) || is_layer(type));
  }
  for (const auto type : {oci_manifest, docker_manifest}) {
    EXPECT_TRUE(is_manifest(type));
    EXPECT_FALSE(is_index(type) || is_layer(type));
  }
  for (const std::string_view type : {std::string_view(""), docker_schema1, docker_schema1_signed, oci_config,
                                      docker_config, std::string_view("application/json")})
    EXPECT_FALSE(is_index(type) || is_manifest(type) || is_layer(type)) << type;
}

TEST(MediaType, KnowsLayersAndWhetherTheyAreForeign) {
  struct Case {
    std::string_view type;
    bool foreign;
  };
  const Case cases[] = {
      {oci_layer_tar, false},
      {oci_layer_gzip, false},
      {oci_layer_zstd, false},
      {docker_layer_tar, false},
      {docker_layer_gzip, false},
      {"application/vnd.docker.image.rootfs.diff.tar.zstd", false},
      {docker_foreign_layer, true},
      {"application/vnd.docker.image.rootfs.foreign.diff.tar", true},
      {"application/vnd.oci.image.layer.nondistributable.v1.tar", true},
      {"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", true},
      {"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", true},
  };
  for (const Case& c : cases) {
    EXPECT_TRUE(is_layer(c.type)) << c.type;
    EXPECT_EQ(is_foreign_layer(c.type), c.foreign) << c.type;
  }
}

TEST(MediaType, AcceptNamesEveryManifestTypeOnceAndOciFirst) {
  const std::string accept(accept_manifests());
  EXPECT_TRUE(accept.starts_with(oci_index));
  for (const auto type : {oci_index, oci_manifest, docker_manifest_list, docker_manifest}) {
    const auto at = accept.find(type);
    ASSERT_NE(at, std::string::npos);
    EXPECT_EQ(accept.find(type, at + 1), std::string::npos);
  }
  EXPECT_EQ(accept.find(docker_schema1), std::string::npos);
}

}  // namespace
}  // namespace hawser::media_type

namespace hawser {
namespace {

const std::string oci_manifest(media_type::oci_manifest);
const std::string oci_index(media_type::oci_index);
const std::string docker_manifest(media_type::docker_manifest);

std::string in_quotes(std::string_view text) {
  return "\"" + std::string(text) + "\"";
}

std::string descriptor(std::string_view type, std::string_view content, const std::string& size = "7",
                       const std::string& more = "") {
  return R"({"mediaType":)" + in_quotes(type) + R"(,"digest":)" + in_quotes(Digest::of(content).to_string()) +
         R"(,"size":)" + size + more + "}";
}

const std::string config = descriptor(media_type::oci_config, "config");
const std::string layer = descriptor(media_type::oci_layer_gzip, "layer");

std::string manifest(const std::string& layers, const std::string& more = "", const std::string& conf = config) {
  return R"({"schemaVersion":2,"config":)" + conf + R"(,"layers":[)" + layers + "]" + more + "}";
}

std::string index(const std::string& manifests, const std::string& more = "") {
  return R"({"schemaVersion":2,"manifests":[)" + manifests + "]" + more + "}";
}

std::string entry(std::string_view content, const std::string& os, const std::string& architecture,
                  const std::string& variant = "", const std::string& more = "") {
  const std::string v = variant.empty() ? "" : R"(,"variant":)" + in_quotes(variant);
  return descriptor(
      media_type::oci_manifest, content, "7",
      R"(,"platform":{"os":)" + in_quotes(os) + R"(,"architecture":)" + in_quotes(architecture) + v + "}" + more);
}

/// The error of parsing, which must be fit for a terminal.
Error error_of(const std::string& bytes, const std::string& content_type = "") {
  try {
    parse_manifest(bytes, content_type);
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find('\x1b'), std::string::npos);
    return error;
  }
  ADD_FAILURE() << "taken: " << bytes.substr(0, 300);
  return {Errc::cancelled, ""};
}

std::string type_of(const std::string& bytes, const std::string& content_type) {
  return std::visit([](const auto& document) { return document.media_type; }, parse_manifest(bytes, content_type));
}

TEST(ParseManifest, TakesADocumentForWhatItIsWhateverAWebServerCallsIt) {
  const std::string docker_config = descriptor(media_type::docker_config, "config");
  const std::string docker_layer = descriptor(media_type::docker_layer_gzip, "layer");
  const std::string docker_entry = descriptor(docker_manifest, "manifest");
  for (const char* type : {"", "text/html", "text/html; charset=utf-8", "text/plain", "application/json",
                           "application/octet-stream", "binary/octet-stream", "text/x-json", "nonsense"}) {
    EXPECT_EQ(type_of(manifest(layer), type), oci_manifest) << type;
    EXPECT_EQ(type_of(index(entry("a", "linux", "amd64")), type), oci_index) << type;
    EXPECT_EQ(type_of(manifest(docker_layer, "", docker_config), type), docker_manifest) << type;
    EXPECT_EQ(type_of(manifest("", "", docker_config), type), docker_manifest) << type;
    EXPECT_EQ(type_of(index(docker_entry), type), media_type::docker_manifest_list) << type;
  }
  EXPECT_EQ(error_of("<!DOCTYPE html><p>Sign in", "text/plain").code(), Errc::malformed);
}

/// The error of taking a manifest, which parses, for an image.
Error image_error_of(const std::string& bytes) {
  const auto parsed = parse_manifest(bytes, "");
  try {
    check_is_image(std::get<Manifest>(parsed));
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "taken: " << bytes;
  return {Errc::cancelled, ""};
}

TEST(Manifest, ReadsAManifest) {
  const auto parsed =
      std::get<Manifest>(parse_manifest(manifest(layer + "," +
                                                     descriptor(media_type::docker_foreign_layer, "f", "9",
                                                                R"(,"urls":["https://a/b"],"annotations":{"k":"v"})"),
                                                 R"(,"mediaType":)" + in_quotes(oci_manifest)),
                                        oci_manifest));
  EXPECT_EQ(parsed.media_type, oci_manifest);
  EXPECT_EQ(parsed.config.digest, Digest::of("config"));
  ASSERT_EQ(parsed.layers.size(), 2U);
  EXPECT_EQ(parsed.layers[0].size, 7U);
  EXPECT_EQ(parsed.layers[1].urls, std::vector<std::string>{"https://a/b"});
  EXPECT_TRUE(parsed.layers[1].annotations.empty());
}

TEST(Manifest, ReadsAnIndex) {
  const auto parsed = std::get<Index>(parse_manifest(index(entry("a", "linux", "arm64", "v8")), oci_index));
  ASSERT_EQ(parsed.manifests.size(), 1U);
  EXPECT_EQ(parsed.manifests[0].platform->to_string(), "linux/arm64");
}

TEST(Manifest, TypeComesFromTheDocumentTheHeaderOrTheShape) {
  struct Case {
    std::string bytes;
    std::string content_type;
    std::string type;
  };
  const std::string says_docker = R"(,"mediaType":)" + in_quotes(docker_manifest);
  const std::vector<Case> cases{
      {manifest(layer), "", oci_manifest},
      {manifest(layer), docker_manifest, docker_manifest},
      {manifest(layer), docker_manifest + "; charset=utf-8", docker_manifest},
      {manifest(layer), " Application/VND.oci.image.manifest.v1+JSON ;q=1", oci_manifest},
      {manifest(layer), "application/json", oci_manifest},
      {manifest(layer), "text/plain; charset=utf-8", oci_manifest},
      {manifest(layer, says_docker), "", docker_manifest},
      {manifest(layer, says_docker), "application/octet-stream", docker_manifest},
      {manifest(layer, says_docker), docker_manifest, docker_manifest},
      {index(""), "", oci_index},
      {index(""), std::string(media_type::docker_manifest_list), std::string(media_type::docker_manifest_list)},
  };
  for (const auto& [bytes, content_type, type] : cases) {
    const auto parsed = parse_manifest(bytes, content_type);
    EXPECT_EQ(std::visit([](const auto& document) { return document.media_type; }, parsed), type) << content_type;
  }
}

TEST(Manifest, ADocumentThatCouldBeTwoThingsIsRefused) {
  const std::string both = R"({"schemaVersion":2,"config":)" + config + R"(,"layers":[],"manifests":[]})";
  EXPECT_EQ(error_of(both).code(), Errc::malformed);
  EXPECT_EQ(error_of(both, oci_manifest).code(), Errc::malformed);
  EXPECT_EQ(error_of(both, oci_index).code(), Errc::malformed);
  EXPECT_EQ(error_of(R"({"schemaVersion":2,"layers":[],"manifests":[]})").code(), Errc::malformed);
  EXPECT_EQ(error_of(R"({"schemaVersion":2,"config":{},"manifests":[]})").code(), Errc::malformed);
  EXPECT_EQ(error_of(index(""), oci_manifest).code(), Errc::malformed);
  EXPECT_EQ(error_of(manifest(layer), oci_index).code(), Errc::malformed);
  EXPECT_EQ(error_of(manifest(layer, R"(,"mediaType":)" + in_quotes(oci_manifest)), docker_manifest).code(),
            Errc::malformed);
  // Names twice, or once more in another case.
  EXPECT_EQ(error_of(manifest(layer, R"(,"layers":[])")).code(), Errc::malformed);
  EXPECT_EQ(error_of(manifest(layer, R"(,"Layers":[])")).code(), Errc::malformed);
  EXPECT_EQ(error_of(manifest(layer, R"(,"MANIFESTS":[])")).code(), Errc::malformed);
  EXPECT_EQ(error_of(manifest(layer, R"(,"\u006cayers":[])")).code(), Errc::malformed);
  EXPECT_EQ(error_of(manifest(descriptor(media_type::oci_layer_gzip, "l", "7", R"(,"size":8)"))).code(),
            Errc::malformed);
  EXPECT_EQ(error_of(manifest(descriptor(media_type::oci_layer_gzip, "l", "7", R"(,"Digest":"x")"))).code(),
            Errc::malformed);
}

TEST(Manifest, SizesAreWholePositiveAndNotAbsurd) {
  for (const char* size : {"-1", "1.5", "1e3", "17592186044417", "18446744073709551615", "99999999999999999999999",
                           "-9223372036854775808", "\"7\"", "null", "true", "[7]", "{}"}) {
    EXPECT_EQ(error_of(manifest(descriptor(media_type::oci_layer_gzip, "l", size))).code(), Errc::malformed) << size;
    EXPECT_EQ(error_of(index(descriptor(media_type::oci_manifest, "l", size))).code(), Errc::malformed) << size;
  }
  EXPECT_NO_THROW(parse_manifest(manifest(descriptor(media_type::oci_layer_gzip, "l", "17592186044416")), ""));
  EXPECT_NO_THROW(parse_manifest(manifest(descriptor(media_type::oci_layer_gzip, "l", "0")), ""));
}

TEST(Manifest, RefusesWhatIsMalformed) {
  const std::string digest = in_quotes(Digest::of("l").to_string());
  const std::vector<std::string> cases{
      "",
      "null",
      "[]",
      "7",
      "{",
      R"({"schemaVersion":2})",
      R"({"schemaVersion":2,"layers":[]})",
      R"({"schemaVersion":2,"config":)" + config + "}",
      R"({"config":)" + config + R"(,"layers":[]})",
      R"({"schemaVersion":"2","config":)" + config + R"(,"layers":[]})",
      R"({"schemaVersion":3,"config":)" + config + R"(,"layers":[]})",
      R"({"schemaVersion":2.0,"config":)" + config + R"(,"layers":[]})",
      R"({"schemaVersion":2,"mediaType":7,"config":)" + config + R"(,"layers":[]})",
      R"({"schemaVersion":2,"config":)" + config + R"(,"layers":{}})",
      R"({"schemaVersion":2,"config":null,"layers":[]})",
      R"({"schemaVersion":2,"config":[],"layers":[]})",
      R"({"schemaVersion":2,"manifests":{}})",
      manifest(layer) + "x",
      manifest("7"),
      manifest("null"),
      manifest("{}"),
      manifest(R"({"mediaType":"x","size":1})"),
      manifest(R"({"mediaType":"x","digest":"sha256:../../x","size":1})"),
      manifest(R"({"mediaType":"x","digest":7,"size":1})"),
      manifest(R"({"mediaType":7,"size":1,"digest":)" + digest + "}"),
      manifest(R"({"mediaType":"x","digest":)" + digest + "}"),
      manifest(descriptor(media_type::oci_layer_gzip, "l", "7", R"(,"urls":"x")")),
      manifest(descriptor(media_type::oci_layer_gzip, "l", "7", R"(,"urls":[7])")),
      manifest(descriptor(media_type::oci_layer_gzip, "l", "7", R"(,"annotations":[])")),
      manifest(descriptor(media_type::oci_layer_gzip, "l", "7", R"(,"annotations":{"a":7})")),
      index(descriptor(media_type::oci_manifest, "l", "7", R"(,"platform":"linux")")),
      index(descriptor(media_type::oci_manifest, "l", "7", R"(,"platform":{"os":7})")),
      index(descriptor(media_type::oci_manifest, "l", "7", R"(,"platform":{"os":"a","os.features":7})")),
      index(descriptor(media_type::oci_manifest, "l", "7", R"(,"platform":{"os":"a","os.features":[7]})")),
      "{\"schemaVersion\":2,\"layers\":\"\xff\"}",
  };
  for (const std::string& bytes : cases) EXPECT_EQ(error_of(bytes).code(), Errc::malformed) << bytes;
}

TEST(Manifest, AWebPageInItsPlaceIsToldAsSuch) {
  const Error error = error_of("\r\n <!DOCTYPE html><title>Log in</title>", "text/html");
  EXPECT_EQ(error.code(), Errc::malformed);
  EXPECT_NE(error.hint().find("captive portal"), std::string::npos);
}

TEST(Manifest, HoldsToItsLimits) {
  EXPECT_EQ(error_of(std::string(max_manifest_size + 1, ' ')).code(), Errc::too_large);
  std::string layers = layer;
  for (std::size_t i = 1; i < max_layers; ++i) layers += "," + layer;
  EXPECT_EQ(std::get<Manifest>(parse_manifest(manifest(layers), "")).layers.size(), max_layers);
  EXPECT_EQ(error_of(manifest(layers + "," + layer)).code(), Errc::too_large);
  EXPECT_EQ(error_of(std::string(1'000'000, '[')).code(), Errc::malformed);
  EXPECT_EQ(error_of(manifest(layer, ",\"x\":" + std::string(100, '[') + std::string(100, ']'))).code(),
            Errc::malformed);
}

TEST(Manifest, AttackAnnotationsAndUrlsWithoutEndAreRefused) {
  const auto with = [](const std::string& member) { return descriptor(media_type::oci_layer_gzip, "l", "7", member); };
  std::string annotations = R"(,"annotations":{"k":"v")", urls = R"(,"urls":["u")";
  for (std::size_t i = 1; i < max_annotations; ++i) annotations += ",\"" + std::to_string(i) + "\":\"\"";
  for (std::size_t i = 1; i < max_urls; ++i) urls += R"(,"u")";
  const auto kept = std::get<Index>(parse_manifest(index(with(annotations + "}")), ""));
  EXPECT_EQ(kept.manifests.front().annotations.size(), max_annotations);
  EXPECT_EQ(kept.manifests.front().annotations.at("k"), "v");
  for (const std::string& too_many : {with(annotations + R"(,"x":""})"), with(urls + R"(,"u"])")}) {
    EXPECT_EQ(error_of(manifest(too_many)).code(), Errc::too_large);
    EXPECT_EQ(error_of(index(too_many)).code(), Errc::too_large);
  }
  EXPECT_NO_THROW(parse_manifest(manifest(with(urls + "]")), ""));
}

TEST(Manifest, FeaturesOfASystemAreNotWithoutEnd) {
  std::string features = "\"0\"";
  for (std::size_t i = 1; i < max_os_features; ++i) features += ",\"" + std::to_string(i) + "\"";
  const auto with = [](const std::string& list) {
    return index(descriptor(media_type::oci_manifest, "l", "7",
                            R"(,"platform":{"os":"a","architecture":"b","os.features":[)" + list + "]}"));
  };
  const auto kept = std::get<Index>(parse_manifest(with(features), ""));
  EXPECT_EQ(kept.manifests.front().platform.value().os_features.size(), max_os_features);
  EXPECT_EQ(error_of(with(features + R"(,"x")")).code(), Errc::too_large);
}

TEST(Manifest, SchemaOneIsRefusedWithAHint) {
  const std::string schema1(media_type::docker_schema1_signed);
  for (const Error& error : {error_of(R"({"schemaVersion":1,"fsLayers":[]})"), error_of(manifest(layer), schema1),
                             error_of(R"({"schemaVersion":2,"fsLayers":[]})"),
                             error_of(R"({"schemaVersion":1})", schema1 + "; charset=utf-8")}) {
    EXPECT_EQ(error.code(), Errc::unsupported);
    EXPECT_NE(std::string(error.what()).find("schema 1"), std::string::npos);
    EXPECT_FALSE(error.hint().empty());
  }
}

TEST(Manifest, AttestationsParse) {
  const auto parsed = parse_manifest(manifest(descriptor(media_type::in_toto, "statement")), oci_manifest);
  EXPECT_EQ(std::get<Manifest>(parsed).layers.front().media_type, media_type::in_toto);
  EXPECT_NO_THROW(check_is_image(std::get<Manifest>(parsed)));
}

TEST(Manifest, UnknownTypesAreNamed) {
  const std::string helm = descriptor("application/vnd.cncf.helm.config.v1+json", "config");
  const std::pair<Error, const char*> cases[] = {
      {error_of(manifest(layer, R"(,"mediaType":"application/x-thing")")), "application/x-thing"},
      {error_of(manifest(layer), "application/vnd.other"), "application/vnd.other"},
      {error_of(manifest(layer, R"(,"mediaType":"a\u001b[2J")")), "a?[2J"},
      {image_error_of(manifest("", "", helm)), "helm.config"},
      {image_error_of(manifest("", "", descriptor(media_type::oci_empty, "config"))), "oci.empty"},
      {image_error_of(manifest(descriptor("application/vnd.wasm.layer", "l"))), "wasm"},
      {image_error_of(manifest(descriptor("", "l"))), "\"\""},
  };
  for (const auto& [error, name] : cases) {
    EXPECT_EQ(error.code(), Errc::unsupported);
    EXPECT_NE(std::string(error.what()).find(name), std::string::npos) << error.what();
  }
}

/// The content whose digest select_platform chose.
Digest chosen(const std::string& entries, const char* wanted) {
  const auto parsed = std::get<Index>(parse_manifest(index(entries), ""));
  return select_platform(parsed, Platform::parse(wanted)).digest;
}

TEST(SelectPlatform, TakesTheBestAndAmongEqualsTheFirst) {
  const std::string arms = entry("v5", "linux", "arm", "v5") + "," + entry("v6", "linux", "arm", "v6") + "," +
                           entry("64", "linux", "arm64", "v8") + "," + entry("v7", "linux", "arm", "v7") + "," +
                           entry("second v7", "linux", "arm");
  EXPECT_EQ(chosen(arms, "linux/arm/v7"), Digest::of("v7"));
  EXPECT_EQ(chosen(arms, "linux/arm/v6"), Digest::of("v6"));
  EXPECT_EQ(chosen(arms, "linux/arm/v8"), Digest::of("v7"));
  EXPECT_EQ(chosen(arms, "arm64"), Digest::of("64"));
}

/// An entry for a build of Windows; `features`: what stands in the list of its os.features.
std::string windows(const std::string& build, const std::string& features = "") {
  return descriptor(media_type::oci_manifest, build + features, "7",
                    R"(,"platform":{"os":"windows","architecture":"amd64","os.version":")" + build +
                        R"(","os.features":[)" + features + "]}");
}

TEST(SelectPlatform, OfWindowsTheNewestThatIsNotNewerThanAsked) {
  const std::string builds = windows("10.0.14393.6") + "," + windows("10.0.20348.2") + "," + windows("10.0.17763.9") +
                             "," + windows("10.0.17763.10");
  EXPECT_EQ(chosen(builds, "windows/amd64"), Digest::of("10.0.20348.2"));
  EXPECT_EQ(chosen(builds, "windows(10.0.17763)/amd64"), Digest::of("10.0.17763.10"));
  EXPECT_EQ(chosen(builds, "windows(10.0.17763.9)/amd64"), Digest::of("10.0.17763.9"));
  EXPECT_EQ(chosen(builds, "windows(10.0.17000)/amd64"), Digest::of("10.0.14393.6"));
  try {
    chosen(builds, "windows(10.0.10240)/amd64");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::no_platform);
    EXPECT_NE(error.hint().find("windows(10.0.17763.9)/amd64"), std::string::npos) << error.hint();
  }
}

TEST(SelectPlatform, WhatNeedsMoreOfWindowsThanAskedComesLast) {
  const std::string both = windows("10.0.20348.2", R"("win32k")") + "," + windows("10.0.17763.9");
  EXPECT_EQ(chosen(both, "windows/amd64"), Digest::of("10.0.17763.9"));
  EXPECT_EQ(chosen(both, "windows(+win32k)/amd64"), Digest::of(R"(10.0.20348.2"win32k")"));
  EXPECT_EQ(chosen(windows("10.0.1", R"("win32k")"), "windows/amd64"), Digest::of(R"(10.0.1"win32k")"));
}

TEST(SelectPlatform, VariantsOfAmd64AreForThoseWhoAsk) {
  const std::string all = entry("v3", "linux", "amd64", "v3") + "," + entry("v2", "linux", "amd64", "v2") + "," +
                          entry("v1", "linux", "amd64", "v1");
  EXPECT_EQ(chosen(all, "linux/amd64"), Digest::of("v1"));
  EXPECT_EQ(chosen(all, "linux/amd64/v2"), Digest::of("v2"));
  EXPECT_EQ(chosen(all, "linux/amd64/v4"), Digest::of("v3"));
  EXPECT_THROW(chosen(entry("v2", "linux", "amd64", "v2"), "linux/amd64"), Error);
}

TEST(SelectPlatform, PassesOverAttestationsAndOtherThings) {
  const std::string entries =
      entry("unknown", "unknown", "unknown") + "," +
      entry("annotated", "linux", "amd64", "",
            R"(,"annotations":{"vnd.docker.reference.type":"attestation-manifest"})") +
      "," + descriptor("application/x-thing", "thing", "7", R"(,"platform":{"os":"linux","architecture":"amd64"})") +
      "," + entry("image", "linux", "amd64");
  EXPECT_EQ(chosen(entries, "linux/amd64"), Digest::of("image"));
}

TEST(SelectPlatform, AnEntryMaySayNothingOfItsTypeWhereItHasAPlatform) {
  const std::string platform = R"(,"platform":{"os":"linux","architecture":"amd64"})";
  for (const char* type : {"", "application/json", "application/octet-stream"}) {
    EXPECT_EQ(chosen(descriptor(type, "image", "7", platform), "linux/amd64"), Digest::of("image")) << type;
    EXPECT_THROW(chosen(descriptor(type, "thing"), "linux/amd64"), Error) << type;
  }
  try {
    chosen(descriptor("application/x-thing", "thing", "7", platform), "linux/amd64");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.hint().find("amd64"), std::string::npos) << error.hint();
  }
}

TEST(SelectPlatform, APlatformWithoutAnArchitectureIsNone) {
  const std::string half = descriptor(media_type::oci_manifest, "half", "7", R"(,"platform":{"os":"linux"})");
  EXPECT_EQ(chosen(half + "," + entry("image", "linux", "amd64"), "linux/amd64"), Digest::of("image"));
  EXPECT_EQ(chosen(half, "linux/s390x"), Digest::of("half"));
}

TEST(SelectPlatform, EntriesWithoutAPlatformComeLast) {
  const std::string nested = descriptor(media_type::oci_index, "nested");
  EXPECT_EQ(chosen(nested + "," + entry("image", "linux", "amd64"), "linux/amd64"), Digest::of("image"));
  EXPECT_EQ(chosen(nested + "," + entry("image", "linux", "amd64"), "linux/s390x"), Digest::of("nested"));
}

TEST(SelectPlatform, ListsWhatThereIsWhereNothingFits) {
  const auto parsed = std::get<Index>(parse_manifest(
      index(entry("a", "linux", "amd64") + "," + entry("b", "linux", "arm", "v7") + "," + entry("c", "linux", "amd64") +
            "," + entry("d", "unknown", "unknown") + "," + entry("e", "linux", "\\u001b[2J")),
      ""));
  try {
    select_platform(parsed, Platform::parse("linux/s390x"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::no_platform);
    EXPECT_NE(std::string(error.what()).find("linux/s390x"), std::string::npos);
    EXPECT_EQ(error.hint(), "it is there for: linux/amd64, linux/arm/v7, linux/?[2j");
  }
  EXPECT_THROW(select_platform(Index{oci_index, {}}, Platform::parse("amd64")), Error);
}

const std::string id_a = Digest::of("a").to_string();
const std::string id_b = Digest::of("b").to_string();

Errc code_of(const std::string& bytes) {
  try {
    parse_config(bytes);
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find('\x1b'), std::string::npos);
    return error.code();
  }
  ADD_FAILURE() << bytes.substr(0, 200);
  return Errc::cancelled;
}

TEST(Config, ReadsADockerConfig) {
  const auto read = parse_config(R"({"architecture":"arm","variant":"v6","os":"linux","container":"x",
    "config":{"Env":["A=b"],"Labels":{"Name":"1","name":"2"}},"history":[{"created":"x"}],
    "rootfs":{"type":"layers","diff_ids":[")" +
                                 id_a + R"(",")" + id_b + R"("]}})");
  EXPECT_EQ(read.platform.value().to_string(), "linux/arm/v6");
  ASSERT_EQ(read.diff_ids.size(), 2U);
  EXPECT_EQ(read.diff_ids[1].to_string(), id_b);
}

TEST(Config, ReadsAnOciConfigOfWindows) {
  const auto read = parse_config(
      R"({"architecture":"amd64","os":"windows","os.version":"10.0.1","os.features":["win32k"],"rootfs":{"type":"layers","diff_ids":null}})");
  EXPECT_EQ(read.platform.value().os, "windows");
  EXPECT_EQ(read.platform.value().to_string(), "windows(10.0.1+win32k)/amd64");
  EXPECT_TRUE(read.diff_ids.empty());
}

TEST(Config, RefusesWhatIsMalformed) {
  const std::string rootfs = R"("rootfs":{"type":"layers","diff_ids":[]})";
  const std::string cases[] = {
      "",
      "[]",
      "{}",
      "<html>",
      R"({"os":"linux","architecture":"amd64"})",
      R"({"os":1,"architecture":"amd64",)" + rootfs + "}",
      R"({"os":"linux","architecture":["amd64"],)" + rootfs + "}",
      R"({"os":"linux","architecture":"amd64","architecture":"arm",)" + rootfs + "}",
      R"({"os":"linux","architecture":"amd64","Architecture":"arm",)" + rootfs + "}",
      R"({"os":"linux","architecture":"amd64","rootfs":[]})",
      R"({"os":"linux","architecture":"amd64","rootfs":{"type":"base\u001b[2J"}})",
      R"({"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":{}}})",
      R"({"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[1]}})",
      R"({"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":["sha256:../x"]}})",
  };
  for (const std::string& text : cases) EXPECT_EQ(code_of(text), Errc::malformed) << text;
}

TEST(Config, HoldsToItsLimits) {
  EXPECT_EQ(code_of(std::string(max_manifest_size + 1, ' ')), Errc::too_large);
  std::string ids;
  for (std::size_t i = 0; i <= max_layers; ++i) ids += (i ? ",\"" : "\"") + id_a + "\"";
  EXPECT_EQ(code_of(R"({"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[)" + ids + "]}}"),
            Errc::too_large);
  EXPECT_EQ(code_of(std::string(100'000, '[')), Errc::malformed);
}

TEST(Config, MayNameNoPlatform) {
  const std::string rootfs = R"("rootfs":{"type":"layers","diff_ids":[]}})";
  for (const std::string text :
       {"{", R"({"os":"linux",)", R"({"os":"","architecture":"",)", R"({"architecture":null,)"})
    EXPECT_EQ(parse_config(text + rootfs).platform, std::nullopt) << text;
  EXPECT_EQ(parse_config(R"({"architecture":"arm64",)" + rootfs).platform.value().to_string(), "linux/arm64");
  EXPECT_TRUE(parse_config(R"({"rootfs":{"diff_ids":[]}})").diff_ids.empty());  // nor of what type its rootfs is
}

bool is_image(std::string_view type, std::string_view config_type) {
  return has_image_config({std::string(type), {std::string(config_type), Digest::of("config"), 7}, {}});
}

TEST(ImageConfig, IsKnownByItsTypeOrAnyThatEarlyDockersGaveIt) {
  for (const std::string_view type : {media_type::oci_manifest, media_type::docker_manifest}) {
    EXPECT_TRUE(is_image(type, media_type::oci_config));
    EXPECT_TRUE(is_image(type, media_type::docker_config));
    EXPECT_TRUE(is_image(type, "application/octet-stream"));
    EXPECT_FALSE(is_image(type, media_type::oci_empty));
    EXPECT_FALSE(is_image(type, "application/vnd.cncf.helm.config.v1+json"));
  }
  for (const char* type : {"text/html", "text/html; charset=utf-8", "application/json", "text/plain", ""}) {
    EXPECT_TRUE(is_image(media_type::docker_manifest, type)) << type;
    EXPECT_FALSE(is_image(media_type::oci_manifest, type)) << type;
  }
}

}  // namespace
}  // namespace hawser
