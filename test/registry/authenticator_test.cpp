// The token dance and Basic authentication, and the ways in which credentials must not go astray.
#include "registry/authenticator.hpp"

#include "registry/authenticator_fixture.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

namespace hawser::test {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST_F(AuthenticatorTest, AnonymousToken) {
  registry.auth().require_token(registry.url("/token"));
  manifest();
  manifest();
  EXPECT_EQ(registry.auth().tokens_made(), 1u);
  EXPECT_THAT(first("/token").target, HasSubstr("scope=repository%3Aa%2Fb%3Apull"));
  EXPECT_THAT(first("/token").target, HasSubstr("service=scripted"));
  EXPECT_EQ(first("/token").header("Authorization"), "");
}

TEST_F(AuthenticatorTest, TokenByUserAndPassword) {
  registry.auth().require_token(registry.url("/token"), "user", "secret");
  use(user_and_password("user", "secret"));
  manifest();
  EXPECT_THAT(first("/token").target, HasSubstr("account=user"));
  for (const ScriptedRequest& request : registry.requests()) {
    if (request.path() == "/token") continue;
    EXPECT_THAT(request.header("Authorization"), Not(HasSubstr("Basic")));
  }
}

TEST_F(AuthenticatorTest, TokenByIdentityTokenAsAcrHasIt) {
  registry.auth().require_token(registry.url("/token"), {}, {}, "refresh-me");
  registry.auth().set_token_answer("access_token", "");
  use(identity("refresh-me"));
  manifest();
  EXPECT_EQ(first("/token").method, "POST");
  EXPECT_THAT(first("/token").body, HasSubstr("grant_type=refresh_token"));
}

TEST_F(AuthenticatorTest, AKeptTokenIsShownAndNoServiceAsked) {
  use(kept_token("kept-token"));
  require_kept_token();
  manifest();
  manifest();
  EXPECT_THAT(shown_at("/v2/"), testing::ElementsAre("", "Bearer kept-token", "Bearer kept-token"));
  EXPECT_EQ(registry.count("GET", "/token"), 0u);
}

TEST_F(AuthenticatorTest, AKeptTokenIsShownToNoServiceOfANoteEither) {
  Authenticator authenticator(http, registry.origin(), kept_token("kept-token"));
  authenticator.expect({Url::parse(registry.url("/token")), "s"});
  EXPECT_EQ(run_coroutine(context, authenticator.authorization("a/b")), "");
  EXPECT_EQ(run_coroutine(context, authenticator.answer(challenges(), "a/b", "", "test")), "Bearer kept-token");
  EXPECT_EQ(run_coroutine(context, authenticator.authorization("a/b")), "Bearer kept-token");
  EXPECT_EQ(registry.count("GET", "/token"), 0u);
}

TEST_F(AuthenticatorTest, AKeptTokenThatIsRefusedMeansToLogInAnew) {
  use(kept_token("old-token"));
  require_kept_token();
  const Failure failure = manifest_failure();
  EXPECT_EQ(failure.code, Errc::unauthorized);
  EXPECT_THAT(failure.text, testing::AllOf(HasSubstr("was refused"), Not(HasSubstr("old-token"))));
  EXPECT_THAT(failure.hint, HasSubstr("log in anew"));
  EXPECT_EQ(registry.count("GET", "*"), 2u);
  Authenticator authenticator(http, registry.origin(), kept_token("old-token"));
  EXPECT_EQ(
      code_of([&] { run_coroutine(context, authenticator.answer(challenges(), "a/b", "Bearer old-token", "test")); }),
      Errc::unauthorized);
}

TEST_F(AuthenticatorTest, AKeptTokenIsNoPassword) {
  registry.auth().require_basic("user", "secret");
  use(kept_token("kept-token"));
  EXPECT_THAT(manifest_failure().text, HasSubstr("authentication is needed"));
  EXPECT_THAT(shown_at("/v2/"), testing::ElementsAre(""));
}

TEST_F(AuthenticatorTest, Basic) {
  registry.auth().require_basic("AWS", "secret");
  registry.auth().set_challenges(
      {R"(Basic realm="https://123.dkr.ecr.eu-west-1.amazonaws.com/",service="ecr.amazonaws.com")"});
  use(user_and_password("AWS", "secret"));
  manifest();
  manifest();
  EXPECT_EQ(registry.count("GET", "*"), 3u);  // challenged once
}

TEST_F(AuthenticatorTest, AttackALoginOfAPartIsNotShownForTheRest) {
  registry.auth().require_basic("team", "secret");
  use(login_of_a);
  manifest();
  const Failure failure = failure_of([&] { manifest("latest", "other/b"); });
  EXPECT_EQ(failure.code, Errc::unauthorized);
  EXPECT_THAT(failure.text, HasSubstr("authentication is needed"));
  EXPECT_THAT(shown_at("/v2/other/"), testing::Each(""));
  manifest();
  EXPECT_EQ(registry.count("GET", "/v2/a/*"), 3u);  // challenged once
}

TEST_F(AuthenticatorTest, AttackALoginOfAPartGetsNoTokenForTheRest) {
  registry.auth().require_token(registry.url("/token"));
  registry.content().add_manifest("other/b", "latest", small_index, "application/vnd.oci.image.index.v1+json");
  use(login_of_a);
  manifest();
  manifest("latest", "other/b");
  manifest();
  EXPECT_THAT(shown_at("/token"), testing::ElementsAre("Basic dGVhbTpzZWNyZXQ=", ""));
  EXPECT_THAT(shown_at("/v2/a/b"), testing::ElementsAre("", "Bearer token-1", "Bearer token-1"));
  EXPECT_THAT(shown_at("/v2/other/b"), testing::ElementsAre("Bearer token-2"));
}

TEST_F(AuthenticatorTest, WhatStandsInTheWayOfALoginIsInTheHint) {
  registry.auth().require_basic("user", "secret");
  Logins known;
  known.obstacles = {"config.json is not a JSON object",
                     "config.json names docker-credential-ecr-login, which is not there"};
  const CredentialSource source = [&] { return known_logins(known); };
  use(source);
  EXPECT_THAT(manifest_failure().hint,
              testing::AllOf(HasSubstr("is not a JSON object; config.json names docker-credential-"),
                             HasSubstr("--password-stdin")));
  known.logins.push_back({"", {"user", "old-one", {}}});
  use(source);
  EXPECT_THAT(manifest_failure().hint, HasSubstr("config.json is not a JSON object; "));
  registry.auth().require_token(registry.url("/token"));
  registry.on("GET", "/v2/*")
      .reply_with(Reply::error(401, "DENIED", "never")
                      .with("WWW-Authenticate", "Bearer realm=\"" + registry.url("/token") + "\""));
  known.logins.clear();
  use(source);
  EXPECT_THAT(manifest_failure().hint, HasSubstr("config.json is not a JSON object; "));
}

TEST_F(AuthenticatorTest, OneTokenForManyRequestsAtOnce) {
  registry.auth().require_token(registry.url("/token"));
  use();
  for (int i = 0; i < 5; ++i) asio::co_spawn(context, fetch_and_count(), [](std::exception_ptr) {});
  context.run();
  EXPECT_EQ(fetched, 5);
  EXPECT_EQ(registry.auth().tokens_made(), 1u);
}

TEST_F(AuthenticatorTest, WhoWaitsForATokenJoinsTheNextTryOfAnother) {
  registry.auth().require_token(registry.url("/token"));
  registry.on("GET", "/token").times(1).reply_with(Reply::error(500, "UNKNOWN", "not now"));
  Authenticator authenticator(http, registry.origin(), {});
  std::vector<std::string> values;
  // The first asks again in the moment in which it hears of the failure, before those that waited with it.
  const auto patient = [&]() -> asio::awaitable<void> {
    for (int left = 2; left > 0; --left) {
      try {
        std::string value = co_await authenticator.answer(challenges(), "a/b", "", "test");
        values.push_back(std::move(value));
        if (values.size() == 3) context.stop();
        co_return;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), Errc::server_error) << error.what();
      }
    }
  };
  for (int i = 0; i < 3; ++i) asio::co_spawn(context, patient(), asio::detached);
  context.run();
  EXPECT_THAT(values, testing::SizeIs(3));
  EXPECT_EQ(registry.auth().tokens_made(), 1u);
}

TEST_F(AuthenticatorTest, TokenRefusedInTheMiddleIsRenewedOnce) {
  registry.auth().require_token(registry.url("/token"));
  manifest();
  registry.auth().expire_tokens();
  manifest();
  EXPECT_EQ(registry.auth().tokens_made(), 2u);
}

TEST_F(AuthenticatorTest, ATokenThatHasRunOutIsRenewedWhateverTheRegistryAnswers) {
  registry.auth().require_token(registry.url("/token"));
  manifest();
  std::size_t made = registry.auth().tokens_made();
  for (const Reply& reply : {Reply::of(401, ""), Reply::error(401, "UNAUTHORIZED", "who are you?"),
                             Reply::error(400, "DENIED", "Your authorization token has expired. Reauthenticate"),
                             Reply::error(403, "DENIED", "jwt is EXPIRED")}) {
    registry.expect("GET", "/v2/*").reply_with(reply);
    manifest();
    EXPECT_EQ(registry.auth().tokens_made(), ++made) << reply.body;
  }
}

TEST_F(AuthenticatorTest, ATokenThatRanOutBeforeItWasUsedIsRenewedOnce) {
  registry.auth().require_token(registry.url("/token"));
  const Reply refusal = Reply::of(403, R"({"errors":[{"code":"DENIED","detail":{"reason":"token expired"}}]})");
  int refusals = 1;
  registry.on("GET", "/v2/*").with_fault([&](Reply& reply) {
    if (reply.status == 200 && refusals-- > 0) reply = refusal;
  });
  manifest();
  EXPECT_EQ(registry.auth().tokens_made(), 2u);
  use();
  refusals = 2;
  EXPECT_EQ(manifest_failure().code, Errc::forbidden);
}

TEST_F(AuthenticatorTest, WhereARefusalHasNoChallengeTheBaseHas) {
  registry.auth().require_basic("user", "secret");
  use(user_and_password("user", "secret"));
  registry.expect("GET", "/v2/a/b/manifests/latest").reply_with(Reply::error(401, "UNAUTHORIZED", "who are you?"));
  manifest();
  EXPECT_EQ(registry.count("GET", "/v2/"), 1u);
}

TEST_F(AuthenticatorTest, WithoutAnyChallengeTheRegistrysWordsAreShown) {
  registry.on("GET", "/v2/*").reply_with(Reply::error(401, "UNAUTHORIZED", "pay first"));
  use(user_and_password("user", "secret"));
  const Failure failure = manifest_failure();
  EXPECT_EQ(failure.code, Errc::unauthorized);
  EXPECT_THAT(failure.text, HasSubstr("(UNAUTHORIZED: pay first)"));
  EXPECT_EQ(registry.requests().size(), 2u);
  for (const ScriptedRequest& request : registry.requests()) EXPECT_EQ(request.header("Authorization"), "");
}

TEST_F(AuthenticatorTest, ARefusalForAnotherReasonThanATokensEndIsFinal) {
  registry.auth().require_token(registry.url("/token"));
  manifest();
  for (const auto& [reply, code] :
       std::vector<std::pair<Reply, Errc>>{{Reply::error(400, "UNSUPPORTED", "no"), Errc::bad_request},
                                           {Reply::error(403, "DENIED", "not yours"), Errc::forbidden}}) {
    registry.expect("GET", "/v2/*").reply_with(reply);
    EXPECT_EQ(manifest_failure().code, code);
  }
  registry.on("GET", "/v2/*").reply_with(Reply::error(403, "DENIED", "the licence has expired"));
  EXPECT_EQ(manifest_failure().code, Errc::forbidden);
  EXPECT_EQ(registry.auth().tokens_made(), 2u);  // and one in vain
}

TEST_F(AuthenticatorTest, RegistryThatRefusesEveryTokenIsNotAskedForEver) {
  registry.auth().require_token(registry.url("/token"));
  registry.on("GET", "/v2/*")
      .reply_with(Reply::error(401, "DENIED", "never")
                      .with("WWW-Authenticate", "Bearer realm=\"" + registry.url("/token") + "\""));
  const Failure failure = manifest_failure();
  EXPECT_EQ(failure.code, Errc::unauthorized);
  EXPECT_THAT(failure.text, HasSubstr("authentication is needed, or there is no such repository"));
  EXPECT_THAT(failure.hint, HasSubstr("hawser login"));
  EXPECT_EQ(registry.count("GET", "/v2/*"), 2u);
}

TEST_F(AuthenticatorTest, TokenIsRenewedBeforeItEnds) {
  registry.auth().require_token(registry.url("/token"));
  registry.auth().set_token_answer("token", R"(,"expires_in":100)");
  std::chrono::steady_clock::time_point now{};
  Authenticator authenticator(http, registry.origin(), {}, [&] { return now; });
  const std::string first_value = run_coroutine(context, authenticator.answer(challenges(), "a/b", "", "test"));
  now += std::chrono::seconds(84);
  EXPECT_EQ(run_coroutine(context, authenticator.authorization("a/b")), first_value);
  now += std::chrono::seconds(2);
  EXPECT_NE(run_coroutine(context, authenticator.authorization("a/b")), first_value);
  EXPECT_EQ(registry.auth().tokens_made(), 2u);
}

TEST_F(AuthenticatorTest, MissingAndRefusedCredentialsAreToldApart) {
  registry.auth().require_basic("user", "secret");
  EXPECT_THAT(manifest_failure().text, HasSubstr("authentication is needed"));
  EXPECT_THAT(manifest_failure().hint, HasSubstr("--password-stdin"));
  use(user_and_password("user", "wrong-one"));
  EXPECT_THAT(manifest_failure().text, HasSubstr("credentials were refused"));
  EXPECT_THAT(manifest_failure().text, Not(HasSubstr("wrong-one")));
}

TEST_F(AuthenticatorTest, CredentialsRefusedByTheTokenService) {
  registry.auth().require_token(registry.url("/token"), "user", "secret");
  use(user_and_password("user", "wrong-one"));
  const Failure failure = manifest_failure();
  EXPECT_EQ(failure.code, Errc::unauthorized);
  EXPECT_THAT(failure.text, HasSubstr("credentials were refused"));
}

TEST_F(AuthenticatorTest, UnknownSchemesOnly) {
  registry.on("GET", "*")
      .reply_with(Reply::of(401).with("WWW-Authenticate", "Negotiate").with("WWW-Authenticate", "NTLM"));
  EXPECT_THAT(manifest_failure().text, HasSubstr("negotiate, ntlm"));
}

TEST_F(AuthenticatorTest, SeveralChallengesOfWhichOneIsKnown) {
  registry.auth().require_token(registry.url("/token"));
  registry.auth().set_challenges(
      {"Negotiate abc==, Digest realm=\"x, y\"", "bEaReR Realm=\"" + registry.url("/token") + "\""});
  EXPECT_EQ(manifest_failure().code, Errc{});
}

TEST_F(AuthenticatorTest, TokenServiceOnAnotherHostGetsTheCredentialsItWasNamedFor) {
  ScriptedRegistry service;  // as Alibaba Cloud's ACR and Docker Hub have it
  service.auth().require_token(service.url("/token"), "user", "secret");
  registry.expect("GET", "/v2/*")
      .reply_with(
          Reply::of(401).with("WWW-Authenticate", "Bearer realm=\"" + service.url("/token") + "\",service=\"acr\""));
  use(user_and_password("user", "secret"));
  manifest();
  EXPECT_TRUE(saw_credentials(service));
  EXPECT_THAT(registry.requests().back().header("Authorization"), "Bearer token-1");
}

TEST_F(AuthenticatorTest, TokenAnswersThatAreNone) {
  registry.auth().require_token(registry.url("/token"));
  const auto answered = [&](Reply reply) {
    registry.expect("GET", "/token").reply_with(std::move(reply));
    use();
    return manifest_failure();
  };
  EXPECT_THAT(answered(Reply::captive_portal()).text, HasSubstr("web page"));
  EXPECT_EQ(answered(Reply::of(200, "[]")).code, Errc::unauthorized);
  EXPECT_THAT(answered(Reply::of(200, "locked out", "text/plain")).text, HasSubstr("gave no token (locked out)"));
  EXPECT_THAT(answered(Reply::of(200, R"({"errors":["locked out"]})")).text, HasSubstr("gave no token (locked out)"));
  EXPECT_EQ(answered(Reply::of(200, "{}")).code, Errc::unauthorized);
  EXPECT_THAT(answered(Reply::of(200, R"({"details":"no such user"})")).text,
              HasSubstr("gave no token (no such user)"));
  EXPECT_EQ(answered(Reply::of(200, R"({"token":"a\r\nX: y"})")).code, Errc::malformed);
  EXPECT_EQ(answered(Reply::of(200, std::string(max_token_answer + 1, ' '))).code, Errc::too_large);
  EXPECT_EQ(answered(Reply::of(503)).code, Errc::server_error);
  EXPECT_EQ(answered(Reply::of(429)).code, Errc::rate_limited);
}

TEST_F(AuthenticatorTest, AttackMetadataRealmIsRefused) {
  registry.on("GET", "/v2/*")
      .reply_with(Reply::of(401).with("WWW-Authenticate", R"(Bearer realm="http://169.254.169.254/latest/meta-data")"));
  use(user_and_password("user", "secret"));
  EXPECT_THAT(manifest_failure().text, HasSubstr("metadata"));
}

TEST_F(AuthenticatorTest, AttackHttpRealmOfTlsRegistryGetsNothing) {
  TestCa ca;
  ScriptedOptions tls;
  tls.certificate = ca.issue(CertificateKind::valid);
  ScriptedRegistry secure(tls);
  secure.on("GET", "/v2/*")
      .reply_with(Reply::of(401).with("WWW-Authenticate", "Bearer realm=\"" + registry.url("/token") + "\""));
  NetOptions net = test_net_options();
  net.tls.ca_files = {ca.file().string()};
  HttpClient secure_http(context.get_executor(), net);
  RegistryClient secure_client(secure_http, secure.origin(), user_and_password("user", "secret"));
  const Failure failure = failure_of([&] { run_coroutine(context, secure_client.get_manifest("a/b", "latest")); });
  EXPECT_EQ(failure.code, Errc::unauthorized);
  EXPECT_THAT(failure.text, HasSubstr("not protected by TLS"));
  EXPECT_TRUE(registry.requests().empty());
}

TEST_F(AuthenticatorTest, AttackRedirectOfATlsTokenServiceToHttpIsRefused) {
  TestCa ca;
  ScriptedOptions tls;
  tls.certificate = ca.issue(CertificateKind::valid);
  ScriptedRegistry secure(tls);
  secure.auth().require_token(secure.url("/token"), "user", "secret");
  secure.on("GET", "/token").reply_with(Reply::redirect(registry.url("/token")));
  NetOptions net = test_net_options();
  net.tls.ca_files = {ca.file().string()};
  HttpClient secure_http(context.get_executor(), net);
  RegistryClient secure_client(secure_http, secure.origin(), user_and_password("user", "secret"));
  const Failure failure = failure_of([&] { run_coroutine(context, secure_client.get_manifest("a/b", "latest")); });
  EXPECT_EQ(failure.code, Errc::redirect_refused);
  EXPECT_THAT(failure.text, HasSubstr("not protected by TLS"));
  EXPECT_TRUE(registry.requests().empty());
}

TEST_F(AuthenticatorTest, AttackRedirectOfTheTokenServiceLosesCredentials) {
  ScriptedRegistry evil;
  evil.on("GET", "*").reply_with(Reply::of(200, R"({"token":"t"})"));
  registry.auth().require_token(registry.url("/token"), "user", "secret");
  registry.on("GET", "/token").reply_with(Reply::redirect(evil.url("/collect")));
  use(user_and_password("user", "secret"));
  EXPECT_EQ(manifest_failure().code, Errc::unauthorized);
  EXPECT_GE(evil.requests().size(), 1u);
  EXPECT_FALSE(saw_credentials(evil));
}

TEST_F(AuthenticatorTest, AttackRedirectOfTheRefreshGrantIsRefused) {
  ScriptedRegistry evil;
  registry.auth().require_token(registry.url("/token"), {}, {}, "refresh-me");
  registry.on("POST", "/token").reply_with(Reply::redirect(evil.url("/hush?signature=hush")));
  use(identity("refresh-me"));
  const Failure refused = manifest_failure();
  EXPECT_EQ(refused.code, Errc::redirect_refused);
  EXPECT_THAT(refused.text, testing::AllOf(HasSubstr(evil.host()), Not(HasSubstr("hush"))));
  EXPECT_TRUE(evil.requests().empty());
}

TEST_F(AuthenticatorTest, RedirectOfTheTokenServiceWithinItsOriginKeepsCredentials) {
  registry.auth().require_token(registry.url("/token"), "user", "secret");
  registry.expect("GET", "/token").reply_with(Reply::redirect("/token?again"));
  use(user_and_password("user", "secret"));
  EXPECT_EQ(manifest_failure().code, Errc{});
}

TEST_F(AuthenticatorTest, ANoteSavesTheChallengeNextTime) {
  TextNotes notes;
  registry.auth().require_token(registry.url("/token"), "user", "secret");
  use(user_and_password("user", "secret"), &notes);
  manifest();
  EXPECT_THAT(notes.texts[registry.origin()], AllOf(HasSubstr("/token"), Not(HasSubstr("secret"))));
  const std::size_t before = registry.count("GET", "/v2/*");
  use(user_and_password("user", "secret"), &notes).prepare();
  manifest();
  EXPECT_EQ(registry.count("GET", "/v2/*"), before + 1);  // no 401 this time
}

TEST_F(AuthenticatorTest, ANoteThatIsWrongNowDoesNoHarm) {
  ScriptedRegistry gone;
  TextNotes notes;
  notes.update(registry.origin(), [&](OriginNote& note) {
    note.token_service = TokenService{Url::parse(gone.url("/nowhere")), ""};
  });
  registry.auth().require_token(registry.url("/token"));
  use({}, &notes).prepare();
  EXPECT_EQ(manifest_failure().code, Errc{});
  EXPECT_THAT(notes.texts[registry.origin()], HasSubstr(registry.url("/token")));
}

TEST_F(AuthenticatorTest, AttackANoteDoesNotChooseWhereAPasswordGoes) {
  ScriptedRegistry evil;
  TextNotes notes;
  notes.update(registry.origin(), [&](OriginNote& note) {
    note.token_service = TokenService{Url::parse(evil.url("/token")), ""};
  });
  registry.auth().require_token(registry.url("/token"), "user", "secret");
  use(user_and_password("user", "secret"), &notes).prepare();
  EXPECT_EQ(manifest_failure().code, Errc{});
  EXPECT_TRUE(evil.requests().empty());
}

TEST(RegistryName, DockerHubHasItsOwn) {
  EXPECT_EQ(registry_name({true, "registry-1.docker.io", 443}), "docker.io");
  EXPECT_EQ(registry_name({false, "localhost", 5000}), "localhost:5000");
  EXPECT_EQ(registry_name({true, "quay.io", 443}), "quay.io");
}

}  // namespace
}  // namespace hawser::test

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
  use([] {
    Logins known;
    known.logins.push_back({"a", {"team", "hush", {}}});
    known.logins.push_back({"", {"all", "hush99", {}}});
    return known_logins(std::move(known));
  });
  EXPECT_THAT(manifest_failure().text, HasSubstr("no, *** ***"));
}

}  // namespace
}  // namespace hawser::test

