// What earlier calls have learned of an origin, so that the next one need not find it out: how a registry
// authenticates, where its blobs are, how many connections have paid.
#pragma once

#include "net/origin.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace hawser {

/// Where a registry has its tokens made.
struct TokenService {
  Url realm;
  std::string service;  ///< the registry's name at the service; may be empty

  friend bool operator==(const TokenService&, const TokenService&) = default;
};

/// The token service that `registry` names by `realm`, where hawser may talk to it: over TLS unless the registry
/// itself is plain HTTP, and no metadata host unless it is the registry's own. Throws Error{unauthorized}
/// where not, and where the realm is no URL.
Url checked_realm(const Origin& registry, std::string_view realm);

/// Nothing in it is secret, and nothing is believed that was not checked again: a wrong note costs time.
struct OriginNote {
  std::optional<TokenService> token_service = {};
  std::optional<Origin> storage = {};  ///< where a registry's blobs are; itself where it sends them
  std::size_t connections = 0;         ///< of which each had its whole share; 0: that has not shown
  std::size_t preferred = 0;           ///< connections that a bench has found best: the first that are made; 0: none
  bool refused_ranges = false;         ///< of some blob, such as a cache that had to fetch it first

  /// The note as a JSON object, about `origin`.
  std::string to_text(const Origin& origin) const;
  /// Reads a note; what is broken, of another version, about another origin or leads where hawser does not go is left
  /// out.
  static OriginNote parse(const Origin& origin, std::string_view text);

  friend bool operator==(const OriginNote&, const OriginNote&) = default;
};

/// Where notes are kept between calls. Used on one thread; neither function throws.
class OriginNotes {
 public:
  virtual ~OriginNotes() = default;

  virtual OriginNote recall(const Origin& origin) = 0;
  /// Changes the note about `origin`.
  virtual void update(const Origin& origin, const std::function<void(OriginNote&)>& change) = 0;
};

}  // namespace hawser
