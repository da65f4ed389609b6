// docker's configuration and the helpers it names: fake programs in a directory of the test's own.
#include "registry/credentials.hpp"

#include "pull/session.hpp"
#include "registry/registry_fixture.hpp"
#include "support/failure.hpp"
#include "support/run_coroutine.hpp"
#include "support/temp_dir.hpp"

#include <hawser/util/error.hpp>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

namespace hawser {
namespace {

using testing::HasSubstr;
using testing::Not;

std::optional<Credentials> find(const std::string& config, std::string_view registry) {
  for (const Login& login : find_inline_logins(parse_docker_config(config, "config.json"), registry))
    if (login.part.empty()) return login.credentials;
  return std::nullopt;
}

TEST(DockerConfig, InlineCredentials) {
  const std::string config = R"({"auths":{"quay.io":{"auth":"dXNlcjpwYTpzcw=="},
      "https://index.docker.io/v1/":{"username":"hub","password":"pw"},"https://localhost:5000/v2/":{"identitytoken":"it"},
      "gcr.io":{"registrytoken":"rt"},
      "ghcr.io/team":{"auth":"dXNlcjpwYTpzcw=="},"empty.example":{},"odd.example":7}})";
  EXPECT_EQ(find(config, "quay.io")->username, "user");
  EXPECT_EQ(find(config, "quay.io")->password, "pa:ss");
  EXPECT_EQ(find(config, "docker.io")->username, "hub");
  EXPECT_EQ(find(config, "localhost:5000")->identity_token, "it");
  EXPECT_EQ(find(config, "gcr.io")->registry_token, "rt");
  for (const char* none : {"ghcr.io", "empty.example", "odd.example", "localhost", "localhost:5001", "io"})
    EXPECT_FALSE(find(config, none)) << none;
}

TEST(DockerConfig, APasswordMayHaveLines) {
  const std::string config = R"({"auths":{"europe-docker.pkg.dev":{"auth":"X2pzb25fa2V5OnsKICAiYSI6IDEKfQo="}}})";
  const auto found = find(config, "europe-docker.pkg.dev");
  EXPECT_EQ(found.value().username, "_json_key");
  EXPECT_EQ(found.value().password, "{\n  \"a\": 1\n}\n");
}

TEST(DockerConfig, KeysOfPartsOfARegistry) {
  const auto config = parse_docker_config(
      R"({"auths":{"Quay.io/team":{"auth":"dGVhbTpwdw=="},"quay.io/team/app/":{"auth":"YXBwOnB3"},
      "quay.io":{"auth":"d2hvbGU6cHc="},"https://quay.io/v1/":{"auth":"dXJsOnB3"},"docker.io/me":{"auth":"bWU6cHc="},
      "quay.io/none":{},"quay.io/odd":7,"evil.example/quay.io":{"auth":"ZXZpbDpwdw=="}}})",
      "f");
  const auto found = find_inline_logins(config, "quay.io:443");
  ASSERT_EQ(found.size(), 4U);
  EXPECT_EQ(found[0].part, "team/app");
  EXPECT_EQ(found[0].credentials.username, "app");
  EXPECT_EQ(found[1].part, "team");
  EXPECT_EQ(found[2].part, "");
  EXPECT_EQ(found[2].credentials.username, "whole");
  const auto hub = find_inline_logins(config, "docker.io");
  ASSERT_EQ(hub.size(), 1U);
  EXPECT_EQ(hub[0].part, "me");
  EXPECT_EQ(hub[0].credentials.username, "me");
  EXPECT_TRUE(find_inline_logins({}, "quay.io").empty());
}

