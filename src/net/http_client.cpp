#include "net/http_client.hpp"

#include "net/connection.hpp"
#include "net/connector.hpp"
#include "net/proxy.hpp"
#include "net/response_decoder.hpp"
#include "net/traffic.hpp"
#include "util/async.hpp"
#include "util/decompressor.hpp"
#include "util/text.hpp"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <deque>
#include <map>
#include <set>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace hawser {

using namespace std::chrono_literals;

std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view value,
                                                           std::chrono::system_clock::time_point now) {
  const std::string text(trim(value));
  constexpr std::chrono::seconds year{365 * 24 * 3600};  // as good as for ever, and does not overflow
  if (!text.empty() && text.find_first_not_of("0123456789") == std::string::npos)
    return std::min(std::chrono::seconds(parse_whole<std::uint32_t>(text).value_or(year.count())), year);
  const auto date = parse_utc(text, "%a, %d %b %Y %H:%M:%S GMT");
  if (!date) return std::nullopt;
  // Within a year first: as nanoseconds, dates after 2262 would overflow.
  const auto roughly_now = std::chrono::floor<std::chrono::seconds>(now);
  const auto wait = std::clamp(*date, roughly_now, roughly_now + year) - now;
  return std::max(std::chrono::ceil<std::chrono::milliseconds>(wait), 0ms);
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

/// Hands out connections: an idle one where there is one, one that is being opened already where nobody else
/// waits for it, a new one otherwise, never more than NetOptions::max_connections_per_origin. In a shared_ptr, since
/// openings in the background may outlast the client.
struct HttpClient::Pool : std::enable_shared_from_this<Pool> {
  Pool(asio::any_io_executor executor_, NetOptions options_)
      : executor(std::move(executor_)), options(std::move(options_)), connector(executor, options) {}

  /// A connection taken from the pool. Destroying it closes the connection; give_back() keeps it.
  class Lease {
   public:
    Lease(std::shared_ptr<Pool> pool, std::unique_ptr<Connection> connection);
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease() { discard(); }
    Connection* operator->() const { return connection_.get(); }
    void give_back();
    /// Closes the connection now.
    void discard();
    /// The other side has ended the connection, be it for what was sent ahead.
    void lost();

   private:
    std::shared_ptr<Pool> pool_;
    std::unique_ptr<Connection> connection_;
  };

  /// A connection for the request `text`: the one that it was sent ahead on, where there is one. `fresh`: a connection
  /// that has served nobody; the idle ones are closed, since what one was lost by may have met them all. Throws what
  /// Connector::open() throws; Error{cancelled} once closed.
  asio::awaitable<Lease> acquire(Origin origin, const std::string& text, bool fresh);
  void open_up_to(const Origin& origin, std::size_t count);
  void start_opening(const Origin& origin);
  asio::awaitable<void> open_in_background(Origin origin);
  void connected(const Origin& origin, std::chrono::microseconds took);
  void arrived(const Origin& origin, std::unique_ptr<Connection> connection);
  void failed(const Origin& origin, std::exception_ptr why);
  void gone(Connection& connection);
  void open_for_waiters(const Origin& origin);

  struct Waiter;
  struct Entry {
    std::vector<std::unique_ptr<Connection>> idle;
    std::deque<std::shared_ptr<Waiter>> waiters;
    std::size_t opening = 0;
    std::set<Connection*> leased;
    bool expand_on_connect = false;
    bool loses_requests = false;  // sent ahead
    std::optional<std::chrono::microseconds> round_trip;
    Handshakes handshakes;

    std::size_t total() const { return idle.size() + opening + leased.size(); }
    /// Whether more wait for a connection than are being opened.
    bool is_short() const { return waiters.size() > opening; }
  };

  asio::any_io_executor executor;
  NetOptions options;
  Connector connector;
  std::map<Origin, Entry> entries;
  bool closed = false;
};

/// A request that waits for a connection.
struct HttpClient::Pool::Waiter {
  Waiter(const asio::any_io_executor& executor, bool fresh_) : ready(executor), fresh(fresh_) {}

  Event ready;
  bool fresh;
  std::optional<Lease> lease;  // from the moment on that it is handed over, so that close() finds it
  std::exception_ptr failure;
};

HttpClient::Pool::Lease::Lease(std::shared_ptr<Pool> pool, std::unique_ptr<Connection> connection)
    : pool_(std::move(pool)), connection_(std::move(connection)) {
  pool_->entries[connection_->origin()].leased.insert(connection_.get());
}

void HttpClient::Pool::Lease::discard() {
  if (!connection_) return;
  pool_->gone(*connection_);
  connection_.reset();
}

void HttpClient::Pool::Lease::lost() {
  if (!connection_->sent_ahead.empty()) pool_->entries[connection_->origin()].loses_requests = true;
}

void HttpClient::Pool::Lease::give_back() {
  const Origin origin = connection_->origin();
  connection_->mark_idle();
  connection_->lift_limit();
  connection_->limit_acknowledgement(0ms);
  pool_->entries[origin].leased.erase(connection_.get());
  pool_->arrived(origin, std::move(connection_));
}

asio::awaitable<HttpClient::Pool::Lease> HttpClient::Pool::acquire(Origin origin, const std::string& text, bool fresh) {
  if (closed) throw Error(Errc::cancelled, "stopped");
  Entry& entry = entries[origin];
  if (fresh) entry.idle.clear();
  const auto asked = std::ranges::find_if(entry.idle, [&](const auto& each) { return each->sent_ahead == text; });
  if (asked != entry.idle.end()) {
    std::unique_ptr<Connection> connection = std::move(*asked);
    entry.idle.erase(asked);
    Lease idle(shared_from_this(), std::move(connection));
    co_return idle;
  }
  // Whoever sent one ahead takes it up at once: by now it was given up.
  std::erase_if(entry.idle, [](const auto& each) { return !each->sent_ahead.empty(); });
  while (!entry.idle.empty()) {
    // The one used last: its congestion window is the widest.
    std::unique_ptr<Connection> connection = std::move(entry.idle.back());
    entry.idle.pop_back();
    if (!connection->usable()) continue;
    if (std::chrono::steady_clock::now() - *connection->idle_since() >= options.trusted_idle) {
      // What it has been silent about, such as a NAT that has forgotten it, shows within some round trips.
      const auto round_trip = std::chrono::ceil<std::chrono::milliseconds>(entry.round_trip.value_or(0us));
      connection->limit_acknowledgement(std::max<std::chrono::milliseconds>(2s, 6 * round_trip));
    }
    Lease idle(shared_from_this(), std::move(connection));
    co_return idle;
  }
  const auto waiter = std::make_shared<Waiter>(executor, fresh);
  entry.waiters.push_back(waiter);
  open_for_waiters(origin);
  while (!waiter->lease && !waiter->failure) co_await waiter->ready.wait();
  if (waiter->failure) std::rethrow_exception(waiter->failure);
  if (closed) throw Error(Errc::cancelled, "stopped");
  co_return std::move(*waiter->lease);
}

void HttpClient::Pool::open_for_waiters(const Origin& origin) {
  Entry& entry = entries[origin];
  while (entry.opening < entry.waiters.size() && entry.total() < options.max_connections_per_origin)
    start_opening(origin);
}

void HttpClient::Pool::open_up_to(const Origin& origin, std::size_t count) {
  if (closed) return;
  const Entry& entry = entries[origin];
  const std::size_t target = std::min(count, options.max_connections_per_origin);
  while (entry.total() < target) start_opening(origin);
}

void HttpClient::Pool::start_opening(const Origin& origin) {
  ++entries[origin].opening;
  asio::co_spawn(
      executor, [self = shared_from_this(), origin] { return self->open_in_background(origin); }, asio::detached);
}

asio::awaitable<void> HttpClient::Pool::open_in_background(Origin origin) {
  std::unique_ptr<Connection> connection;
  std::exception_ptr failure;
  // Never to its end before start_opening() has returned: who counts openings would start them for ever.
  co_await asio::post(executor, asio::use_awaitable);
  try {
    if (closed) throw Error(Errc::cancelled, "stopped");  // who gave the options may be gone
    auto on_connected = [this, &origin](std::chrono::microseconds took) { connected(origin, took); };
    connection = co_await connector.open(origin, on_connected);
  } catch (...) {
    failure = std::current_exception();
  }
  --entries[origin].opening;
  if (closed) co_return;
  if (failure) {
    failed(origin, failure);
  } else {
    arrived(origin, std::move(connection));
  }
}

void HttpClient::Pool::connected(const Origin& origin, std::chrono::microseconds took) {
  Entry& entry = entries[origin];
  if (!entry.round_trip || took < *entry.round_trip) entry.round_trip = took;
  entry.handshakes = {entry.handshakes.count + 1, took};
  if (!entry.expand_on_connect || !options.connections_for_round_trip) return;
  entry.expand_on_connect = false;
  open_up_to(origin, options.connections_for_round_trip(took));
}

void HttpClient::Pool::arrived(const Origin& origin, std::unique_ptr<Connection> connection) {
  Entry& entry = entries[origin];
  const bool reused = connection->idle_since().has_value();
  if (!closed && !connection->sent_ahead.empty() && !entry.is_short()) {
    connection->mark_idle();
    entry.idle.push_back(std::move(connection));
    return;
  }
  // Bytes that follow a response would be taken for the next request's answer.
  if (closed || !connection->sent_ahead.empty() || (reused && !connection->usable())) {
    connection.reset();
    if (!closed) open_for_waiters(origin);
    return;
  }
  const auto takes_it = [&](const std::shared_ptr<Waiter>& each) { return !reused || !each->fresh; };
  const auto found = std::ranges::find_if(entry.waiters, takes_it);
  if (found != entry.waiters.end()) {
    const auto waiter = *found;
    entry.waiters.erase(found);
    waiter->lease.emplace(shared_from_this(), std::move(connection));
    waiter->ready.wake_all();
  } else if (entry.is_short()) {
    // Its place is needed by one who wants a fresh one.
    connection.reset();
    open_for_waiters(origin);
  } else {
    connection->mark_idle();
    entry.idle.push_back(std::move(connection));
  }
}

void HttpClient::Pool::failed(const Origin& origin, std::exception_ptr why) {
  Entry& entry = entries[origin];
  // Those for whom another opening is under way go on waiting.
  if (!entry.is_short()) return open_for_waiters(origin);
  const auto waiter = entry.waiters.back();
  entry.waiters.pop_back();
  waiter->failure = why;
  waiter->ready.wake_all();
  open_for_waiters(origin);  // those beyond the limit had nobody opening for them
}

void HttpClient::Pool::gone(Connection& connection) {
  entries[connection.origin()].leased.erase(&connection);
  if (!closed) open_for_waiters(connection.origin());
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
  text += "Accept-Encoding: identity\r\n";
  for (const auto& [name, value] : request.headers) {
    if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
      throw Error(Errc::usage, "the value for the header " + name + " holds a line break");
    text += name + ": " + value + "\r\n";
  }
  if (!request.body.empty() || request.method == "POST")
    text += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  return text + "\r\n" + request.body;
}

/// For what was sent ahead to begin to be answered, at least; after that it is taken for lost.
constexpr std::chrono::milliseconds patience_ahead = 3s;

/// Whether what came where an answer to `request` was to come is one: a part of a document, if so, the one asked for.
bool may_answer(const HttpHead& head, const HttpRequest& request) {
  if (head.status != 200 && head.status != 206) return true;
  const auto range = std::ranges::find(request.headers, "Range", &std::pair<std::string, std::string>::first);
  if (range == request.headers.end()) return head.status == 200;
  return head.header("Content-Range").starts_with("bytes " + range->second.substr(range->second.find('=') + 1) + "/");
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

/// Undoes the `coding` that a server, or a proxy on the way, gave a body although none was asked for.
std::string without_content_coding(std::string body, const std::string& coding, std::size_t limit, const Url& url) {
  if (coding.empty() || body.empty()) return body;
  const bool has_magic = compression_of(std::string_view(body).substr(0, longest_magic)) != Compression::none;
  const bool is_known = has_magic || coding == "gzip" || coding == "x-gzip" || coding == "zstd";
  // Some servers name what they did not do, or what was done to an upload ("aws-chunked"), or a charset.
  if (!is_known && trim(body).starts_with('{')) return body;
  const std::string what = "the answer of " + url.origin.to_string() + ", compressed though that was not asked for (" +
                           coding_words(coding) + "), ";
  if (!is_known) throw Error(Errc::malformed, what + "can't be read: " + url.to_display(), std::string(coding_hint));
  std::string text;
  const auto take = [&](std::span<const std::byte> bytes) {
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  try {
    Decompressor decompressor(take, {.max_output = limit});
    decompressor.feed(std::as_bytes(std::span(body)));
    decompressor.finish();
  } catch (const Error& error) {
    throw Error(error.code(), what + "can't be read: " + url.to_display() + ": " + error.what());
  }
  return text;
}

}  // namespace

struct HttpResponse::Impl {
  Impl(HttpClient::Pool::Lease lease_, Url url_, const NetOptions& options_)
      : lease(std::move(lease_)), url(std::move(url_)), options(options_) {}

  /// From here on something small comes, a head or a body for read_all(): it must not take for ever.
  void expect_small() {
    small_since = std::chrono::steady_clock::now();
    small_bytes = 0;
  }

  asio::awaitable<std::size_t> receive(std::span<std::byte> buffer) {
    if (small_since) {
      const auto time = begins_within && small_bytes == 0 ? *begins_within : time_for(small_bytes, options);
      lease->limit_to(*small_since + time, Error(Errc::stalled,
                                                 url.origin.to_string() + " sends too slowly: " +
                                                     format_bytes(small_bytes) + " in " + format_duration(time),
                                                 "a slow link may need a longer --stall-timeout"));
    }
    std::size_t n = 0;
    try {
      n = co_await lease->read_some(buffer);
    } catch (const Error& error) {
      if (error.code() == Errc::connection_lost) lease.lost();
      throw;
    }
    if (n == 0) lease.lost();
    small_bytes += n;
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
    expect_small();
    while (!decoder.head_done()) {
      const auto bytes = std::as_writable_bytes(std::span(chunk));
      const std::size_t n = co_await receive(bytes);
      if (n == 0)
        throw Error(Errc::connection_lost, url.origin.to_string() + " closed the connection without an answer");
      answered = true;
      trace.answer();
      input.append(chunk.data(), n);
      decode([&] { decoder.feed_head(input); });
    }
    small_since.reset();
    lease->lift_limit();
    head = decoder.head();
    trace.head(head);
    remaining = is_bodiless ? 0 : decoder.content_length();
    finish_if_done();
  }

  /// nginx takes a handshake without the client certificate that it wants, and refuses each request with a page of its
  /// own and the end of the connection. A 400 of what is behind it leaves the connection open.
  void refuse_without_client_certificate() const {
    if (head.status != 400 || decoder.keep_alive() || finished) return;
    if (!ascii_lower(head.header("Content-Type")).starts_with("text/html")) return;
    if (const auto error = lease->client_certificate_error("HTTP 400")) throw *error;
  }

  void finish_if_done() {
    const bool done = remaining ? *remaining == 0 : decoder.body_done();
    if (!done || finished) return;
    finished = true;
    trace.end("");
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

  HttpClient::Pool::Lease lease;
  Url url;
  const NetOptions& options;  // the pool's, which the lease keeps
  std::optional<std::chrono::steady_clock::time_point> small_since;
  std::uint64_t small_bytes = 0;
  std::optional<std::chrono::milliseconds> begins_within;
  ResponseDecoder decoder;
  HttpHead head;
  std::string input;                       // received, not yet handed out
  std::optional<std::uint64_t> remaining;  // of a body of known length
  bool is_bodiless = false;                // the answer to HEAD, whatever length its head tells
  bool finished = false;
  ExchangeTrace trace;
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
  try {
    if (impl.remaining) {
      n = co_await impl.read_counted(buffer);
    } else {
      n = co_await impl.read_decoded(buffer);
    }
  } catch (const Error& error) {
    impl.trace.end(error.what());
    throw;
  }
  impl.trace.receive(n);
  if (n == 0) impl.trace.end("");
  co_return n;
}

asio::awaitable<std::string> HttpResponse::read_all(std::size_t limit) {
  std::string text;
  std::string chunk(16 * 1024, '\0');
  impl_->expect_small();
  for (;;) {
    const auto bytes = std::as_writable_bytes(std::span(chunk));
    const std::size_t n = co_await read_some(bytes);
    if (n == 0) break;
    if (text.size() + n > limit)
      throw Error(Errc::too_large, "the answer of " + url().origin.to_string() + " is longer than " +
                                       format_bytes(limit) + ": " + url().to_display());
    text.append(chunk.data(), n);
  }
  co_return without_content_coding(std::move(text), content_coding(head()), limit, url());
}

std::string coding_words(const std::string& coding) {
  return printable("Content-Encoding: " + coding, 80);
}

std::string content_coding(const HttpHead& head) {
  const std::string coding = ascii_lower(trim(head.header("Content-Encoding")));
  return coding == "identity" ? std::string() : coding;
}

void HttpResponse::cancel() {
  if (!impl_->finished) impl_->lease->close();
}

HttpClient::HttpClient(asio::any_io_executor executor, NetOptions options)
    : pool_(std::make_shared<Pool>(std::move(executor), std::move(options))) {}

HttpClient::~HttpClient() {
  close();
}

asio::any_io_executor HttpClient::executor() const {
  return pool_->executor;
}

asio::awaitable<HttpResponse> HttpClient::send(HttpRequest request) {
  const std::shared_ptr<Pool> pool = pool_;  // which outlives this client
  const NetOptions& options = pool->options;
  const std::optional<Proxy> proxy = pool->connector.absolute_form_proxy(request.url.origin);
  const std::string text = serialise(request, options, proxy);
  const auto begin = std::chrono::steady_clock::now();
  for (bool fresh = false;; fresh = true) {
    const auto wanted = std::chrono::steady_clock::now();
    bool reused = false;  // it may have been closed by the server meanwhile
    bool is_sent = false, answered = false;
    std::unique_ptr<HttpResponse::Impl> response;
    try {
      HttpClient::Pool::Lease lease = co_await pool->acquire(request.url.origin, text, fresh);
      reused = lease->idle_since().has_value();
      is_sent = !std::exchange(lease->sent_ahead, {}).empty();
      response = std::make_unique<HttpResponse::Impl>(std::move(lease), request.url, options);
      response->is_bodiless = request.method == "HEAD";
      if (is_sent) {
        response->trace = std::move(response->lease->ahead);
        const auto round_trip = pool->entries[request.url.origin].round_trip.value_or(0us);
        response->begins_within = std::chrono::ceil<std::chrono::milliseconds>(
            std::max<std::chrono::microseconds>(patience_ahead, 6 * round_trip));
      } else {
        response->trace = ExchangeTrace(options.traffic, request, wanted);
        response->trace.ask(response->lease->trace, text, false);
        co_await response->lease->write(text);
        response->trace.sent();
      }
      co_await response->read_head(answered);
      if (is_sent && !may_answer(response->head, request))
        throw Error(Errc::protocol, request.url.origin.to_string() + " mixes up the requests of a connection");
      if (options.trace) options.trace(describe(request, response->head.status, begin));
      if (proxy) refuse_proxys_own(*proxy, response->head, request.url);
      response->refuse_without_client_certificate();
      co_return HttpResponse(std::move(response));
    } catch (const Error& error) {
      if (response)
        response->trace.end(error.what());
      else
        ExchangeTrace(options.traffic, request, wanted).end(error.what());
      // A pooled connection that the server closed while it was idle: the request was not processed
      // (RFC 9112, section 9.3.1). Anything else is the caller's to judge.
      const bool was_idle = reused && !fresh && !answered && error.code() == Errc::connection_lost;
      // What goes wrong with a request that was sent ahead may be due to that alone.
      const bool is_mixed_up = is_sent && (error.code() == Errc::connection_lost || error.code() == Errc::stalled ||
                                           error.code() == Errc::protocol);
      if (!was_idle && !is_mixed_up) throw;
    }
    if (is_sent) pool->entries[request.url.origin].loses_requests = true;
  }
}

asio::awaitable<void> HttpClient::send_ahead(HttpRequest request, ResponseBody& current) {
  const std::shared_ptr<Pool> pool = pool_;
  auto* const response = dynamic_cast<HttpResponse*>(&current);
  if (!response || response->url().origin != request.url.origin) co_return;
  HttpResponse::Impl& impl = *response->impl_;
  const bool can_follow = !impl.finished && impl.remaining && impl.decoder.keep_alive() && impl.input.empty();
  const HttpClient::Pool::Entry& entry = pool->entries[request.url.origin];
  // The connection may be needed by others.
  if (!can_follow || entry.is_short() || entry.loses_requests || !impl.lease->sent_ahead.empty()) co_return;
  if (pool->connector.absolute_form_proxy(request.url.origin)) co_return;
  impl.lease->sent_ahead = serialise(request, pool->options, std::nullopt);
  impl.lease->ahead = ExchangeTrace(pool->options.traffic, request, std::chrono::steady_clock::now());
  impl.lease->ahead.ask(impl.lease->trace, impl.lease->sent_ahead, true);
  impl.lease->ahead.sent();
  co_await impl.lease->write(impl.lease->sent_ahead);
}

void HttpClient::allow_link_local(const std::string& host) {
  pool_->connector.allow_link_local(host);
}

void HttpClient::warm_up(const Origin& origin, std::size_t count) {
  pool_->open_up_to(origin, count);
}

void HttpClient::warm_up(const Origin& origin) {
  pool_->entries[origin].expand_on_connect = true;
  pool_->open_up_to(origin, 1);
}

std::optional<std::chrono::microseconds> HttpClient::round_trip(const Origin& origin) const {
  return pool_->entries[origin].round_trip;
}

Handshakes HttpClient::handshakes(const Origin& origin) const {
  return pool_->entries[origin].handshakes;
}

std::size_t HttpClient::idle_connections(const Origin& origin) const {
  return pool_->entries[origin].idle.size();
}

void HttpClient::close() {
  if (std::exchange(pool_->closed, true)) return;
  pool_->connector.close();
  const auto stopped = std::make_exception_ptr(Error(Errc::cancelled, "stopped"));
  for (auto& [origin, entry] : pool_->entries) {
    for (Connection* connection : entry.leased) connection->close();
    entry.idle.clear();
    for (const auto& waiter : entry.waiters) {
      waiter->failure = stopped;
      waiter->ready.wake_all();
    }
    entry.waiters.clear();
  }
}

}  // namespace hawser
