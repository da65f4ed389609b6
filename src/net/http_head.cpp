// Headers by name; apart from the client, so that who reads heads needs no network.
#include <hawser/net/http_client.hpp>
#include <hawser/util/text.hpp>

namespace hawser {

std::string_view HttpHead::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (equals_ignoring_case(key, name)) return value;
  return {};
}

std::vector<std::string_view> HttpHead::all(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const auto& [key, value] : headers)
    if (equals_ignoring_case(key, name)) values.push_back(value);
  return values;
}

}  // namespace hawser
