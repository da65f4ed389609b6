#include "registry/blob_source.hpp"

#include "net/connector.hpp"
#include "registry/redirect.hpp"
#include "registry/token.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

namespace hawser {
namespace {

/// A body longer than this costs more to read than a new connection.
constexpr std::size_t max_discarded = 64 * 1024;

/// A foreign layer's URLs that are tried at most.
constexpr std::size_t max_foreign_urls = 8;

class HttpBody final : public BlobBody {
 public:
  explicit HttpBody(HttpResponse response) : response_(std::move(response)) {}

  std::optional<std::uint64_t> length() const override { return response_.content_length(); }
  asio::awaitable<std::size_t> read_some(std::span<std::byte> buffer) override { return response_.read_some(buffer); }
  asio::awaitable<std::string> read_all(std::size_t limit) override { return response_.read_all(limit); }
  void cancel() override { response_.cancel(); }

 private:
  HttpResponse response_;
};

BlobStream stream_of(HttpResponse response, std::uint64_t begin, bool partial) {
  Origin from = response.url().origin;
  return {std::make_unique<HttpBody>(std::move(response)), std::move(from), begin, partial};
}

/// What the manifest gives as a URL; one that is none stays so however often it is tried.
Url parse_layer_url(const std::string& url) {
  try {
    return Url::parse(url);
  } catch (const Error& error) {
    throw Error(Errc::malformed,
                std::string("a foreign layer is said to be at no URL that can be asked: ") + error.what(),
                error.hint());
  }
}

class ForeignUrl final : public BlobSource {
 public:
  ForeignUrl(HttpClient& http, std::string url) : http_(http), url_(std::move(url)) {}

  std::string name() const override { return displayed_url(url_, 200); }
  BlobLocation location(const Digest&) const override {
    if (redirected_) return {*redirected_};
    try {
      return {Url::parse(url_)};
    } catch (const Error&) {
      return {Url{Origin{true, url_, 0}, "/"}};  // open() says what is wrong with it
    }
  }
  asio::awaitable<BlobStream> open(Digest, std::optional<Interval> range) override {
    Url start = parse_layer_url(url_);
    if (is_metadata_host(start.origin.host))
      throw Error(Errc::redirect_refused,
                  "a foreign layer is said to be at a link-local or cloud metadata address: " + start.to_display());
    RedirectChain chain(std::move(start));
    for (;;) {
      HttpRequest request("GET", chain.current());
      request.headers = range_headers(range);
      HttpResponse response = co_await http_.send(std::move(request));
      if (!is_redirect(response.status())) {
        redirected_ = chain.current();
        std::string what = "foreign layer at " + chain.current().to_display();
        Scrub nothing_to_hide;
        BlobStream stream =
            co_await accept_blob_response(std::move(response), range, std::move(what), std::move(nothing_to_hide));
        co_return stream;
      }
      chain.follow(response.head().header("Location"));
      co_await discard_body(response);
    }
  }

