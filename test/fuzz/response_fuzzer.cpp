// HTTP responses: heads and bodies in pieces of any length mean the same as in one, and every step makes progress.
#include "check.hpp"
#include "net/response_decoder.hpp"
#include "registry/registry_error.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <array>
#include <cstdint>

namespace {

using namespace hawser;

// What a response means: its head and body as text, or that it is none.
std::string decode(std::string_view text, std::size_t step) {
  ResponseDecoder decoder;
  std::string input, result;
  try {
    while (!decoder.head_done() && !text.empty()) {
      input += text.substr(0, step);
      text.remove_prefix(std::min(step, text.size()));
      decoder.feed_head(input);
    }
    if (!decoder.head_done()) return "refused";  // what is no HTTP may be seen sooner or later
    const HttpHead head = decoder.head();
    result = std::to_string(head.status) + (decoder.keep_alive() ? " kept\n" : "\n");
    for (const auto& [name, value] : head.headers) result += name + ": " + value + "\n";
    input += text;
    if (decoder.content_length()) return result + std::to_string(*decoder.content_length());
    std::array<std::byte, 1000> out;
    while (!decoder.body_done() && !input.empty()) {
      const auto done = decoder.decode_body(std::as_bytes(std::span(input)), out);
      HAWSER_CHECK(done.consumed <= input.size() && done.produced <= out.size() && done.produced <= done.consumed);
      result.append(reinterpret_cast<const char*>(out.data()), done.produced);
      input.erase(0, done.consumed);
      if (done.consumed == 0) break;
    }
    if (!decoder.body_done()) decoder.end_of_stream();
  } catch (const Error& error) {
    HAWSER_CHECK(error.code() == Errc::protocol || error.code() == Errc::too_large ||
                 error.code() == Errc::connection_lost);
    return "refused";
  }
  return result;
}

// What is shown of an error's body is one printable line.
void read_errors(std::string_view body) {
  const std::string words = registry_words(body, {}, {});
  HAWSER_CHECK(words.size() <= 4096);
  for (const char c : words) HAWSER_CHECK(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  HAWSER_CHECK(decode(text, 1 + data[0] % 128) == decode(text, 1 << 20));
  read_errors(text);
  return 0;
}
