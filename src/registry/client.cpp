// The requests that are about names: manifests and tags; and the way that every request takes.
#include "registry/client.hpp"

#include "util/async.hpp"
#include "util/json.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <set>

#include <boost/beast/http/rfc7230.hpp>
#include <boost/url/encode.hpp>
#include <boost/url/rfc/unreserved_chars.hpp>

namespace hawser {
namespace {

namespace http = boost::beast::http;

/// To a registry that redirects its blobs: for its manifests, and for the places of the first blobs.
constexpr std::size_t connections_for_redirects = 8;
constexpr std::size_t max_tag_pages = 1000;
constexpr std::size_t max_tags = 1'000'000;
constexpr std::size_t max_tag_page = 4 * 1024 * 1024;  // bytes

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

/// The digest in Docker-Content-Digest; nothing where it is none, or another than that of `selector`.
std::optional<Digest> claimed_digest(const HttpHead& head, const std::string& selector) {
  const std::string claimed(head.header("Docker-Content-Digest"));
  if (selector.find(':') != std::string::npos && claimed != selector) return std::nullopt;
  try {
    return Digest::parse(claimed);
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// A path, perhaps with a query, that names the registry which is stood in for, where there is one.
std::string with_ns(std::string target, const std::string& ns) {
  const auto has = [&](std::string_view part) { return target.find(part) != std::string::npos; };
  if (ns.empty() || has("?ns=") || has("&ns=")) return target;
  return target + (has("?") ? "&ns=" : "?ns=") + boost::urls::encode(ns, boost::urls::unreserved_chars);
}

/// The page after `page`, to which a Link header's target leads; hosts need not name the registry in it that they stand
/// in for. A wrong one is as wrong the next time.
Url next_page(const Url& page, std::string_view link, const std::string& ns, const std::string& what) {
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
  next.target = with_ns(std::move(next.target), ns);
  if (next == page) throw Error(Errc::redirect_refused, what + ": the registry's list of pages has no end");
  return next;
}

bool asks_for_range(const Headers& headers) {
  return std::ranges::any_of(headers, [](const auto& header) { return header.first == "Range"; });
}

}  // namespace

RegistryClient::RegistryClient(HttpClient& http, Origin origin, CredentialSource credentials, OriginNotes* notes,
                               RequestForm form)
    : http_(http),
      origin_(origin),
      form_(std::move(form)),
      authenticator_(http, std::move(origin), std::move(credentials)),
      notes_(notes) {
  http_.allow_link_local(origin_.host);
}

Url RegistryClient::url_of(const std::string& path, const std::string& query) const {
  return {origin_, with_ns(form_.base + path + (query.empty() ? "" : "?") + query, form_.ns)};
}

Scrub RegistryClient::scrub() const {
  return [this, of_logins = authenticator_.scrub()](std::string& words) {
    of_logins(words);
    for (const auto& [name, value] : form_.headers) redact(words, value);
  };
}

void RegistryClient::prepare() {
  if (notes_) note_ = notes_->recall(origin_);
  if (note_.token_service) {
    http_.warm_up(note_.token_service->realm.origin, 1);
    authenticator_.expect(*note_.token_service);
  }
  if (expects_redirects()) {
    http_.warm_up(origin_, connections_for_redirects);
    warm_up(*note_.storage);
  } else {
    warm_up(origin_);
  }
}

void RegistryClient::warm_up(const Origin& origin) {
  const OriginNote note = notes_ ? notes_->recall(origin) : OriginNote();
  if (note.preferred > 0) return http_.warm_up(origin, note.preferred);
  http_.warm_up(origin);
  http_.warm_up(origin, note.connections);
}

bool RegistryClient::expects_redirects() const {
  if (note_.storage) return *note_.storage != origin_;
  const TokenService* const service = authenticator_.token_service();
  return service && service->realm.origin != origin_;
}

void RegistryClient::found_blob_at(const Origin& origin) {
  // One that has redirected may send small blobs itself.
  if (origin == origin_ && has_redirected_) return;
  has_redirected_ = origin != origin_;
  if (note_.storage == origin) return;
  note_.storage = origin;
  if (notes_) notes_->update(origin_, [&](OriginNote& note) { note.storage = origin; });
}

void RegistryClient::note_token_service() {
  const TokenService* const service = authenticator_.token_service();
  if (!service || note_.token_service == *service) return;
  note_.token_service = *service;
  if (notes_) notes_->update(origin_, [&](OriginNote& note) { note.token_service = *service; });
}

Headers RegistryClient::headers_of_home(const std::string& authorization) const {
  Headers headers = form_.headers;
  if (authorization.empty()) return headers;
  std::erase_if(headers, [](const auto& header) { return equals_ignoring_case(header.first, "Authorization"); });
  headers.emplace_back("Authorization", authorization);
  return headers;
}

asio::awaitable<HttpResponse> RegistryClient::get(RedirectChain& chain, Purpose purpose, Headers headers,
                                                  std::string repository, std::string what, const char* method,
                                                  Redirects redirects) {
  std::string authorization = co_await authenticator_.authorization(repository);
  bool renewed = false;
  for (bool answered = false;; answered = true) {
    HttpHead head;
    std::string body;
    {
      HttpRequest request(method, chain.current());
      request.headers = headers;
      request.purpose = purpose;
      Headers of_home = headers_of_home(authorization);
      const bool without_body = request.method == "HEAD";
      HttpResponse response = co_await send_along(http_, chain, std::move(request), std::move(of_home), redirects);
      if (response.status() < 400 || (without_body && response.status() != 401)) co_return response;
      head = response.head();
      body = co_await read_error_body(response);
      // The response gives its connection up here: the token service may be at this very origin, and connections to
      // it are limited.
    }
    // Some registries say of a token that has run out that the request is bad or forbidden, and some token services
    // give one out that has.
    const bool had_token = authorization.starts_with("Bearer ");
    const bool expired =
        (head.status == 400 || head.status == 401 || head.status == 403) && !renewed && had_token && tells_expiry(body);
    renewed = renewed || expired;
    if (!chain.at_home() || (head.status != 401 && !expired))
      throw_status_error(head, body, what, scrub(), asks_for_range(headers));
    std::vector<Challenge> challenges = parse_challenges(head.all("WWW-Authenticate"));
    if (challenges.empty() && !had_token && !answered && !repository.empty()) challenges = co_await base_challenges();
    if ((answered && !expired) || (challenges.empty() && !had_token))
      authenticator_.refuse(what, repository, registry_words(body, head.header("Content-Type"), scrub()));
    authorization = co_await authenticator_.answer(std::move(challenges), repository, authorization, what);
    note_token_service();
  }
}

/// How the registry asks for a login where its refusal does not say. Other clients ask this before anything else.
asio::awaitable<std::vector<Challenge>> RegistryClient::base_challenges() {
  RedirectChain chain(url_of("/"));
  HttpRequest request("GET", chain.current());
  request.purpose = Purpose::greeting;
  Headers of_home = form_.headers;
  HttpResponse response = co_await send_along(http_, chain, std::move(request), std::move(of_home));
  std::vector<Challenge> challenges;
  if (response.status() == 401 && chain.at_home())
    challenges = parse_challenges(response.head().all("WWW-Authenticate"));
  co_await discard_body(response);
  co_return challenges;
}

asio::awaitable<void> RegistryClient::greet() {
  (void)co_await base_challenges();
}

/// Refuses what came instead of the document that `what` is.
void RegistryClient::check_document(const HttpHead& head, const std::string& body, const std::string& what) const {
  refuse_web_page(body, head.header("Content-Type"), what, Errc::malformed);
  if (head.status != 200 || is_error_document(body)) throw_status_error(head, body, what, scrub());
}

namespace {

/// Refuses what came by a tag and can't be used, so that it is told who sent it, and another place may be asked.
void check_manifest(const std::string& bytes, const std::string& content_type, const std::string& what) {
  try {
    (void)parse_manifest(bytes, content_type);
  } catch (const Error& error) {
    throw error.in(what);
  }
}

}  // namespace

asio::awaitable<FetchedManifest> RegistryClient::get_manifest(std::string repository, std::string selector) {
  const std::string what = "manifest " + selector + " of " + name_of(repository);
  RedirectChain chain(url_of("/" + repository + "/manifests/" + selector));
  Headers headers;
  headers.emplace_back("Accept", std::string(media_type::accept_manifests()));
  HttpResponse response = co_await get(chain, Purpose::manifest, std::move(headers), repository, what);
  const HttpHead head = response.head();
  std::string bytes = co_await response.read_all(max_manifest_size);
  check_document(head, bytes, what);
  // A digest is computed from the bytes; Docker-Content-Digest is only what the registry claims.
  std::optional<Digest> wanted;
  if (selector.find(':') != std::string::npos) wanted = Digest::parse(selector);
  Digest digest = Digest::of(bytes, wanted ? wanted->algorithm() : Digest::Algorithm::sha256);
  if (wanted && digest != wanted)
    throw Error(Errc::digest_mismatch, what + ": the registry sent other bytes (" + digest.short_string() + ")",
                "the registry or something on the way to it is broken or hostile");
  const std::string content_type = media_type::essence(head.header("Content-Type"));
  if (!wanted) check_manifest(bytes, content_type, what);
  FetchedManifest manifest{std::move(bytes), content_type, std::move(digest), read_rate_limit(head)};
  co_return manifest;
}

asio::awaitable<ManifestHead> RegistryClient::head_manifest(std::string repository, std::string selector) {
  const std::string what = "manifest " + selector + " of " + name_of(repository);
  RedirectChain chain(url_of("/" + repository + "/manifests/" + selector));
  Headers headers;
  headers.emplace_back("Accept", std::string(media_type::accept_manifests()));
  HttpResponse response = co_await get(chain, Purpose::manifest, std::move(headers), repository, what, "HEAD");
  const HttpHead& head = response.head();
  ManifestHead result{std::nullopt, read_rate_limit(head)};
  if (head.status == 405 || head.status == 501 || (head.status == 429 && result.rate_limit)) co_return result;
  if (head.status != 200) throw_status_error(head, "", what, scrub());
  result.digest = claimed_digest(head, selector);
  co_return result;
}

asio::awaitable<void> RegistryClient::check_login() {
  const std::string what = "login at " + registry_name(origin_);
  RedirectChain chain(url_of("/"));
  HttpResponse response = co_await get(chain, Purpose::greeting, Headers(), std::string(), what);
  const HttpHead head = response.head();
  const std::string body = co_await read_error_body(response);
  // A portal says 200 to everything.
  if (head.status < 400) refuse_web_page(body, head.header("Content-Type"), what, Errc::malformed);
  if (head.status == 404)
    throw Error(Errc::not_found, what + ": there is no registry (HTTP 404)", "check the name and the port");
  if (head.status != 200) throw_status_error(head, body, what, scrub());
}

asio::awaitable<std::vector<std::string>> RegistryClient::list_tags(std::string repository) {
  const std::string what = "tags of " + name_of(repository);
  std::vector<std::string> tags;
  Url page = url_of("/" + repository + "/tags/list", "n=1000");
  for (std::size_t pages = 0; pages < max_tag_pages; ++pages) {
    RedirectChain chain(page);
    HttpResponse response = co_await get(chain, Purpose::tags, Headers(), repository, what);
    const HttpHead head = response.head();
    const std::string body = co_await response.read_all(max_tag_page);
    check_document(head, body, what);
    add_tags(tags, body, what);
    const auto next = find_next_link(head.all("Link"));
    if (!next) co_return tags;
    page = next_page(page, *next, form_.ns, what);
  }
  throw Error(Errc::too_large, what + ": there are more than " + std::to_string(max_tag_pages) + " pages");
}

std::optional<std::string> find_next_link(const std::vector<std::string_view>& header_values) {
  for (std::string_view value : header_values) {
    for (std::size_t open = value.find('<'); open != std::string_view::npos; open = value.find('<')) {
      const std::size_t close = value.find('>', open);
      if (close == std::string_view::npos) break;
      const std::string_view target = value.substr(open + 1, close - open - 1);
      value.remove_prefix(close + 1);
      for (const auto& [name, relations] : http::param_list(value)) {
        if (!equals_ignoring_case(name, "rel")) continue;
        if ((" " + ascii_lower(relations) + " ").find(" next ") != std::string::npos) return std::string(target);
        break;  // the first rel counts
      }
    }
  }
  return std::nullopt;
}

namespace {

/// Whether a status says that a redirect's target has had its time, such as a signed URL that ended.
bool is_spent(int status) {
  return status == 400 || status == 401 || status == 403 || status == 404 || status == 410;
}

}  // namespace

/// The blobs of one repository, and where redirects have led.
class RegistryClient::Repository final : public BlobSource, public std::enable_shared_from_this<Repository> {
 public:
  Repository(RegistryClient& client, std::string name)
      : client_(client), name_(std::move(name)), located_(client.http_.executor()) {}

  std::string name() const override { return client_.name_of(name_); }
  BlobLocation location(const Digest& digest) const override;
  asio::awaitable<void> locate(Digest digest) override;
  asio::awaitable<BlobStream> open(Digest digest, std::optional<Interval> range) override;
  asio::awaitable<void> ask_ahead(Digest digest, std::optional<Interval> range, ResponseBody& current) override;

 private:
  Url url_of(const Digest& digest) const { return client_.url_of("/" + name_ + "/blobs/" + digest.to_string()); }
  /// Whether it is known where the blob is, and that has not run out.
  bool is_known(const Digest& digest) const;
  /// Whether its place has to be asked for.
  bool is_to_be_located(const Digest& digest) const {
    return client_.expects_redirects() && !at_home_.contains(digest) && !is_known(digest);
  }
  /// A request for the blob has led to `target`.
  void found(const Digest& digest, const Url& target);
  /// The blob from where an earlier redirect led; nothing where that place no longer has it.
  asio::awaitable<std::optional<BlobStream>> open_at_target(Digest digest, std::optional<Interval> range,
                                                            std::string what);
  /// The blob by way of the registry.
  asio::awaitable<BlobStream> open_afresh(Digest digest, std::optional<Interval> range, std::string what);

  RegistryClient& client_;
  std::string name_;
  std::map<Digest, BlobLocation> targets_;
  std::set<Digest> at_home_;  // which the registry has sent itself
  std::set<Digest> being_located_;
  Event located_;
};

BlobLocation RegistryClient::Repository::location(const Digest& digest) const {
  if (is_known(digest)) return targets_.at(digest);
  Url expected = url_of(digest);
  // A registry that keeps its blobs elsewhere keeps them there but for some.
  if (client_.note_.storage && !at_home_.contains(digest)) expected.origin = *client_.note_.storage;
  return {std::move(expected)};
}

bool RegistryClient::Repository::is_known(const Digest& digest) const {
  const auto found = targets_.find(digest);
  return found != targets_.end() && !(found->second.until && std::chrono::system_clock::now() >= *found->second.until);
}

void RegistryClient::Repository::found(const Digest& digest, const Url& target) {
  if (target.origin != client_.origin_) {
    targets_.insert_or_assign(digest, BlobLocation{target, signature_end(target)});
    at_home_.erase(digest);
  } else {
    at_home_.insert(digest);
  }
  client_.found_blob_at(target.origin);
}

asio::awaitable<void> RegistryClient::Repository::locate(Digest digest) {
  const auto self = shared_from_this();
  // One request a blob finds the place, and the others wait for it.
  while (is_to_be_located(digest) && being_located_.contains(digest)) co_await located_.wait();
  if (!is_to_be_located(digest)) co_return;
  being_located_.insert(digest);
  const std::shared_ptr<void> over(nullptr, [&](void*) {
    being_located_.erase(digest);
    located_.wake_all();
  });
  RedirectChain chain(url_of(digest));
  std::string what = "blob " + digest.short_string() + " of " + name();
  HttpResponse response =
      co_await client_.get(chain, purpose_of(digest), Headers(), name_, std::move(what), "GET", Redirects::return_it);
  if (is_redirect(response.status())) chain.follow(response.head().header("Location"));
  found(digest, chain.current());
  if (chain.redirected()) co_await discard_body(response);
}

asio::awaitable<BlobStream> RegistryClient::Repository::open(Digest digest, std::optional<Interval> range) {
  const auto self = shared_from_this();
  if (range && range->begin >= range->end) throw Error(Errc::usage, "an empty range of a blob was asked for");
  const std::string what = "blob " + digest.short_string() + " of " + name();
  co_await locate(digest);
  if (is_known(digest)) {
    std::optional<BlobStream> stream = co_await open_at_target(digest, range, what);
    if (stream) co_return std::move(*stream);
  }
  BlobStream stream = co_await open_afresh(std::move(digest), range, what);
  co_return stream;
}

asio::awaitable<void> RegistryClient::Repository::ask_ahead(Digest digest, std::optional<Interval> range,
                                                            ResponseBody& current) {
  const auto self = shared_from_this();
  HttpRequest request("GET", url_of(digest));
  request.headers = range_headers(range);
  request.purpose = purpose_of(digest);
  if (is_known(digest)) {
    request.url = targets_.at(digest).url;
  } else {
    if (is_to_be_located(digest)) co_return;
    // A token is not waited for while `current` holds a connection, which that may need.
    const auto authorization = client_.authenticator_.ready_authorization(name_);
    if (!authorization) co_return;
    const Headers of_home = client_.headers_of_home(*authorization);
    request.headers.insert(request.headers.end(), of_home.begin(), of_home.end());
  }
  co_await client_.http_.send_ahead(std::move(request), current);
}

asio::awaitable<std::optional<BlobStream>> RegistryClient::Repository::open_at_target(Digest digest,
                                                                                      std::optional<Interval> range,
                                                                                      std::string what) {
  const Url target = targets_.at(digest).url;
  const auto forget = [&] {
    const auto known = targets_.find(digest);
    if (known != targets_.end() && known->second.url == target) targets_.erase(known);
  };
  std::optional<BlobStream> result;
  try {
    HttpRequest request("GET", target);  // without credentials: the redirect led away from the registry
    request.headers = range_headers(range);
    request.purpose = purpose_of(digest);
    RedirectChain chain(target);
    HttpResponse response = co_await send_along(client_.http_, chain, std::move(request));
    if (!is_spent(response.status())) {
      if (chain.redirected()) found(digest, chain.current());
      Scrub words = client_.scrub();
      BlobStream stream = co_await accept_blob_response(std::move(response), range, what, std::move(words));
      result.emplace(std::move(stream));
    } else {
      co_await discard_body(response);
    }
  } catch (const Error& error) {
    if (error.code() != Errc::range_not_honoured) forget();
    std::rethrow_exception(with_reason(std::current_exception(), client_.origin_.to_string() + " redirects there"));
  }
  if (!result) forget();
  co_return result;
}

asio::awaitable<BlobStream> RegistryClient::Repository::open_afresh(Digest digest, std::optional<Interval> range,
                                                                    std::string what) {
  RedirectChain chain(url_of(digest));
  Headers headers = range_headers(range);
  HttpResponse response = co_await client_.get(chain, purpose_of(digest), std::move(headers), name_, what);
  const int status = response.status();
  if (status == 200 || status == 206) found(digest, chain.current());
  Scrub words = client_.scrub();
  BlobStream stream = co_await accept_blob_response(std::move(response), range, what, std::move(words));
  co_return stream;
}

std::shared_ptr<BlobSource> RegistryClient::source(const std::string& repository) {
  auto& source = sources_[repository];
  if (!source) source = std::make_shared<Repository>(*this, repository);
  return source;
}

std::uint64_t RegistryClient::blob_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [repository, source] : sources_) sum += source->brought();
  return sum;
}

asio::awaitable<std::string> RegistryClient::get_blob(std::string repository, Descriptor descriptor) {
  const std::shared_ptr<BlobSource> blobs = source(repository);
  const std::string what = "blob " + descriptor.digest.short_string() + " of " + blobs->name();
  if (descriptor.size > max_manifest_size)
    throw Error(Errc::too_large, what + " is said to be " + std::to_string(descriptor.size) + " bytes long");
  blobs->note_config(descriptor.digest);
  BlobStream stream = co_await blobs->open(descriptor.digest, std::nullopt);
  std::string content = co_await stream.body->read_all(max_manifest_size);
  const bool is_right =
      content.size() == descriptor.size && Digest::of(content, descriptor.digest.algorithm()) == descriptor.digest;
  if (is_right) co_return content;
  refuse_web_page(content, stream.content_type, what, Errc::protocol);
  if (content.size() != descriptor.size)
    throw Error(Errc::size_mismatch, what + " should have " + std::to_string(descriptor.size) + " bytes, but " +
                                         std::to_string(content.size()) + " came");
  throw Error(Errc::digest_mismatch, what + ": other bytes came than its digest says",
              "the registry or something on the way to it is broken or hostile");
}

}  // namespace hawser
