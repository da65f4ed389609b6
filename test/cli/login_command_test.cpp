// login and logout against a scripted registry, with docker's configuration in a directory of the test's own.
#include "cli/commands.hpp"
#include "registry/registry_fixture.hpp"
#include "support/temp_dir.hpp"

namespace hawser::test {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(RegistryNamed, AsPeopleWriteIt) {
  EXPECT_EQ(registry_named(""), "docker.io");
  for (const char* hub : {"docker.io", "index.docker.io", "https://index.docker.io/v1/", "registry-1.docker.io"})
    EXPECT_EQ(registry_named(hub), "docker.io") << hub;
  for (const char* registry : {"quay.io", "localhost", "localhost:5000", "[::1]:5000"})
    EXPECT_EQ(registry_named(registry), registry);
  EXPECT_EQ(registry_named("https://quay.io:8443/v2/"), "quay.io:8443");
}

TEST(RegistryNamed, WhatIsNoneIsRefused) {
  for (const char* word :
       {"quay.io/team", "docker.io/team", "quay", "quay.io:x", "-", "a b.c", "https://", "quay.io@x"})
    EXPECT_EQ(code_of([&] { registry_named(word); }), Errc::usage) << word;
  EXPECT_EQ(failure_of([] { registry_named("quay.io/team"); }).hint, "give quay.io alone");
}

class LoginCommand : public testing::Test {
 protected:
  LoginCommand() {
    command.name = CommandName::login;
    command.words = {registry.host()};
    command.access.plain_http = true;
    command.access.retries = 0;
    command.username = "me";
    environment.password = "hush99";
    environment.docker_config = directory / "config.json";
    environment.login_sources = {{environment.docker_config.string()}};
    registry.auth().require_basic("me", "hush99");
  }

  /// What it prints; standard error is in `told`.
  std::string log_in() {
    testing::internal::CaptureStderr();
    Outcome outcome;
    const Failure failure = failure_of([&] { outcome = run_login_command(command, environment); });
    told = testing::internal::GetCapturedStderr();
    if (failure.code != Errc{}) throw Error(failure.code, failure.text, failure.hint);
    return outcome.text;
  }
  std::string log_out() {
    testing::internal::CaptureStderr();
    const Outcome outcome = run_logout_command(command, environment);
    told = testing::internal::GetCapturedStderr();
    return outcome.text;
  }
  Failure failure() {
    return failure_of([&] { log_in(); });
  }
  bool is_kept() const { return std::filesystem::exists(environment.docker_config); }

  TempDir directory;
  ScriptedRegistry registry;
  Command command;
  Environment environment;
  std::string told;
};

TEST_F(LoginCommand, ARightOneIsKept) {
  EXPECT_EQ(log_in(), "logged in to " + registry.host() + " as me; the password is in " +
                          environment.docker_config.string() + ", not encrypted\n");
  EXPECT_EQ(told, "");
  EXPECT_EQ(docker_config_logins(environment.login_sources)(registry.host()).find("a")->password, "hush99");
  command.quiet = true;
  EXPECT_EQ(log_in(), "");
  EXPECT_EQ(log_out(), "");
  command.quiet = false;
  EXPECT_EQ(log_out(), "there is no login for " + registry.host() + " in " + environment.docker_config.string() + "\n");
}

TEST_F(LoginCommand, AWrongOneIsNot) {
  command.password = "guess!";
  EXPECT_EQ(failure().code, Errc::unauthorized);
  EXPECT_THAT(told, HasSubstr("warning: --password can be seen"));
  registry.stop();
  EXPECT_EQ(failure().code, Errc::connect_refused);
  EXPECT_FALSE(is_kept());
}

TEST_F(LoginCommand, WhatCantBeALoginIsNotShownToTheRegistry) {
  for (const auto& [user, password] : {std::pair("m:e", "hush99"), std::pair("m\ne", "hush99"), std::pair("me", "")}) {
    command.username = user;
    command.password = password;
    EXPECT_EQ(failure().code, Errc::usage) << user;
  }
  command.username.reset();
  command.password.reset();
  EXPECT_THAT(failure().text, HasSubstr("needs a user name, and there is no terminal"));
  EXPECT_EQ(registry.count("GET", "*"), 0u);
}

TEST_F(LoginCommand, WithoutAPlaceToKeepItNobodyIsAsked) {
  write_text(environment.docker_config, "{");
  EXPECT_EQ(failure().code, Errc::usage);
  environment.docker_config.clear();
  EXPECT_THAT(failure().text, HasSubstr("neither HOME nor DOCKER_CONFIG"));
  EXPECT_EQ(code_of([&] { run_logout_command(command, environment); }), Errc::usage);
  EXPECT_EQ(registry.count("GET", "*"), 0u);
}

TEST_F(LoginCommand, SourcesThatGoFirstAreTold) {
  const auto source = [&](const char* name, const std::string& registry_name) {
    return LoginSource{name, LoginSource::Kind::text, R"({"auths":{")" + registry_name + R"(":{"auth":"YTpi"}}})"};
  };
  environment.login_sources.insert(environment.login_sources.begin(), source("FIRST", registry.host()));
  environment.login_sources.push_back(source("LAST", registry.host()));
  environment.login_sources.push_back(source("OTHER", "quay.io"));
  environment.login_sources.push_back({"BROKEN", LoginSource::Kind::text, R"({"credsStore":"../evil"})"});
  log_in();
  EXPECT_EQ(told, "warning: FIRST has a login for " + registry.host() + ", too, which goes first\n");
  EXPECT_THAT(log_out(), HasSubstr("removed the login for " + registry.host() + " from "));
  EXPECT_EQ(told, "warning: FIRST still has a login for " + registry.host() + "\nwarning: LAST still has a login for " +
                      registry.host() + "\n");
}

TEST_F(LoginCommand, ARegistryThatAsksForNoneIsTold) {
  ScriptedRegistry open;
  command.words = {open.host()};
  EXPECT_THAT(log_in(), HasSubstr("logged in to"));
  EXPECT_EQ(told, "warning: " + open.host() + " asks for no login, so it could not be checked\n");
}

TEST_F(LoginCommand, AttackAPasswordGoesToTheNamedRegistryAlone) {
  ScriptedRegistry elsewhere;
  std::filesystem::create_directories(directory / "etc/containers");
  write_text(directory / "etc/containers/registries.conf",
             "[[registry]]\nprefix='" + registry.host() + "'\nlocation='" + elsewhere.host() + "'\ninsecure=true\n" +
                 "[[registry.mirror]]\nlocation='" + elsewhere.host() + "/mirror'\ninsecure=true\n");
  environment.registry_files.system = directory.path().string();
  log_in();
  EXPECT_EQ(elsewhere.count("GET", "*"), 0U);
  EXPECT_GT(registry.count("GET", "/v2/"), 0U);
}

}  // namespace
}  // namespace hawser::test
