// The requests that are about names: manifests and tags; and the way that every request takes.
#include "registry/client.hpp"

#include "image/manifest.hpp"
#include "net/connector.hpp"
#include "registry/redirect.hpp"
#include "registry/registry_error.hpp"
#include "util/json.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <boost/asio/this_coro.hpp>
#include <boost/json.hpp>

namespace hawser {
namespace {

constexpr std::size_t max_tag_pages = 1000;
constexpr std::size_t max_tags = 1'000'000;
constexpr std::size_t max_tag_page = 4 * 1024 * 1024;  // bytes

[[noreturn]] void throw_web_page(const std::string& what) {
  throw Error(Errc::malformed, what + ": a web page came where the registry's answer was due",
              std::string(web_page_hint()));
}

/// Takes the tags of one page; `tags` may be null where there are none.
void add_tags(std::vector<std::string>& tags, std::string_view body, const std::string& what) {
  const auto object = parse_json_object(body);
  const auto* list = object ? object->if_contains("tags") : nullptr;
  if (!list || (!list->is_array() && !list->is_null()))
    throw Error(Errc::malformed, what + ": the registry's answer is no list of tags");
  if (list->is_null()) return;
  for (const auto& tag : list->get_array()) {
    if (!tag.is_string()) throw Error(Errc::malformed, what + ": the registry's answer is no list of tags");
    if (tags.size() >= max_tags) throw Error(Errc::too_large, what + ": there are more than a million");
    tags.push_back(printable(std::string_view(tag.get_string()), 128));
  }
}

/// The page after `page`, to which a Link header's target leads. A wrong one is as wrong the next time.
Url next_page(const Url& page, std::string_view link, const std::string& what) {
  Url next;
  try {
    next = page.resolve(link);
  } catch (const Error&) {
    throw Error(Errc::redirect_refused,
                what + ": the Link to the next page is no usable URL (" + displayed_url(link, 80) + ")");
  }
  if (next.origin != page.origin)
    throw Error(Errc::redirect_refused,
                what + ": the next page is said to be at " + next.origin.to_string() + ", which is another origin");
  if (next == page) throw Error(Errc::redirect_refused, what + ": the registry's list of pages has no end");
  return next;
}

}  // namespace

asio::awaitable<HttpResponse> RegistryClient::Impl::get(RedirectChain& chain, Headers headers, std::string repository,
                                                        std::string what) {
  std::string authorization = co_await authenticator.authorization(repository);
  bool answered = false;
  for (;;) {
    HttpHead head;
    std::string body;
    {
      HttpRequest request("GET", chain.current());
      request.headers = headers;
      if (chain.at_home() && !authorization.empty()) request.headers.emplace_back("Authorization", authorization);
      HttpResponse response = co_await http.send(std::move(request));
      if (is_redirect(response.status())) {
        chain.follow(response.head().header("Location"));
        co_await discard_body(response);
        continue;
      }
      if (response.status() != 401 || !chain.at_home()) co_return response;
      head = response.head();
      body = co_await read_error_body(response);
      // The response gives its connection up here: the token service may be at this very origin, and connections to
      // it are limited.
    }
    if (answered)
      authenticator.refuse(what, repository, parse_registry_errors(body, head.header("Content-Type"), scrub()).words);
    std::vector<Challenge> challenges = parse_challenges(head.all("WWW-Authenticate"));
    authorization = co_await authenticator.answer(std::move(challenges), repository, authorization, what);
    answered = true;
  }
}

asio::awaitable<FetchedManifest> RegistryClient::Impl::get_manifest(std::string repository, std::string selector) {
  const std::string what = "manifest " + selector + " of " + name_of(repository);
  RedirectChain chain(url("/v2/" + repository + "/manifests/" + selector));
  Headers headers;
  headers.emplace_back("Accept", std::string(media_type::accept_manifests()));
  HttpResponse response = co_await get(chain, std::move(headers), repository, what);
  const HttpHead head = response.head();
  if (head.status != 200) {
    const std::string body = co_await read_error_body(response);
    if (head.status < 400 && looks_like_html(body, head.header("Content-Type"))) throw_web_page(what);
    throw_status_error(head, body, what, scrub());
  }
  std::string bytes = co_await response.read_all(max_manifest_size);
  std::string type = media_type::essence(head.header("Content-Type"));
  if (looks_like_html(bytes, type)) throw_web_page(what);
  // A digest is computed from the bytes; Docker-Content-Digest is only what the registry claims.
  Digest digest = Digest::of(bytes);
  if (selector.find(':') != std::string::npos) {
    const Digest wanted = Digest::parse(selector);
    digest = Digest::of(bytes, wanted.algorithm());
    if (digest != wanted)
      throw Error(Errc::digest_mismatch, what + ": the registry sent other bytes (" + digest.short_string() + ")",
                  "the registry or something on the way to it is broken or hostile");
  }
  FetchedManifest manifest{std::move(bytes), std::move(type), std::move(digest)};
  co_return manifest;
}

asio::awaitable<std::vector<std::string>> RegistryClient::Impl::list_tags(std::string repository) {
  const std::string what = "tags of " + name_of(repository);
  std::vector<std::string> tags;
  Url page = url("/v2/" + repository + "/tags/list?n=1000");
  for (std::size_t pages = 0; pages < max_tag_pages; ++pages) {
    RedirectChain chain(page);
    HttpResponse response = co_await get(chain, Headers(), repository, what);
    const HttpHead head = response.head();
    if (head.status != 200) {
      const std::string error_body = co_await read_error_body(response);
      throw_status_error(head, error_body, what, scrub());
    }
    const std::string body = co_await response.read_all(max_tag_page);
    if (looks_like_html(body, head.header("Content-Type"))) throw_web_page(what);
    add_tags(tags, body, what);
    const auto next = find_next_link(head.all("Link"));
    if (!next) co_return tags;
    page = next_page(page, *next, what);
  }
  throw Error(Errc::too_large, what + ": there are more than " + std::to_string(max_tag_pages) + " pages");
}

RegistryClient::RegistryClient(HttpClient& http, Origin origin, CredentialSource credentials, AuthNotes notes)
    : impl_(std::make_shared<Impl>(http, std::move(origin), std::move(credentials), std::move(notes))) {}

RegistryClient::~RegistryClient() {
  impl_->authenticator.stop();
}

const Origin& RegistryClient::origin() const {
  return impl_->origin;
}

Origin RegistryClient::blob_origin() const {
  return impl_->redirect_origin.value_or(impl_->origin);
}

void RegistryClient::prepare() {
  impl_->http.warm_up(impl_->origin, 1);
  impl_->authenticator.recall();
}

asio::awaitable<FetchedManifest> RegistryClient::get_manifest(std::string repository, std::string selector) {
  const std::shared_ptr<Impl> impl = impl_;
  FetchedManifest manifest = co_await impl->get_manifest(std::move(repository), std::move(selector));
  co_return manifest;
}

asio::awaitable<BlobStream> RegistryClient::open_blob(std::string repository, Digest digest,
                                                      std::optional<Interval> range) {
  const std::shared_ptr<Impl> impl = impl_;
  BlobStream stream = co_await impl->open_blob(std::move(repository), std::move(digest), range);
  co_return stream;
}

asio::awaitable<std::string> RegistryClient::get_blob(std::string repository, Descriptor descriptor) {
  const std::shared_ptr<Impl> impl = impl_;
  std::string content = co_await impl->get_blob(std::move(repository), std::move(descriptor));
  co_return content;
}

asio::awaitable<std::vector<std::string>> RegistryClient::list_tags(std::string repository) {
  const std::shared_ptr<Impl> impl = impl_;
  std::vector<std::string> tags = co_await impl->list_tags(std::move(repository));
  co_return tags;
}

namespace {

/// Where `text` has `stop` outside of quotes, from `position` on; its size where nowhere.
std::size_t find_unquoted(std::string_view text, char stop, std::size_t position) {
  bool quoted = false;
  for (; position < text.size(); ++position) {
    if (quoted && text[position] == '\\') {
      ++position;
    } else if (text[position] == '"') {
      quoted = !quoted;
    } else if (!quoted && text[position] == stop) {
      return position;
    }
  }
  return text.size();
}

/// Whether one of the parameters `; name=value; …` is rel with "next" among its values.
bool is_next(std::string_view params) {
  std::size_t position = 0;
  while (position < params.size()) {
    const std::size_t end = find_unquoted(params, ';', position);
    const std::string_view param = trim(params.substr(position, end - position));
    position = end + 1;
    const std::size_t equals = param.find('=');
    if (equals == std::string_view::npos || !equals_ignoring_case(trim(param.substr(0, equals)), "rel")) continue;
    std::string_view value = trim(param.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    while (!value.empty()) {
      const std::size_t space = value.find(' ');
      if (equals_ignoring_case(value.substr(0, space), "next")) return true;
      value = space == std::string_view::npos ? std::string_view() : value.substr(space + 1);
    }
    return false;  // the first rel counts
  }
  return false;
}

}  // namespace

std::optional<std::string> find_next_link(const std::vector<std::string_view>& header_values) {
  for (std::string_view value : header_values) {
    while (true) {
      const std::size_t open = value.find('<');
      const std::size_t close = value.find('>', open == std::string_view::npos ? value.size() : open);
      if (open == std::string_view::npos || close == std::string_view::npos) break;
      const std::size_t end = find_unquoted(value, ',', close + 1);
      if (is_next(value.substr(close + 1, end - close - 1)))
        return std::string(value.substr(open + 1, close - open - 1));
      if (end == value.size()) break;
      value = value.substr(end + 1);
    }
  }
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
