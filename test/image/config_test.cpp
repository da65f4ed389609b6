#include <hawser/image/config.hpp>
#include <hawser/image/manifest.hpp>
#include <hawser/util/error.hpp>

#include <string>

#include <gtest/gtest.h>

namespace hawser {
namespace {

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
  const auto config = parse_config(R"({"architecture":"arm","variant":"v6","os":"linux","container":"x",
    "config":{"Env":["A=b"],"Labels":{"Name":"1","name":"2"}},"history":[{"created":"x"}],
    "rootfs":{"type":"layers","diff_ids":[")" +
                                   id_a + R"(",")" + id_b + R"("]}})");
  EXPECT_EQ(config.platform.to_string(), "linux/arm/v6");
  ASSERT_EQ(config.diff_ids.size(), 2U);
  EXPECT_EQ(config.diff_ids[1].to_string(), id_b);
}

TEST(Config, ReadsAnOciConfigOfWindows) {
  const auto config = parse_config(
      R"({"architecture":"amd64","os":"windows","os.version":"10.0.1","rootfs":{"type":"layers","diff_ids":null}})");
  EXPECT_EQ(config.platform.os, "windows");
  EXPECT_EQ(config.platform.os_version, "10.0.1");
  EXPECT_TRUE(config.diff_ids.empty());
}

TEST(Config, RefusesWhatIsMalformed) {
  const std::string rootfs = R"("rootfs":{"type":"layers","diff_ids":[]})";
  const std::string cases[] = {
      "",
      "[]",
      "{}",
      "<html>",
      R"({"os":"linux",)" + rootfs + "}",
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

TEST(ImageConfig, IsKnownByItsTypeOrTheOneOfDockersEarlyDays) {
  EXPECT_TRUE(is_image_config("application/vnd.oci.image.config.v1+json"));
  EXPECT_TRUE(is_image_config("application/vnd.docker.container.image.v1+json"));
  EXPECT_TRUE(is_image_config("application/octet-stream"));
  EXPECT_FALSE(is_image_config("application/vnd.oci.empty.v1+json"));
  EXPECT_FALSE(is_image_config(""));
}

}  // namespace
}  // namespace hawser
