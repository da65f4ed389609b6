// What hawser config shows of the machine's files.
#include "cli/config_command.hpp"

#include "cli/commands.hpp"
#include "support/failure.hpp"
#include "support/temp_dir.hpp"

#include <filesystem>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class ConfigCommand : public testing::Test {
 protected:
  ConfigCommand() {
    command.name = CommandName::config;
    command.words = {"nginx"};
    command.quiet = true;
    environment.registry_files.system = machine.path().string();
  }
  void write(std::string_view file, std::string_view text) const {
    std::filesystem::create_directories((machine / file).parent_path());
    write_text(machine / file, text);
  }
  std::string place(std::string_view file) const { return (machine / file).string(); }
  std::string shown() const { return run_config_command(command, environment).text; }
  boost::json::object json() {
    command.json = true;
    return boost::json::parse(shown()).at("images").at(0).as_object();
  }

  TempDir machine;
  Command command;
  Environment environment;
};

TEST_F(ConfigCommand, WithoutAnyFileThereIsTheRegistry) {
  EXPECT_EQ(shown(), R"(nginx is docker.io/library/nginx:latest
1. https://registry-1.docker.io/v2/library/nginx  (the registry)
   asked for   tags, and content by digest
   TLS         certificate checked
   proxy       none
   login       none
   set by      nothing: the name says so
)");
}

TEST_F(ConfigCommand, AllThatHoldsForAnEndpointStandsBelowIt) {
  write("etc/containerd/certs.d/docker.io/hosts.toml",
        "[host.'https://m.example/hub']\ncapabilities=['pull']\nca='ca.crt'\nclient='me.pem'\n"
        "[host.'https://m.example/hub'.header]\nx-secret='do-not-show'\n");
  write("config.json", R"({"auths":{"m.example":{"username":"me","password":"do-not-show"}}})");
  environment.login_sources = {{place("config.json")}};
  environment.proxies.https_proxy = "http://me:do-not-show@proxy.example:3128";
  const std::string directory = place("etc/containerd/certs.d/docker.io/");
  const std::string text = shown();
  EXPECT_THAT(text, StartsWith("nginx is docker.io/library/nginx:latest\n"
                               "1. https://m.example/hub/v2/library/nginx?ns=docker.io\n"
                               "   asked for   content by digest only\n"
                               "   TLS         certificate checked, " +
                               directory +
                               "ca.crt trusted\n"
                               "   shown       " +
                               directory +
                               "me.pem\n"
                               "   headers     x-secret\n"
                               "   proxy       http://proxy.example:3128, with a password\n"
                               "   login       me, in " +
                               place("config.json") +
                               "\n"
                               "   set by      " +
                               directory + "hosts.toml:1\n2. "));
  EXPECT_THAT(text, Not(HasSubstr("do-not-show")));
  const auto endpoint = json().at("endpoints").at(0);
  EXPECT_THAT(boost::json::serialize(endpoint), Not(HasSubstr("do-not-show")));
  EXPECT_EQ(endpoint.at("login").at("username"), "me");
  EXPECT_EQ(endpoint.at("configured_at").as_string(), directory + "hosts.toml:1");
  EXPECT_EQ(endpoint.at("tags"), false);
  EXPECT_EQ(endpoint.at("registry"), false);
}

TEST_F(ConfigCommand, ShortNamesAreToldWithWhoSaysWhatTheyAre) {
  write("etc/containers/registries.conf",
        "unqualified-search-registries=['a.io','b.io']\n[aliases]\nfedora='r.io/fedora'\n");
  command.words = {"fedora", "app:1"};
  const std::string conf = place("etc/containers/registries.conf");
  const std::string text = shown();
  EXPECT_THAT(text, StartsWith("fedora is r.io/fedora:latest by " + conf + ":3\n1. https://r.io/v2/fedora "));
  EXPECT_THAT(text, HasSubstr("\n\napp:1 is a.io/app:1 by " + conf + ":1\n"));
  EXPECT_THAT(text, HasSubstr("\n\napp:1 is b.io/app:1 by " + conf + ":1\n"));
}

TEST_F(ConfigCommand, OptionsAreShownAsWhatTheyAre) {
  command.registries.mirrors = {"http://m.example"};
  command.access.no_origin = true;
  command.access.tls.verify = false;
  const auto endpoints = json().at("endpoints").as_array();
  ASSERT_EQ(endpoints.size(), 2U);
  EXPECT_EQ(endpoints.at(0).at("configured_at"), "--mirror");
  EXPECT_EQ(endpoints.at(0).at("tls"), false);
  EXPECT_EQ(endpoints.at(1).at("asked"), false);
  EXPECT_EQ(endpoints.at(1).at("verify"), false);
}

TEST_F(ConfigCommand, WithoutTheFilesTheyAreNotRead) {
  write("etc/containers/registries.conf", "[[registry]]\nlocation='docker.io'\nblocked=true\n");
  EXPECT_EQ(code_of([&] { (void)shown(); }), Errc::forbidden);
  command.registry_config = false;
  EXPECT_EQ(json().at("endpoints").as_array().size(), 1U);
}

TEST_F(ConfigCommand, ALoginWithoutANameIsAToken) {
  write("config.json", R"({"auths":{"https://index.docker.io/v1/":{"registrytoken":"do-not-show"}}})");
  environment.login_sources = {{place("config.json")}};
  EXPECT_THAT(shown(), HasSubstr("   login       a token, in " + place("config.json") + "\n"));
}

}  // namespace
}  // namespace hawser::test
