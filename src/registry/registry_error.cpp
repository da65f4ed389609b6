#include "registry/registry_error.hpp"

#include "image/manifest.hpp"
#include "registry/rate_limit.hpp"
#include "util/json.hpp"
#include "util/text.hpp"

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

/// The status that belongs to the error code in a registry's words (distribution-spec, "Error Codes").
int meant_status(std::string_view words) {
  static constexpr std::pair<std::string_view, int> codes[] = {{"UNAUTHORIZED", 401},    {"DENIED", 403},
                                                               {"_UNKNOWN", 404},        {"NOT_FOUND", 404},
                                                               {"TOOMANYREQUESTS", 429}, {"UNAVAILABLE", 503}};
  for (const auto& [code, status] : codes)
    if (words.substr(0, words.find_first_of(":;")).ends_with(code)) return status;
  return 400;
}

/// Which part of a name is unknown, where the registry says so.
std::string not_found_reason(std::string_view words) {
  if (words.find("NAME_UNKNOWN") != std::string_view::npos) return "there is no such repository";
  if (words.find("MANIFEST_UNKNOWN") != std::string_view::npos) return "the repository has no such tag or manifest";
  if (words.find("BLOB_UNKNOWN") != std::string_view::npos) return "the repository has no such blob";
  return "not found";
}

}  // namespace

std::string registry_words(std::string_view body, std::string_view content_type, const Scrub& scrub) {
  std::string words;
  if (const auto object = parse_json_object(body)) {
    std::size_t count = 0;
    if (const auto* errors = json_array(*object, "errors")) {
      for (const auto& entry : *errors)
        if (++count <= max_errors)
          add_words(words, json_text(entry, "code"),
                    entry.is_string() ? std::string(entry.get_string()) : json_text(entry, "message"));
    }
    for (const char* key : {"details", "detail", "error_description", "error", "message"})
      if (words.empty()) words = json_text(*object, key);
  } else {
    words = plain_line(body, content_type);
  }
  if (scrub) scrub(words);
  return printable(words, max_words);
}

bool tells_expiry(std::string_view body) {
  // Wherever it stands: as a message, in its details, as a line of text.
  return ascii_lower(body).find("expir") != std::string::npos;
}

void throw_status_error(const HttpHead& head, std::string_view body, const std::string& what, const Scrub& scrub,
                        bool of_a_range) {
  const std::string words = registry_words(body, head.header("Content-Type"), scrub);
  const auto text = [&](const std::string& outcome) {
    return what + ": " + outcome + " (HTTP " + std::to_string(head.status) + (words.empty() ? ")" : ", " + words + ")");
  };
  const int status = head.status < 400 && is_error_document(body) ? meant_status(words) : head.status;
  const auto pause = parse_retry_after(head.header("Retry-After"), std::chrono::system_clock::now());
  if (of_a_range && (status == 400 || status == 416))
    throw Error(Errc::range_not_honoured, text("the request for a part of it was refused"));
  if (status == 401) throw Error(Errc::unauthorized, text("authentication is needed"), login_hint);
  if (status == 403)
    throw Error(Errc::forbidden, text("no permission"), "check that this user may pull from the repository");
  if (status == 404) throw Error(Errc::not_found, text(not_found_reason(words)), "check the name and the tag");
  const auto limit = read_rate_limit(head);
  if (status == 429)
    throw RetryAfterError(Errc::rate_limited,
                          text("too many requests") + (limit ? "; the limit is " + limit->to_string() : ""),
                          "wait a while; registries allow more to users who log in", pause);
  if (status >= 500 || status == 408 || status == 425)
    throw RetryAfterError(Errc::server_error, text("the server failed"), "try again later", pause);
  // Go's servers say so.
  const bool wants_tls = words.find("HTTP request to an HTTPS server") != std::string::npos;
  if (status >= 400)
    throw Error(Errc::bad_request, text("the request was refused"), wants_tls ? "leave out --plain-http" : "");
  throw Error(Errc::malformed, text("unexpected answer"));
}

Error none_has(const std::string& what, const std::vector<Refusal>& refusals, const Error& last) {
  if (refusals.size() < 2) return last;
  std::string account;
  for (const auto& [place, words] : refusals) {
    account += account.empty() ? ": " : "; ";
    account += (words.find(place) == std::string::npos ? place + ": " : "") + words;
  }
  return {
      last.code(),
      "none of the " + std::to_string(refusals.size()) + " places where " + what + " was looked for has it" + account,
      last.hint()};
}

Error at_mirror(const Error& error, const std::string& host) {
  std::string hint = error.hint();
  if (error.code() == Errc::unauthorized) hint = "log in to the mirror: hawser login " + host;
  if (error.code() == Errc::no_tls)
    hint = "if it is a plain HTTP mirror, configure it with http://, or say --insecure-registry " + host;
  return {error.code(), error.what(), std::move(hint)};
}

Error at_location(const Error& error, const std::string& host, const std::string& configured_at) {
  std::string hint = error.hint();
  const std::string_view of_registry = login_hint;
  if (const std::size_t begin = hint.find(of_registry); begin != std::string::npos)
    hint.replace(begin, of_registry.size(),
                 "the image is at " + host + " by " + configured_at + ": hawser login " + host);
  return {error.code(), error.what(), std::move(hint)};
}

bool is_error_document(std::string_view body) {
  const auto object = parse_json_object(body);
  if (!object || object->contains("schemaVersion") || object->contains("tags")) return false;
  return json_array(*object, "errors") || !json_text(*object, "error").empty() ||
         !json_text(*object, "message").empty();
}

bool looks_like_html(std::string_view body, std::string_view content_type) {
  const std::string type = media_type::essence(content_type);
  // What is JSON by its first character is so whatever a web server calls it.
  const std::size_t first = body.find_first_not_of(" \t\r\n\xef\xbb\xbf");
  if (first != std::string_view::npos && (body[first] == '{' || body[first] == '[')) return false;
  if (type == "text/html" || type == "application/xhtml+xml") return true;
  return !type.ends_with("json") && starts_like_html(body);
}

void refuse_web_page(std::string_view body, std::string_view content_type, const std::string& what, Errc code) {
  if (looks_like_html(body, content_type))
    throw Error(code, what + ": a web page came in its place",
                "a captive portal or proxy may stand in between: open a web page in a browser, or check HTTPS_PROXY");
}

}  // namespace hawser
