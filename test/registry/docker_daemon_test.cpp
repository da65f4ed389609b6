#include "registry/docker_daemon.hpp"

#include "support/failure.hpp"

#include <gtest/gtest.h>

namespace hawser {
namespace {

using namespace test;

TEST(DockerDaemon, MirrorsAreDockerHubs) {
  const DockerDaemon daemon = parse_docker_daemon(R"({
  "debug": true,
  "registry-mirrors": [
    "https://m.example/",
    "http://localhost:5001"
  ],
  "insecure-registries": ["10.0.0.0/8", "http://r.example:5000"]
})",
                                                  "daemon.json");
  EXPECT_EQ(daemon.hub.prefix, "docker.io");
  ASSERT_EQ(daemon.hub.mirrors.size(), 2U);
  const Endpoint& second = daemon.hub.mirrors[1].endpoint;
  EXPECT_EQ(second.host, "localhost:5001");
  EXPECT_EQ(second.scheme, Endpoint::Scheme::http);
  EXPECT_EQ(second.configured_at, "daemon.json:5");
  EXPECT_FALSE(daemon.hub.mirrors[1].sends_ns);
  ASSERT_EQ(daemon.insecure.size(), 2U);
  EXPECT_EQ(daemon.insecure[0].meant, "10.0.0.0/8");
  EXPECT_EQ(daemon.insecure[1].meant, "r.example:5000");
  EXPECT_EQ(daemon.insecure[1].configured_at, "daemon.json:7");
}

TEST(DockerDaemon, WhatItDoesNotSayIsEmpty) {
  for (const std::string_view text : {"", "{}", R"({"registry-mirrors": null})", R"({"registry-mirrors": []})"}) {
    const DockerDaemon daemon = parse_docker_daemon(text, "daemon.json");
    EXPECT_TRUE(daemon.hub.mirrors.empty() && daemon.insecure.empty()) << text;
  }
}

TEST(DockerDaemon, WhatMakesNoSenseIsTold) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"[]", "daemon.json is not a JSON object"},
      {"{", "daemon.json is not a JSON object"},
      {"{\n\"registry-mirrors\": \"https://m.example\"}", "daemon.json:2: registry-mirrors is no list of texts"},
      {"{\"registry-mirrors\": [1]}", "daemon.json:1: registry-mirrors is no list of texts"},
      {"{\"registry-mirrors\": [\n\"m.example\"]}", "daemon.json:2: m.example is no URL of http or https"},
      {"{\"insecure-registries\": [\"a b\"]}", "daemon.json:1: a b is neither HOST[:PORT] nor a block of addresses"},
  };
  for (const auto& [text, told] : cases) {
    const Failure failure = failure_of([&] { parse_docker_daemon(text, "daemon.json"); });
    EXPECT_EQ(failure.text, told) << text;
    EXPECT_EQ(failure.code, Errc::usage);
  }
}

}  // namespace
}  // namespace hawser
