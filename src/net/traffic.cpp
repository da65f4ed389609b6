#include "net/traffic.hpp"

#include "util/platform/tcp_figures.hpp"
#include "util/text.hpp"

#include <algorithm>
#include <array>

namespace hawser {

using std::chrono::steady_clock;

namespace {

constexpr std::size_t max_headers = 64;  // of a message
constexpr std::size_t max_header_value = 500;
constexpr std::size_t max_header_text = 16 * 1024 * 1024;  // of a record
constexpr std::size_t max_error = 500;
constexpr std::size_t max_secrets = 100;
constexpr std::string_view hidden = "***";

/// Headers whose values are no secrets. All others may be, such as those that a configuration adds, or a server's that
/// repeats what it was sent.
constexpr auto open_headers = std::to_array<std::string_view>({
    "accept",
    "accept-encoding",
    "accept-ranges",
    "age",
    "cache-control",
    "cf-cache-status",
    "cf-ray",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "docker-content-digest",
    "docker-distribution-api-version",
    "docker-ratelimit-source",
    "etag",
    "expires",
    "host",
    "keep-alive",
    "last-modified",
    "proxy-status",
    "range",
    "ratelimit-limit",
    "ratelimit-remaining",
    "retry-after",
    "server",
    "server-timing",
    "strict-transport-security",
    "transfer-encoding",
    "user-agent",
    "vary",
    "via",
    "x-amz-cf-pop",
    "x-cache",
    "x-cache-hits",
    "x-served-by",
    "x-timer",
});
static_assert(std::ranges::is_sorted(open_headers));

/// Of the challenges in a WWW-Authenticate, the words in front of a quoted value and the short ones that schemes are,
/// and of quoted values what a URL may show: a realm's query may hold a secret, as what is not quoted may.
std::string open_part_of_challenges(std::string_view value) {
  const auto is_scheme = [](std::string_view word) {
    return word.size() <= 9 && std::ranges::all_of(word, [](char c) { return is_ascii_alnum(c); });
  };
  std::string result;
  for (bool quoted = false;; quoted = !quoted) {
    const std::size_t end = std::min(value.find('"'), value.size());
    std::string_view part = value.substr(0, end);
    if (quoted) result += "\"" + displayed_url(part, max_header_value) + "\"";
    while (!quoted && !part.empty()) {
      const std::size_t word_end = std::min(part.find_first_of(" ,"), part.size());
      const std::string_view word = part.substr(0, word_end);
      const bool names_quoted = word_end == part.size() && end < value.size() && word.find('=') == word.size() - 1;
      if (!word.empty()) result += names_quoted || is_scheme(word) ? word : hidden;
      if (word_end < part.size()) result += part[word_end];
      part.remove_prefix(std::min(word_end + 1, part.size()));
    }
    if (end == value.size()) return result;
    value.remove_prefix(end + 1);
  }
}

std::string open_part_of(const std::string& name, std::string_view value) {
  if (name == "location" || name == "content-location" || name == "link") return displayed_url(value, max_header_value);
  if (name == "www-authenticate" || name == "proxy-authenticate")
    return printable(open_part_of_challenges(value.substr(0, max_header_value)), max_header_value);
  if (std::ranges::binary_search(open_headers, name)) return printable(value, max_header_value);
  return std::string(hidden);
}

/// The range that "bytes=0-9" asks for.
std::optional<std::pair<std::uint64_t, std::uint64_t>> range_of(const Headers& headers) {
  const auto range = std::ranges::find(headers, "Range", &Headers::value_type::first);
  if (range == headers.end() || !range->second.starts_with("bytes=")) return std::nullopt;
  const std::string_view bounds = std::string_view(range->second).substr(6);
  const std::size_t dash = std::min(bounds.find('-'), bounds.size());
  const auto first = parse_whole<std::uint64_t>(bounds.substr(0, dash));
  const auto last = parse_whole<std::uint64_t>(bounds.substr(std::min(dash + 1, bounds.size())));
  if (!first || !last) return std::nullopt;
  return std::pair(*first, *last + 1);
}

}  // namespace

std::string_view purpose_name(Purpose purpose) {
  switch (purpose) {
    case Purpose::greeting:
      return "greeting";
    case Purpose::token:
      return "token";
    case Purpose::manifest:
      return "manifest";
    case Purpose::config:
      return "config";
    case Purpose::layer:
      return "layer";
    case Purpose::tags:
      return "tags";
    case Purpose::other:
      break;
  }
  return {};
}

void TrafficRecord::close() {
  const TrafficTime now = steady_clock::now();
  for (ConnectionRecord& connection : connections_)
    if (!connection.ended) connection.ended = now;
  for (ExchangeRecord& exchange : exchanges_) {
    if (exchange.ended) continue;
    exchange.ended = now;
    exchange.error = "the call ended";
  }
}

ConnectionRecord* TrafficRecord::add_connection(TrafficTime began) {
  if (connections_.size() >= max_connections) return nullptr;
  ConnectionRecord& added = connections_.emplace_back();
  added.id = connections_.size();
  added.began = began;
  return &added;
}

ExchangeRecord* TrafficRecord::add_exchange(TrafficTime began) {
  if (exchanges_.size() >= max_exchanges) {
    ++left_out_;
    return nullptr;
  }
  ExchangeRecord& added = exchanges_.emplace_back();
  added.began = began;
  return &added;
}

void TrafficRecord::blob_arrived(TrafficTime when, std::uint64_t bytes) {
  arrived_ += bytes;
  const double now = seconds(when);
  if (!arrivals_.empty() && now - arrivals_.back().first < arrivals_step_) {
    arrivals_.back().second = arrived_;
    return;
  }
  if (arrivals_.size() == max_arrivals) {
    for (std::size_t i = 0; i < max_arrivals / 2; ++i) arrivals_[i] = arrivals_[2 * i + 1];
    arrivals_.resize(max_arrivals / 2);
    arrivals_step_ *= 2;
  }
  arrivals_.emplace_back(now, arrived_);
}

void TrafficRecord::hide(std::string_view secret) {
  if (secrets_.size() < max_secrets && std::ranges::find(secrets_, secret) == secrets_.end())
    secrets_.emplace_back(secret);
}

std::string TrafficRecord::without_secrets(std::string_view text) const {
  std::string shown(text);
  for (const std::string& secret : secrets_) redact(shown, secret);
  return shown;
}

bool TrafficRecord::keep_header(std::vector<std::pair<std::string, std::string>>& headers, std::string_view name,
                                std::string_view value) {
  if (headers.size() >= max_headers || header_text_ >= max_header_text) return false;
  headers.emplace_back(printable(name, 100), open_part_of(ascii_lower(name), value));
  header_text_ += headers.back().first.size() + headers.back().second.size();
  return headers.back().second != hidden;
}

ConnectionTrace begin_connection(const std::shared_ptr<TrafficRecord>& record, const Origin& origin,
                                 std::string proxy) {
  ConnectionRecord* const entry = record ? record->add_connection(steady_clock::now()) : nullptr;
  if (!entry) return nullptr;
  entry->origin = printable(origin.to_string());
  entry->proxy = std::move(proxy);
  return {record, entry};
}

void note_connected(const ConnectionTrace& trace, const asio::ip::tcp::socket& socket) {
  if (!trace) return;
  trace->connected = steady_clock::now();
  boost::system::error_code ignored;
  const auto endpoint = socket.remote_endpoint(ignored);
  const std::string address = endpoint.address().to_string();
  if (!ignored)
    trace->address =
        (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" + std::to_string(endpoint.port());
}

void note_end(const ConnectionTrace& trace, asio::ip::tcp::socket& socket) {
  if (!trace) return;
  if (!trace->ended) trace->ended = steady_clock::now();
  const std::optional<TcpFigures> figures = tcp_figures(socket.native_handle());
  if (!figures) return;
  trace->segments = figures->segments;
  trace->out_of_order = figures->out_of_order;
  trace->round_trip = figures->round_trip;
}

void note_failure(const ConnectionTrace& trace, std::string_view error) {
  if (!trace) return;
  if (!trace->ended) trace->ended = steady_clock::now();
  trace->error = printable(error, max_error);
}

ExchangeTrace::ExchangeTrace(const std::shared_ptr<TrafficRecord>& record, const HttpRequest& request,
                             TrafficTime began) {
  if (!record) return;
  record_ = record;
  entry_ = record->add_exchange(began);
  if (!entry_) return;
  entry_->method = request.method;
  entry_->url = record->without_secrets(request.url.to_display());
  entry_->purpose = request.purpose;
  entry_->range = range_of(request.headers);
}

ExchangeTrace::ExchangeTrace(ExchangeTrace&& other) noexcept
    : record_(std::move(other.record_)), entry_(std::exchange(other.entry_, nullptr)) {}

ExchangeTrace& ExchangeTrace::operator=(ExchangeTrace&& other) noexcept {
  if (this == &other) return *this;
  give_up();
  record_ = std::move(other.record_);
  entry_ = std::exchange(other.entry_, nullptr);
  return *this;
}

void ExchangeTrace::ask(const ConnectionTrace& connection, std::string_view text, bool ahead) {
  if (!entry_) return;
  entry_->asked = steady_clock::now();
  entry_->connection = connection ? connection->id : 0;
  entry_->ahead = ahead;
  const std::size_t head = std::min(text.find("\r\n\r\n"), text.size() - 4) + 4;
  entry_->request_head_size = head;
  entry_->request_body_size = text.size() - head;
  if (!record_->keeps_headers()) return;
  std::string_view lines = text.substr(0, head);
  take_line(lines);
  for (std::string_view line = take_line(lines); !line.empty(); line = take_line(lines)) {
    const std::size_t colon = line.find(':');
    const std::string_view value = trim(line.substr(colon + 1));
    if (!record_->keep_header(entry_->request_headers, line.substr(0, colon), value))
      record_->hide(value.substr(value.rfind(' ') + 1));  // of "Bearer …"
  }
}

void ExchangeTrace::sent() {
  if (entry_) entry_->sent = steady_clock::now();
}

void ExchangeTrace::answer() {
  if (entry_ && !entry_->first_byte) entry_->first_byte = steady_clock::now();
}

void ExchangeTrace::head(const HttpHead& head) {
  if (!entry_) return;
  entry_->status = head.status;
  if (!record_->keeps_headers()) return;
  for (const auto& [name, value] : head.headers)
    record_->keep_header(entry_->response_headers, name, record_->without_secrets(value));
}

void ExchangeTrace::receive(std::size_t bytes) {
  if (!entry_ || bytes == 0) return;
  entry_->received += bytes;
  const bool is_blob = entry_->purpose == Purpose::layer || entry_->purpose == Purpose::config;
  if (is_blob && (entry_->status == 200 || entry_->status == 206)) record_->blob_arrived(steady_clock::now(), bytes);
}

void ExchangeTrace::end(std::string_view error) {
  if (!entry_ || entry_->ended) return;
  entry_->ended = steady_clock::now();
  entry_->error = printable(error, max_error);
}

void ExchangeTrace::give_up() noexcept {
  if (!entry_ || entry_->ended) return;
  entry_->ended = steady_clock::now();
  try {
    entry_->error = "the answer was given up";
  } catch (...) {
    // Out of memory: it is told as one that has ended.
  }
}

}  // namespace hawser
