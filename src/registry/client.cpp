// The requests that are about names: manifests and tags; and the way that every request takes.
#include "registry/client.hpp"

#include "image/manifest.hpp"
#include "registry/blob_source.hpp"
#include "registry/redirect.hpp"
#include "registry/registry_error.hpp"
#include "util/async.hpp"
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

/// What requests share.
struct RegistryClient::Inside {
  Inside(HttpClient& http_, Origin origin_, CredentialSource credentials, AuthNotes notes)
      : http(http_), origin(origin_), authenticator(http_, origin_, std::move(credentials), std::move(notes)) {
    http.allow_link_local(origin.host);
  }

  /// "quay.io/a/b", for messages.
  std::string name_of(const std::string& repository) const { return registry_name(origin) + "/" + repository; }
  Url url(std::string target) const { return Url{origin, std::move(target)}; }

  /// Keeps this registry's secrets out of what servers say; not to outlive this.
  Scrub scrub() const {
    return [this](std::string& words) { authenticator.scrub(words); };
  }

  /// GET with authentication and redirects; `chain` tells afterwards where the answer came from. Returns the answer
  /// of whatever status but a redirect or the registry's 401. `what` is what is asked for.
  asio::awaitable<HttpResponse> get(RedirectChain& chain, Headers headers, std::string repository, std::string what);
  asio::awaitable<FetchedManifest> get_manifest(std::string repository, std::string selector);
  asio::awaitable<std::vector<std::string>> list_tags(std::string repository);

  HttpClient& http;
  Origin origin;
  Authenticator authenticator;
  std::optional<Origin> redirect_origin;  // where the last redirect of a blob led
};

