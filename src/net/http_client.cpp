#include "net/http_client.hpp"

#include "net/connection.hpp"
#include "net/connection_pool.hpp"
#include "net/proxy.hpp"
#include "net/response_decoder.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <cstring>
#include <ctime>

namespace hawser {
namespace {

/// "Sun, 06 Nov 1994 08:49:37 GMT".
std::optional<std::chrono::sys_seconds> parse_fixdate(const std::string& text) {
  std::tm parts{};
  const char* end = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  const int day = parts.tm_mday;
  const std::chrono::sys_seconds time{std::chrono::seconds(::timegm(&parts))};
  if (parts.tm_mday != day) return std::nullopt;  // the 31st of a shorter month
  return time;
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view value,
                                                           std::chrono::system_clock::time_point now) {
  const std::string_view text = trim(value);
  if (text.empty()) return std::nullopt;
  // A year is as good as for ever, and does not overflow.
  constexpr std::chrono::seconds year{365 * 24 * 3600};
  if (text.find_first_not_of("0123456789") == std::string_view::npos)
    return text.size() > 9 ? year
                           : std::min<std::chrono::seconds>(std::chrono::seconds(*parse_whole<unsigned>(text)), year);
  const auto date = parse_fixdate(std::string(text));
  if (!date) return std::nullopt;
  // In whole seconds first: as nanoseconds, dates after 2262 would overflow.
  const auto roughly = *date - std::chrono::floor<std::chrono::seconds>(now);
  if (roughly > year) return year;
  if (roughly.count() <= 0) return std::chrono::milliseconds(0);
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(*date - now);
  return std::max(wait, std::chrono::milliseconds(0));
}

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

namespace {

/// How much of a head is read at once; bodies are read straight into the caller's buffer.
constexpr std::size_t head_read_size = 8 * 1024;

/// The request's head and body as they go over the wire (RFC 9112, section 3); to `proxy`, where there is one, in
/// absolute form.
std::string serialise(const HttpRequest& request, const NetOptions& options, const std::optional<Proxy>& proxy) {
  std::string text = request.method + " ";
  if (proxy) text += request.url.origin.to_string();
  text += request.url.target + " HTTP/1.1\r\nHost: " + request.url.origin.host_header() + "\r\n";
  if (!options.user_agent.empty()) text += "User-Agent: " + options.user_agent + "\r\n";
  const std::string authorization = proxy ? proxy_authorization(*proxy) : std::string();
  if (!authorization.empty()) text += "Proxy-Authorization: " + authorization + "\r\n";
  for (const auto& [name, value] : request.headers) {
    if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
      throw Error(Errc::usage, "the value for the header " + name + " holds a line break");
    text += name + ": " + value + "\r\n";
  }
  if (!request.body.empty() || request.method == "POST")
    text += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  return text + "\r\n" + request.body;
}

/// "GET https://host/v2/ bytes=0-9: 206 after 0.1 s"; never a credential, a query or any other header.
std::string describe(const HttpRequest& request, int status, std::chrono::steady_clock::time_point begin) {
  std::string text = request.method + " " + request.url.to_display();
  for (const auto& [name, value] : request.headers)
    if (equals_ignoring_case(name, "Range")) text += " " + printable(value);
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin).count();
  return text + ": " + std::to_string(status) + " after " + std::to_string(took) + " ms";
}

}  // namespace

struct HttpResponse::Impl {
  Impl(ConnectionPool::Lease lease_, Url url_, const NetOptions& options)
      : lease(std::move(lease_)),
        url(std::move(url_)),
        slow_grace(options.slow_grace),
        stall_timeout(options.stall_timeout) {}

  void watch_rate() { slow_guard.emplace(slow_grace, stall_timeout, std::chrono::steady_clock::now()); }

  asio::awaitable<std::size_t> receive(std::span<std::byte> buffer) {
    const auto now = std::chrono::steady_clock::now();
    if (slow_guard && slow_guard->is_too_slow(now))
      throw Error(Errc::stalled,
                  url.origin.to_string() + " sends too slowly: " + format_bytes(slow_guard->bytes()) + " in " +
                      format_duration(slow_guard->elapsed(now)),
                  "a slow link may need a longer --stall-timeout");
    const std::size_t n = co_await lease->read_some(buffer);
    if (slow_guard) slow_guard->received(n);
    co_return n;
  }

  /// What the decoder throws, with the origin's name.
  template <class Decode>
  auto decode(Decode what) {
    try {
      return what();
    } catch (const Error& error) {
      throw error.in(url.origin.to_string());
    }
  }

  /// Reads until the head is there; whether any byte came is told in `answered`.
  asio::awaitable<void> read_head(bool& answered) {
    std::string chunk(head_read_size, '\0');
    watch_rate();
    while (!decoder.head_done()) {
      const auto bytes = std::as_writable_bytes(std::span(chunk));
      const std::size_t n = co_await receive(bytes);
      if (n == 0)
        throw Error(Errc::connection_lost, url.origin.to_string() + " closed the connection without an answer");
      answered = true;
      input.append(chunk.data(), n);
      decode([&] { decoder.feed_head(input); });
    }
    slow_guard.reset();
    head = decoder.head();
    remaining = decoder.content_length();
    finish_if_done();
  }

  void finish_if_done() {
    const bool done = remaining ? *remaining == 0 : decoder.body_done();
    if (!done || finished) return;
    finished = true;
    if (decoder.keep_alive() && input.empty()) {
      lease.give_back();
    } else {
      lease.discard();
    }
  }

  std::size_t take_input(std::span<std::byte> buffer) {
    const std::size_t n = std::min(buffer.size(), input.size());
    std::memcpy(buffer.data(), input.data(), n);
    input.erase(0, n);
    return n;
  }

