#include "net/response_decoder.hpp"

#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <utility>

namespace hawser {

namespace http = boost::beast::http;

namespace {

void check(const boost::system::error_code& ec) {
  if (!ec || ec == http::error::need_more || ec == http::error::need_buffer) return;
  if (ec == http::error::header_limit) throw Error(Errc::too_large, "the head of the response is longer than 64 KiB");
  throw Error(Errc::protocol, "the response is not HTTP: " + ec.message(),
              "is this the address of a registry, and does it want TLS?");
}

/// `head`, lines of which Transfer-Encoding is one, without a Content-Length: that does not count then (RFC 9112,
/// section 6.3), but servers and proxies send it.
std::string without_overruled_length(std::string head) {
  const auto line_of = [&](std::string_view name) { return ascii_lower(head).find("\r\n" + std::string(name) + ":"); };
  if (line_of("transfer-encoding") == std::string::npos) return head;
  for (std::size_t at = line_of("content-length"); at != std::string::npos; at = line_of("content-length"))
    head.erase(at, head.find("\r\n", at + 2) - at);
  return head;
}

}  // namespace

void ResponseDecoder::restart() {
  parser_ = std::make_unique<http::response_parser<http::buffer_body>>();
  parser_->header_limit(static_cast<std::uint32_t>(max_head_size));
  parser_->body_limit(boost::none);
}

/// A line of a head as the parser wants it: with CRLF for LF alone, and with the blank behind a status that is followed
/// by nothing.
std::string ResponseDecoder::strict_line(std::string_view line) const {
  if (line.ends_with('\r')) line.remove_suffix(1);
  const bool bare_status = lines_.empty() && std::ranges::count(line, ' ') == 1;
  return std::string(line) + (bare_status ? " \r\n" : "\r\n");
}

void ResponseDecoder::feed_head(std::string& input) {
  while (!head_done()) {
    const std::size_t end = input.find('\n');
    // Of all heads together: informational ones could follow each other for ever.
    const std::size_t taken = std::min(end, input.size() - 1) + 1;
    if (heads_size_ + taken > max_head_size) check(http::error::header_limit);
    if (end == std::string::npos) return;
    heads_size_ += taken;
    const bool last = end == 0 || (end == 1 && input[0] == '\r');
    lines_ += strict_line(std::string_view(input).substr(0, end));
    input.erase(0, taken);
    if (!last) continue;
    boost::system::error_code ec;
    parser_->put(boost::asio::buffer(without_overruled_length(std::exchange(lines_, {}))), ec);
    check(ec);
    if (!head_done()) throw Error(Errc::protocol, "the response is not HTTP: its head has no status");
    const unsigned status = parser_->get().result_int();
    if (status / 100 == 1 && status != 101) restart();
  }
}

HttpHead ResponseDecoder::head() const {
  const auto& message = parser_->get();
  HttpHead head;
  head.status = static_cast<int>(message.result_int());
  for (const auto& field : message) head.headers.emplace_back(field.name_string(), field.value());
  return head;
}

std::optional<std::uint64_t> ResponseDecoder::content_length() const {
  const auto& parser = *parser_;
  const int status = static_cast<int>(parser.get().result_int());
  if (status == 204 || status == 304) return 0;
  const auto length = parser.content_length();
  return length && !parser.chunked() ? std::optional(*length) : std::nullopt;
}

ResponseDecoder::Step ResponseDecoder::decode_body(std::span<const std::byte> data, std::span<std::byte> out) {
  auto& parser = *parser_;
  auto& body = parser.get().body();
  body.data = out.data();
  body.size = out.size();
  body.more = true;
  Step step;
  // One piece at a time: the parser stops after each chunk header and each run of body bytes.
  while (!parser.is_done() && body.size > 0 && step.consumed < data.size()) {
    boost::system::error_code ec;
    const std::size_t n = parser.put(boost::asio::buffer(data.data() + step.consumed, data.size() - step.consumed), ec);
    step.consumed += n;
    check(ec);
    if (n == 0) break;
  }
  step.produced = out.size() - body.size;
  return step;
}

void ResponseDecoder::end_of_stream() {
  boost::system::error_code ec;
  parser_->put_eof(ec);
  if (ec) throw Error(Errc::connection_lost, "the response ended early");
}

}  // namespace hawser
