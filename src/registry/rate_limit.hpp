// How much a registry lets its clients pull, as Docker Hub tells it in the heads of its answers (docs.docker.com,
// "Docker Hub pull usage and limits").
#pragma once

#include "net/http_client.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace hawser {

/// So many pulls in such a time.
struct RateLimit {
  std::uint32_t limit = 0;
  std::optional<std::chrono::seconds> window;
  std::optional<std::uint32_t> remaining;
  std::string source;  ///< whose pulls count, an address or an account, printable; empty where nobody says

  /// "100 pulls in 6 hours, 76 left, counted for 203.0.113.7".
  std::string to_string() const;

  friend bool operator==(const RateLimit&, const RateLimit&) = default;
};

/// What `head` says in ratelimit-limit ("100;w=21600"), ratelimit-remaining and docker-ratelimit-source; nothing where
/// it tells no limit. Of several limits the first counts.
std::optional<RateLimit> read_rate_limit(const HttpHead& head);

}  // namespace hawser
