// docker's configuration and the helpers it names: fake programs in a directory of the test's own.
#include "registry/credentials.hpp"

#include "pull/session.hpp"
#include "registry/registry_fixture.hpp"
#include "support/failure.hpp"
#include "support/run_coroutine.hpp"
#include "support/temp_dir.hpp"
#include "util/json.hpp"

#include <hawser/util/error.hpp>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/serialize.hpp>
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

TEST(DockerConfig, AuthMayHaveLineEndsAndBlanks) {
  for (const char* auth :
       {"dXNlcjpwYTpzcw==\\n", "dXNlcjpw\\nYTpzcw==\\n", "dXNlcjpw\\r\\nYTpzcw==\\r\\n", " dXNlcjpw YTpzcw\\t"}) {
    const auto found = find(R"({"auths":{"quay.io":{"auth":")" + std::string(auth) + R"("}}})", "quay.io");
    ASSERT_TRUE(found) << auth;
    EXPECT_EQ(found->username + " " + found->password, "user pa:ss");
  }
}

TEST(DockerConfig, LoginsThatCantBeDecodedAreNamedAndNotQuoted) {
  const auto config = parse_docker_config(
      R"({"auths":{"Quay.io/team":{"auth":"dG9wc2VjcmV0"},"https://index.docker.io/v1/":{"auth":"top-secret!"},
      "gcr.io":{"auth":""},"a.example":{"auth":" "},"b.example":{"auth":7},"c.example":{"auth":"dTpw"},"d.example":7,
      "\u001b]0;evil":{"auth":"?"}}})",
      "f");
  const std::string team = "the auth of \"Quay.io/team\" in f can't be decoded";
  EXPECT_THAT(undecodable_logins(config, "f", "quay.io:443"), testing::ElementsAre(team));
  EXPECT_THAT(undecodable_logins(config, "f", "docker.io"), testing::ElementsAre(HasSubstr("index.docker.io/v1/")));
  EXPECT_THAT(undecodable_logins(config, "f", "c.example"), testing::IsEmpty());
  EXPECT_THAT(undecodable_logins({}, "f"), testing::IsEmpty());
  const auto all = undecodable_logins(config, "f");
  EXPECT_THAT(all, testing::SizeIs(4));
  for (const std::string& clause : all)
    EXPECT_THAT(clause, testing::AllOf(Not(HasSubstr("secret")), Not(HasSubstr("dG9w")), Not(HasSubstr("\x1b"))));
  EXPECT_FALSE(find(R"({"auths":{"quay.io":{"auth":"dG9wc2VjcmV0"}}})", "quay.io"));
}