namespace hawser {
namespace {

using testing::ElementsAre;
using testing::Pair;
using testing::SizeIs;

std::vector<Challenge> parse_header(std::string_view value) {
  return parse_challenges({value});
}

TEST(Challenge, DockerHub) {
  const auto challenges = parse_header(
      R"(Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/nginx:pull")");
  ASSERT_THAT(challenges, SizeIs(1));
  EXPECT_EQ(challenges[0].scheme, "bearer");
  EXPECT_EQ(challenges[0].param("realm"), "https://auth.docker.io/token");
  EXPECT_EQ(challenges[0].param("service"), "registry.docker.io");
  EXPECT_EQ(challenges[0].param("scope"), "repository:library/nginx:pull");
  EXPECT_EQ(challenges[0].param("error"), std::nullopt);
}

TEST(Challenge, CommasAndEscapesInsideQuotes) {
  const auto challenges = parse_header(R"(Bearer realm="https://a/?x=\"1\",2", scope="repository:a:pull,push", n=1)");
  ASSERT_THAT(challenges, SizeIs(1));
  EXPECT_EQ(challenges[0].param("realm"), R"(https://a/?x="1",2)");
  EXPECT_EQ(challenges[0].param("scope"), "repository:a:pull,push");
  EXPECT_EQ(challenges[0].param("n"), "1");
}

TEST(Challenge, SeveralInOneHeader) {
  const auto challenges =
      parse_header(R"(Negotiate, Basic realm="a, b", Bearer realm=x , service = "y",Digest qop="auth")");
  ASSERT_THAT(challenges, SizeIs(4));
  EXPECT_EQ(challenges[0].scheme, "negotiate");
  EXPECT_THAT(challenges[1].params, ElementsAre(Pair("realm", "a, b")));
  EXPECT_THAT(challenges[2].params, ElementsAre(Pair("realm", "x"), Pair("service", "y")));
  EXPECT_EQ(challenges[3].scheme, "digest");
}

TEST(Challenge, SeveralHeaders) {
  const auto challenges = parse_challenges({"Basic realm=a", "", "Bearer realm=b"});
  ASSERT_THAT(challenges, SizeIs(2));
  EXPECT_EQ(challenges[1].param("realm"), "b");
}

TEST(Challenge, Token68) {
  const auto challenges = parse_header("Negotiate oYG2MIGzoAMKAQA+/==, Basic realm=r, NTLM abc=");
  ASSERT_THAT(challenges, SizeIs(3));
  EXPECT_EQ(challenges[0].scheme, "negotiate");
  EXPECT_THAT(challenges[0].params, testing::IsEmpty());
  EXPECT_EQ(challenges[1].param("realm"), "r");
  EXPECT_EQ(challenges[2].scheme, "ntlm");
  EXPECT_THAT(challenges[2].params, testing::IsEmpty());
}

TEST(Challenge, ValuesWithoutQuotesGoOnToTheNextParameter) {
  const auto challenges = parse_header(
      "Bearer realm=http://host:5000/token?a=1,2,service=registry.test,scope=repository:a/b:pull,push,error=x,"
      "Basic realm=r,Negotiate");
  ASSERT_THAT(challenges, SizeIs(3));
  EXPECT_THAT(challenges[0].params,
              ElementsAre(Pair("realm", "http://host:5000/token?a=1,2"), Pair("service", "registry.test"),
                          Pair("scope", "repository:a/b:pull,push"), Pair("error", "x")));
  EXPECT_THAT(challenges[1].params, ElementsAre(Pair("realm", "r")));
  EXPECT_EQ(challenges[2].scheme, "negotiate");
}

TEST(Challenge, ValuesWithoutQuotesMayHoldBlanks) {
  const auto challenges =
      parse_header("Basic realm=Nexus Repository Manager, Bearer realm=r service=Docker Registry ,x=y");
  ASSERT_THAT(challenges, SizeIs(2));
  EXPECT_THAT(challenges[0].params, ElementsAre(Pair("realm", "Nexus Repository Manager")));
  EXPECT_THAT(challenges[1].params, ElementsAre(Pair("realm", "r"), Pair("x", "y")));
  EXPECT_EQ(parse_header("Bearer realm=r,service=Docker Registry")[0].param("service"), "Docker Registry");
}

TEST(Challenge, CaseOfSchemesAndNamesDoesNotMatter) {
  const auto challenges = parse_header(R"(bEaReR ReAlM="Https://X",SERVICE=Y)");
  ASSERT_THAT(challenges, SizeIs(1));
  EXPECT_EQ(challenges[0].scheme, "bearer");
  EXPECT_EQ(challenges[0].param("realm"), "Https://X");
  EXPECT_EQ(challenges[0].param("service"), "Y");
}

TEST(Challenge, EmptyListElementsAndSpaces) {
  const auto challenges = parse_header("  ,, \tBasic   realm=\"x\" ,,\t, charset=\"UTF-8\",");
  ASSERT_THAT(challenges, SizeIs(1));
  EXPECT_THAT(challenges[0].params, ElementsAre(Pair("realm", "x"), Pair("charset", "UTF-8")));
}

TEST(Challenge, BrokenPartsDoNotHideGoodOnes) {
  const auto challenges =
      parse_header(R"("quoted, rubbish", =x, {json}, Bearer realm="r" trailing words, service="s")");
  ASSERT_THAT(challenges, SizeIs(1));
  EXPECT_EQ(challenges[0].param("realm"), "r");
  EXPECT_EQ(challenges[0].param("service"), "s");
}

TEST(Challenge, UnclosedQuoteTakesTheRest) {
  const auto challenges = parse_header(R"(Bearer realm="https://a, Basic realm=b)");
  ASSERT_THAT(challenges, SizeIs(1));
  EXPECT_EQ(challenges[0].param("realm"), "https://a, Basic realm=b");
  EXPECT_EQ(parse_header(R"(Bearer realm="a\)")[0].param("realm"), "a\\");
}

TEST(Challenge, FirstOfTwoEqualParametersCounts) {
  EXPECT_EQ(parse_header("Bearer realm=a, realm=b")[0].param("realm"), "a");
}

TEST(Challenge, NothingFromNothing) {
  EXPECT_THAT(parse_header(""), SizeIs(0));
  EXPECT_THAT(parse_header(" , ,"), SizeIs(0));
  EXPECT_THAT(parse_challenges({}), SizeIs(0));
}

TEST(Challenge, IsBounded) {
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "Scheme" + std::to_string(i) + ",";
  EXPECT_THAT(parse_header(many), SizeIs(max_challenges));
  EXPECT_THAT(parse_challenges({many, many}), SizeIs(max_challenges));

  std::string params = "Bearer a=b";
  for (int i = 0; i < 1000; ++i) params += ",p" + std::to_string(i) + "=v";
  EXPECT_LE(parse_header(params).at(0).params.size(), max_challenge_params);

  const std::string huge = "Bearer realm=\"" + std::string(1 << 20, 'x');
  EXPECT_LE(parse_header(huge).at(0).param("realm")->size(), max_challenge_bytes);
}

const Origin https{true, "registry.example", 443};
const Origin http{false, "registry.example", 80};

Errc refusal(const Origin& registry, std::string_view realm) {
  try {
    checked_realm(registry, realm);
  } catch (const Error& error) {
    return error.code();
  }
  return Errc{};
}

TEST(RealmPolicy, HttpsRealmOnAnyHostIsTaken) {
  EXPECT_EQ(checked_realm(https, "https://auth.example/token?a=b").to_string(), "https://auth.example/token?a=b");
  EXPECT_EQ(checked_realm(http, "https://auth.example/token").origin.tls, true);
}

TEST(RealmPolicy, AttackHttpRealmOfHttpsRegistryIsRefused) {
  EXPECT_EQ(refusal(https, "http://auth.example/token"), Errc::unauthorized);
  EXPECT_EQ(refusal(https, "HTTP://registry.example/token"), Errc::unauthorized);
  EXPECT_EQ(refusal({true, "localhost", 5000}, "http://localhost:5001/token"), Errc::unauthorized);
}

TEST(RealmPolicy, PlainRegistryMayHavePlainRealm) {
  EXPECT_EQ(refusal(http, "http://auth.example:5001/token"), Errc{});
  EXPECT_EQ(refusal({false, "127.0.0.1", 5000}, "http://127.0.0.1:5001/token"), Errc{});
}

TEST(RealmPolicy, RealmThatIsNoUrl) {
  for (const char* realm : {"", "registry", "//host/token", "ftp://host/", "file:///etc/passwd", "https://",
                            "https:///x", "javascript:alert(1)"})
    EXPECT_EQ(refusal(https, realm), Errc::unauthorized) << realm;
}

TEST(RealmPolicy, AttackMetadataRealmIsRefused) {
  for (const char* host : {"169.254.169.254", "2852039166", "[::ffff:169.254.169.254]", "[fe80::1]",
                           "metadata.google.internal", "instance-data"})
    EXPECT_EQ(refusal(https, "https://" + std::string(host) + "/token"), Errc::unauthorized) << host;
}

TEST(RealmPolicy, MetadataAddressThatIsTheRegistryItselfIsTaken) {
  EXPECT_EQ(refusal({true, "169.254.1.1", 5000}, "https://169.254.1.1:5001/token"), Errc{});
  EXPECT_EQ(refusal({true, "169.254.1.1", 5000}, "https://169.254.169.254/token"), Errc::unauthorized);
}

TEST(RealmPolicy, RefusalShowsNoQueryAndNoEscapes) {
  for (const char* realm : {"http://auth.example/token?secret=1", "ftp://user:secret@auth.example/token?secret=1"}) {
    try {
      checked_realm(https, realm);
      ADD_FAILURE() << realm;
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace hawser

namespace hawser {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

const TokenService service{Url::parse("https://auth.example/token?x=1"), "registry name"};

Token parse_answer(std::string_view body) {
  return parse_token(body, "application/json", service, {});
}

TEST(Token, LifetimeByExpiresIn) {
  EXPECT_EQ(parse_answer(R"({"token":"t"})").lifetime, 60s);
  EXPECT_EQ(parse_answer(R"({"access_token":"t","expires_in":300})").lifetime, 300s);
  EXPECT_EQ(parse_answer(R"({"token":"t","expires_in":"300"})").lifetime, 300s);
  EXPECT_EQ(parse_answer(R"({"token":"t","expires_in":-5})").lifetime, 60s);
  EXPECT_EQ(parse_answer(R"({"token":"t","expires_in":1e30})").lifetime, 60s);
  EXPECT_EQ(parse_answer(R"({"token":"t","expires_in":99999999999})").lifetime, 24h);
  EXPECT_EQ(parse_answer(R"({"token":"","access_token":"b"})").value, "b");
}

TEST(Token, WhatHttpCannotCarryIsNoToken) {
  EXPECT_EQ(parse_answer(R"({"token":"a.b-c_d~e+f/g==|"})").value, "a.b-c_d~e+f/g==|");
  for (const char* token : {"a b", "a\\r\\nX: y", "\\u0000", "\\u007f", "\\u00e9"}) {
    try {
      parse_answer(std::string(R"({"token":")") + token + "\"}");
      ADD_FAILURE() << token;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::malformed) << token;
    }
  }
}

TEST(Token, IsUsableUntilAMarginBeforeItsEnd) {
  Token token = parse_answer(R"({"token":"t","expires_in":300})");
  EXPECT_TRUE(token.usable(token.obtained + 284s));
  EXPECT_FALSE(token.usable(token.obtained + 285s));
  token.lifetime = 4s;
  EXPECT_TRUE(token.usable(token.obtained + 2s));
  EXPECT_FALSE(token.usable(token.obtained + 3s));
  EXPECT_FALSE(Token().usable({}));
}

TEST(Token, RequestCarriesServiceScopeAndAccount) {
  const HttpRequest anonymous = make_token_request(service, "repository:a/b:pull", nullptr);
  EXPECT_EQ(anonymous.url.target,
            "/token?x=1&client_id=hawser&scope=repository%3Aa%2Fb%3Apull&service=registry%20name");
  EXPECT_TRUE(anonymous.headers.empty());
  const Credentials credentials{"us&er", "pw", {}};
  const HttpRequest known = make_token_request(service, "s", &credentials);
  EXPECT_THAT(known.url.target, HasSubstr("&account=us%26er&"));
  EXPECT_EQ(known.headers.at(0).second, "Basic dXMmZXI6cHc=");
}

TEST(Token, RefreshGrantKeepsTheSecretOutOfTheUrl) {
  const Credentials credentials{{}, {}, "se=cret"};
  const HttpRequest request = make_token_request(service, "s", &credentials);
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.url, service.realm);
  EXPECT_THAT(request.body, HasSubstr("refresh_token=se%3Dcret"));
}

TEST(Token, BasicRefusesWhatHttpCannotCarry) {
  EXPECT_THROW(basic_authorization({"a:b", "pw", {}}), Error);
  EXPECT_THROW(basic_authorization({"a\r\nX: y", "pw", {}}), Error);
  EXPECT_THROW(basic_authorization({"a", std::string("p\0w", 3), {}}), Error);
  EXPECT_EQ(basic_authorization({"a", "p:w", {}}), "Basic YTpwOnc=");
}

TEST(Token, BasicCarriesAPasswordOfManyLines) {
  EXPECT_EQ(basic_authorization({"_json_key", "{\r\n\t\"a\": 1\n}\n", {}}), "Basic X2pzb25fa2V5OnsNCgkiYSI6IDEKfQo=");
}

TEST(Token, ScopeOfTheChallengeOnlyWhereItReadsTheSameRepository) {
  EXPECT_EQ(choose_scope(std::nullopt, "a/b"), "repository:a/b:pull");
  EXPECT_EQ(choose_scope("repository:a/b:pull", ""), "");
  EXPECT_EQ(choose_scope("repository:a/b:metadata_read", "a/b"), "repository:a/b:metadata_read");
  EXPECT_EQ(choose_scope("repository:a/b:pull,metadata_read", "a/b"), "repository:a/b:pull,metadata_read");
  for (const char* scope : {"repository:a/b:pull,push", "repository:a/b:*", "repository:other:pull",
                            "registry:catalog:*", "repository:a/b:", ""})
    EXPECT_EQ(choose_scope(scope, "a/b"), "repository:a/b:pull") << scope;
}

}  // namespace
}  // namespace hawser
