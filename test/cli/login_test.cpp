#include "cli/login.hpp"

#include "registry/registry_rule.hpp"
#include "support/failure.hpp"

#include <hawser/util/error.hpp>

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

class Login : public testing::Test {
 protected:
  Login() { command.username = "me"; }

  static Logins logins(Credentials credentials) {
    Logins known;
    known.logins.push_back({{}, std::move(credentials)});
    return known;
  }
  CredentialLookup lookup(const std::vector<std::string>& images) {
    std::vector<Reference> references;
    for (const std::string& image : images) references.push_back(Reference::parse(image));
    std::istringstream stream(input);
    const auto docker = [](const std::string& registry) {
      return registry == "docker.example" ? logins({"docker", {}, "refresh-me", "kept-token"}) : Logins{};
    };
    return credential_lookup(command, references, environment, stream, progress, docker);
  }
  static std::optional<Credentials> ask(const CredentialLookup& source, const std::string& registry) {
    const Logins known = source(registry);
    const Credentials* found = known.find("a");
    return found ? std::optional(*found) : std::nullopt;
  }
  std::string password() { return ask(lookup({"quay.io/a"}), "quay.io").value().password; }
  test::Failure failure() {
    return test::failure_of([&] { password(); });
  }

  Command command;
  Environment environment;
  std::string input;
  std::string told;
  Progress progress{Progress::Style::plain, [this](std::string_view text) { told += text; }};
};

TEST_F(Login, WithoutAUserThereAreNoCredentials) {
  command.username.reset();
  environment.password = "hush";
  EXPECT_FALSE(ask(lookup({"quay.io/a"}), "quay.io"));
  EXPECT_EQ(ask(lookup({"quay.io/a"}), "docker.example").value().username, "docker");
}

TEST_F(Login, TheOptionGoesBeforeTheEnvironment) {
  environment.password = "from-env";
  EXPECT_EQ(password(), "from-env");
  command.password = "from-option";
  EXPECT_EQ(password(), "from-option");
  EXPECT_EQ(ask(lookup({"quay.io/a"}), "quay.io").value().username, "me");
}

TEST_F(Login, StandardInputIsThePasswordButForOneLineEnd) {
  command.password_stdin = true;
  environment.password = "other";
  for (const auto& [given, taken] :
       {std::pair("hush hush\r\n", "hush hush"), std::pair("{\n\t\"key\": 1\n}\n", "{\n\t\"key\": 1\n}"),
        std::pair("hush\n\n", "hush\n"), std::pair("no newline", "no newline")}) {
    input = given;
    EXPECT_EQ(password(), taken);
  }
  for (const char* nothing : {"\n", ""}) {
    input = nothing;
    EXPECT_EQ(failure().code, Errc::usage);
  }
  input.assign(64 * 1024, 'x');
  EXPECT_EQ(password().size(), 64U * 1024);
  input += 'x';
  EXPECT_EQ(failure().code, Errc::usage);
}

TEST_F(Login, AUserWithoutAPasswordIsToldTheWays) {
  EXPECT_EQ(failure().code, Errc::usage);
  EXPECT_THAT(failure().hint, testing::HasSubstr("HAWSER_PASSWORD"));
}

TEST_F(Login, CredentialsGoToTheirRegistryAlone) {
  command.password = "hush";
  const auto source = lookup({"localhost:5000/a", "localhost:5000/b"});
  EXPECT_EQ(ask(source, "localhost:5000").value().username, "me");
  EXPECT_EQ(ask(source, "docker.example").value().username, "docker");
  EXPECT_FALSE(ask(source, "localhost"));
}

TEST_F(Login, TheRegistryIsKnownInEverySpelling) {
  command.password = "hush";
  const auto source = lookup({"Quay.io:443/a", "quay.io/b"});
  for (const char* registry : {"quay.io", "QUAY.io", "quay.io:443"}) EXPECT_TRUE(ask(source, registry)) << registry;
  EXPECT_FALSE(ask(source, "quay.io:80"));
}

TEST_F(Login, ASourceWarnsAndMasks) {
  command.password = "hush99";
  const auto source = lookup({"quay.io/a"});
  EXPECT_THAT(told, testing::HasSubstr("warning: --password can be seen"));
  EXPECT_TRUE(ask(source, "quay.io"));
  EXPECT_TRUE(ask(source, "docker.example"));
  told.clear();
  progress.message("hush99 refresh-me kept-token");
  EXPECT_EQ(told, "*** *** ***\n");
}

TEST_F(Login, ThatNobodyIsShownThemIsWarnedOf) {
  const std::vector<Reference> images{Reference::parse("quay.io/a"), Reference::parse("quay.io/b")};
  Endpoint registry = own_endpoint(images[0]), elsewhere, mirror;
  elsewhere.host = "there.example";
  elsewhere.is_registry = true;
  elsewhere.configured_at = "registries.conf:3";
  mirror.host = "mirror.example";
  mirror.configured_at = "--mirror";
  RegistryAccess access;
  const auto warned = [&](std::vector<Endpoint> of_a, std::vector<Endpoint> of_b) {
    access.endpoints = [&](const Reference& image) { return image.path == "a" ? of_a : of_b; };
    told.clear();
    warn_of_unused_login(command, images, access, progress);
    return told;
  };
  EXPECT_THAT(warned({elsewhere}, {elsewhere}),
              testing::AllOf(testing::HasSubstr("--username is for quay.io"),
                             testing::HasSubstr("come from there.example (registries.conf:3)"),
                             testing::HasSubstr("hawser login there.example")));
  EXPECT_EQ(warned({elsewhere}, {registry}), "");
  EXPECT_EQ(warned({mirror, registry}, {}), "");
  access.no_origin = true;
  EXPECT_THAT(warned({mirror, registry}, {mirror}), testing::HasSubstr("come from mirror.example (--mirror)"));
  access.offline = true;
  EXPECT_EQ(warned({elsewhere}, {elsewhere}), "");
  access.offline = false;
  access.endpoints = [](const Reference&) -> std::vector<Endpoint> { throw Error(Errc::forbidden, "blocked"); };
  warn_of_unused_login(command, images, access, progress);
  EXPECT_EQ(told, "");
  command.username.reset();
  EXPECT_EQ(warned({elsewhere}, {elsewhere}), "");
}

TEST_F(Login, CredentialsForSeveralRegistriesAreRefused) {
  command.password = "hush";
  EXPECT_EQ(test::failure_of([&] { lookup({"nginx", "quay.io/a/b"}); }).code, Errc::usage);
}

}  // namespace
}  // namespace hawser
