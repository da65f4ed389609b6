#include "registry/registry_error.hpp"

#include "image/manifest.hpp"
#include "util/json.hpp"
#include "util/text.hpp"

#include <algorithm>
#include <string>

#include <boost/json.hpp>

namespace hawser {
namespace {

constexpr std::size_t max_errors = 5;
constexpr std::size_t max_words = 400;
constexpr std::size_t max_plain_line = 200;

void add_words(std::string& words, std::string_view code, std::string_view message) {
  if (code.empty() && message.empty()) return;
  if (!words.empty()) words += "; ";
  words += code;
  if (!code.empty() && !message.empty()) words += ": ";
  words += message;
}

/// The line that a body consists of; empty where it is a page, or another kind of document.
std::string_view plain_line(std::string_view body, std::string_view content_type) {
  const std::string type = media_type::essence(content_type);
  if ((!type.empty() && type != "text/plain") || looks_like_html(body, type)) return {};
  while (!body.empty() && (body.back() == '\n' || body.back() == '\r')) body.remove_suffix(1);
  return body.size() <= max_plain_line && body.find('\n') == std::string_view::npos ? body : std::string_view();
}

/// Which part of a name is unknown, where the registry says so.
std::string not_found_reason(const RegistryErrors& errors) {
  if (errors.has("NAME_UNKNOWN")) return "there is no such repository";
  if (errors.has("MANIFEST_UNKNOWN")) return "the repository has no such tag or manifest";
  if (errors.has("BLOB_UNKNOWN")) return "the repository has no such blob";
  return "not found";
}

std::string sentence(const std::string& what, std::string_view outcome, int status, const std::string& words) {
  std::string text = what + ": " + std::string(outcome) + " (HTTP " + std::to_string(status);
  if (!words.empty()) text += ", " + words;
  return text + ")";
}

}  // namespace

bool RegistryErrors::has(std::string_view code) const {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

RegistryErrors parse_registry_errors(std::string_view body, std::string_view content_type, const Scrub& scrub) {
  RegistryErrors result;
  std::string words;
  const auto finish = [&] {
    if (scrub) scrub(words);
    result.words = printable(words, max_words);
    return result;
  };
  const auto object = parse_json_object(body);
  if (!object) {
    words = plain_line(body, content_type);
    return finish();
  }
  const auto* errors = object->if_contains("errors");
  if (errors && errors->is_array()) {
    for (const auto& entry : errors->get_array()) {
      if (result.codes.size() >= max_errors) break;
      if (!entry.is_object()) continue;
      result.codes.push_back(json_text(entry.get_object(), "code"));
      add_words(words, result.codes.back(), json_text(entry.get_object(), "message"));
    }
  }
  for (const char* key : {"details", "error_description", "error", "message"}) {
    if (!words.empty()) break;
    words = json_text(*object, key);
  }
  return finish();
}

void throw_status_error(const HttpHead& head, std::string_view body, const std::string& what, const Scrub& scrub) {
  const RegistryErrors errors = parse_registry_errors(body, head.header("Content-Type"), scrub);
  const int status = head.status;
  const auto text = [&](std::string_view outcome) { return sentence(what, outcome, status, errors.words); };
  const auto pause = parse_retry_after(head.header("Retry-After"), std::chrono::system_clock::now());
  if (status == 401) throw Error(Errc::unauthorized, text("authentication is needed"), login_hint);
  if (status == 403)
    throw Error(Errc::forbidden, text("no permission"), "check that this user may pull from the repository");
  if (status == 404) throw Error(Errc::not_found, text(not_found_reason(errors)), "check the name and the tag");
  if (status == 429)
    throw RetryAfterError(Errc::rate_limited, text("too many requests"),
                          "wait a while; registries allow more to users who log in", pause);
  if (status >= 500 || status == 408 || status == 425)
    throw RetryAfterError(Errc::server_error, text("the server failed"), "try again later", pause);
  // Go's servers say so.
  const bool wants_tls = errors.words.find("HTTP request to an HTTPS server") != std::string::npos;
  if (status >= 400)
    throw Error(Errc::bad_request, text("the request was refused"), wants_tls ? "leave out --plain-http" : "");
  throw Error(Errc::malformed, text("unexpected answer"));
}

bool looks_like_html(std::string_view body, std::string_view content_type) {
  const std::string type = media_type::essence(content_type);
  if (type == "text/html" || type == "application/xhtml+xml") return true;
  return !type.ends_with("json") && starts_like_html(body);
}

void refuse_web_page(std::string_view body, std::string_view content_type, const std::string& what, Errc code) {
  if (looks_like_html(body, content_type))
    throw Error(code, what + ": a web page came in its place",
                "a captive portal or proxy may stand in between: open a web page in a browser, or check HTTPS_PROXY");
}

}  // namespace hawser
