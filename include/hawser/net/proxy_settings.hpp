// Which proxies there are.
#pragma once

#include <functional>
#include <string>

namespace hawser {

/// The proxies to take: what the variables of that name say, URLs and a list of hosts; empty where there is none.
struct ProxySettings {
  std::string https_proxy, http_proxy, all_proxy, no_proxy;
};

/// What `environment`, getenv() or the like, says: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY, each also in lower
/// case, which wins. Under CGI HTTP_PROXY counts only in lower case.
ProxySettings read_proxy_settings(const std::function<const char*(const char*)>& environment);

}  // namespace hawser
