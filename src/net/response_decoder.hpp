// HTTP/1.1 responses from bytes (RFC 9112), without I/O.
#pragma once

#include "net/http_client.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

namespace hawser {

/// Largest head that is taken, in bytes, together with the informational ones before it.
inline constexpr std::size_t max_head_size = 64 * 1024;

/// Decodes one response: first its head, then, by one of two ways, its body. A body of known length needs no
/// decoding: the caller takes as many bytes as content_length() says. Any other body (chunked, or until the end
/// of the connection) goes through decode_body().
///
/// Every function throws Error{protocol} for what is not HTTP, Error{too_large} for a head over max_head_size.
class ResponseDecoder {
 public:
  ResponseDecoder() { restart(); }

  /// Takes what belongs to the head off the front of `input`, which grows between calls; what it leaves once
  /// head_done() is true is body. Informational responses (1xx) are passed over. Lines may end in LF alone (RFC 9112,
  /// section 2.2), and the status line with the status.
  void feed_head(std::string& input);
  bool head_done() const { return parser_->is_header_done(); }
  HttpHead head() const;

  /// Length of the body where the head tells it, 0 for statuses without one; nothing for other framings.
  std::optional<std::uint64_t> content_length() const;
  /// Whether another response can follow on the connection.
  bool keep_alive() const { return parser_->keep_alive() && !parser_->need_eof(); }

  struct Step {
    std::size_t consumed = 0;  ///< bytes taken from the input
    std::size_t produced = 0;  ///< bytes of body put into the output
  };
  Step decode_body(std::span<const std::byte> data, std::span<std::byte> out);
  /// The connection has ended; throws Error{connection_lost} where the body needs more.
  void end_of_stream();
  bool body_done() const { return parser_->is_done(); }

 private:
  void restart();
  std::string strict_line(std::string_view line) const;

  std::string lines_;           // of the head, those that have ended
  std::size_t heads_size_ = 0;  // bytes
  std::unique_ptr<boost::beast::http::response_parser<boost::beast::http::buffer_body>> parser_;
};

}  // namespace hawser
