#include "registry/origin_note.hpp"

#include "net/connector.hpp"
#include "util/json.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <boost/json/serialize.hpp>

namespace hawser {
namespace {

constexpr int note_version = 1;
constexpr int max_noted_connections = 1000;  // beyond what any origin is asked for

/// What `read` makes of a note's member; nothing where it throws, since the note may be anybody's.
template <typename Read>
auto noted(Read read) -> std::optional<decltype(read())> {
  try {
    return read();
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// A number of connections; 0 where there is none that makes sense.
std::size_t noted_count(const boost::json::object& note, std::string_view name) {
  const auto* const count = note.if_contains(name);
  const bool makes_sense =
      count && count->is_int64() && count->get_int64() > 0 && count->get_int64() <= max_noted_connections;
  return makes_sense ? static_cast<std::size_t>(count->get_int64()) : 0;
}

/// Where blobs of `registry` may be asked for: over TLS unless the registry itself is plain HTTP, and at no metadata
/// host.
Origin checked_storage(const Origin& registry, std::string_view text) {
  Origin storage = Url::parse(text).origin;
  if (storage != registry && ((registry.tls && !storage.tls) || is_metadata_host(storage.host)))
    throw Error(Errc::redirect_refused, "not to be asked");
  return storage;
}

}  // namespace

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

std::string OriginNote::to_text(const Origin& origin) const {
  boost::json::object object;
  object["version"] = note_version;
  object["origin"] = origin.to_string();
  if (token_service) {
    object["realm"] = token_service->realm.to_string();
    object["service"] = token_service->service;
  }
  if (storage) object["storage"] = storage->to_string();
  if (connections > 0) object["connections"] = connections;
  if (preferred > 0) object["preferred_connections"] = preferred;
  if (refused_ranges) object["refused_ranges"] = true;
  return boost::json::serialize(object) + "\n";
}

OriginNote OriginNote::parse(const Origin& origin, std::string_view text) {
  OriginNote note;
  const auto object = parse_json_object(text);
  const auto* const version = object ? object->if_contains("version") : nullptr;
  if (!version || *version != note_version || json_text(*object, "origin") != origin.to_string()) return note;
  note.token_service = noted([&] {
    return TokenService{checked_realm(origin, json_text(*object, "realm")), json_text(*object, "service")};
  });
  note.storage = noted([&] { return checked_storage(origin, json_text(*object, "storage")); });
  note.connections = noted_count(*object, "connections");
  note.preferred = noted_count(*object, "preferred_connections");
  const auto* const refused = object->if_contains("refused_ranges");
  note.refused_ranges = refused && *refused == true;
  return note;
}

}  // namespace hawser
