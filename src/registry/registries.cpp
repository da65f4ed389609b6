#include "registry/containerd_hosts.hpp"
#include "registry/containers_registries.hpp"
#include "registry/docker_daemon.hpp"
#include "registry/registry_rule.hpp"
#include "util/platform/file.hpp"
#include "util/platform/user_directories.hpp"

#include <hawser/registry/registries.hpp>
#include <hawser/util/error.hpp>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <optional>
#include <utility>

namespace hawser {
namespace {

using std::filesystem::path;

constexpr std::size_t longest_file = 1024 * 1024;  // bytes
constexpr std::size_t most_drop_ins = 1000;

bool is_there(const path& file) {
  std::error_code error;
  return std::filesystem::exists(file, error) || error;
}

/// Its files that end in .conf, by name.
std::vector<path> drop_ins(const path& directory) {
  std::vector<path> files;
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end; at.increment(error))
    if (at->path().extension() == ".conf" && files.size() < most_drop_ins && !at->is_directory(error))
      files.push_back(at->path());
  std::ranges::sort(files);
  return files;
}

std::string variable(const EnvironmentLookup& environment, const char* name) {
  const char* value = environment(name);
  return value ? value : "";
}

/// The files of containers, in the order in which they are read (containers-registries.conf.d(5)).
struct ContainersFiles {
  path main;  // may be absent
  std::vector<path> drop_ins;
};

ContainersFiles containers_files(const RegistryFiles& files) {
  const path user = files.user.empty() ? path() : path(files.user) / "containers";
  const path etc = files.system.empty() ? path() : path(files.system) / "etc/containers";
  const path usr = files.system.empty() ? path() : path(files.system) / "usr/share/containers";
  ContainersFiles found;
  const auto add = [&](const path& directory) {
    if (!directory.empty())
      std::ranges::move(drop_ins(directory / "registries.conf.d"), std::back_inserter(found.drop_ins));
  };
  const path user_conf = user / "registries.conf";
  // The user's own file takes the place of the system's, drop-ins included.
  if (files.containers_conf.empty() && !user.empty() && is_there(user_conf)) {
    found.main = user_conf;
  } else {
    found.main = files.containers_conf;
    for (const path& directory : {etc, usr})
      if (found.main.empty() && !directory.empty() && is_there(directory / "registries.conf"))
        found.main = directory / "registries.conf";
    add(usr);
    add(etc);
  }
  add(user);
  return found;
}

}  // namespace

RegistryFiles registry_files(const EnvironmentLookup& environment, unsigned user) {
  RegistryFiles files;
  if (!variable(environment, "HAWSER_NO_REGISTRY_CONFIG").empty()) return files;
  const auto directory = [&](const char* name, const char* below_home) {
    const path named = variable(environment, name), home = home_directory(environment);
    return named.is_absolute() ? named : home.empty() ? path() : home / below_home;
  };
  const path root = system_root();
  files.system = root.string();
  files.containers_conf = variable(environment, "CONTAINERS_REGISTRIES_CONF");
  files.user = directory("XDG_CONFIG_HOME", ".config").string();
  const path cache = user == 0 && !root.empty() ? root / "var/cache" : directory("XDG_CACHE_HOME", ".cache");
  if (!cache.empty()) files.aliases = (cache / "containers/short-name-aliases.conf").string();
  return files;
}

/// What the files say.
struct Registries::Found {
  Found(const RegistryOptions& options, const RegistryFiles& files, std::function<void(const std::string&)> warn_)
      : warn(std::move(warn_)) {
    for (const std::string& mirror : options.mirrors) rules.push_back(parse_mirror(mirror, "--mirror"));
    for (const std::string& host : options.insecure) {
      check_insecure(host, "--insecure-registry");
      insecure.push_back({host, "--insecure-registry"});
    }
    read_containers(files);
    read_docker(files);
    read_containerd(files);
  }

  void tell(const std::string& text) const {
    if (warn) warn(text);
  }

