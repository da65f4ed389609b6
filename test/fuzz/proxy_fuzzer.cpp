// Proxy settings: an origin (first line), the proxy (second), the exceptions (third).
#include "check.hpp"
#include "net/proxy.hpp"

#include <hawser/util/error.hpp>

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hawser;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::size_t first = std::min(text.find('\n'), text.size());
  const std::size_t second = std::min(text.find('\n', std::min(first + 1, text.size())), text.size());
  const std::string host = text.substr(0, first);
  const std::string proxy = text.substr(std::min(first + 1, second), second - std::min(first + 1, second));
  const std::string exceptions = text.substr(std::min(second + 1, text.size()));
  ProxySettings settings;
  settings.all_proxy = proxy;
  settings.no_proxy = exceptions;
  try {
    const Origin origin = Origin::from_host(host, true);
    HAWSER_CHECK(Origin::from_host(origin.host_header(), true) == origin);
    const auto found = proxy_for(origin, settings);
    HAWSER_CHECK(!found || (!proxy.empty() && !found->host.empty() && found->port != 0));
    HAWSER_CHECK(!found || exceptions != "*");
  } catch (const Error& error) {
    HAWSER_CHECK(error.code() == Errc::usage || error.code() == Errc::bad_reference);
    const std::string what = error.what();
    HAWSER_CHECK(what.find("secret-of-the-seed") == std::string::npos || error.code() == Errc::bad_reference);
  }
  return 0;
}
