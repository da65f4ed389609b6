// The images of compose files and Kubernetes manifests, and what may be wrong with these.
#include "cli/yaml_images.hpp"

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
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Variables variables(std::map<std::string, std::string> values) {
  return [values = std::move(values)](const std::string& name) -> std::optional<std::string> {
    const auto found = values.find(name);
    return found == values.end() ? std::nullopt : std::optional(found->second);
  };
}

/// "place owner image [platform]" of each.
std::vector<std::string> found_in(const std::string& text, const Variables& with = variables({})) {
  std::vector<std::string> found;
  for (const YamlImage& each : images_in_yaml("f.yaml", text, with).images)
    found.push_back(each.place + " " + each.owner + " " + each.image +
                    (each.platform.empty() ? "" : " " + each.platform));
  return found;
}

TEST(YamlList, IsToldFromLinesByItsFirstLine) {
  for (const char* yaml : {"services:\n", "\xEF\xBB\xBF# x\n\napiVersion: v1\n", "---\n", "{\"a\": 1}",
                           "\"kind\": List", "%YAML 1.2\n---"})
    EXPECT_TRUE(is_yaml_list(yaml)) << yaml;
  for (const char* list :
       {"", "# services:\n", "nginx:1.25\nservices:\n", "nginx platform=a: b", "localhost:5000/a", "- image: x"})
    EXPECT_FALSE(is_yaml_list(list)) << list;
}

TEST(YamlImages, OfComposeServices) {
  const std::string text =
      "x-base: &base\n"
      "  image: base:1\n"
      "services:\n"
      "  web:\n"
      "    image: nginx:${TAG:-1.25}\n"
      "    platform: linux/$ARCH\n"
      "  merged:\n"
      "    <<: *base\n"
      "  built:\n"
      "    build: .\n"
      "  extended:\n"
      "    extends: web\n"
      "include: [other.yaml]\n";
  const YamlImages found = images_in_yaml("f.yaml", text, variables({{"ARCH", "arm64"}}));
  EXPECT_THAT(found_in(text, variables({{"ARCH", "arm64"}})),
              ElementsAre("f.yaml:5 service web nginx:1.25 linux/arm64", "f.yaml:2 service merged base:1"));
  EXPECT_THAT(found.notes, ElementsAre(HasSubstr("include"), HasSubstr("service built is built, not pulled"),
                                       HasSubstr("service extended names no image")));
}

TEST(YamlImages, OfKubernetesObjects) {
  const std::string text = R"(apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      initContainers:
        - name: init
          image: busybox:1
      containers:
        - image: "nginx:1.25"
        - image:
      volumes:
        - image: {reference: "data:1"}
---
# nothing
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec: {jobTemplate: {spec: {template: {spec: {containers: [{image: job:1}], ephemeralContainers: [{image: debug:1}]}}}}}
---
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: Pod
    metadata: {name: p}
    spec: {containers: [{image: pod:1}]}
  - apiVersion: v1
    kind: ConfigMap
    data: {image: not-an-image}
)";
  EXPECT_THAT(
      found_in(text),
      ElementsAre("f.yaml:9 Deployment web: spec.template.spec.initContainers[0].image busybox:1",
                  "f.yaml:11 Deployment web: spec.template.spec.containers[0].image nginx:1.25",
                  "f.yaml:14 Deployment web: spec.template.spec.volumes[0].image data:1",
                  "f.yaml:21 CronJob nightly: spec.jobTemplate.spec.template.spec.containers[0].image job:1",
                  "f.yaml:21 CronJob nightly: spec.jobTemplate.spec.template.spec.ephemeralContainers[0].image debug:1",
                  "f.yaml:29 Pod p: spec.containers[0].image pod:1"));
  EXPECT_THAT(images_in_yaml("f", text, variables({})).notes, ElementsAre(HasSubstr("containers[1].image is empty")));
}

TEST(YamlImages, WhatIsNeitherIsRefused) {
  const test::Failure failure = failure_of([] { found_in("a: b\nimage: nginx\n"); });
  EXPECT_EQ(failure.code, Errc::usage);
  EXPECT_THAT(failure.text, HasSubstr("f.yaml:1: is neither"));
  EXPECT_THAT(found_in("---\n---\n"), IsEmpty());
}

TEST(YamlImages, AliasesThatMultiplyEnd) {
  std::string bomb = "apiVersion: v1\nkind: X\na0: &a0 [x]\n";
  for (int i = 1; i < 50; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb +=
        "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before + ", " + before + ", " + before + "]\n";
  }
  EXPECT_THAT(failure_of([&] { found_in(bomb); }).text, HasSubstr("its aliases make it too large"));
}

