#include "registry/login_files.hpp"

#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using testing::ElementsAre;

std::vector<LoginFile> files(std::map<std::string, std::string> variables) {
  const auto environment = [&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
  return login_files(environment, 1000);
}

TEST(LoginFiles, DockersThenPodmans) {
  EXPECT_THAT(
      files({{"HOME", "/home/me"}, {"XDG_RUNTIME_DIR", "/run/user/1000"}}),
      ElementsAre(LoginFile{"/home/me/.docker/config.json"}, LoginFile{"/run/user/1000/containers/auth.json", true},
                  LoginFile{"/home/me/.config/containers/auth.json", true}));
}

TEST(LoginFiles, WithoutARuntimeDirectoryPodmanHasOneByUser) {
  EXPECT_THAT(files({}), ElementsAre(LoginFile{"/run/containers/1000/auth.json", true}));
}

TEST(LoginFiles, VariablesNameOthers) {
  EXPECT_THAT(
      files({{"HOME", "/home/me"},
             {"DOCKER_CONFIG", "/docker"},
             {"REGISTRY_AUTH_FILE", "/secrets/auth.json"},
             {"XDG_CONFIG_HOME", "/config"},
             {"XDG_RUNTIME_DIR", ""}}),
      ElementsAre(LoginFile{"/secrets/auth.json"}, LoginFile{"/docker/config.json"},
                  LoginFile{"/run/containers/1000/auth.json", true}, LoginFile{"/config/containers/auth.json", true}));
}

TEST(LoginFiles, EachIsLookedIntoOnce) {
  EXPECT_THAT(files({{"REGISTRY_AUTH_FILE", "/run/user/1/containers/auth.json"}, {"XDG_RUNTIME_DIR", "/run/user/1"}}),
              ElementsAre(LoginFile{"/run/user/1/containers/auth.json"}));
}

}  // namespace
}  // namespace hawser