TEST(DockerConfig, AHelperIsForAllOfARegistry) {
  const auto config = parse_docker_config(R"({"credHelpers":{"quay.io/team":"a","https://gcr.io/":"b"}})", "f");
  EXPECT_EQ(find_credential_helper(config, "quay.io"), "");
  EXPECT_EQ(find_credential_helper(config, "gcr.io"), "b");
}

TEST(Logins, AttackALoginOfAPartIsForItsRepositoriesAlone) {
  Logins known;
  known.logins.push_back({"team/app", {"app", "pw", {}}});
  known.logins.push_back({"team", {"team", "pw", {}}});
  const auto user = [&](std::string_view repository) {
    const Credentials* found = known.find(repository);
    return found ? found->username : "nobody";
  };
  for (const char* repository : {"team/app", "team/app/x"}) EXPECT_EQ(user(repository), "app") << repository;
  for (const char* repository : {"team", "team/application", "team/x"})
    EXPECT_EQ(user(repository), "team") << repository;
  for (const char* repository : {"", "tea", "teams", "teams/app", "x/team"})
    EXPECT_EQ(user(repository), "nobody") << repository;
  known.logins.push_back({"", {"whole", "pw", {}}});
  EXPECT_EQ(user("teams"), "whole");
}

TEST(DockerConfig, HostsAreComparedAsHosts) {
  EXPECT_TRUE(is_same_registry("LocalHost:5000", "localhost:5000"));
  EXPECT_TRUE(is_same_registry("quay.io:443", "Quay.io"));
  EXPECT_TRUE(is_same_registry("index.docker.io", "docker.io"));
  EXPECT_FALSE(is_same_registry("quay.io:80", "quay.io"));
  EXPECT_FALSE(is_same_registry("quay.io:5443", "quay.io"));
  const std::string config =
      R"({"auths":{"Quay.io:443":{"username":"a","password":"b"}},"credHelpers":{"GCR.io":"g"}})";
  for (const char* registry : {"quay.io", "quay.io:443", "QUAY.io"}) EXPECT_TRUE(find(config, registry)) << registry;
  EXPECT_EQ(find_credential_helper(parse_docker_config(config, "f"), "gcr.io:443"), "g");
}

TEST(DockerConfig, BrokenFileIsNamedAndNotQuoted) {
  try {
    parse_docker_config(R"({"auths":{"x":{"auth":"c2VjcmV0"}})", "/home/me/.docker/config.json");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::usage);
    EXPECT_THAT(error.what(), HasSubstr("/home/me/.docker/config.json"));
    EXPECT_THAT(error.what(), Not(HasSubstr("c2Vj")));
  }
}

TEST(DockerConfig, HelperOfTheRegistryBeforeTheStore) {
  const auto config = parse_docker_config(R"({"credsStore":"store","credHelpers":{"gcr.io":"gcloud"}})", "f");
  EXPECT_EQ(find_credential_helper(config, "gcr.io"), "gcloud");
  EXPECT_EQ(find_credential_helper(config, "quay.io"), "store");
  EXPECT_EQ(find_credential_helper({}, "quay.io"), "");
}

/// A directory with fake helpers in front of PATH, and docker's configuration in it.
class CredentialHelperTest : public testing::Test {
 protected:
  CredentialHelperTest() : old_path_(std::getenv("PATH")) {
    ::setenv("PATH", (directory_.path().string() + ":" + old_path_).c_str(), 1);
    ::unsetenv("REGISTRY_AUTH_FILE");
  }
  ~CredentialHelperTest() override {
    ::setenv("PATH", old_path_.c_str(), 1);
    for (const char* name : {"DOCKER_CONFIG", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"}) ::unsetenv(name);
  }

  /// The environment has the directory's config.json, containers/auth.json and config/containers/auth.json.
  void use_files() const {
    ::setenv("DOCKER_CONFIG", directory_.path().c_str(), 1);
    ::setenv("XDG_RUNTIME_DIR", directory_.path().c_str(), 1);
    ::setenv("XDG_CONFIG_HOME", (directory_ / "config").c_str(), 1);
    std::filesystem::create_directories(directory_ / "containers");
    std::filesystem::create_directories(directory_ / "config" / "containers");
  }
  /// What the environment of now leads to.
  static CredentialLookup look_up() { return docker_config_logins(login_files(std::getenv, ::getuid())); }
  /// What comes of asking a registry that lets in the user "late" with the password "pw".
  static test::Failure ask_registry(asio::io_context& context) {
    test::ScriptedRegistry registry;
    registry.auth().require_basic("late", "pw");
    registry.content().add_manifest("a/b", "latest", "{}", "application/vnd.oci.image.manifest.v1+json");
    asio::thread_pool pool(1);
    TransferObserver observer;
    RegistryAccess access;
    access.plain_http = true;
    access.credentials = look_up();
    Session session(context.get_executor(), pool, access, nullptr, observer);
    const Reference image = Reference::parse(registry.host() + "/a/b");
    return test::failure_of([&] { test::run_coroutine(context, session.get_manifest(image, "latest")); });
  }
  /// The user that the stored logins name for a repository of quay.io.
  static std::string stored(const std::string& repository = "a", const std::string& registry = "quay.io") {
    const Logins known = look_up()(registry);
    const Credentials* found = known.find(repository);
    return found ? found->username : "nobody";
  }

  void install(const std::string& name, const std::string& script) {
    const auto path = directory_ / ("docker-credential-" + name);
    std::ofstream(path) << "#!/bin/sh\n" << script;
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  }
  std::optional<Credentials> ask(const std::string& name, const std::string& key = "quay.io") {
    return ask_credential_helper(name, key, missing_);
  }
  static Errc failure(const std::string& name, std::chrono::milliseconds limit = std::chrono::seconds(20)) {
    try {
      std::vector<std::string> missing;
      ask_credential_helper(name, "quay.io", missing, limit);
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), Not(HasSubstr("topsecret")));
      return error.code();
    }
    return Errc{};
  }

