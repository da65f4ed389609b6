#include "support/failure.hpp"
#include "support/temp_dir.hpp"

#include <hawser/registry/registries.hpp>
#include <hawser/util/error.hpp>

#include <filesystem>
#include <map>

#include <gtest/gtest.h>

namespace hawser {
namespace {

using namespace test;

using enum Endpoint::Scheme;

std::vector<Endpoint> endpoints(const RegistryOptions& options, std::string_view image) {
  return Registries(options).endpoints(Reference::parse(image));
}

TEST(Registries, WithoutConfigurationThereIsTheRegistryItself) {
  const auto hub = endpoints({}, "nginx");
  ASSERT_EQ(hub.size(), 1U);
  EXPECT_EQ(hub[0].host, "registry-1.docker.io");
  EXPECT_EQ(hub[0].repository, "library/nginx");
  EXPECT_EQ(hub[0].scheme, Endpoint::Scheme::https);
  EXPECT_TRUE(hub[0].is_registry);
  EXPECT_TRUE(hub[0].tls.verify);
}

TEST(Registries, MirrorsStandBeforeTheRegistryInTheirOrder) {
  const RegistryOptions options{
      .mirrors = {"quay.io=https://q.example", "https://a.example", "*=http://b.example:80", "https://a.example/v2"}};
  const auto found = endpoints(options, "nginx");
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].host, "a.example");
  EXPECT_EQ(found[0].scheme, https);
  EXPECT_EQ(found[1].host, "b.example");
  EXPECT_EQ(found[1].scheme, http);
  EXPECT_EQ(found[2].scheme, https);
  EXPECT_EQ(endpoints(options, "quay.io/a").at(0).host, "q.example");
}

TEST(Registries, TheRegistryAsItsOwnMirrorIsAskedOnce) {
  const auto found = endpoints({.mirrors = {"quay.io=https://quay.io", "quay.io=https://m.example"}}, "quay.io/a");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].host, "quay.io");
  EXPECT_TRUE(found[0].is_registry);
}

TEST(Registries, InsecureHostsNeedNoCertificateWhoeverNamesThem) {
  const RegistryOptions options{.mirrors = {"https://10.1.2.3:5000"}, .insecure = {"10.0.0.0/8", "quay.io"}};
  const auto found = endpoints(options, "nginx");
  EXPECT_FALSE(found.at(0).tls.verify);
  EXPECT_EQ(found.at(0).scheme, https_or_http);
  EXPECT_TRUE(found.at(1).tls.verify);
  EXPECT_FALSE(endpoints(options, "quay.io/a").at(0).tls.verify);
}

/// A machine with files, and what was warned of.
struct Machine {
  TempDir root;
  std::vector<std::string> warnings;

  RegistryFiles files() const {
    return {.user = (root / "home/.config").string(),
            .aliases = (root / "cache/short-name-aliases.conf").string(),
            .system = root.path().string()};
  }
  std::string name(std::string_view file) const { return (root / file).string(); }
  void write(std::string_view file, std::string_view text) const {
    std::filesystem::create_directories((root / file).parent_path());
    write_text(root / file, text);
  }
  Registries read(const RegistryOptions& options = {}) {
    return Registries(options, files(), [this](const std::string& text) { warnings.push_back(text); });
  }
  /// The hosts that an image comes from.
  std::vector<std::string> hosts(std::string_view image, const RegistryOptions& options = {}) {
    std::vector<std::string> found;
    for (const Endpoint& endpoint : read(options).endpoints(Reference::parse(image))) found.push_back(endpoint.host);
    return found;
  }
  /// What a name stands for.
  std::vector<std::string> names(std::string_view name) {
    std::vector<std::string> found;
    for (const Reference& image : read().resolve(name).candidates) found.push_back(image.to_string());
    return found;
  }
};

using Names = std::vector<std::string>;
constexpr std::string_view containers_conf = "etc/containers/registries.conf";

