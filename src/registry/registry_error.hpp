// What a registry says when it says no, turned into an Error for people (distribution-spec, "Error Codes").
#pragma once

#include "net/http_client.hpp"

#include <hawser/util/error.hpp>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// The most that is read of an error's body, in bytes.
inline constexpr std::size_t max_error_body = 1024 * 1024;

/// Takes out of a server's words what it must not repeat: a server may echo the secrets that it was sent.
using Scrub = std::function<void(std::string&)>;

/// What a registry says in an error's body, in one line, printable and capped: the codes and messages of `errors` (or,
/// as token services have it, `details`, `detail`, `error_description`, `error`, `message`), or the one short line that
/// a body of `content_type` text/plain or of none is. `scrub` is given the words as they are meant, escapes resolved
/// and uncut. Never fails: empty where it is none of these.
std::string registry_words(std::string_view body, std::string_view content_type, const Scrub& scrub);

/// Whether a body is a registry's error document ("errors", or "error" or "message" where no manifest and no tags are),
/// which some send with a status that is none.
bool is_error_document(std::string_view body);

/// Whether the body of a refusal is about something that has expired: a token, whatever the status says.
bool tells_expiry(std::string_view body);

/// Throws the Error that the status of `head` stands for, or where that is below 400 the first code of an error
/// document: unauthorized, forbidden, not_found, rate_limited, server_error (5xx, 408, 425), bad_request (other 4xx),
/// malformed (anything else); 400 and 416 to a request for a range are range_not_honoured. `what` is what was asked
/// for, as the sentence's subject ("manifest latest of quay.io/a/b"); the server's words go through `scrub`. 429 and
/// server errors are RetryAfterErrors.
[[noreturn]] void throw_status_error(const HttpHead& head, std::string_view body, const std::string& what,
                                     const Scrub& scrub, bool of_a_range = false);

/// What one of several places said.
struct Refusal {
  std::string place;
  std::string words;
};

/// The end of a search for `what` in several places: `last` with what each of them said in its message. One place's
/// refusal is `last` as it is.
Error none_has(const std::string& what, const std::vector<Refusal>& refusals, const Error& last);

/// A mirror's failure: with a hint that is true of mirrors, where that of registries is not.
Error at_mirror(const Error& error, const std::string& host);
/// The failure of the host that `configured_at` has put in the registry's place, to which the registry's credentials do
/// not go.
Error at_location(const Error& error, const std::string& host, const std::string& configured_at);

/// How to log in, for people.
inline constexpr const char* login_hint = "give credentials with --username and --password-stdin, or run hawser login";

/// Whether a body is a web page: it does not begin as JSON does, and its media type says so or, where that says nothing
/// of JSON, its first character.
bool looks_like_html(std::string_view body, std::string_view content_type);

/// Throws Error{`code`} where a web page came in place of `what`.
void refuse_web_page(std::string_view body, std::string_view content_type, const std::string& what, Errc code);

}  // namespace hawser
