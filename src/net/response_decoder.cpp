#include "net/response_decoder.hpp"

#include <hawser/util/error.hpp>

namespace hawser {

namespace http = boost::beast::http;

namespace {

void check(const boost::system::error_code& ec) {
  if (!ec || ec == http::error::need_more || ec == http::error::need_buffer) return;
  if (ec == http::error::header_limit) throw Error(Errc::too_large, "the head of the response is longer than 64 KiB");
  throw Error(Errc::protocol, "the response is not HTTP: " + ec.message(),
              "is this the address of a registry, and does it want TLS?");
}

}  // namespace

void ResponseDecoder::restart() {
  parser_ = std::make_unique<http::response_parser<http::buffer_body>>();
  parser_->header_limit(static_cast<std::uint32_t>(max_head_size));
  parser_->body_limit(boost::none);
}

void ResponseDecoder::feed_head(std::string& input) {
  while (!head_done()) {
    boost::system::error_code ec;
    const std::size_t used = parser_->put(boost::asio::buffer(input), ec);
    input.erase(0, used);
    check(ec);
    // Of all heads together: informational ones could follow each other for ever.
    heads_size_ += used;
    if (heads_size_ > max_head_size) check(http::error::header_limit);
    if (head_done()) {
      const unsigned status = parser_->get().result_int();
      if (status / 100 == 1 && status != 101) restart();
    } else if (used == 0 || ec) {
      if (input.size() > max_head_size) check(http::error::header_limit);
      return;
    }
    if (input.empty()) return;
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
