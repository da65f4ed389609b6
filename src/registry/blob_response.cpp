#include "registry/blob_response.hpp"

#include "registry/content_range.hpp"
#include "registry/redirect.hpp"
#include "registry/web_page.hpp"

#include <hawser/util/error.hpp>

namespace hawser {
namespace {

/// A body longer than this costs more to read than a new connection.
constexpr std::size_t max_discarded = 64 * 1024;

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

asio::awaitable<BlobStream> accept_blob_response(HttpResponse response, std::optional<Interval> range, std::string what,
                                                 Scrub scrub) {
  const int status = response.status();
  if (status == 200) {
    // Retriable: the portal may be passed meanwhile, and what has arrived stays.
    if (looks_like_html({}, response.head().header("Content-Type")))
      throw Error(Errc::protocol, what + ": a web page came in its place", std::string(web_page_hint()));
    BlobStream stream{std::move(response), 0, false};
    co_return stream;
  }
  if (status == 206 && range) {
    const std::string fault = find_range_fault(response.head(), *range);
    if (!fault.empty()) throw Error(Errc::range_not_honoured, what + ": " + fault);
    BlobStream stream{std::move(response), range->begin, true};
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
