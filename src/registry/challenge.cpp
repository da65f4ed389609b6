#include "registry/challenge.hpp"

#include "net/connector.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <string>

namespace hawser {
namespace {

bool is_token_char(char c) {
  return is_ascii_alnum(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_token68_char(char c) {
  return is_ascii_alnum(c) || std::string_view("-._~+/").find(c) != std::string_view::npos;
}

/// Reads one header value from left to right.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  void read_into(std::vector<Challenge>& challenges);

 private:
  bool at_end() const { return position_ >= text_.size(); }
  bool at(char c) const { return !at_end() && text_[position_] == c; }

  void skip_space() {
    while (at(' ') || at('\t')) ++position_;
  }

  void skip_separators() {
    while (at(' ') || at('\t') || at(',')) ++position_;
  }

  std::string_view token() {
    const std::size_t begin = position_;
    while (!at_end() && is_token_char(text_[position_])) ++position_;
    return text_.substr(begin, position_ - begin);
  }

  /// Where a quoted string is broken (never closed), all that is left belongs to it.
  std::string quoted() {
    std::string value;
    ++position_;
    while (!at_end() && !at('"')) {
      if (at('\\') && position_ + 1 < text_.size()) ++position_;
      value += text_[position_++];
    }
    if (!at_end()) ++position_;
    return value;
  }

  /// Up to the next comma that stands outside of quotes.
  void skip_element() {
    while (!at_end() && !at(',')) {
      if (at('"')) {
        quoted();
      } else {
        ++position_;
      }
    }
  }

  /// `name BWS "=" BWS value`; nothing, with the position as it was, where there is none.
  std::optional<std::pair<std::string, std::string>> param() {
    const std::size_t begin = position_;
    const std::string_view name = token();
    skip_space();
    if (name.empty() || !at('=')) return position_ = begin, std::nullopt;
    ++position_;
    skip_space();
    if (at('"')) return std::pair(ascii_lower(name), quoted());
    const std::string_view value = token();
    if (value.empty()) return position_ = begin, std::nullopt;
    return std::pair(ascii_lower(name), std::string(value));
  }

  /// Passes over a token68, which stands in place of parameters ("Negotiate abc==") and is alone up to the comma or the
  /// end; false, with the position as it was, where there is none.
  bool skip_token68() {
    const std::size_t begin = position_;
    while (!at_end() && is_token68_char(text_[position_])) ++position_;
    while (at('=')) ++position_;
    skip_space();
    if (at_end() || at(',')) return true;
    position_ = begin;
    return false;
  }

  std::string_view text_;
  std::size_t position_ = 0;
};

void Reader::read_into(std::vector<Challenge>& challenges) {
  Challenge* current = nullptr;  // the challenge of this header that parameters belong to
  for (skip_separators(); !at_end(); skip_separators()) {
    // After the first scheme, "name=value" goes on with the challenge; anything else begins a new one.
    if (const auto pair = current ? param() : std::nullopt) {
      if (current->params.size() < max_challenge_params) current->params.push_back(*pair);
    } else {
      const std::string_view scheme = token();
      const bool ends = at_end() || at(' ') || at('\t') || at(',');
      if (scheme.empty() || !ends || challenges.size() >= max_challenges) {
        if (challenges.size() >= max_challenges) return;
        skip_element();
        continue;
      }
      challenges.push_back({ascii_lower(scheme), {}});
      current = &challenges.back();
      skip_space();
      if (at_end() || at(',')) continue;
      if (skip_token68()) continue;
      if (const auto first = param()) current->params.push_back(*first);
    }
    skip_space();
    if (!at_end() && !at(',')) skip_element();
  }
}

}  // namespace

std::optional<std::string_view> Challenge::param(std::string_view name) const {
  for (const auto& [key, value] : params)
    if (key == name) return value;
  return std::nullopt;
}

std::vector<Challenge> parse_challenges(const std::vector<std::string_view>& header_values) {
  std::vector<Challenge> challenges;
  for (const std::string_view value : header_values) {
    if (challenges.size() >= max_challenges) break;
    Reader(value.substr(0, max_challenge_bytes)).read_into(challenges);
  }
  return challenges;
}

Url checked_realm(const Origin& registry, std::string_view realm) {
  const std::string shown = "the token service that " + registry.to_string() + " names";
  Url url;
  try {
    url = Url::parse(realm);
  } catch (const Error&) {
    throw Error(Errc::unauthorized, shown + " is not an http or https URL: \"" + displayed_url(realm, 120) + "\"");
  }
  if (registry.tls && !url.origin.tls)
    throw Error(Errc::unauthorized, shown + " is not protected by TLS: " + printable(url.to_display(), 120),
                "hawser sends no credentials in the clear; ask the registry's operator to serve tokens over https");
  if (is_metadata_host(url.origin.host) && url.origin.host != registry.host)
    throw Error(Errc::unauthorized,
                shown + " is a link-local or cloud metadata address, which hawser will not ask: " +
                    printable(url.to_display(), 120),
                "do not trust this registry");
  return url;
}

}  // namespace hawser
