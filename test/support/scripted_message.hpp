// The requests that a ScriptedRegistry gets, and the replies, faults included, that it is told to give.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser::test {

/// A request as it came, and what became of it.
struct ScriptedRequest {
  std::string method;
  std::string target;  ///< path and query
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::size_t connection = 0;    ///< number of the connection that it came on, from 1
  int status = 0;                ///< of the reply
  std::uint64_t bytes_sent = 0;  ///< of the reply's body
  bool over = false;             ///< the reply has been sent, as far as it was to be

  /// The target without its query.
  std::string path() const { return target.substr(0, target.find('?')); }
  /// The first header of that name, whatever its case; empty where there is none.
  std::string header(std::string_view name) const;
};

/// A reply and what goes wrong with it.
struct Reply {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};

  std::chrono::milliseconds delay{0};                ///< before the first byte
  std::optional<std::size_t> stall_after = {};       ///< bytes on the wire, head included; then silence for ever
  std::optional<std::size_t> reset_after = {};       ///< bytes on the wire; then a TCP reset
  std::optional<std::size_t> truncate_after = {};    ///< bytes of the body; then an orderly close
  std::optional<std::uint64_t> claimed_length = {};  ///< a wrong Content-Length
  std::string instead = {};                          ///< garbage in place of the whole reply
  std::string extra = {};                            ///< bytes after the reply's end
  bool chunked = false;                              ///< chunked, without Content-Length
  bool without_length = false;                       ///< neither: ends with the connection
  bool http10 = false;                               ///< answers as HTTP/1.0
  bool close = false;                                ///< Connection: close
  std::size_t bytes_per_second = 0;                  ///< 0: as fast as it goes

  /// A reply of `status` with `body`.
  static Reply of(int status, std::string body = {}, std::string content_type = "application/json");
  /// A registry's error document.
  static Reply error(int status, const std::string& code, const std::string& message);
  /// 307 to `location`.
  static Reply redirect(std::string location, int status = 307);
  /// What a hotel's network says instead of the registry.
  static Reply captive_portal();
  Reply with(std::string name, std::string value) &&;

  /// The bytes on the wire, without `extra`, and how many of them are the head.
  std::string serialise(std::size_t& head_size) const;
};

using Responder = std::function<Reply(const ScriptedRequest&)>;
using Fault = std::function<void(Reply&)>;

/// What to do about requests that match: `*` in `path` stands for anything.
struct Rule {
  std::string method;
  std::string path;
  std::size_t skip = 0;                   ///< matches to let pass first
  std::optional<std::size_t> times = {};  ///< how often it applies; nothing: always
  Responder responder = {};               ///< in place of the default reply
  Fault fault = {};                       ///< done to the default reply
  bool expected = false;                  ///< whether it is a failure of the test if it stays unused
  std::size_t matched = 0;

  /// Whether the rule applies to `request`; counts.
  bool takes(const ScriptedRequest& request);
};

/// Whether `path` fits `pattern`, in which `*` stands for any characters.
bool path_matches(std::string_view pattern, std::string_view path);

}  // namespace hawser::test
