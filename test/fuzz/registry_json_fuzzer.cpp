// JSON from token services, from docker's config and from notes of an earlier run.
#include "check.hpp"
#include "registry/authenticator.hpp"
#include "registry/credentials.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <cstdint>
#include <string>

#include <boost/json.hpp>

namespace {

using namespace hawser;

void read_token(std::string_view body, const TokenService& service) {
  const auto now = std::chrono::steady_clock::time_point(std::chrono::hours(100));
  try {
    const Token token = parse_token(body, "application/json", service, now);
    HAWSER_CHECK(!token.value.empty() && token.obtained <= now);
    for (const char c : token.value) HAWSER_CHECK(c > 0x20 && c != 0x7f);  // it goes into a header
    (void)token.usable(now);
  } catch (const Error& error) {
    HAWSER_CHECK(error.code() == Errc::malformed || error.code() == Errc::too_large ||
                 error.code() == Errc::unauthorized);
  }
}

void read_config(std::string_view text) {
  try {
    const auto config = parse_docker_config(text, "config.json");
    for (const std::string_view registry : {"docker.io", "registry.example:5000"}) {
      (void)find_inline_logins(config, registry);
      (void)undecodable_logins(config, "config.json", registry);
      auto changed = config;
      const Credentials login{"user", "password", {}};
      if (const auto* auths = config.if_contains("auths"); !auths || auths->is_null() || auths->is_object()) {
        put_login(changed, registry, &login);
        const auto found = find_inline_logins(changed, registry);
        HAWSER_CHECK(
            std::ranges::any_of(found, [](const Login& each) { return each.credentials.password == "password"; }));
        HAWSER_CHECK(remove_login(changed, registry));
      }
      HAWSER_CHECK(!remove_login(changed, registry));
      const std::string helper = find_credential_helper(config, registry);
      // Only what passes here is ever run.
      HAWSER_CHECK(!is_valid_helper_name(helper) || helper.find_first_of("/ ") == std::string::npos);
    }
  } catch (const Error& error) {
    HAWSER_CHECK(error.code() == Errc::usage);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const TokenService service{Url::parse("https://tokens.example/token"), "registry.example"};
  const Origin registry{true, "registry.example", 443};
  read_token(text, service);
  read_config(text);
  const OriginNote noted = OriginNote::parse(registry, text);
  HAWSER_CHECK(!noted.token_service || noted.token_service->realm.origin.tls);
  HAWSER_CHECK(!noted.storage || noted.storage->tls);
  HAWSER_CHECK(OriginNote::parse(registry, noted.to_text(registry)) == noted);
  return 0;
}