  /// The text of a file; nothing where it is not there, or can't be read, which is told.
  std::optional<std::string> read(const path& file) const {
    if (file.empty() || !is_there(file)) return std::nullopt;
    try {
      return read_file(file, longest_file);
    } catch (const Error& error) {
      tell(std::string(error.what()) + ": done without it");
      return std::nullopt;
    }
  }

  /// What `parse` makes of a file's text; nothing where it is broken, which is told, or not there. A file that is none
  /// of the user's business is as good as not there.
  template <typename Parse>
  auto read(const path& file, Parse parse) const -> std::optional<decltype(parse(std::string(), std::string()))> {
    if (check_access(file, Use::read) == std::errc::permission_denied) return std::nullopt;
    const std::optional<std::string> text = read(file);
    if (!text) return std::nullopt;
    try {
      return parse(*text, file.string());
    } catch (const Error& error) {
      tell(std::string(error.what()) + ": done without this file");
      return std::nullopt;
    }
  }

  void read_containers(const RegistryFiles& files) {
    if (!files.containers_conf.empty() && !is_there(files.containers_conf))
      tell("CONTAINERS_REGISTRIES_CONF names no file: " + files.containers_conf);
    const ContainersFiles found = containers_files(files);
    take_containers(found.main, false);
    for (const path& file : found.drop_ins) take_containers(file, true);
    const auto parse = [](const std::string& text, const std::string& name) {
      return parse_containers_registries(text, name, true);
    };
    if (auto cached = read(files.aliases, parse)) cached_aliases = std::move(cached->aliases);
  }

  void take_containers(const path& file, bool drop_in) {
    const std::optional<std::string> text = read(file);
    if (!text) return;
    try {
      containers.add(parse_containers_registries(*text, file.string(), drop_in));
    } catch (const Error& error) {
      // What it blocks must stay so, and nobody knows what that is.
      if (may_block(*text))
        throw Error(Errc::usage, std::string(error.what()) + " (and the file may block something)",
                    "repair it, or do without such files by --no-registry-config");
      tell(std::string(error.what()) + ": done without this file");
    }
  }

  void read_docker(const RegistryFiles& files) {
    for (const path& file : {files.user.empty() ? path() : path(files.user) / "docker/daemon.json",
                             files.system.empty() ? path() : path(files.system) / "etc/docker/daemon.json"}) {
      auto daemon = read(file, parse_docker_daemon);
      if (!daemon) continue;
      docker.push_back(std::move(daemon->hub));
      std::ranges::move(daemon->insecure, std::back_inserter(insecure));
    }
  }

  void read_containerd(const RegistryFiles& files) {
    if (!files.user.empty()) containerd_roots.push_back((path(files.user) / "containerd/certs.d").string());
    if (files.system.empty()) return;
    const path etc = path(files.system) / "etc/containerd";
    auto named = read(etc / "config.toml", parse_containerd_config).value_or(std::vector<std::string>());
    if (named.empty()) named.push_back((etc / "certs.d").string());
    std::ranges::move(named, std::back_inserter(containerd_roots));
  }

  /// What the certificates in a directory without a hosts.toml say, as docker has them.
  std::optional<RegistryRule> certificates_rule(const std::string& directory, const std::string& registry) const {
    RegistryRule rule;
    rule.prefix = registry;
    rule.configured_at = directory;
    RulePlace& place = rule.place.emplace();
    place.endpoint.configured_at = directory;
    try {
      place.endpoint.tls = read_certificate_directory(directory);
    } catch (const Error& error) {
      tell(std::string(error.what()) + ": done without this directory");
    }
    return place.endpoint.tls == TlsSettings() ? std::nullopt : std::optional(std::move(rule));
  }