  test::TempDir directory_;
  std::vector<std::string> missing_;
  std::string old_path_;
};

TEST_F(CredentialHelperTest, GivesUserAndSecret) {
  install("good", R"(read -r key; echo "{\"ServerURL\":\"$key\",\"Username\":\"$key-$1\",\"Secret\":\"pw\"}")");
  const auto credentials = ask("good", "quay.io\n");
  EXPECT_EQ(credentials->username, "quay.io-get");
  EXPECT_EQ(credentials->password, "pw");
}

TEST_F(CredentialHelperTest, GivesIdentityToken) {
  install("token", R"(echo '{"Username":"<token>","Secret":"it"}')");
  EXPECT_EQ(ask("token")->identity_token, "it");
}

TEST_F(CredentialHelperTest, InheritsNeitherIgnoredSignalsNorLimits) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit raised{before.rlim_max, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &raised);
  for (const int signal : {SIGPIPE, SIGXFSZ}) std::signal(signal, SIG_IGN);
  install("curious", R"(sleep 0.2
ignored=$(while read -r key value; do [ "$key" = SigIgn: ] && echo "$value"; done </proc/$$/status)
echo "{\"Username\":\"$ignored\",\"Secret\":\"$(ulimit -Sn)\"}")");
  const auto credentials = ask("curious");
  ::setrlimit(RLIMIT_NOFILE, &before);
  std::signal(SIGXFSZ, SIG_DFL);
  const std::uint64_t ignored = std::stoull(credentials->username, nullptr, 16);
  EXPECT_EQ(ignored & (std::uint64_t{1} << (SIGPIPE - 1)), 0u);
  EXPECT_EQ(ignored & (std::uint64_t{1} << (SIGXFSZ - 1)), 0u);
  EXPECT_LE(std::stoul(credentials->password), 1024u);
}

TEST_F(CredentialHelperTest, NothingWhereItKnowsNothing) {
  install("none", "echo 'credentials not found in native keychain'; exit 1");
  EXPECT_FALSE(ask("none"));
  EXPECT_THAT(missing_, testing::IsEmpty());
  install("empty", R"(echo '{"Username":"me","Secret":""}')");
  EXPECT_FALSE(ask("empty"));
}

TEST_F(CredentialHelperTest, OneThatIsNotInstalledIsToldAndNoFailure) {
  std::ofstream(directory_ / "docker-credential-no-program") << "not executable";
  for (const std::string name : {"is-not-installed", "no-program"}) {
    EXPECT_FALSE(ask(name)) << name;
    EXPECT_EQ(missing_.back(), "docker-credential-" + name);
  }
}

