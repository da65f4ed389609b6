#include "util/platform/user_directories.hpp"
#include "util/text.hpp"

#include <hawser/net/tls_settings.hpp>
#include <hawser/util/error.hpp>

#include <algorithm>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

namespace hawser {

namespace fs = std::filesystem;

namespace {

template <typename File>
void add_missing(std::vector<File>& files, const std::vector<File>& others) {
  for (const File& each : others)
    if (std::ranges::find(files, each) == files.end()) files.push_back(each);
}

}  // namespace

void TlsSettings::add(const TlsSettings& other) {
  verify = verify && other.verify;
  add_missing(ca_files, other.ca_files);
  add_missing(client_certificates, other.client_certificates);
  least_version = std::max(least_version, other.least_version);
}

namespace {

/// The names of the files in `directory`, in order; nothing where it is not there.
std::optional<std::set<std::string>> files_in(const fs::path& directory) {
  std::error_code ec;
  std::set<std::string> names;
  for (fs::directory_iterator each(directory, ec), end; !ec && each != end; each.increment(ec)) {
    std::error_code ignored;
    if (!each->is_directory(ignored)) names.insert(each->path().filename().string());
  }
  if (ec == std::errc::no_such_file_or_directory || ec == std::errc::not_a_directory) return std::nullopt;
  if (ec) throw disk_error(ec, "read the directory of certificates", directory.string());
  return names;
}

std::optional<TlsSettings> read_if_there(const fs::path& directory) {
  const std::optional<std::set<std::string>> names = files_in(directory);
  if (!names) return std::nullopt;
  TlsSettings settings;
  const auto require = [&](const std::string& other, const char* what, const fs::path& of) {
    if (names->contains(other)) return;
    throw Error(Errc::usage, printable((directory / other).string()) + " is missing, " + what + printable(of.string()),
                "a CA's certificate is called *.crt, our own *.cert, and its key the same with .key");
  };
  for (const std::string& name : *names) {
    const fs::path file = directory / name, stem = file.stem();
    const std::string extension = file.extension().string();
    if (extension == ".crt") settings.ca_files.push_back(file.string());
    if (extension == ".key") require(stem.string() + ".cert", "the client certificate of ", file);
    if (extension != ".cert") continue;
    require(stem.string() + ".key", "the key of ", file);
    settings.client_certificates.push_back({file.string(), (directory / (stem.string() + ".key")).string()});
  }
  return settings;
}

/// What a directory for `host` may be called.
std::vector<std::string> names_of(const std::string& host) {
  if (host.starts_with('.') || host.find('/') != std::string::npos) return {};
  std::vector<std::string> names{host};
  const bool has_port = host.rfind(':') != std::string::npos && !host.ends_with(']');
  if (!has_port) names.push_back(host + ":443");
  if (host == "registry-1.docker.io") names.emplace_back("docker.io");
  return names;
}

}  // namespace

TlsSettings read_certificate_directory(const fs::path& directory) {
  return read_if_there(directory).value_or(TlsSettings{});
}

std::vector<fs::path> certificate_directories(const std::function<const char*(const char*)>& environment) {
  std::vector<fs::path> directories;
  const fs::path home = home_directory(environment), root = system_root();
  const char* const config = environment("XDG_CONFIG_HOME");
  // Podman looks below the home directory alone, rootless docker where XDG says.
  if (!home.empty()) directories.push_back(home / ".config/containers/certs.d");
  if (config && *config)
    directories.push_back(fs::path(config) / "docker/certs.d");
  else if (!home.empty())
    directories.push_back(home / ".config/docker/certs.d");
  if (root.empty()) return directories;
  directories.push_back(root / "etc/containers/certs.d");
  directories.push_back(root / "etc/docker/certs.d");
  return directories;
}

TlsLookup certificates_in(std::vector<fs::path> directories) {
  return [directories = std::move(directories)](const std::string& host) {
    const std::vector<std::string> names = names_of(host);
    for (const fs::path& directory : directories)
      for (const std::string& name : names) {
        std::error_code ec;
        fs::directory_iterator probe(directory / name, ec);
        if (ec == std::errc::permission_denied) continue;
        if (auto settings = read_if_there(directory / name)) return *settings;
      }
    return TlsSettings{};
  };
}

}  // namespace hawser
