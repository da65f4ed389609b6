// Secrets that a registry or a token service says back stay out of what is shown.
#include "registry/authenticator_fixture.hpp"

namespace hawser::test {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST_F(AuthenticatorTest, AttackEchoedSecretStaysOutOfTheErrorsText) {
  registry.auth().require_token(registry.url("/token"), "user", "secret");
  registry.on("GET", "/token").reply_with(Reply::error(401, "DENIED", "your password hunter22 is wrong"));
  use(user_and_password("user", "hunter22"));
  EXPECT_THAT(manifest_failure().text, Not(HasSubstr("hunter22")));
}

/// Words with each of `secrets`, as JSON has it and with every character escaped.
std::string echoing(const std::vector<std::string>& secrets) {
  std::string plain, escaped;
  for (const std::string& secret : secrets) {
    plain += secret + " ";
    for (const char c : secret) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(c)));
      escaped += escape;
    }
    escaped += ' ';
  }
  return "no, " + plain + escaped;
}

const std::vector<std::string> hushed = {"hush99", "Basic bWU6aHVzaDk5"};  // of me:hush99

TEST_F(AuthenticatorTest, AttackEchoedSecretOfBasicStaysOut) {
  const auto challenge = [&](const std::string& words) {
    return Reply::error(401, "DENIED", words).with("WWW-Authenticate", "Basic realm=\"r\"");
  };
  registry.on("GET", "*").reply_with(challenge(echoing(hushed)));
  use(user_and_password("me", "hush99"));
  const Failure failure = manifest_failure();
  EXPECT_EQ(failure.code, Errc::unauthorized);
  EXPECT_THAT(failure.text, HasSubstr("no, *** Basic *** *** Basic ***"));
}

TEST_F(AuthenticatorTest, AttackEchoedSecretOfEveryRequestStaysOut) {
  registry.auth().require_basic("me", "hush99");
  registry.on("GET", "*").skip(1).reply_with(Reply::error(403, "DENIED", echoing(hushed)));
  use(user_and_password("me", "hush99"));
  const Digest digest = Digest::of("blob");
  const auto tags = [&] { run_coroutine(context, current().list_tags("a/b")); };
  for (const Failure& failure :
       {manifest_failure(), blob_failure(digest), blob_failure(digest, Interval{0, 2}), failure_of(tags)}) {
    EXPECT_EQ(failure.code, Errc::forbidden);
    EXPECT_THAT(failure.text, HasSubstr("no, *** Basic *** *** Basic ***"));
  }
}

TEST_F(AuthenticatorTest, AttackEchoedSecretOfAFormStaysOut) {
  registry.auth().require_token(registry.url("/token"), {}, {}, "re/fresh+me==");
  registry.on("POST", "/token")
      .reply_with(Reply::error(400, "DENIED", "no, refresh_token=re%2Ffresh%2Bme%3D%3D or re%2ffresh%2bme%3d%3d"));
  use(identity("re/fresh+me=="));
  EXPECT_THAT(manifest_failure().text, HasSubstr("no, refresh_token=*** or ***"));
  registry.auth().require_basic("me", "hu/sh+99=");
  registry.on("GET", "*").skip(1).reply_with(Reply::error(403, "DENIED", "no, hu%2Fsh%2B99%3D"));
  use(user_and_password("me", "hu/sh+99="));
  EXPECT_THAT(manifest_failure().text, HasSubstr("no, ***"));
}

TEST_F(AuthenticatorTest, AttackEchoedSecretIsNotShownWhereItIsCut) {
  registry.auth().require_basic("me", "hush99");
  registry.on("GET", "*").skip(1).reply_with(Reply::error(403, std::string(397, 'x') + "hush99", ""));
  use(user_and_password("me", "hush99"));
  EXPECT_THAT(manifest_failure().text, Not(HasSubstr("hus")));
}

TEST_F(AuthenticatorTest, AttackEchoedTokenStaysOut) {
  registry.auth().require_token(registry.url("/token"));
  registry.on("GET", "/v2/*").skip(1).reply_with(Reply::error(403, "DENIED", "not for Bearer token-1"));
  EXPECT_THAT(manifest_failure().text, HasSubstr("not for Bearer ***"));
}

TEST_F(AuthenticatorTest, AttackEchoedSecretsOfSeveralLoginsStayOut) {
  registry.on("GET", "*")
      .reply_with(Reply::error(401, "DENIED", "no, hush99 hush").with("WWW-Authenticate", "Basic realm=\"r\""));
  use([](std::string) {
    Logins known;
    known.logins.push_back({"a", {"team", "hush", {}}});
    known.logins.push_back({"", {"all", "hush99", {}}});
    return known_logins(std::move(known));
  });
  EXPECT_THAT(manifest_failure().text, HasSubstr("no, *** ***"));
}

}  // namespace
}  // namespace hawser::test
