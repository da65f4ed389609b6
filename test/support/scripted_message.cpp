#include "support/scripted_message.hpp"

#include "util/text.hpp"

namespace hawser::test {

std::string ScriptedRequest::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (equals_ignoring_case(key, name)) return value;
  return {};
}

Reply Reply::of(int status, std::string body, std::string content_type) {
  Reply reply;
  reply.status = status;
  if (!content_type.empty()) reply.headers.emplace_back("Content-Type", std::move(content_type));
  reply.body = std::move(body);
  return reply;
}

Reply Reply::error(int status, const std::string& code, const std::string& message) {
  return of(status, R"({"errors":[{"code":")" + code + R"(","message":")" + message + R"("}]})");
}

Reply Reply::redirect(std::string location, int status) {
  Reply reply = of(status, {}, {});
  reply.headers.emplace_back("Location", std::move(location));
  return reply;
}

Reply Reply::captive_portal() {
  return of(200, "<!DOCTYPE html><html><body>Welcome! Accept our terms to go on.</body></html>",
            "text/html; charset=utf-8");
}

Reply Reply::with(std::string name, std::string value) && {
  headers.emplace_back(std::move(name), std::move(value));
  return std::move(*this);
}

std::string Reply::serialise(std::size_t& head_size) const {
  std::string text = std::string(http10 ? "HTTP/1.0 " : "HTTP/1.1 ") + std::to_string(status) + " Scripted\r\n";
  for (const auto& [name, value] : headers) text += name + ": " + value + "\r\n";
  if (chunked) {
    text += "Transfer-Encoding: chunked\r\n";
  } else if (!without_length) {
    text += "Content-Length: " + std::to_string(claimed_length.value_or(body.size())) + "\r\n";
  }
  if (close) text += "Connection: close\r\n";
  text += "\r\n";
  head_size = text.size();
  if (!chunked) return text + body;
  constexpr std::size_t chunk_size = 8000;
  for (std::size_t at = 0; at < body.size(); at += chunk_size) {
    const std::string_view chunk = std::string_view(body).substr(at, chunk_size);
    char size[32];
    std::snprintf(size, sizeof size, "%zx\r\n", chunk.size());
    text += size;
    text += chunk;
    text += "\r\n";
  }
  return text + "0\r\n\r\n";
}

bool Rule::takes(const ScriptedRequest& request) {
  if (method != "*" && method != request.method) return false;
  if (!path_matches(path, request.path())) return false;
  if (times && matched >= skip + *times) return false;
  ++matched;
  return matched > skip;
}

bool path_matches(std::string_view pattern, std::string_view path) {
  std::size_t p = 0, s = 0, star = std::string_view::npos, resume = 0;
  while (s < path.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = s;
    } else if (p < pattern.size() && pattern[p] == path[s]) {
      ++p;
      ++s;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      s = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace hawser::test