TEST(DockerConfig, AnEmptyFileIsAnEmptyObjectAndAByteOrderMarkNoContent) {
  EXPECT_TRUE(parse_docker_config(" \n", "f").empty());
  EXPECT_TRUE(find("\xEF\xBB\xBF{\"auths\":{\"quay.io\":{\"auth\":\"dTpw\"}}}", "quay.io"));
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

TEST(DockerConfig, AttackAHelperIsNotAskedByAPattern) {
  const auto config = parse_docker_config(R"({"credHelpers":{"*.example.com":"a","*":"b"}})", "f");
  EXPECT_EQ(find_credential_helper(config, "registry.example.com"), "");
}

TEST(DockerConfig, KeysThatPeopleAndDockerWrite) {
  for (const char* key : {"quay.io", "https://quay.io", "http://quay.io/", "https://quay.io/v1/", "quay.io/"}) {
    EXPECT_EQ(parse_login_key(key).host, "quay.io") << key;
    EXPECT_EQ(parse_login_key(key).part, "") << key;
  }
  EXPECT_EQ(parse_login_key("quay.io/team/app/").part, "team/app");
}

/// `config` in one line after `change`.
std::string changed(const std::string& config, const std::function<void(boost::json::object&)>& change) {
  auto object = parse_docker_config(config, "f");
  change(object);
  return boost::json::serialize(object);
}

TEST(DockerConfig, ALoginIsPutWhereDockerHasItAndAllElseStays) {
  const Credentials me{"me", "p:w", {}};
  const auto put = [&](const std::string& config, const char* registry) {
    return changed(config, [&](auto& object) { put_login(object, registry, &me); });
  };
  EXPECT_EQ(put("", "quay.io"), R"({"auths":{"quay.io":{"auth":"bWU6cDp3"}}})");
  EXPECT_EQ(put(R"({"auths":null})", "docker.io"), R"({"auths":{"https://index.docker.io/v1/":{"auth":"bWU6cDp3"}}})");
  EXPECT_EQ(
      put(R"({"z":1,"auths":{"b":{},"quay.io":{"email":"e","auth":"x","identitytoken":"y"},"a":7},"b":[]})", "quay.io"),
      R"({"z":1,"auths":{"b":{},"quay.io":{"email":"e","auth":"bWU6cDp3"},"a":7},"b":[]})");
  EXPECT_EQ(put(R"({"auths":{"quay.io":7}})", "quay.io"), R"({"auths":{"quay.io":{"auth":"bWU6cDp3"}}})");
  EXPECT_EQ(
      changed(R"({"auths":{"quay.io":{"auth":"x"}}})", [](auto& object) { put_login(object, "quay.io", nullptr); }),
      R"({"auths":{"quay.io":{}}})");
  EXPECT_EQ(test::code_of([&] { put(R"({"auths":[]})", "quay.io"); }), Errc::usage);
}

TEST(DockerConfig, ALoginIsRemovedUnderEveryKeyAndAllElseStays) {
  const auto remove = [](const std::string& config, const char* registry, bool had) {
    return changed(config, [&](auto& object) { EXPECT_EQ(remove_login(object, registry), had) << config; });
  };
  EXPECT_EQ(
      remove(R"({"a":1,"auths":{"https://quay.io/v1/":{},"z":{},"Quay.io:443":7,"quay.io/team":{},"y":{}},"b":2})",
             "quay.io", true),
      R"({"a":1,"auths":{"z":{},"quay.io/team":{},"y":{}},"b":2})");
  EXPECT_EQ(remove(R"({"auths":{"docker.io":{},"https://index.docker.io/v1/":{},"registry-1.docker.io":{}}})",
                   "docker.io", true),
            R"({"auths":{}})");
  for (const char* config : {"{}", R"({"auths":[]})", R"({"auths":{"gcr.io":{}}})"})
    EXPECT_EQ(remove(config, "quay.io", false), config);
}

class KeptLogin : public testing::Test {
 protected:
  std::string keep(const std::string& registry = "quay.io") const {
    return keep_login(file, registry, {"me", "pw", {}});
  }
  test::Failure failure() const {
    return test::failure_of([&] { keep(); });
  }
  static unsigned mode(const std::filesystem::path& path) {
    return static_cast<unsigned>(std::filesystem::status(path).permissions());
  }

  test::TempDir directory;
  std::filesystem::path file = directory / "deep/docker/config.json";
  const std::string kept = "{\n\t\"auths\": {\n\t\t\"quay.io\": {\n\t\t\t\"auth\": \"bWU6cHc=\"\n\t\t}\n\t}\n}\n";
};

TEST_F(KeptLogin, ANewFileIsOpenToTheUserAlone) {
  EXPECT_EQ(keep(), file);
  EXPECT_EQ(test::read_text(file), kept);
  EXPECT_EQ(mode(file), 0600u);
  EXPECT_EQ(mode(directory / "deep"), 0700u);
  EXPECT_EQ(mode(file.parent_path()), 0700u);
  EXPECT_THAT(forget_login(file, "quay.io"), testing::ElementsAre(file.string()));
  EXPECT_THAT(forget_login(file, "quay.io"), testing::IsEmpty());
}

TEST_F(KeptLogin, AnOldFileKeepsItsModeAndStaysWhereLinksLead) {
  const auto other = directory / "other.json", link = directory / "link.json";
  test::write_text(other, "");
  std::filesystem::permissions(other, std::filesystem::perms(0640));
  std::filesystem::create_symlink("other.json", link);
  file = directory / "config.json";
  std::filesystem::create_symlink(link, file);
  keep();
  EXPECT_TRUE(std::filesystem::is_symlink(file) && std::filesystem::is_symlink(link));
  EXPECT_EQ(test::read_text(other), kept);
  EXPECT_EQ(mode(other), 0640u);
  std::filesystem::remove(other);
  keep();  // as docker does where a link leads nowhere
  EXPECT_EQ(test::read_text(other), kept);
  EXPECT_THAT(directory.names(), testing::ElementsAre("config.json", "link.json", "other.json"));
}

TEST_F(KeptLogin, WhatIsNoConfigurationIsNamedAndLeftAlone) {
  file = directory / "config.json";
  for (const char* text : {"{", "[]", R"({"auths":[]})", R"({"auths":{},"auths":{"gcr.io":{}}})"}) {
    test::write_text(file, text);
    const test::Failure failed = failure();
    EXPECT_THAT(failed.code, testing::AnyOf(Errc::usage, Errc::malformed)) << text;
    EXPECT_THAT(failed.text, HasSubstr(file.string()));
    EXPECT_EQ(test::read_text(file), text);
  }
  EXPECT_THAT(directory.names(), testing::ElementsAre("config.json"));
}

TEST_F(KeptLogin, WhereNothingCanBeWrittenIsTold) {
  test::write_text(directory / "deep", "");
  EXPECT_EQ(failure().code, Errc::disk);
  EXPECT_THAT(forget_login(file, "quay.io"), testing::IsEmpty());
  file = directory / "loop";
  std::filesystem::create_symlink("loop", file);
  EXPECT_EQ(failure().code, Errc::disk);
  file = directory.path();
  EXPECT_EQ(failure().code, Errc::disk);
  EXPECT_EQ(test::code_of([&] { read_docker_config(directory.path()); }), Errc::disk);
}

TEST_F(KeptLogin, WhoChangesItAtTheSameTimeWaits) {
  std::vector<std::jthread> writers;
  for (int i = 0; i < 8; ++i) writers.emplace_back([&, i] { keep("quay.io:" + std::to_string(5000 + i)); });
  writers.clear();
  EXPECT_EQ(json_object(read_docker_config(file), "auths")->size(), 8u);
}

/// A directory with fake helpers in front of PATH, and docker's configuration in it.
class CredentialHelperTest : public testing::Test {
 protected:
  CredentialHelperTest() : old_path_(std::getenv("PATH")) {
    ::setenv("PATH", (directory_.path().string() + ":" + old_path_).c_str(), 1);
  }
  ~CredentialHelperTest() override {
    ::setenv("PATH", old_path_.c_str(), 1);
    for (const char* name :
         {"DOCKER_AUTH_CONFIG", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"})
      ::unsetenv(name);
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
  CredentialLookup look_up() {
    warnings_.clear();
    return docker_config_logins(login_sources(std::getenv, ::getuid()),
                                [this](const std::string& text) { warnings_.push_back(text); });
  }
  /// What comes of asking a registry that lets in the user "late" with the password "pw".
  test::Failure ask_registry(asio::io_context& context) {
    test::ScriptedRegistry registry;
    registry.auth().require_basic("late", "pw");
    registry.content().add_manifest("a/b", "latest", test::small_index, "application/vnd.oci.image.index.v1+json");
    asio::thread_pool pool(1);
    TransferObserver observer;
    RegistryAccess access;
    access.plain_http = true;
    access.credentials = look_up();
    Session session(context.get_executor(), pool, access, observer);
    const Reference image = Reference::parse(registry.host() + "/a/b");
    return test::failure_of([&] { test::run_coroutine(context, session.get_manifest(image, "latest")); });
  }
  /// The user that the stored logins name for a repository of quay.io.
  std::string stored(const std::string& repository = "a", const std::string& registry = "quay.io") {
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
    return ask_credential_helper(name, key, obstacles_);
  }
  static Errc failure(const std::string& name, std::chrono::milliseconds limit = std::chrono::seconds(20)) {
    try {
      std::vector<std::string> obstacles;
      ask_credential_helper(name, "quay.io", obstacles, limit);
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), Not(HasSubstr("topsecret")));
      return error.code();
    }
    return Errc{};
  }

  test::TempDir directory_;
  std::vector<std::string> obstacles_;
  std::vector<std::string> warnings_;
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
  EXPECT_THAT(obstacles_, testing::IsEmpty());
  install("empty", R"(echo '{"Username":"me","Secret":""}')");
  EXPECT_FALSE(ask("empty"));
}

TEST_F(CredentialHelperTest, OneThatIsNotInstalledIsToldAndNoFailure) {
  std::ofstream(directory_ / "docker-credential-no-program") << "not executable";
  for (const std::string name : {"is-not-installed", "no-program"}) {
    EXPECT_FALSE(ask(name)) << name;
    EXPECT_EQ(obstacles_.back(),
              "docker's configuration names docker-credential-" + name + ", which is not installed or not in PATH");
  }
}

TEST_F(CredentialHelperTest, MissingOnesAreNamedOnceBesideWhatTheFilesHave) {
  use_files();
  std::ofstream(directory_ / "config.json") << R"({"credsStore":"is-not-installed"})";
  std::ofstream(directory_ / "containers" / "auth.json")
      << R"({"credHelpers":{"quay.io":"is-not-installed","gcr.io":"neither"},"auths":{"quay.io":{"auth":"bWU6cHc="}}})";
  const Logins known = look_up()("quay.io");
  EXPECT_THAT(known.obstacles, testing::ElementsAre(HasSubstr("names docker-credential-is-not-installed, which")));
  EXPECT_EQ(known.find("a")->username, "me");
  EXPECT_EQ(look_up()("gcr.io").obstacles_text(),
            "docker's configuration names docker-credential-is-not-installed, which is not installed or not in PATH; "
            "docker's configuration names docker-credential-neither, which is not installed or not in PATH");
  EXPECT_THAT(warnings_, testing::IsEmpty());
  EXPECT_EQ(Logins().obstacles_text(), "");
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
  ::setenv("DOCKER_AUTH_CONFIG", R"({"auths":{"ghcr.io":{"auth":"cnVubmVyOnB3"}}})", 1);
  EXPECT_EQ(stored("a", "ghcr.io"), "runner");
  EXPECT_EQ(stored(), "helped");
}

TEST_F(CredentialHelperTest, DockerHubIsAskedForAsDockerAndAsPodmanHaveIt) {
  use_files();
  std::ofstream(directory_ / "config.json") << R"({"credHelpers":{"docker.io":"mine"}})";
  for (const std::string key : {"https://index.docker.io/v1/", "docker.io"}) {
    install("mine",
            R"(read -r key; if [ "$key" = ")" + key +
                R"(" ]; then echo '{"Username":"me","Secret":"pw"}'; else echo credentials not found; exit 1; fi)");
    EXPECT_EQ(stored("a", "docker.io"), "me") << key;
  }
}

TEST_F(CredentialHelperTest, WhatCantBeReadIsToldOnceAndStandsInNobodysWay) {
  use_files();
  const std::string docker = (directory_ / "config.json").string();
  std::ofstream(docker) << R"({"auths":{"topsecret")";
  ::setenv("DOCKER_AUTH_CONFIG", "topsecret", 1);
  ::setenv("REGISTRY_AUTH_FILE", (directory_ / "nowhere.json").c_str(), 1);
  std::ofstream(directory_ / "containers" / "auth.json")
      << R"({"auths":{"quay.io":{"auth":"bWU6cHc="},"gcr.io":{"auth":"topsecret!"}}})";
  const CredentialLookup lookup = look_up();
  const auto told = warnings_;
  EXPECT_THAT(told, testing::ElementsAre("DOCKER_AUTH_CONFIG is not a JSON object",
                                         "REGISTRY_AUTH_FILE names no file: " + (directory_ / "nowhere.json").string(),
                                         docker + " is not a JSON object", HasSubstr("the auth of \"gcr.io\" in ")));
  EXPECT_EQ(lookup("quay.io").find("a")->username, "me");
  EXPECT_THAT(lookup("quay.io").obstacles, testing::ElementsAre(told[0], told[1], told[2]));
  EXPECT_EQ(lookup("gcr.io").find("a"), nullptr);
  EXPECT_EQ(lookup("gcr.io").obstacles, told);
  EXPECT_EQ(warnings_, told);
  for (const std::string& text : told) EXPECT_THAT(text, Not(HasSubstr("topsecret")));
}

TEST_F(CredentialHelperTest, AHelperIsGivenWhatItIsToKeepAndToForget) {
  const auto config = directory_ / "config.json", log = directory_ / "log";
  test::write_text(config, R"({"credsStore":"mine","auths":{"docker.io":{"auth":"b2xkOnB3"}}})");
  install("mine", "(printf \"$1 \"; cat; echo) >>" + log.string() +
                      R"(; if [ $1 = get ]; then echo '{"Username":"me","Secret":"pw"}'; fi)");
  EXPECT_EQ(keep_login(config, "docker.io", {"me", "p\"w", {}}), "docker-credential-mine");
  EXPECT_EQ(test::read_text(log),
            "store {\"ServerURL\":\"https://index.docker.io/v1/\",\"Username\":\"me\",\"Secret\":\"p\\\"w\"}\n");
  EXPECT_THAT(test::read_text(config),
              testing::AllOf(HasSubstr("\"https://index.docker.io/v1/\": {}"), Not(HasSubstr("p\\\"w"))));
  EXPECT_THAT(forget_login(config, "docker.io"), testing::ElementsAre(config.string(), "docker-credential-mine"));
  EXPECT_THAT(test::read_text(log),
              testing::AllOf(HasSubstr("erase https://index.docker.io/v1/\n"), HasSubstr("erase docker.io\n")));
  EXPECT_EQ(test::read_text(config), "{\n\t\"credsStore\": \"mine\",\n\t\"auths\": {}\n}\n");
}

TEST_F(CredentialHelperTest, AHelperThatKeepsNothingIsAnErrorAndTheFileStays) {
  const auto config = directory_ / "config.json";
  const auto failure = [&](const std::string& helper, bool keep) {
    test::write_text(config, R"({"credsStore":")" + helper + R"("})");
    const test::Failure failed = test::failure_of([&] {
      if (keep) keep_login(config, "quay.io", {"me", "topsecret", {}});
      if (!keep) forget_login(config, "quay.io");
    });
    EXPECT_THAT(failed.text, testing::AllOf(HasSubstr(helper), Not(HasSubstr("topsecret"))));
    EXPECT_EQ(test::read_text(config), R"({"credsStore":")" + helper + R"("})");
    return failed.code;
  };
  install("broken", R"(cat; if [ $1 = get ]; then echo '{"Username":"me","Secret":"topsecret"}'; else exit 1; fi)");
  for (const bool keep : {true, false}) {
    EXPECT_EQ(failure("broken", keep), keep ? Errc::disk : Errc::unauthorized);
    EXPECT_EQ(failure("not-installed", keep), Errc::usage);
    EXPECT_EQ(failure("../evil", keep), Errc::usage);
  }
  install("stubborn", R"(if [ $1 = get ]; then echo '{"Username":"me","Secret":"topsecret"}'; else exit 1; fi)");
  EXPECT_EQ(failure("stubborn", false), Errc::disk);
}

TEST_F(CredentialHelperTest, AKeyThatLooksLikeAPatternIsToldWhereItWouldFit) {
  use_files();
  std::ofstream(directory_ / "config.json") << R"({"credHelpers":{"*.example.com":"mine","gcr.io":"mine"}})";
  install("mine", R"(echo '{"Username":"me","Secret":"pw"}')");
  const Logins known = look_up()("registry.example.com");
  EXPECT_EQ(known.find("a"), nullptr);
  EXPECT_THAT(known.obstacles, testing::ElementsAre("\"*.example.com\" in " + (directory_ / "config.json").string() +
                                                    " is no pattern: name registry.example.com itself"));
  EXPECT_THAT(look_up()("gcr.io").obstacles, testing::IsEmpty());
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

TEST_F(CredentialHelperTest, AClosedWayToPodmansFileIsNotToldAndToDockersIs) {
  use_files();
  ::setenv("DOCKER_CONFIG", "/nonexistent", 1);
  std::filesystem::permissions(directory_.path(), std::filesystem::perms::none);
  // Root finds no way closed.
  const bool root = ::geteuid() == 0;
  if (root) {
    ASSERT_EQ(::seteuid(65534), 0);
  }
  look_up();
  const auto podmans = warnings_;
  ::setenv("DOCKER_CONFIG", directory_.path().c_str(), 1);
  const auto known = look_up()("quay.io");
  if (root) {
    ASSERT_EQ(::seteuid(0), 0);
  }
  std::filesystem::permissions(directory_.path(), std::filesystem::perms::owner_all);
  EXPECT_THAT(podmans, testing::IsEmpty());
  const auto closed =
      testing::ElementsAre("cannot open " + (directory_ / "config.json").string() + ": Permission denied");
  EXPECT_THAT(warnings_, closed);
  EXPECT_THAT(known.obstacles, closed);
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

using enum LoginSource::Kind;

EnvironmentLookup environment_of(const std::map<std::string, std::string>& variables) {
  return [&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
}

std::vector<LoginSource> sources(const std::map<std::string, std::string>& variables) {
  return login_sources(environment_of(variables), 1000);
}

TEST(LoginSources, DockersThenPodmans) {
  EXPECT_THAT(sources({{"HOME", "/home/me"}, {"XDG_RUNTIME_DIR", "/run/user/1000"}}),
              ElementsAre(LoginSource{"/home/me/.docker/config.json"},
                          LoginSource{"/run/user/1000/containers/auth.json", guessed},
                          LoginSource{"/home/me/.config/containers/auth.json", guessed}));
}

TEST(LoginSources, WithoutARuntimeDirectoryPodmanHasOneByUser) {
  EXPECT_THAT(sources({}), ElementsAre(LoginSource{"/run/containers/1000/auth.json", guessed}));
}

TEST(LoginSources, VariablesNameOthers) {
  EXPECT_THAT(sources({{"HOME", "/home/me"},
                       {"DOCKER_CONFIG", "/docker"},
                       {"REGISTRY_AUTH_FILE", "/secrets/auth.json"},
                       {"XDG_CONFIG_HOME", "/config"},
                       {"XDG_RUNTIME_DIR", ""}}),
              ElementsAre(LoginSource{"/secrets/auth.json", named}, LoginSource{"/docker/config.json"},
                          LoginSource{"/run/containers/1000/auth.json", guessed},
                          LoginSource{"/config/containers/auth.json", guessed}));
}

TEST(LoginSources, TheTextOfAVariableGoesBeforeTheFiles) {
  EXPECT_THAT(sources({{"HOME", "/h"}, {"REGISTRY_AUTH_FILE", "/a.json"}, {"DOCKER_AUTH_CONFIG", "{}"}}),
              ElementsAre(LoginSource{"DOCKER_AUTH_CONFIG", text, "{}"}, LoginSource{"/a.json", named},
                          LoginSource{"/h/.docker/config.json"}, testing::_, testing::_));
  EXPECT_THAT(sources({{"DOCKER_AUTH_CONFIG", ""}}), testing::SizeIs(1));
}

TEST(LoginSources, DockersFile) {
  const auto file = [](const std::map<std::string, std::string>& variables) {
    return docker_config_file(environment_of(variables));
  };
  EXPECT_EQ(file({{"HOME", "/h"}}), "/h/.docker/config.json");
  EXPECT_EQ(file({{"HOME", "/h"}, {"DOCKER_CONFIG", "/d"}}), "/d/config.json");
  EXPECT_EQ(file({{"HOME", ""}}), "");
}

TEST(LoginSources, EachIsLookedIntoOnce) {
  EXPECT_THAT(sources({{"REGISTRY_AUTH_FILE", "/run/user/1/containers/auth.json"}, {"XDG_RUNTIME_DIR", "/run/user/1"}}),
              ElementsAre(LoginSource{"/run/user/1/containers/auth.json", named}));
}

}  // namespace
}  // namespace hawser
