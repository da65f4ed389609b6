// The requests that are about content: blobs, whole or in ranges, and the places that redirects send them to.
#include "registry/blob_response.hpp"
#include "registry/client_impl.hpp"
#include "registry/content_range.hpp"

#include <hawser/registry/client.hpp>
#include <hawser/util/error.hpp>

#include <boost/asio/this_coro.hpp>

namespace hawser {
namespace {

Headers range_headers(const std::optional<Interval>& range) {
  Headers headers;
  if (range) headers.emplace_back("Range", range_header(*range));
  return headers;
}

/// Whether a status says that a redirect's target has had its time (a signed URL that ended, a moved object).
bool is_spent(int status) {
  return status == 400 || status == 401 || status == 403 || status == 404 || status == 410 || is_redirect(status);
}

}  // namespace

asio::awaitable<BlobStream> RegistryClient::Impl::open_blob(std::string repository, Digest digest,
                                                            std::optional<Interval> range) {
  if (range && range->begin >= range->end) throw Error(Errc::usage, "an empty range of a blob was asked for");
  const std::string what = "blob " + digest.short_string() + " of " + name_of(repository);
  const std::string key = repository + "@" + digest.to_string();
  // Where this registry redirects its blobs, one request a blob finds the place and the others wait for it.
  while (redirect_origin && !targets.contains(key) && being_resolved.contains(key)) {
    const std::shared_ptr<Flight> flight = being_resolved[key];
    co_await Flight::wait(flight);
  }
  if (targets.contains(key)) {
    std::optional<BlobStream> stream = co_await open_at_target(key, range, what);
    if (stream) co_return std::move(*stream);
  }
  BlobStream stream = co_await open_afresh(key, std::move(repository), std::move(digest), range, what);
  co_return stream;
}

asio::awaitable<std::optional<BlobStream>> RegistryClient::Impl::open_at_target(std::string key,
                                                                                std::optional<Interval> range,
                                                                                std::string what) {
  const Url target = targets.at(key);
  const auto forget = [&] {
    const auto found = targets.find(key);
    if (found != targets.end() && found->second == target) targets.erase(found);
  };
  std::optional<BlobStream> result;
  try {
    HttpRequest request("GET", target);  // without credentials: the redirect led away from the registry
    request.headers = range_headers(range);
    HttpResponse response = co_await http.send(std::move(request));
    if (!is_spent(response.status())) {
      Scrub words = scrub();
      BlobStream stream = co_await accept_blob_response(std::move(response), range, what, std::move(words));
      result.emplace(std::move(stream));
    } else {
      co_await discard_body(response);
    }
  } catch (const Error& error) {
    if (error.code() != Errc::range_not_honoured) forget();
    throw;
  }
  if (!result) forget();
  co_return result;
}

asio::awaitable<BlobStream> RegistryClient::Impl::open_afresh(std::string key, std::string repository, Digest digest,
                                                              std::optional<Interval> range, std::string what) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  const auto flight = std::make_shared<Flight>(executor);
  const FlightGuard guard(flight);
  being_resolved[key] = flight;
  const std::shared_ptr<void> cleared(nullptr, [&](void*) {
    const auto found = being_resolved.find(key);
    if (found != being_resolved.end() && found->second == flight) being_resolved.erase(found);
  });
  RedirectChain chain(url("/v2/" + repository + "/blobs/" + digest.to_string()));
  Headers headers = range_headers(range);
  HttpResponse response = co_await get(chain, std::move(headers), repository, what);
  const int status = response.status();
  if (!chain.at_home() && (status == 200 || status == 206)) {
    targets.insert_or_assign(key, chain.current());
    redirect_origin = chain.current().origin;
  }
  Scrub words = scrub();
  BlobStream stream = co_await accept_blob_response(std::move(response), range, what, std::move(words));
  co_return stream;
}

asio::awaitable<std::string> RegistryClient::Impl::get_blob(std::string repository, Descriptor descriptor) {
  const std::string what = "blob " + descriptor.digest.short_string() + " of " + name_of(repository);
  if (descriptor.size > max_manifest_size)
    throw Error(Errc::too_large, what + " is said to be " + std::to_string(descriptor.size) + " bytes long");
  BlobStream stream = co_await open_blob(std::move(repository), descriptor.digest, std::nullopt);
  std::string content = co_await stream.response.read_all(max_manifest_size);
  if (content.size() != descriptor.size)
    throw Error(Errc::size_mismatch, what + " should have " + std::to_string(descriptor.size) + " bytes, but " +
                                         std::to_string(content.size()) + " came");
  if (Digest::of(content, descriptor.digest.algorithm()) != descriptor.digest)
    throw Error(Errc::digest_mismatch, what + ": other bytes came than its digest says",
                "the registry or something on the way to it is broken or hostile");
  co_return content;
}

}  // namespace hawser
