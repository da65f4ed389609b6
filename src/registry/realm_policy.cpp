#include "registry/realm_policy.hpp"

#include "net/metadata_host.hpp"

#include <hawser/util/error.hpp>
#include <hawser/util/text.hpp>

#include <string>

namespace hawser {

Url checked_realm(const Origin& registry, std::string_view realm) {
  const std::string shown = "the token service that " + registry.to_string() + " names";
  Url url;
  try {
    url = Url::parse(realm);
  } catch (const Error&) {
    throw Error(Errc::unauthorized, shown + " is not an http or https URL: \"" + displayed_url(realm, 120) + "\"");
  }
  if (registry.tls && !url.origin.tls)
    throw Error(Errc::unauthorized, shown + " is not protected by TLS: " + printable(url.to_display(), 120),
                "hawser sends no credentials in the clear; ask the registry's operator to serve tokens over https");
  if (is_metadata_host(url.origin.host) && url.origin.host != registry.host)
    throw Error(Errc::unauthorized,
                shown + " is a link-local or cloud metadata address, which hawser will not ask: " +
                    printable(url.to_display(), 120),
                "do not trust this registry");
  return url;
}

}  // namespace hawser
