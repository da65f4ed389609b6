#include "cli/login.hpp"

#include <hawser/util/error.hpp>

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

std::optional<Credentials> resolve(const LoginOptions& options, const std::string& input,
                                   const std::optional<std::string>& environment = std::nullopt) {
  std::istringstream stream(input);
  return resolve_credentials(options, stream, environment);
}

Logins logins(Credentials credentials) {
  Logins known;
  known.logins.push_back({{}, std::move(credentials)});
  return known;
}

std::optional<Credentials> ask(const CredentialLookup& source, const std::string& registry) {
  const Logins known = source(registry);
  const Credentials* found = known.find("a");
  return found ? std::optional(*found) : std::nullopt;
}

TEST(Login, WithoutAUserThereAreNoCredentials) {
  EXPECT_FALSE(resolve({}, "hush\n", "hush"));
}

TEST(Login, TheOptionGoesBeforeTheEnvironment) {
  LoginOptions options;
  options.username = "me";
  EXPECT_EQ(resolve(options, "", "from-env").value().password, "from-env");
  options.password = "from-option";
  EXPECT_EQ(resolve(options, "", "from-env").value().password, "from-option");
  EXPECT_EQ(resolve(options, "", "from-env").value().username, "me");
}

TEST(Login, StandardInputIsThePasswordButForOneLineEnd) {
  LoginOptions options;
  options.username = "AWS";
  options.password_stdin = true;
  EXPECT_EQ(resolve(options, "hush hush\r\n").value().password, "hush hush");
  EXPECT_EQ(resolve(options, "{\n\t\"key\": 1\n}\n").value().password, "{\n\t\"key\": 1\n}");
  EXPECT_EQ(resolve(options, "hush\n\n").value().password, "hush\n");
  EXPECT_EQ(resolve(options, "no newline", "other").value().password, "no newline");
  EXPECT_THROW(resolve(options, "\n", "other"), Error);
  EXPECT_THROW(resolve(options, ""), Error);
  EXPECT_EQ(resolve(options, std::string(64 * 1024, 'x')).value().password.size(), 64U * 1024);
  EXPECT_THROW(resolve(options, std::string(64 * 1024 + 1, 'x')), Error);
}

TEST(Login, AUserWithoutAPasswordIsToldTheWays) {
  LoginOptions options;
  options.username = "me";
  try {
    resolve(options, "");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::usage);
    EXPECT_THAT(error.hint(), testing::HasSubstr("HAWSER_PASSWORD"));
  }
}

TEST(Login, CredentialsGoToTheirRegistryAlone) {
  const Credentials mine{"me", "hush", ""};
  const CredentialLookup docker = [](const std::string& registry) {
    if (registry == "quay.io") return logins({"docker", "login", ""});
    return Logins{};
  };
  const auto source =
      credentials_for(mine, {Reference::parse("localhost:5000/a"), Reference::parse("localhost:5000/b")}, docker);
  EXPECT_EQ(ask(source, "localhost:5000").value().username, "me");
  EXPECT_EQ(ask(source, "quay.io").value().username, "docker");
  EXPECT_FALSE(ask(source, "localhost"));
  EXPECT_EQ(ask(credentials_for(std::nullopt, {}, docker), "quay.io").value().username, "docker");
  EXPECT_FALSE(ask(credentials_for(mine, {Reference::parse("localhost:5000/a")}, {}), "quay.io"));
}

TEST(Login, TheRegistryIsKnownInEverySpelling) {
  const Credentials mine{"me", "hush", ""};
  const auto source = credentials_for(mine, {Reference::parse("Quay.io:443/a"), Reference::parse("quay.io/b")}, {});
  for (const char* registry : {"quay.io", "QUAY.io", "quay.io:443"}) EXPECT_TRUE(ask(source, registry)) << registry;
  EXPECT_FALSE(ask(source, "quay.io:80"));
}

TEST(Login, ASourceWarnsAndMasks) {
  std::vector<std::string> lines;
  Log log(Log::Level::normal, [&](std::string_view line) { lines.emplace_back(line); });
  LoginOptions access;
  access.username = "me";
  access.password = "hush99";
  std::istringstream input;
  const CredentialLookup docker = [](const std::string&) { return logins({"docker", {}, "refresh-me"}); };
  const auto source = credential_lookup(access, {Reference::parse("quay.io/a")}, {}, input, log, docker);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0], testing::HasSubstr("--password can be seen"));
  EXPECT_TRUE(ask(source, "quay.io"));
  EXPECT_TRUE(ask(source, "other.io"));
  log.note("hush99 refresh-me");
  EXPECT_EQ(lines[1], "*** ***");
}

TEST(Login, CredentialsForSeveralRegistriesAreRefused) {
  const Credentials mine{"me", "hush", ""};
  EXPECT_THROW(credentials_for(mine, {Reference::parse("nginx"), Reference::parse("quay.io/a/b")}, {}), Error);
}

}  // namespace
}  // namespace hawser