  /// containerd's rule for a registry; null where it has none. Of the directories that may have one the first that is
  /// there counts, whether or not there is a hosts.toml in it.
  const RegistryRule* containerd_rule(const std::string& registry) {
    if (const auto known = containerd.find(registry); known != containerd.end())
      return known->second ? &*known->second : nullptr;
    std::optional<RegistryRule>& rule = containerd[registry];
    for (const std::string& root : containerd_roots) {
      const auto directories = containerd_directories(root, registry);
      const auto directory = std::ranges::find_if(directories, [](const std::string& each) { return is_there(each); });
      if (directory == directories.end()) continue;
      const auto parse = [&](const std::string& text, const std::string& name) {
        return parse_containerd_hosts(text, name, *directory, registry);
      };
      rule = read(path(*directory) / "hosts.toml", parse);
      if (!rule) rule = certificates_rule(*directory, registry);
      break;
    }
    return rule ? &*rule : nullptr;
  }

  /// Who says that `host` needs no certificate; null where nobody does.
  const InsecureHost* insecure_by(const std::string& host) const {
    const auto found =
        std::ranges::find_if(insecure, [&](const InsecureHost& each) { return is_meant(each.meant, host); });
    return found == insecure.end() ? nullptr : &*found;
  }

  std::function<void(const std::string&)> warn;
  std::vector<RegistryRule> rules;  // of the options
  ContainersRegistries containers;
  std::map<std::string, ShortNameAlias, std::less<>> cached_aliases;
  std::vector<RegistryRule> docker;
  std::vector<InsecureHost> insecure;
  std::vector<std::string> containerd_roots;
  std::map<std::string, std::optional<RegistryRule>> containerd;  // what was read, by registry
};

Registries::Registries(const RegistryOptions& options, const RegistryFiles& files,
                       std::function<void(const std::string&)> warn)
    : found_(std::make_unique<Found>(options, files, std::move(warn))) {}

Registries::~Registries() = default;

namespace {

/// Notes that `insecure` says of an endpoint's host that it needs no certificate.
void trust(Endpoint& endpoint, const InsecureHost& insecure) {
  endpoint.tls.verify = false;
  if (endpoint.scheme == Endpoint::Scheme::https) endpoint.scheme = Endpoint::Scheme::https_or_http;
  endpoint.configured_at += (endpoint.configured_at.empty() ? "" : ", ") + insecure.configured_at;
}

}  // namespace

std::vector<Endpoint> Registries::endpoints(const Reference& image) const {
  std::vector<const RegistryRule*> rules;
  const std::string name = image.to_string();
  const auto add_all = [&](const std::vector<RegistryRule>& all) {
    for (const RegistryRule& rule : all)
      if (match_prefix(name, rule.prefix)) rules.push_back(&rule);
  };
  add_all(found_->rules);
  if (const RegistryRule* rule = find_rule(found_->containers.rules, image)) rules.push_back(rule);
  add_all(found_->docker);
  if (const RegistryRule* rule = found_->containerd_rule(image.domain)) rules.push_back(rule);
  std::vector<Endpoint> endpoints = join_rules(rules, image);
  for (Endpoint& endpoint : endpoints)
    if (const InsecureHost* insecure = found_->insecure_by(endpoint.host)) trust(endpoint, *insecure);
  return endpoints;
}

ResolvedName Registries::resolve(std::string_view name) const {
  Reference as_docker = Reference::parse(name);
  if (has_registry(name) || as_docker.domain != "docker.io") return {{std::move(as_docker)}, {}};
  const std::size_t mark = std::min(name.find_first_of(":@"), name.size());
  const std::string_view repository = name.substr(0, mark);
  for (const auto* aliases : {&found_->cached_aliases, &found_->containers.aliases}) {
    const auto alias = aliases->find(repository);
    if (alias == aliases->end()) continue;
    if (alias->second.name.empty()) break;
    return {{Reference::parse(alias->second.name + std::string(name.substr(mark)))}, alias->second.configured_at};
  }
  ResolvedName result;
  for (const std::string& host : found_->containers.search)
    result.candidates.push_back(Reference::parse(host + "/" + std::string(name)));
  if (result.candidates.empty()) return {{std::move(as_docker)}, {}};
  result.configured_at = found_->containers.search_configured_at;
  return result;
}

EndpointLookup endpoint_lookup(std::shared_ptr<const Registries> registries) {
  return [registries = std::move(registries)](const Reference& image) { return registries->endpoints(image); };
}

}  // namespace hawser