TEST(Registries, AllToolsMirrorsInOrderAndEachHostOnce) {
  Machine machine;
  machine.write(containers_conf,
                "[[registry]]\nlocation='docker.io'\n[[registry.mirror]]\nlocation='one'\n"
                "[[registry.mirror]]\nlocation='two'\n");
  machine.write("etc/docker/daemon.json", R"({"registry-mirrors": ["https://two", "https://three"]})");
  machine.write("etc/containerd/certs.d/docker.io/hosts.toml", "[host.'https://three']\n[host.'https://four']\n");
  EXPECT_EQ(machine.hosts("nginx", {.mirrors = {"https://zero"}}),
            (Names{"zero", "one", "two", "three", "four", "registry-1.docker.io"}));
  EXPECT_EQ(machine.hosts("quay.io/a"), Names{"quay.io"});
  EXPECT_TRUE(machine.warnings.empty());
  const auto found = machine.read().endpoints(Reference::parse("nginx"));
  EXPECT_EQ(found.at(0).configured_at, machine.name(containers_conf) + ":3");
  EXPECT_EQ(found.at(2).configured_at, machine.name("etc/docker/daemon.json") + ":1");
}

TEST(Registries, TheFirstThatSaysWhereTheRegistryIsDecides) {
  Machine machine;
  machine.write("etc/containerd/certs.d/q.io/hosts.toml", "server='https://containerd'");
  EXPECT_EQ(machine.hosts("q.io/a"), Names{"containerd"});
  machine.write(containers_conf, "[[registry]]\nprefix='q.io'\nlocation='containers'");
  EXPECT_EQ(machine.hosts("q.io/a"), Names{"containers"});
}

TEST(Registries, InsecureRegistriesOfDockerNeedNoCertificate) {
  Machine machine;
  machine.write("home/.config/docker/daemon.json", R"({"insecure-registries": ["q.io:5000"]})");
  const Endpoint endpoint = machine.read().endpoints(Reference::parse("q.io:5000/a")).at(0);
  EXPECT_FALSE(endpoint.tls.verify);
  EXPECT_EQ(endpoint.scheme, https_or_http);
  EXPECT_EQ(endpoint.configured_at, machine.name("home/.config/docker/daemon.json") + ":1");
}

TEST(Registries, ContainerdsDirectoriesAreWhereItsConfigSays) {
  Machine machine;
  const std::string config = "[plugins.'io.containerd.grpc.v1.cri'.registry]\nconfig_path='" + machine.name("a") + ":" +
                             machine.name("b") + "'";
  machine.write("etc/containerd/config.toml", config);
  machine.write("etc/containerd/certs.d/q.io/hosts.toml", "[host.'https://not-here']");
  machine.write("b/q.io_5000_/hosts.toml", "[host.'https://one']");
  machine.write("b/_default/hosts.toml", "[host.'https://default']");
  EXPECT_EQ(machine.hosts("q.io:5000/a"), (Names{"one", "q.io:5000"}));
  EXPECT_EQ(machine.hosts("q.io/a"), (Names{"default", "q.io"}));
  machine.write("home/.config/containerd/certs.d/q.io/hosts.toml", "[host.'https://users']");
  EXPECT_EQ(machine.hosts("q.io/a"), (Names{"users", "q.io"}));
}

TEST(Registries, CertificatesOfContainerdCountWithoutAHostsToml) {
  Machine machine;
  machine.write("etc/containerd/certs.d/q.io/ca.crt", "");
  const std::string directory = machine.name("etc/containerd/certs.d/q.io");
  EXPECT_EQ(machine.read().endpoints(Reference::parse("q.io/a")).at(0).tls.ca_files, Names{directory + "/ca.crt"});
  EXPECT_TRUE(machine.warnings.empty());
  machine.write("etc/containerd/certs.d/q.io/me.cert", "");
  EXPECT_EQ(machine.read().endpoints(Reference::parse("q.io/a")).at(0).configured_at, "");
  ASSERT_EQ(machine.warnings.size(), 1U);
  EXPECT_NE(machine.warnings[0].find("me.key is missing"), std::string::npos) << machine.warnings[0];
}

TEST(Registries, DropInsAndTheUsersFileAsTheManPageSays) {
  Machine machine;
  const auto rule = [](const std::string& prefix, const std::string& location) {
    return "[[registry]]\nprefix='" + prefix + "'\nlocation='" + location + "'\n";
  };
  machine.write(containers_conf, rule("a.io", "main") + rule("b.io", "main") + rule("c.io", "main"));
  machine.write("etc/containers/registries.conf.d/20.conf", rule("b.io", "twenty"));
  machine.write("etc/containers/registries.conf.d/10.conf", rule("b.io", "ten") + rule("c.io", "ten"));
  machine.write("etc/containers/registries.conf.d/30.conf.bak", rule("b.io", "thirty"));
  machine.write("etc/containers/registries.conf.d/sub.conf/x.conf", rule("b.io", "sub"));
  machine.write("home/.config/containers/registries.conf.d/5.conf", rule("c.io", "user"));
  EXPECT_EQ(machine.hosts("a.io/x"), Names{"main"});
  EXPECT_EQ(machine.hosts("b.io/x"), Names{"twenty"});
  EXPECT_EQ(machine.hosts("c.io/x"), Names{"user"});
  // The user's own file takes the system's place, drop-ins included.
  machine.write("home/.config/containers/registries.conf", rule("a.io", "users"));
  EXPECT_EQ(machine.hosts("a.io/x"), Names{"users"});
  EXPECT_EQ(machine.hosts("b.io/x"), Names{"b.io"});
  EXPECT_EQ(machine.hosts("c.io/x"), Names{"user"});
  // Where a file is named, it takes the place of both, and drop-ins stay.
  machine.write("named.conf", rule("a.io", "named"));
  RegistryFiles files = machine.files();
  files.containers_conf = machine.name("named.conf");
  const Registries named({}, files);
  EXPECT_EQ(named.endpoints(Reference::parse("a.io/x")).at(0).host, "named");
  EXPECT_EQ(named.endpoints(Reference::parse("b.io/x")).at(0).host, "twenty");
  EXPECT_TRUE(machine.warnings.empty());
}

TEST(Registries, WithoutTheSystemsFileTheVendorsCounts) {
  Machine machine;
  machine.write("usr/share/containers/registries.conf", "[[registry]]\nprefix='a.io'\nlocation='vendor'");
  EXPECT_EQ(machine.hosts("a.io/x"), Names{"vendor"});
  machine.write(containers_conf, "");
  EXPECT_EQ(machine.hosts("a.io/x"), Names{"a.io"});
}

TEST(Registries, BrokenFilesAreToldOnceAndDoneWithout) {
  Machine machine;
  machine.write(containers_conf, "[[registry]]\nlocation=1");
  machine.write("etc/containers/registries.conf.d/1.conf", "[[registry]]\nprefix='a.io'\nlocation='fine'");
  machine.write("etc/docker/daemon.json", "{");
  machine.write("etc/containerd/config.toml", "[");
  machine.write("etc/containerd/certs.d/a.io/hosts.toml", "\n[host.'https://m']\nca=1");
  const Registries read = machine.read();
  EXPECT_EQ(machine.warnings,
            (Names{machine.name(containers_conf) + ":2: location is no text: done without this file",
                   machine.name("etc/docker/daemon.json") + " is not a JSON object: done without this file",
                   machine.name("etc/containerd/config.toml") +
                       ":1: is no TOML: encountered end-of-file: done without this file"}));
  machine.warnings.clear();
  for (int i = 0; i < 2; ++i) EXPECT_EQ(read.endpoints(Reference::parse("a.io/x")).at(0).host, "fine");
  EXPECT_EQ(machine.warnings, Names{machine.name("etc/containerd/certs.d/a.io/hosts.toml") +
                                    ":3: ca is no list of texts: done without this file"});
}

TEST(Registries, ABrokenFileThatMayBlockStopsThePull) {
  Machine machine;
  machine.write(containers_conf, "[[registry]]\nlocation='a.io'\nblocked=tru");
  const Failure failure = failure_of([&] { machine.read(); });
  EXPECT_EQ(failure.code, Errc::usage);
  EXPECT_NE(failure.text.find(":3: is no TOML: "), std::string::npos) << failure.text;
  EXPECT_NE(failure.text.find("(and the file may block something)"), std::string::npos) << failure.text;
  EXPECT_NE(failure.hint.find("--no-registry-config"), std::string::npos) << failure.hint;
}

TEST(Registries, AFileThatIsTooLongOrNotThereIsTold) {
  Machine machine;
  machine.write("etc/docker/daemon.json", std::string(1024 * 1024 + 1, ' '));
  machine.read();
  ASSERT_EQ(machine.warnings.size(), 1U);
  EXPECT_NE(machine.warnings[0].find("etc/docker/daemon.json"), std::string::npos);
  RegistryFiles files;
  files.containers_conf = machine.name("absent");
  Names told;
  const Registries named({}, files, [&](const std::string& text) { told.push_back(text); });
  EXPECT_EQ(told, Names{"CONTAINERS_REGISTRIES_CONF names no file: " + machine.name("absent")});
}

TEST(Registries, ShortNamesStandForWhatPodmanTakesThemFor) {
  Machine machine;
  EXPECT_EQ(machine.names("fedora"), Names{"docker.io/library/fedora:latest"});
  machine.write(containers_conf, "unqualified-search-registries=['a.io', 'docker.io', 'b.io:5000/']\n");
  machine.write(
      "etc/containers/registries.conf.d/shortnames.conf",
      "[aliases]\n'fedora'='registry.fedoraproject.org/fedora'\n'team/app'='q.io/x/y'\n'hub'='docker.io/hub'\n");
  machine.write("cache/short-name-aliases.conf", "[aliases]\n'cached'='q.io/cached'\n'hub'='q.io/hub'\n");
  EXPECT_EQ(machine.names("fedora"), Names{"registry.fedoraproject.org/fedora:latest"});
  EXPECT_EQ(machine.names("fedora:40"), Names{"registry.fedoraproject.org/fedora:40"});
  EXPECT_EQ(machine.names("team/app:1"), Names{"q.io/x/y:1"});
  EXPECT_EQ(machine.names("cached"), Names{"q.io/cached:latest"});
  EXPECT_EQ(machine.names("hub"), Names{"q.io/hub:latest"});
  const std::string digest = "@sha256:" + std::string(64, 'a');
  EXPECT_EQ(machine.names("fedora" + digest), Names{"registry.fedoraproject.org/fedora" + digest});
  EXPECT_EQ(machine.names("app:1"), (Names{"a.io/app:1", "docker.io/library/app:1", "b.io:5000/app:1"}));
  // These are no short names.
  EXPECT_EQ(machine.names("docker.io/fedora"), Names{"docker.io/library/fedora:latest"});
  EXPECT_EQ(machine.names("docker://fedora"), Names{"docker.io/library/fedora:latest"});
  EXPECT_EQ(machine.names("localhost/fedora"), Names{"localhost/fedora:latest"});
  EXPECT_EQ(machine.names("a.b/fedora"), Names{"a.b/fedora:latest"});
  EXPECT_EQ(machine.read().resolve("fedora").configured_at,
            machine.name("etc/containers/registries.conf.d/shortnames.conf") + ":2");
  EXPECT_EQ(machine.read().resolve("app").configured_at, machine.name(containers_conf) + ":1");
  EXPECT_EQ(machine.read().resolve("q.io/app").configured_at, "");
  EXPECT_EQ(code_of([&] { machine.names("UPPER"); }), Errc::bad_reference);
}

TEST(Registries, FilesAreWhereTheEnvironmentSays) {
  std::map<std::string, const char*> variables{{"HOME", "/home/me"}};
  const auto environment = [&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second;
  };
  RegistryFiles files = registry_files(environment, 1000);
  EXPECT_EQ(files.system, "/");
  EXPECT_EQ(files.user, "/home/me/.config");
  EXPECT_EQ(files.aliases, "/home/me/.cache/containers/short-name-aliases.conf");
  EXPECT_EQ(files.containers_conf, "");
  EXPECT_EQ(registry_files(environment, 0).aliases, "/var/cache/containers/short-name-aliases.conf");
  variables["XDG_CONFIG_HOME"] = "/c";
  variables["XDG_CACHE_HOME"] = "/k";
  variables["CONTAINERS_REGISTRIES_CONF"] = "/r.conf";
  files = registry_files(environment, 1000);
  EXPECT_EQ(files.user, "/c");
  EXPECT_EQ(files.aliases, "/k/containers/short-name-aliases.conf");
  EXPECT_EQ(files.containers_conf, "/r.conf");
  variables["HAWSER_NO_REGISTRY_CONFIG"] = "1";
  EXPECT_EQ(registry_files(environment, 0).system, "");
}

TEST(Registries, WhatIsNoMirrorIsRefused) {
  EXPECT_EQ(code_of([] { Registries({.mirrors = {"m.example"}}); }), Errc::usage);
  EXPECT_EQ(code_of([] { Registries({.insecure = {"https://m.example"}}); }), Errc::usage);
}

}  // namespace
}  // namespace hawser