TEST_F(CredentialHelperTest, MissingOnesAreNamedOnceBesideWhatTheFilesHave) {
  use_files();
  std::ofstream(directory_ / "config.json") << R"({"credsStore":"is-not-installed"})";
  std::ofstream(directory_ / "containers" / "auth.json")
      << R"({"credHelpers":{"quay.io":"is-not-installed","gcr.io":"neither"},"auths":{"quay.io":{"auth":"bWU6cHc="}}})";
  const Logins known = look_up()("quay.io");
  EXPECT_THAT(known.missing_helpers, testing::ElementsAre("docker-credential-is-not-installed"));
  EXPECT_EQ(known.find("a")->username, "me");
  EXPECT_EQ(look_up()("gcr.io").missing_helpers_text(),
            "docker's configuration names docker-credential-is-not-installed and docker-credential-neither, which are "
            "not installed or not in PATH");
  EXPECT_EQ(Logins().missing_helpers_text(), "");
}

TEST_F(CredentialHelperTest, FailuresAreErrorsWithoutItsOutput) {
  install("broken", "echo topsecret; exit 3");
  install("chatty", "echo topsecret is not JSON");
  install("endless", "exec yes topsecret");
  install("slow", "exec sleep 60");
  for (const char* name : {"broken", "chatty", "endless"}) EXPECT_EQ(failure(name), Errc::unauthorized) << name;
  EXPECT_EQ(failure("slow", std::chrono::milliseconds(50)), Errc::unauthorized);
}

TEST_F(CredentialHelperTest, AttackNameThatIsAPathIsRefused) {
  for (const char* name : {"../evil", "a/b", "", "-x", ".x", "a b", "a;b", "a\nb"}) {
    EXPECT_FALSE(is_valid_helper_name(name)) << name;
    EXPECT_EQ(failure(name), Errc::usage) << name;
  }
}

TEST_F(CredentialHelperTest, ASlowHelperIsWaitedForOnThePool) {
  ::setenv("DOCKER_CONFIG", directory_.path().c_str(), 1);
  std::ofstream(directory_ / "config.json") << R"({"credsStore":"slow"})";
  const std::string go = (directory_ / "go").string();
  install("slow", "while [ ! -e " + go + R"( ]; do sleep 0.01; done; echo '{"Username":"late","Secret":"pw"}')");
  asio::io_context context;
  // Only the network thread can make the helper answer: it must not be the one that waits.
  asio::post(context, [&] { asio::post(context, [&] { test::write_text(go, ""); }); });
  EXPECT_EQ(ask_registry(context).code, Errc{});
}

TEST_F(CredentialHelperTest, WhatAHelperThrowsOnThePoolArrives) {
  ::setenv("DOCKER_CONFIG", directory_.path().c_str(), 1);
  std::ofstream(directory_ / "config.json") << R"({"credsStore":"broken"})";
  install("broken", "exit 3");
  asio::io_context context;
  const test::Failure failure = ask_registry(context);
  EXPECT_EQ(failure.code, Errc::unauthorized);
  EXPECT_THAT(failure.text, HasSubstr("docker-credential-broken"));
}

TEST_F(CredentialHelperTest, SourceAsksHelperThenFileThenPodman) {
  use_files();
  EXPECT_EQ(stored(), "nobody");
  std::ofstream(directory_ / "config" / "containers" / "auth.json") << R"({"auths":{"quay.io":{"auth":"b2xkOnB3"}}})";
  EXPECT_EQ(stored(), "old");
  std::ofstream(directory_ / "containers" / "auth.json") << R"({"auths":{"quay.io":{"auth":"cG9kbWFuOnB3"}}})";
  EXPECT_EQ(stored(), "podman");
  std::ofstream(directory_ / "config.json")
      << R"({"credHelpers":{"quay.io":"known"},"auths":{"ghcr.io":{"auth":"ZG9ja2VyOnB3"}}})";
  install("known", R"(echo '{"Username":"helped","Secret":"pw"}')");
  EXPECT_EQ(stored(), "helped");
  EXPECT_EQ(stored("a", "ghcr.io"), "docker");
  std::ofstream(directory_ / "config.json") << "{";
  EXPECT_THROW(stored(), Error);
}