TEST(YamlImages, ServicesThatShareALargeMapEnd) {
  std::string text = "x: &b {";
  for (int i = 0; i < 10'000; ++i) text += "k" + std::to_string(i) + ": ,";
  text += "}\nservices:\n";
  for (int i = 0; i < 10'000; ++i) text += "  s" + std::to_string(i) + ": *b\n";
  EXPECT_EQ(failure_of([&] { found_in(text); }).code, Errc::too_large);
}

TEST(YamlImages, VariablesAsComposeReadsThem) {
  const Variables with = variables({{"A", "a"}, {"EMPTY", ""}, {"B_2", "b"}});
  const std::vector<std::pair<std::string, std::string>> cases{
      {"x", "x"},
      {"$A-${A}$B_2", "a-ab"},
      {"$$A", "$A"},
      {"${NO:-d}${NO-e}", "de"},
      {"${EMPTY:-d}${EMPTY-e}", "d"},
      {"${A:-d}${A:?no}${A?no}", "aaa"},
      {"${A:+x}${EMPTY:+y}${EMPTY+z}", "xz"},
      {"${NO:-${NO2:-${A}}}}", "a}"},
      {"${NO:-nginx:1}", "nginx:1"},
      {"${A:-${UNSET}}", "a"},  // what is not used need not be there
  };
  for (const auto& [text, value] : cases) EXPECT_EQ(interpolated(text, with), value) << text;
}

TEST(YamlImages, VariablesThatCannotBeResolvedAreTold) {
  const test::Failure failure = failure_of([] { found_in("services:\n  web:\n    image: nginx:${TAG}\n"); });
  EXPECT_EQ(failure.code, Errc::usage);
  EXPECT_THAT(failure.text, HasSubstr("f.yaml:3: service web: ${TAG} is not set"));
  for (const char* wrong : {"$", "${", "${A", "${A:x}", "${}", "$1", "${A:-", "${NO:?say it}", "${NO?}", "${UNSET"})
    EXPECT_EQ(failure_of([&] { interpolated(wrong, variables({{"A", "a"}})); }).code, Errc::usage) << wrong;
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "${N:-";
  EXPECT_THAT(failure_of([&] { interpolated(deep, variables({})); }).text, HasSubstr("nested too deep"));
  EXPECT_THAT(failure_of([] {
                interpolated("$A$A", variables({{"A", std::string(3000, 'a')}}));
              }).text,
              HasSubstr("too long"));
}

TEST(YamlImages, AnEnvFileGivesWhatTheEnvironmentDoesNot) {
  const Variables all = variables_of(
      "# x\nA=file\r\nexport B = 'b $A'\nC=\"c \\\"$A\"\nD=d # comment\nno line\nE=\nD=e\n"
      "F=\\$A\\n\nG=\"\\$A\\\\\"\n",
      ".env", variables({{"A", "outer"}}));
  EXPECT_EQ(all("A"), "outer");
  EXPECT_EQ(all("B"), "b $A");
  EXPECT_EQ(all("C"), "c \"outer");
  EXPECT_EQ(all("D"), "e");
  EXPECT_EQ(all("E"), "");
  EXPECT_EQ(all("F"), "$A\\n");
  EXPECT_EQ(all("G"), "$A\\");
  EXPECT_EQ(all("H"), std::nullopt);
}

TEST(YamlImages, AttackAnEnvFileShowsNothingOfItsValues) {
  const Variables all = variables_of("GOOD=1\nPASSWORD=abc$S3cretTail\nASK=${Y:?hunter2}\nODD=a$5b\nUSES=x$PASSWORD\n",
                                     "d/.env", variables({}));
  EXPECT_EQ(all("GOOD"), "1");
  for (const auto& [name, place] : std::map<std::string, std::string>{{"PASSWORD", "d/.env:2: PASSWORD"},
                                                                      {"ASK", "d/.env:3: ASK"},
                                                                      {"ODD", "d/.env:4: ODD"},
                                                                      {"USES", "d/.env:5: USES"}}) {
    const test::Failure failure = failure_of([&] { all(name); });
    EXPECT_EQ(failure.code, Errc::usage);
    EXPECT_EQ(failure.text, place + ": a $ in its value is not understood, or of what is not set");
  }
}

}  // namespace
}  // namespace hawser
