// The requests that are about names: manifests and tags; and the way that every request takes.
#include "registry/blob_response.hpp"
#include "registry/client_impl.hpp"
#include "registry/link_header.hpp"
#include "registry/web_page.hpp"
#include "util/json.hpp"

#include <hawser/image/media_type.hpp>
#include <hawser/registry/client.hpp>
#include <hawser/util/error.hpp>
#include <hawser/util/text.hpp>

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

}  // namespace hawser