TEST_F(CredentialHelperTest, ALoginOfAPartGoesBeforeThatOfAllInItsFileAndAfter) {
  use_files();
  std::ofstream(directory_ / "config.json") << R"({"auths":{"quay.io/team":{"auth":"dGVhbTpwdw=="}}})";
  std::ofstream(directory_ / "containers" / "auth.json")
      << R"({"auths":{"quay.io":{"auth":"d2hvbGU6cHc="},"quay.io/team/app":{"auth":"YXBwOnB3"}}})";
  EXPECT_EQ(stored("team/x"), "team");
  EXPECT_EQ(stored("team/app"), "team");  // the earlier file has one
  EXPECT_EQ(stored("other"), "whole");
  std::filesystem::remove(directory_ / "config.json");
  EXPECT_EQ(stored("team/app"), "app");
  EXPECT_EQ(stored("team/x"), "whole");
}

TEST_F(CredentialHelperTest, AClosedWayToPodmansFileIsNoError) {
  use_files();
  ::setenv("DOCKER_CONFIG", "/nonexistent", 1);
  std::filesystem::permissions(directory_.path(), std::filesystem::perms::none);
  // Root finds no way closed.
  const bool root = ::geteuid() == 0;
  if (root) {
    ASSERT_EQ(::seteuid(65534), 0);
  }
  const std::string user = stored();
  ::setenv("DOCKER_CONFIG", directory_.path().c_str(), 1);
  const Errc code = test::code_of([] { stored(); });
  if (root) {
    ASSERT_EQ(::seteuid(0), 0);
  }
  std::filesystem::permissions(directory_.path(), std::filesystem::perms::owner_all);
  EXPECT_EQ(user, "nobody");
  EXPECT_EQ(code, Errc::disk);
}

}  // namespace
}  // namespace hawser

namespace hawser::test {
namespace {

class CredentialLookupTest : public RegistryFixture {
 protected:
  CredentialLookupTest() {
    serve_manifest();
    registry.auth().require_basic("user", "secret");
  }

  asio::awaitable<void> fetch_and_count() {
    co_await current().get_manifest("a/b", "latest");
    ++fetched;
  }
  /// Credentials that are there only when `count` requests have come.
  asio::awaitable<Logins> after_requests(std::size_t count, std::optional<Credentials> then) {
    asio::steady_timer timer(context);
    for (int i = 0; i < 5'000 && registry.requests().size() < count; ++i) {
      timer.expires_after(std::chrono::milliseconds(2));
      co_await timer.async_wait(asio::use_awaitable);
    }
    ++asked;
    if (!then) throw Error(Errc::unauthorized, "the helper is out of order");
    Logins known;
    known.logins.push_back({{}, *then});
    co_return known;
  }
  /// Fetches the manifest four times at once; returns what failed.
  std::vector<Errc> fetch_together() {
    std::vector<Errc> codes;
    int done = 0;
    for (int i = 0; i < 4; ++i)
      asio::co_spawn(context, fetch_and_count(), [&](std::exception_ptr error) {
        ++done;
        if (error) codes.push_back(code_of([&] { std::rethrow_exception(error); }));
      });
    context.restart();
    while (done < 4 && context.run_one() > 0) {
    }
    return codes;
  }

  int fetched = 0;
  int asked = 0;
};

TEST_F(CredentialLookupTest, ASlowSourceOfCredentialsIsAskedOnceAndHoldsNobodyUp) {
  use([this] { return after_requests(4, Credentials{"user", "secret", {}}); });
  EXPECT_TRUE(fetch_together().empty());
  EXPECT_EQ(fetched, 4);
  EXPECT_EQ(asked, 1);
}

TEST_F(CredentialLookupTest, ASourceOfCredentialsThatFailsFailsAllWhoWait) {
  use([this] { return after_requests(4, std::nullopt); });
  EXPECT_EQ(fetch_together(), std::vector<Errc>(4, Errc::unauthorized));
}

}  // namespace
}  // namespace hawser::test

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
