#include "net/response_decoder.hpp"

#include <hawser/util/error.hpp>

#include <string>

#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

namespace hawser {

namespace http = boost::beast::http;

struct ResponseDecoder::Impl {
  Impl() { restart(); }

  void restart() {
    parser.emplace();
    parser->header_limit(static_cast<std::uint32_t>(max_head_size));
    parser->body_limit(boost::none);
  }

  void check(const boost::system::error_code& ec) const {
    if (!ec || ec == http::error::need_more || ec == http::error::need_buffer) return;
    if (ec == http::error::header_limit) throw Error(Errc::too_large, "the head of the response is longer than 64 KiB");
    throw Error(Errc::protocol, "the response is not HTTP: " + ec.message(),
                "is this the address of a registry, and does it want TLS?");
  }

  std::size_t heads_size = 0;  // bytes
  std::optional<http::response_parser<http::buffer_body>> parser;
};

ResponseDecoder::ResponseDecoder() : impl_(std::make_unique<Impl>()) {}
ResponseDecoder::~ResponseDecoder() = default;
ResponseDecoder::ResponseDecoder(ResponseDecoder&&) noexcept = default;

void ResponseDecoder::feed_head(std::string& input) {
  while (!head_done()) {
    boost::system::error_code ec;
    const std::size_t used = impl_->parser->put(boost::asio::buffer(input), ec);
    input.erase(0, used);
    impl_->check(ec);
    // Of all heads together: informational ones could follow each other for ever.
    impl_->heads_size += used;
    if (impl_->heads_size > max_head_size) impl_->check(http::error::header_limit);
    if (head_done()) {
      const unsigned status = impl_->parser->get().result_int();
      if (status / 100 == 1 && status != 101) impl_->restart();
    } else if (used == 0 || ec) {
      if (input.size() > max_head_size) impl_->check(http::error::header_limit);
      return;
    }
    if (input.empty()) return;
  }
}

bool ResponseDecoder::head_done() const {
  return impl_->parser->is_header_done();
}

HttpHead ResponseDecoder::head() const {
  const auto& message = impl_->parser->get();
  HttpHead head;
  head.status = static_cast<int>(message.result_int());
  for (const auto& field : message) head.headers.emplace_back(field.name_string(), field.value());
  return head;
}

std::optional<std::uint64_t> ResponseDecoder::content_length() const {
  const auto& parser = *impl_->parser;
  const int status = static_cast<int>(parser.get().result_int());
  if (status == 204 || status == 304) return 0;
  const auto length = parser.content_length();
  return length && !parser.chunked() ? std::optional(*length) : std::nullopt;
}

bool ResponseDecoder::keep_alive() const {
  return impl_->parser->keep_alive() && !impl_->parser->need_eof();
}

ResponseDecoder::Step ResponseDecoder::decode_body(std::span<const std::byte> data, std::span<std::byte> out) {
  auto& parser = *impl_->parser;
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
    impl_->check(ec);
    if (n == 0) break;
  }
  step.produced = out.size() - body.size;
  return step;
}

void ResponseDecoder::end_of_stream() {
  boost::system::error_code ec;
  impl_->parser->put_eof(ec);
  if (ec) throw Error(Errc::connection_lost, "the response ended early");
}

bool ResponseDecoder::body_done() const {
  return impl_->parser->is_done();
}

}  // namespace hawser
