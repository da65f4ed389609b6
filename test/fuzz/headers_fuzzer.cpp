// The headers that hawser acts on: ranges, pauses, rate limits, links, redirects, token realms. Each input is a line
// for each.
#include "check.hpp"
#include "net/connector.hpp"
#include "net/http_client.hpp"
#include "registry/authenticator.hpp"
#include "registry/blob_source.hpp"
#include "registry/client.hpp"
#include "registry/rate_limit.hpp"
#include "registry/redirect.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <cstdint>

namespace {

using namespace hawser;

void check_range(std::string_view value) {
  HttpHead head;
  head.status = 206;
  head.headers.emplace_back("Content-Range", std::string(value));
  const bool wanted = find_range_fault(head, {10, 20}).empty();
  HAWSER_CHECK(!wanted || value.find("10-19/") != std::string_view::npos);
}

void check_pause(std::string_view value) {
  const auto pause = parse_retry_after(value, std::chrono::system_clock::time_point(std::chrono::hours(500'000)));
  HAWSER_CHECK(!pause || pause->count() >= 0);
}

void check_limit(std::string_view value) {
  HttpHead head;
  for (const char* name : {"ratelimit-limit", "ratelimit-remaining", "docker-ratelimit-source"})
    head.headers.emplace_back(name, std::string(value));
  const auto limit = read_rate_limit(head);
  HAWSER_CHECK(!limit || (limit->remaining == limit->limit && limit->source == printable(limit->source)));
}

void check_redirect(std::string_view location) {
  RedirectChain chain(Url::parse("https://registry.example/v2/a/blobs/x"));
  try {
    for (int i = 0; i < 12; ++i) {
      chain.follow(location);
      HAWSER_CHECK(chain.current().origin.tls && chain.redirected());
      HAWSER_CHECK(!is_metadata_host(chain.current().origin.host));
      HAWSER_CHECK(!chain.at_home() || chain.current().origin == Origin({true, "registry.example", 443}));
      HAWSER_CHECK(Url::parse(chain.current().to_string()) == chain.current());
      for (const char c : chain.current().target) HAWSER_CHECK(c > 0x20 && c != 0x7f);
    }
    HAWSER_CHECK(false);  // ten redirects at most
  } catch (const Error& error) {
    HAWSER_CHECK(error.code() == Errc::protocol || error.code() == Errc::redirect_refused ||
                 error.code() == Errc::too_many_redirects);
  }
}

void check_realm(std::string_view realm) {
  try {
    HAWSER_CHECK(checked_realm({true, "registry.example", 443}, realm).origin.tls);
  } catch (const Error& error) {
    HAWSER_CHECK(error.code() == Errc::unauthorized);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto line = [&text] {
    const std::string_view result = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(result.size() + 1, text.size()));
    return result;
  };
  check_range(line());
  const std::string_view number = line();
  check_pause(number);
  check_limit(number);
  check_redirect(line());
  check_realm(line());
  const std::string_view first = line();
  if (const auto link = find_next_link({first, text})) {
    HAWSER_CHECK(link->size() <= size);
    check_redirect(*link);
  }
  return 0;
}
