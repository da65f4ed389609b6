// hawser config: what is configured for an image, as people and scripts are shown it.
#pragma once

#include <hawser/image/reference.hpp>
#include <hawser/registry/endpoint.hpp>
#include <hawser/registry/registries.hpp>

#include <string>
#include <vector>

#include <boost/json/object.hpp>

namespace hawser {

/// An endpoint of an image, and the way there.
struct EndpointReport {
  Endpoint endpoint;
  std::string proxy;     ///< "http://proxy.example:3128"; empty: none
  std::string login;     ///< whose it is; empty: there is none
  std::string login_at;  ///< where it is kept
  bool is_asked = true;  ///< not with --no-origin
};

/// What one image that a name stands for comes from.
struct ImageReport {
  std::string name;  ///< as it was given
  Reference image;
  std::string named_at;  ///< who says that the name stands for it; empty: docker's own rule
  std::vector<EndpointReport> endpoints;
};

/// Some lines for people, each ended.
std::string to_text(const ImageReport& report);
boost::json::object to_json(const ImageReport& report);

}  // namespace hawser
