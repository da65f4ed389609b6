// Where a token may be asked for. A registry names its token service itself, so a hostile one could name anything:
// a cleartext address, or the metadata service of the cloud that hawser runs in.
#pragma once

#include <hawser/net/origin.hpp>

#include <string_view>

namespace hawser {

/// The token service that `registry` names by `realm`, where hawser may talk to it: over TLS unless the registry
/// itself is plain HTTP, and no metadata host unless it is the registry's own. Throws Error{unauthorized}
/// where not, and where the realm is no URL.
Url checked_realm(const Origin& registry, std::string_view realm);

}  // namespace hawser
