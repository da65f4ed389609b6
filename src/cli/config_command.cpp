#include "cli/config_command.hpp"

#include "cli/commands.hpp"
#include "cli/login.hpp"
#include "cli/registries.hpp"
#include "net/origin.hpp"
#include "net/proxy.hpp"
#include "pull/session.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <iostream>
#include <utility>

#include <boost/json.hpp>

namespace hawser {
namespace {

namespace json = boost::json;

std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) (all += all.empty() ? "" : ", ") += text;
  return all;
}

std::string url_of(const Endpoint& endpoint) {
  const bool tls = endpoint.scheme != Endpoint::Scheme::http;
  return (tls ? "https://" : "http://") + endpoint.host + endpoint.base + "/" + endpoint.repository +
         (endpoint.ns.empty() ? "" : "?ns=" + endpoint.ns);
}

std::string use_of(const EndpointReport& report) {
  const Endpoint& endpoint = report.endpoint;
  if (!report.is_asked) return "nothing, by --no-origin";
  if (endpoint.resolves_tags && endpoint.serves_digests) return "tags, and content by digest";
  return endpoint.resolves_tags ? "tags only" : "content by digest only";
}

std::string tls_of(const Endpoint& endpoint) {
  if (endpoint.scheme == Endpoint::Scheme::http) return "none";
  std::string text = endpoint.tls.verify ? "certificate checked" : "certificate not checked";
  if (endpoint.tls.verify && !endpoint.tls.ca_files.empty()) text += ", " + joined(endpoint.tls.ca_files) + " trusted";
  if (endpoint.scheme == Endpoint::Scheme::https_or_http) text += ", or HTTP where the host has no TLS";
  return text;
}

std::vector<std::string> client_certificates(const Endpoint& endpoint) {
  std::vector<std::string> files;
  for (const ClientCertificate& each : endpoint.tls.client_certificates) files.push_back(each.certificate_file);
  return files;
}

/// Their names: a value may be a secret.
std::vector<std::string> header_names(const Endpoint& endpoint) {
  std::vector<std::string> names;
  for (const auto& header : endpoint.headers) names.push_back(header.first);
  return names;
}

json::array array_of(const std::vector<std::string>& texts) {
  return json::array(texts.begin(), texts.end());
}

json::value text_or_null(const std::string& text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

json::object to_json(const EndpointReport& report) {
  const Endpoint& endpoint = report.endpoint;
  json::value login = nullptr;
  if (!report.login_at.empty()) login = json::object{{"username", report.login}, {"kept_in", report.login_at}};
  return {{"url", url_of(endpoint)},
          {"registry", endpoint.is_registry},
          {"asked", report.is_asked},
          {"tags", endpoint.resolves_tags},
          {"digests", endpoint.serves_digests},
          {"tls", endpoint.scheme != Endpoint::Scheme::http},
          {"plain_http_allowed", endpoint.scheme != Endpoint::Scheme::https},
          {"verify", endpoint.tls.verify},
          {"ca_files", array_of(endpoint.tls.ca_files)},
          {"client_certificates", array_of(client_certificates(endpoint))},
          {"headers", array_of(header_names(endpoint))},
          {"proxy", text_or_null(report.proxy)},
          {"login", std::move(login)},
          {"configured_at", text_or_null(endpoint.configured_at)}};
}

std::string to_text(std::size_t number, const EndpointReport& report) {
  const Endpoint& endpoint = report.endpoint;
  std::string text = std::to_string(number) + ". " + printable(url_of(endpoint)) +
                     (endpoint.is_registry ? "  (the registry)\n" : "\n");
  const auto line = [&](std::string name, const std::string& value) {
    name.resize(12, ' ');
    text += "   " + name + printable(value, 1000) + "\n";
  };
  line("asked for", use_of(report));
  line("TLS", tls_of(endpoint));
  if (!endpoint.tls.client_certificates.empty()) line("shown", joined(client_certificates(endpoint)));
  if (!endpoint.headers.empty()) line("headers", joined(header_names(endpoint)));
  line("proxy", report.proxy.empty() ? "none" : report.proxy);
  line("login", report.login_at.empty() ? "none" : report.login + ", in " + report.login_at);
  line("set by", endpoint.configured_at.empty() ? "nothing: the name says so" : endpoint.configured_at);
  return text;
}

/// A proxy as it can be shown: without its password.
std::string proxy_text(const Endpoint& endpoint, const ProxySettings& settings) {
  const Origin origin = Origin::from_host(endpoint.host, endpoint.scheme != Endpoint::Scheme::http);
  const std::optional<Proxy> proxy = proxy_for(origin, settings);
  if (!proxy) return "";
  const char* scheme = proxy->kind == Proxy::Kind::socks5 ? "socks5h://" : proxy->tls ? "https://" : "http://";
  return scheme + proxy->address() + (proxy->username.empty() ? "" : ", with a password");
}

void find_login(EndpointReport& report, const Reference& image, const CredentialLookup& logins) {
  const Logins known = logins(login_name(report.endpoint, image));
  for (const Login& login : known.logins) {
    if (known.find(report.endpoint.repository) != &login.credentials) continue;
    report.login = login.credentials.username.empty() ? "a token" : login.credentials.username;
    report.login_at = login.kept_in.empty() ? "the options" : login.kept_in;
  }
}

}  // namespace

std::string to_text(const ImageReport& report) {
  std::string text = printable(report.name) + " is " + printable(report.image.to_string());
  if (!report.named_at.empty()) text += " by " + printable(report.named_at, 1000);
  text += "\n";
  for (std::size_t i = 0; i < report.endpoints.size(); ++i) text += to_text(i + 1, report.endpoints[i]);
  return text;
}

json::object to_json(const ImageReport& report) {
  json::array endpoints;
  for (const EndpointReport& each : report.endpoints) endpoints.push_back(to_json(each));
  return {{"name", report.name},
          {"reference", report.image.to_string()},
          {"configured_at", text_or_null(report.named_at)},
          {"endpoints", std::move(endpoints)}};
}

Outcome run_config_command(const Command& command, const Environment& environment) {
  Progress progress(command, environment.terminal);
  const auto registries = read_registries(command, environment, progress);
  std::vector<ResolvedName> names;
  std::vector<Reference> images;
  for (const std::string& word : command.words) {
    const ResolvedName& name = names.emplace_back(registries->resolve(word));
    images.insert(images.end(), name.candidates.begin(), name.candidates.end());
  }
  const RegistryAccess access = registry_access(command, images, environment, registries, progress);
  Outcome outcome;
  json::array found;
  for (std::size_t i = 0; i < names.size(); ++i) {
    for (const Reference& image : names[i].candidates) {
      ImageReport report{command.words[i], image, names[i].configured_at, {}};
      for (Endpoint& endpoint : endpoints_of(access, image)) {
        endpoint.tls = tls_at(access, endpoint);
        EndpointReport& entry = report.endpoints.emplace_back();
        entry.proxy = proxy_text(endpoint, access.proxies);
        entry.is_asked = !endpoint.is_registry || !access.no_origin;
        entry.endpoint = std::move(endpoint);
        find_login(entry, image, access.credentials);
      }
      found.push_back(to_json(report));
      outcome.text += (outcome.text.empty() ? "" : "\n") + to_text(report);
    }
  }
  if (command.json) outcome.text = json_line(json::object{{"images", std::move(found)}});
  return outcome;
}

}  // namespace hawser