  asio::awaitable<std::size_t> read_counted(std::span<std::byte> buffer) {
    const std::span<std::byte> wanted =
        buffer.first(static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), *remaining)));
    std::size_t n = 0;
    if (!input.empty()) {
      n = take_input(wanted);
    } else {
      n = co_await receive(wanted);
      if (n == 0)
        throw Error(Errc::connection_lost, url.origin.to_string() + " closed the connection " +
                                               format_bytes(*remaining) + " before the end of the response");
    }
    *remaining -= n;
    finish_if_done();
    co_return n;
  }

  asio::awaitable<std::size_t> read_decoded(std::span<std::byte> buffer) {
    for (;;) {
      const ResponseDecoder::Step step =
          decode([&] { return decoder.decode_body(std::as_bytes(std::span(input)), buffer); });
      input.erase(0, step.consumed);
      if (decoder.body_done() && step.produced == 0) finish_if_done();
      if (step.produced > 0 || decoder.body_done()) co_return step.produced;
      if (input.size() > max_head_size)
        throw Error(Errc::protocol, url.origin.to_string() + " sent a chunk header without an end");
      std::string chunk(std::min<std::size_t>(buffer.size(), 64 * 1024), '\0');
      const auto bytes = std::as_writable_bytes(std::span(chunk));
      const std::size_t n = co_await receive(bytes);
      if (n == 0) {
        decode([&] { decoder.end_of_stream(); });
        co_return 0;
      }
      input.append(chunk.data(), n);
    }
  }

  ConnectionPool::Lease lease;
  Url url;
  std::chrono::milliseconds slow_grace;
  std::chrono::milliseconds stall_timeout;
  std::optional<SlowGuard> slow_guard;  // while something small is awaited
  ResponseDecoder decoder;
  HttpHead head;
  std::string input;                       // received, not yet handed out
  std::optional<std::uint64_t> remaining;  // of a body of known length
  bool finished = false;
};

HttpResponse::HttpResponse(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpResponse::HttpResponse(HttpResponse&&) noexcept = default;
HttpResponse::~HttpResponse() = default;

const HttpHead& HttpResponse::head() const {
  return impl_->head;
}

const Url& HttpResponse::url() const {
  return impl_->url;
}

std::optional<std::uint64_t> HttpResponse::content_length() const {
  return impl_->decoder.content_length();
}

asio::awaitable<std::size_t> HttpResponse::read_some(std::span<std::byte> buffer) {
  Impl& impl = *impl_;
  if (impl.finished || buffer.empty()) co_return 0;
  std::size_t n = 0;
  if (impl.remaining) {
    n = co_await impl.read_counted(buffer);
  } else {
    n = co_await impl.read_decoded(buffer);
  }
  co_return n;
}

asio::awaitable<std::string> HttpResponse::read_all(std::size_t limit) {
  std::string text;
  std::string chunk(16 * 1024, '\0');
  impl_->watch_rate();
  for (;;) {
    const auto bytes = std::as_writable_bytes(std::span(chunk));
    const std::size_t n = co_await read_some(bytes);
    if (n == 0) break;
    if (text.size() + n > limit)
      throw Error(Errc::too_large, "the answer of " + url().origin.to_string() + " is longer than " +
                                       format_bytes(limit) + ": " + url().to_display());
    text.append(chunk.data(), n);
  }
  co_return text;
}

void HttpResponse::cancel() {
  if (!impl_->finished) impl_->lease->close();
}

HttpClient::HttpClient(asio::any_io_executor executor, NetOptions options)
    : pool_(std::make_shared<ConnectionPool>(std::move(executor), std::move(options))) {}

HttpClient::~HttpClient() {
  close();
}

asio::any_io_executor HttpClient::executor() const {
  return pool_->executor();
}

asio::awaitable<HttpResponse> HttpClient::send(HttpRequest request) {
  const std::shared_ptr<ConnectionPool> pool = pool_;  // which outlives this client
  const NetOptions& options = pool->options();
  const std::optional<Proxy> proxy = pool->connector().absolute_form_proxy(request.url.origin);
  const std::string text = serialise(request, options, proxy);
  const auto begin = std::chrono::steady_clock::now();
  for (bool fresh = false;; fresh = true) {
    ConnectionPool::Lease lease = co_await pool->acquire(request.url.origin, fresh);
    const bool reused = lease.reused();
    auto response = std::make_unique<HttpResponse::Impl>(std::move(lease), request.url, options);
    bool answered = false;
    try {
      co_await response->lease->write(text);
      co_await response->read_head(answered);
      if (options.trace) options.trace(describe(request, response->head.status, begin));
      if (proxy && response->head.status == 407) refuse_without_credentials(*proxy);
      co_return HttpResponse(std::move(response));
    } catch (const Error& error) {
      // A pooled connection that the server closed while it was idle: the request was not processed
      // (RFC 9112, section 9.3.1). Anything else is the caller's to judge.
      if (!reused || fresh || answered || error.code() != Errc::connection_lost) throw;
    }
  }
}

void HttpClient::allow_link_local(const std::string& host) {
  pool_->connector().allow_link_local(host);
}

void HttpClient::warm_up(const Origin& origin, std::size_t count) {
  pool_->warm_up(origin, count);
}

std::optional<std::chrono::microseconds> HttpClient::round_trip(const Origin& origin) const {
  return pool_->round_trip(origin);
}

std::size_t HttpClient::idle_connections(const Origin& origin) const {
  return pool_->idle_connections(origin);
}

void HttpClient::close() {
  pool_->close();
}

}  // namespace hawser
