#include "registry/blob_source.hpp"

#include "net/connector.hpp"
#include "registry/redirect.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <ctime>

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

namespace hawser {
namespace {

/// A foreign layer's URLs that are tried at most.
constexpr std::size_t max_foreign_urls = 8;

class ForeignUrl final : public BlobSource {
 public:
  ForeignUrl(HttpClient& http, std::string url) : http_(http), url_(std::move(url)) {}

  std::string name() const override { return displayed_url(url_, 200); }
  BlobLocation location(const Digest&) const override {
    if (redirected_) return {*redirected_};
    try {
      return {Url::parse(url_)};
    } catch (const Error&) {
      return {Url{{true, url_, 0}, {}}};  // open() says what is wrong with it
    }
  }
  asio::awaitable<BlobStream> open(Digest, std::optional<Interval> range) override {
    Url start;
    try {
      start = Url::parse(url_);
    } catch (const Error& error) {
      // Not to be tried again: what the manifest gives stays no URL.
      throw Error(Errc::malformed,
                  std::string("a foreign layer is said to be at no URL that can be asked: ") + error.what(),
                  error.hint());
    }
    if (is_metadata_host(start.origin.host))
      throw Error(Errc::redirect_refused,
                  "a foreign layer is said to be at a link-local or cloud metadata address: " + start.to_display());
    HttpRequest request("GET", start);
    request.headers = range_headers(range);
    request.purpose = Purpose::layer;
    RedirectChain chain(std::move(start));
    HttpResponse response = co_await send_along(http_, chain, std::move(request));
    redirected_ = chain.current();
    std::string what = "foreign layer at " + chain.current().to_display();
    Scrub nothing_to_hide;
    BlobStream stream =
        co_await accept_blob_response(std::move(response), range, std::move(what), std::move(nothing_to_hide));
    co_return stream;
  }

 private:
  HttpClient& http_;
  std::string url_;
  std::optional<Url> redirected_;  // where the last answer came from; each request starts at url_ all the same
};

}  // namespace

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

std::optional<std::chrono::system_clock::time_point> signature_end(const Url& url) {
  const auto parsed = boost::urls::parse_origin_form(url.target);
  if (!parsed) return std::nullopt;
  const auto value = [&](std::string_view name) -> std::string {
    const auto found = parsed->params().find(name, boost::urls::ignore_case);
    return found == parsed->params().end() ? std::string() : std::string((*found).value);
  };
  const auto seconds = [&](std::string_view name) { return parse_whole<std::uint32_t>(value(name)); };
  for (const std::string vendor : {"X-Amz-", "X-Goog-"}) {
    const auto signed_at = parse_utc(value(vendor + "Date"), "%Y%m%dT%H%M%SZ");
    const auto lifetime = seconds(vendor + "Expires");
    if (signed_at && lifetime) return *signed_at + std::chrono::seconds(*lifetime);
  }
  if (const auto expires = seconds("Expires")) return std::chrono::system_clock::from_time_t(*expires);
  return parse_utc(value("se"), "%Y-%m-%dT%H:%M:%SZ");
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
  // "bytes first-last/complete", where "complete" may be "*".
  const std::string wanted = "bytes " + range_header(range).substr(6) + "/";
  const std::string_view complete = value.substr(std::min(wanted.size(), value.size()));
  const bool is_beyond = complete == "*" || parse_whole<std::uint64_t>(complete) >= range.end;
  if (!equals_ignoring_case(value.substr(0, wanted.size()), wanted) || !is_beyond)
    return range_header(range) + " answered with \"" + printable(value, 80) + "\"";
  const std::string_view length = head.header("Content-Length");
  if (!length.empty() && parse_whole<std::uint64_t>(length) != range.size())
    return range_header(range) + " answered with " + printable(length, 40) + " bytes";
  return {};
}

asio::awaitable<BlobStream> accept_blob_response(HttpResponse response, std::optional<Interval> range, std::string what,
                                                 Scrub scrub) {
  const int status = response.status();
  Origin from = response.url().origin;
  if (status == 200 || (status == 206 && range)) {
    const bool partial = status == 206;
    const std::string fault = partial ? find_range_fault(response.head(), *range) : std::string();
    if (!fault.empty()) throw Error(Errc::range_not_honoured, what + ": " + fault);
    std::string type(response.head().header("Content-Type")), coding = content_coding(response.head());
    const std::uint64_t begin = partial ? range->begin : 0;
    BlobStream stream(std::make_unique<HttpResponse>(std::move(response)), std::move(from), begin, partial);
    stream.content_type = std::move(type);
    stream.coding = std::move(coding);
    co_return stream;
  }
  const HttpHead head = response.head();
  const std::string body = co_await read_error_body(response);
  throw_status_error(head, body, what, scrub, range.has_value());
}

}  // namespace hawser
