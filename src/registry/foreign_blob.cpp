// Foreign layers: bytes that live at URLs of the manifest's own choice, so hawser goes there as a stranger.
#include "net/metadata_host.hpp"
#include "registry/blob_response.hpp"
#include "registry/content_range.hpp"
#include "registry/redirect.hpp"

#include <hawser/registry/client.hpp>
#include <hawser/util/error.hpp>

namespace hawser {
namespace {

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

}  // namespace

asio::awaitable<BlobStream> open_foreign_blob(HttpClient& http, std::string url, std::optional<Interval> range) {
  Url start = parse_layer_url(url);
  if (is_metadata_host(start.origin.host))
    throw Error(Errc::redirect_refused,
                "a foreign layer is said to be at a link-local or cloud metadata address: " + start.to_display());
  RedirectChain chain(std::move(start));
  for (;;) {
    HttpRequest request("GET", chain.current());
    if (range) request.headers.emplace_back("Range", range_header(*range));
    HttpResponse response = co_await http.send(std::move(request));
    if (!is_redirect(response.status())) {
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

}  // namespace hawser
