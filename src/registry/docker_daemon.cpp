#include "registry/docker_daemon.hpp"

#include "registry/credentials.hpp"
#include "util/json.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>

#include <boost/json.hpp>

namespace hawser {
namespace {

/// The file and the line on which `value` stands in it; the first one where that can't be told, as JSON has no lines.
std::string place_of(std::string_view text, const std::string& name, std::string_view value) {
  const std::size_t at = text.find("\"" + std::string(value) + "\"");
  const std::string_view before = text.substr(0, at == std::string_view::npos ? 0 : at);
  return name + ":" + std::to_string(1 + std::ranges::count(before, '\n'));
}

/// The texts of the list `member`; none where it is absent.
std::vector<std::string> texts(const boost::json::object& config, std::string_view member, const std::string& place) {
  std::vector<std::string> found;
  const boost::json::value* list = config.if_contains(member);
  if (!list || list->is_null()) return found;
  const Error wrong(Errc::usage, place + ": " + std::string(member) + " is no list of texts");
  if (!list->is_array()) throw wrong;
  for (const boost::json::value& each : list->get_array()) {
    if (!each.is_string()) throw wrong;
    found.emplace_back(each.get_string());
  }
  return found;
}

}  // namespace

DockerDaemon parse_docker_daemon(std::string_view text, const std::string& name) {
  const boost::json::object config = parse_docker_config(text, name);
  DockerDaemon daemon;
  daemon.hub.prefix = "docker.io";
  for (const std::string& url : texts(config, "registry-mirrors", place_of(text, name, "registry-mirrors"))) {
    RulePlace mirror;
    const std::string place = place_of(text, name, url);
    mirror.endpoint = parse_mirror_url(url, place);
    mirror.endpoint.configured_at = place;
    daemon.hub.mirrors.push_back(std::move(mirror));
  }
  for (const std::string& entry : texts(config, "insecure-registries", place_of(text, name, "insecure-registries"))) {
    std::string_view host = entry;
    const std::string place = place_of(text, name, entry);
    // docker takes a scheme off, too.
    if (const std::size_t scheme = host.find("://"); scheme != std::string_view::npos) host.remove_prefix(scheme + 3);
    check_insecure(host, place);
    daemon.insecure.push_back({std::string(host), place});
  }
  return daemon;
}

}  // namespace hawser
