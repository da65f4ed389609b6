#include "registry/auth_note.hpp"

#include "registry/realm_policy.hpp"
#include "util/json.hpp"

#include <hawser/util/error.hpp>

#include <boost/json.hpp>

namespace hawser {

std::string write_auth_note(const Origin& registry, const TokenService& service) {
  boost::json::object object;
  object["registry"] = registry.to_string();
  object["realm"] = service.realm.to_string();
  object["service"] = service.service;
  return boost::json::serialize(object);
}

std::optional<TokenService> read_auth_note(const Origin& registry, std::string_view note) {
  const auto object = parse_json_object(note);
  if (!object || json_text(*object, "registry") != registry.to_string()) return std::nullopt;
  try {
    TokenService service{checked_realm(registry, json_text(*object, "realm")), json_text(*object, "service")};
    return service;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace hawser