asio::awaitable<HttpResponse> RegistryClient::Inside::get(RedirectChain& chain, Headers headers, std::string repository,
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

asio::awaitable<FetchedManifest> RegistryClient::Inside::get_manifest(std::string repository, std::string selector) {
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

asio::awaitable<std::vector<std::string>> RegistryClient::Inside::list_tags(std::string repository) {
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
    : inside_(std::make_shared<Inside>(http, std::move(origin), std::move(credentials), std::move(notes))) {}

RegistryClient::~RegistryClient() {
  inside_->authenticator.stop();
}

const Origin& RegistryClient::origin() const {
  return inside_->origin;
}

void RegistryClient::prepare() {
  inside_->http.warm_up(inside_->origin, 1);
  inside_->authenticator.recall();
}

asio::awaitable<FetchedManifest> RegistryClient::get_manifest(std::string repository, std::string selector) {
  const std::shared_ptr<Inside> inside = inside_;
  FetchedManifest manifest = co_await inside->get_manifest(std::move(repository), std::move(selector));
  co_return manifest;
}

asio::awaitable<std::vector<std::string>> RegistryClient::list_tags(std::string repository) {
  const std::shared_ptr<Inside> inside = inside_;
  std::vector<std::string> tags = co_await inside->list_tags(std::move(repository));
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

namespace {

/// Whether a status says that a redirect's target has had its time (a signed URL that ended, a moved object).
bool is_spent(int status) {
  return status == 400 || status == 401 || status == 403 || status == 404 || status == 410 || is_redirect(status);
}

}  // namespace

/// The blobs of one repository, and where redirects have led.
class RegistryClient::Repository final : public BlobSource, public std::enable_shared_from_this<Repository> {
 public:
  Repository(std::shared_ptr<Inside> inside, std::string name) : inside_(std::move(inside)), name_(std::move(name)) {}

  std::string name() const override { return inside_->name_of(name_); }
  BlobLocation location(const Digest& digest) const override;
  asio::awaitable<BlobStream> open(Digest digest, std::optional<Interval> range) override;

 private:
  struct Target {
    Url url;
    std::optional<std::chrono::system_clock::time_point> until;
    bool has_ended() const { return until && std::chrono::system_clock::now() >= *until; }
  };

  Url url_of(const Digest& digest) const { return inside_->url("/v2/" + name_ + "/blobs/" + digest.to_string()); }
  bool is_known(const Digest& digest) const;
  /// The blob from where an earlier redirect led; nothing where that place no longer has it.
  asio::awaitable<std::optional<BlobStream>> open_at_target(Digest digest, std::optional<Interval> range,
                                                            std::string what);
  /// The blob by way of the registry.
  asio::awaitable<BlobStream> open_afresh(Digest digest, std::optional<Interval> range, std::string what);

  std::shared_ptr<Inside> inside_;
  std::string name_;
  std::map<Digest, Target> targets_;
  std::map<Digest, std::shared_ptr<Latch>> being_resolved_;  // targets under way
};

BlobLocation RegistryClient::Repository::location(const Digest& digest) const {
  if (is_known(digest)) return {targets_.at(digest).url, targets_.at(digest).until};
  BlobLocation expected{url_of(digest)};
  // A registry that keeps its blobs elsewhere keeps them all there.
  if (inside_->redirect_origin) expected.url.origin = *inside_->redirect_origin;
  return expected;
}

bool RegistryClient::Repository::is_known(const Digest& digest) const {
  const auto found = targets_.find(digest);
  return found != targets_.end() && !found->second.has_ended();
}

asio::awaitable<BlobStream> RegistryClient::Repository::open(Digest digest, std::optional<Interval> range) {
  const auto self = shared_from_this();
  if (range && range->begin >= range->end) throw Error(Errc::usage, "an empty range of a blob was asked for");
  const std::string what = "blob " + digest.short_string() + " of " + name();
  // Where this registry redirects its blobs, one request a blob finds the place and the others wait for it.
  while (inside_->redirect_origin && !is_known(digest) && being_resolved_.contains(digest)) {
    const std::shared_ptr<Latch> resolved = being_resolved_[digest];
    co_await Latch::wait(resolved);
  }
  if (is_known(digest)) {
    std::optional<BlobStream> stream = co_await open_at_target(digest, range, what);
    if (stream) co_return std::move(*stream);
  }
  BlobStream stream = co_await open_afresh(std::move(digest), range, what);
  co_return stream;
}

asio::awaitable<std::optional<BlobStream>> RegistryClient::Repository::open_at_target(Digest digest,
                                                                                      std::optional<Interval> range,
                                                                                      std::string what) {
  const Url target = targets_.at(digest).url;
  const auto forget = [&] {
    const auto found = targets_.find(digest);
    if (found != targets_.end() && found->second.url == target) targets_.erase(found);
  };
  std::optional<BlobStream> result;
  try {
    HttpRequest request("GET", target);  // without credentials: the redirect led away from the registry
    request.headers = range_headers(range);
    HttpResponse response = co_await inside_->http.send(std::move(request));
    if (!is_spent(response.status())) {
      Scrub words = inside_->scrub();
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

asio::awaitable<BlobStream> RegistryClient::Repository::open_afresh(Digest digest, std::optional<Interval> range,
                                                                    std::string what) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  const auto resolved = std::make_shared<Latch>(executor);
  const LatchGuard guard(resolved);
  being_resolved_[digest] = resolved;
  const std::shared_ptr<void> cleared(nullptr, [&](void*) {
    const auto found = being_resolved_.find(digest);
    if (found != being_resolved_.end() && found->second == resolved) being_resolved_.erase(found);
  });
  RedirectChain chain(url_of(digest));
  Headers headers = range_headers(range);
  HttpResponse response = co_await inside_->get(chain, std::move(headers), name_, what);
  const int status = response.status();
  if (!chain.at_home() && (status == 200 || status == 206)) {
    targets_.insert_or_assign(digest, Target{chain.current(), signature_end(chain.current())});
    inside_->redirect_origin = chain.current().origin;
  }
  Scrub words = inside_->scrub();
  BlobStream stream = co_await accept_blob_response(std::move(response), range, what, std::move(words));
  co_return stream;
}

std::shared_ptr<BlobSource> RegistryClient::source(const std::string& repository) {
  auto& source = sources_[repository];
  if (!source) source = std::make_shared<Repository>(inside_, repository);
  return source;
}

asio::awaitable<std::string> RegistryClient::get_blob(std::string repository, Descriptor descriptor) {
  const std::shared_ptr<BlobSource> blobs = source(repository);
  const std::string what = "blob " + descriptor.digest.short_string() + " of " + blobs->name();
  if (descriptor.size > max_manifest_size)
    throw Error(Errc::too_large, what + " is said to be " + std::to_string(descriptor.size) + " bytes long");
  BlobStream stream = co_await blobs->open(descriptor.digest, std::nullopt);
  std::string content = co_await stream.body->read_all(max_manifest_size);
  if (content.size() != descriptor.size)
    throw Error(Errc::size_mismatch, what + " should have " + std::to_string(descriptor.size) + " bytes, but " +
                                         std::to_string(content.size()) + " came");
  if (Digest::of(content, descriptor.digest.algorithm()) != descriptor.digest)
    throw Error(Errc::digest_mismatch, what + ": other bytes came than its digest says",
                "the registry or something on the way to it is broken or hostile");
  co_return content;
}

}  // namespace hawser