 private:
  HttpClient& http_;
  std::string url_;
  std::optional<Url> redirected_;  // where the last answer came from; each request starts at url_ all the same
};

using SystemTime = std::chrono::system_clock::time_point;

/// "20260131T123456Z" (ISO 8601, basic format).
std::optional<SystemTime> parse_basic_date(std::string_view text) {
  if (text.size() != 16 || text[8] != 'T' || text[15] != 'Z') return std::nullopt;
  std::string extended(text);
  for (const auto& [at, separator] : {std::pair(13, ':'), std::pair(11, ':'), std::pair(6, '-'), std::pair(4, '-')})
    extended.insert(static_cast<std::size_t>(at), 1, separator);
  return parse_rfc3339(extended);
}

}  // namespace

asio::awaitable<void> discard_body(HttpResponse& response) {
  const auto length = response.content_length();
  if (!length || *length > max_discarded) co_return;
  try {
    co_await response.read_all(max_discarded);
  } catch (const Error&) {
    // The connection is closed then.
  }
}

asio::awaitable<std::string> read_error_body(HttpResponse& response) {
  std::string body;
  try {
    body = co_await response.read_all(max_error_body);
  } catch (const Error&) {
    body.clear();  // the status says enough
  }
  co_return body;
}

std::vector<std::shared_ptr<BlobSource>> foreign_sources(HttpClient& http, const std::vector<std::string>& urls) {
  std::vector<std::shared_ptr<BlobSource>> sources;
  for (const std::string& url : urls)
    if (sources.size() < max_foreign_urls) sources.push_back(std::make_shared<ForeignUrl>(http, url));
  return sources;
}

std::optional<SystemTime> signature_end(const Url& url) {
  const auto parsed = boost::urls::parse_origin_form(url.target);
  if (!parsed) return std::nullopt;
  const auto value = [&](std::string_view name) -> std::string {
    const auto found = parsed->params().find(name, boost::urls::ignore_case);
    return found == parsed->params().end() ? std::string() : std::string((*found).value);
  };
  const auto seconds = [&](std::string_view name) -> std::optional<std::chrono::seconds> {
    const auto number = parse_whole<std::uint32_t>(value(name));
    return number ? std::optional(std::chrono::seconds(*number)) : std::nullopt;
  };
  for (const std::string vendor : {"X-Amz-", "X-Goog-"}) {
    const auto signed_at = parse_basic_date(value(vendor + "Date"));
    const auto lifetime = seconds(vendor + "Expires");
    if (signed_at && lifetime) return *signed_at + *lifetime;
  }
  if (const auto expires = seconds("Expires")) return SystemTime(*expires);
  if (const auto azure = parse_rfc3339(value("se"))) return *azure;
  return std::nullopt;
}

std::optional<ContentRange> parse_content_range(std::string_view value) {
  value = trim(value);
  const std::size_t space = value.find(' ');
  if (space == std::string_view::npos || !equals_ignoring_case(value.substr(0, space), "bytes")) return std::nullopt;
  const std::string_view rest = trim(value.substr(space));
  const std::size_t dash = rest.find('-'), slash = rest.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || slash < dash) return std::nullopt;
  const auto number = parse_whole<std::uint64_t>;
  const auto first = number(rest.substr(0, dash)), last = number(rest.substr(dash + 1, slash - dash - 1));
  if (!first || !last || *first > *last) return std::nullopt;
  ContentRange range{*first, *last, std::nullopt};
  if (rest.substr(slash + 1) == "*") return range;
  range.complete = number(rest.substr(slash + 1));
  if (!range.complete || *range.complete <= *last) return std::nullopt;
  return range;
}

std::string range_header(Interval range) {
  return "bytes=" + std::to_string(range.begin) + "-" + std::to_string(range.end - 1);
}

Headers range_headers(const std::optional<Interval>& range) {
  Headers headers;
  if (range) headers.emplace_back("Range", range_header(*range));
  return headers;
}

std::string find_range_fault(const HttpHead& head, Interval range) {
  const std::string_view value = head.header("Content-Range");
  if (value.empty()) return "206 without Content-Range";
  const auto actual = parse_content_range(value);
  if (!actual) return "unusable Content-Range \"" + printable(value, 80) + "\"";
  if (actual->first != range.begin || actual->last != range.end - 1)
    return range_header(range) + " answered with \"" + printable(value, 80) + "\"";
  const std::string_view length = head.header("Content-Length");
  if (!length.empty() && parse_whole<std::uint64_t>(length) != range.size())
    return range_header(range) + " answered with " + printable(length, 40) + " bytes";
  return {};
}

asio::awaitable<BlobStream> accept_blob_response(HttpResponse response, std::optional<Interval> range, std::string what,
                                                 Scrub scrub) {
  const int status = response.status();
  if (status == 200) {
    // Retriable: the portal may be passed meanwhile, and what has arrived stays.
    if (looks_like_html({}, response.head().header("Content-Type")))
      throw Error(Errc::protocol, what + ": a web page came in its place", std::string(web_page_hint()));
    BlobStream stream = stream_of(std::move(response), 0, false);
    co_return stream;
  }
  if (status == 206 && range) {
    const std::string fault = find_range_fault(response.head(), *range);
    if (!fault.empty()) throw Error(Errc::range_not_honoured, what + ": " + fault);
    BlobStream stream = stream_of(std::move(response), range->begin, true);
    co_return stream;
  }
  const HttpHead head = response.head();
  const std::string body = co_await read_error_body(response);
  if (range && (status == 400 || status == 416)) {
    const std::string words = parse_registry_errors(body, head.header("Content-Type"), scrub).words;
    throw Error(Errc::range_not_honoured, what + ": the request for a part of it was refused (HTTP " +
                                              std::to_string(status) + (words.empty() ? ")" : ", " + words + ")"));
  }
  throw_status_error(head, body, what, scrub);
}

}  // namespace hawser
