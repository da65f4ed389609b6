#include "net/response_decoder.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>

#include <gtest/gtest.h>

namespace hawser {
namespace {

/// Feeds `text` to a decoder `step` bytes at a time; what follows the head is left in `rest`.
ResponseDecoder feed(const std::string& text, std::size_t step, std::string& rest) {
  ResponseDecoder decoder;
  std::size_t at = 0;
  rest.clear();
  while (!decoder.head_done() && at < text.size()) {
    rest += text.substr(at, step);
    at += step;
    decoder.feed_head(rest);
  }
  if (at < text.size()) rest += text.substr(at);
  return decoder;
}

/// The body that comes of `input`, fed and taken in pieces.
std::string body(ResponseDecoder& decoder, std::string input, std::size_t step, std::size_t out_size) {
  std::string result, pending;
  std::vector<std::byte> out(out_size);
  while (!decoder.body_done()) {
    const auto taken = decoder.decode_body(std::as_bytes(std::span(pending)), out);
    pending.erase(0, taken.consumed);
    result.append(reinterpret_cast<const char*>(out.data()), taken.produced);
    if (taken.consumed > 0 || taken.produced > 0) continue;
    if (input.empty()) break;
    pending += input.substr(0, step);
    input.erase(0, std::min(step, input.size()));
  }
  return result;
}

Errc head_failure(std::string text) {
  ResponseDecoder decoder;
  try {
    decoder.feed_head(text);
  } catch (const Error& error) {
    return error.code();
  }
  return Errc{};
}

Errc body_failure(const std::string& text) {
  std::string rest;
  ResponseDecoder decoder = feed(text, text.size(), rest);
  try {
    body(decoder, rest, 1, 10);
    if (!decoder.body_done()) decoder.end_of_stream();
  } catch (const Error& error) {
    return error.code();
  }
  return Errc{};
}

TEST(ResponseDecoder, HeadsInPieces) {
  const std::string text = "HTTP/1.1 206 Partial\r\nContent-Length: 5\r\nX-A: one\r\nx-a: two\r\n\r\nhello";
  for (std::size_t step = 1; step <= text.size(); ++step) {
    std::string rest;
    const ResponseDecoder decoder = feed(text, step, rest);
    ASSERT_TRUE(decoder.head_done()) << step;
    EXPECT_EQ(decoder.head().status, 206);
    EXPECT_EQ(decoder.head().all("X-A"), (std::vector<std::string_view>{"one", "two"}));
    EXPECT_EQ(decoder.content_length(), 5u);
    EXPECT_TRUE(decoder.keep_alive());
    EXPECT_EQ(rest, "hello");
  }
}

TEST(ResponseDecoder, LinesMayEndInLfAloneAndTheFirstWithTheStatus) {
  for (const std::string text : {"HTTP/1.1 206\r\nContent-Length: 5\r\nX-A: 1\r\n\r\nhello",
                                 "HTTP/1.1 206 Partial\nContent-Length: 5\nX-A: 1\n\nhello",
                                 "HTTP/1.1 100\n\nHTTP/1.1 206\nContent-Length: 5\r\nX-A: 1\n\r\nhello"}) {
    for (std::size_t step = 1; step <= text.size(); ++step) {
      std::string rest;
      const ResponseDecoder decoder = feed(text, step, rest);
      ASSERT_TRUE(decoder.head_done()) << text << step;
      EXPECT_EQ(decoder.head().status, 206);
      EXPECT_EQ(decoder.head().header("X-A"), "1");
      EXPECT_EQ(decoder.content_length(), 5u);
      EXPECT_EQ(rest, "hello");
    }
  }
}

TEST(ResponseDecoder, InformationalResponsesArePassedOver) {
  const std::string text =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, text.size()}) {
    std::string rest;
    const ResponseDecoder decoder = feed(text, step, rest);
    ASSERT_TRUE(decoder.head_done());
    EXPECT_EQ(decoder.head().status, 200);
    EXPECT_EQ(decoder.head().header("Link"), "");
    EXPECT_EQ(rest, "ok");
  }
}

TEST(ResponseDecoder, ALengthBesideChunksDoesNotCount) {
  for (const std::string length : {"Content-Length: 3\r\n", "content-length:3\r\nContent-Length: 4\r\n"}) {
    for (const bool first : {true, false}) {
      const std::string chunked = "Transfer-Encoding: chunked\r\n";
      std::string rest;
      ResponseDecoder decoder = feed(
          "HTTP/1.1 200 OK\r\n" + (first ? length + chunked : chunked + length) + "X: y\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
          7, rest);
      EXPECT_EQ(decoder.content_length(), std::nullopt);
      EXPECT_EQ(decoder.head().header("X"), "y");
      EXPECT_EQ(body(decoder, rest, 3, 100), "hello");
    }
  }
}

TEST(ResponseDecoder, ChunksInPieces) {
  const std::string text =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;ext=1\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\nT: "
      "x\r\n\r\n";
  for (const std::size_t step : {1U, 2U, 3U, 100U}) {
    for (const std::size_t out : {1U, 3U, 100U}) {
      std::string rest;
      ResponseDecoder decoder = feed(text, step, rest);
      EXPECT_EQ(decoder.content_length(), std::nullopt);
      EXPECT_EQ(body(decoder, rest, step, out), "hello world") << step << " " << out;
      EXPECT_TRUE(decoder.body_done());
      EXPECT_TRUE(decoder.keep_alive());
    }
  }
}

TEST(ResponseDecoder, ABodyUntilTheEndOfTheConnection) {
  std::string rest;
  ResponseDecoder decoder = feed("HTTP/1.0 200 OK\r\n\r\nabc", 4, rest);
  EXPECT_EQ(decoder.content_length(), std::nullopt);
  EXPECT_FALSE(decoder.keep_alive());
  EXPECT_EQ(body(decoder, rest, 1, 2), "abc");
  EXPECT_FALSE(decoder.body_done());
  decoder.end_of_stream();
  EXPECT_TRUE(decoder.body_done());
}

TEST(ResponseDecoder, StatusesWithoutABody) {
  for (const char* status : {"204 No Content", "304 Not Modified"}) {
    std::string rest;
    const ResponseDecoder decoder = feed("HTTP/1.1 " + std::string(status) + "\r\n\r\n", 100, rest);
    EXPECT_EQ(decoder.content_length(), 0u) << status;
  }
}

TEST(ResponseDecoder, ConnectionCloseIsObeyed) {
  std::string rest;
  EXPECT_FALSE(feed("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 100, rest).keep_alive());
  EXPECT_FALSE(feed("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 100, rest).keep_alive());
}

TEST(ResponseDecoder, HeadsHaveALimit) {
  const std::string start = "HTTP/1.1 200 OK\r\nA: ";
  EXPECT_EQ(head_failure(start + std::string(40'000, 'a') + "\r\n\r\n"), Errc{});
  EXPECT_EQ(head_failure(start + std::string(max_head_size, 'a')), Errc::too_large);
  EXPECT_EQ(head_failure(start + std::string(max_head_size, 'a') + "\r\n\r\n"), Errc::too_large);
  std::string many = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 20'000; ++i) many += "A: b\r\n";
  EXPECT_EQ(head_failure(many), Errc::too_large);
}

TEST(ResponseDecoder, AttackInformationalResponsesWithoutEndAreOneLongHead) {
  const std::string early = "HTTP/1.1 103 E\r\n\r\n";
  std::string flood;
  for (int i = 0; i < 10'000; ++i) flood += early;
  EXPECT_EQ(head_failure(flood), Errc::too_large);
  // Also where each comes by itself.
  ResponseDecoder decoder;
  std::size_t taken = 0;
  EXPECT_THROW(
      for (; taken < 10'000; ++taken) {
        std::string input = early;
        decoder.feed_head(input);
      },
      Error);
  EXPECT_EQ(taken, max_head_size / early.size());
}

TEST(ResponseDecoder, GarbageIsAProtocolError) {
  for (const char* text :
       {"what do you want?\r\n\r\n", "\x16\x03\x01\x02\x05\r\n\r\n", "HTTP/9.1 200 OK\r\n\r\n",
        "HTTP/1.1 two OK\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"})
    EXPECT_EQ(head_failure(text), Errc::protocol) << text;
}

TEST(ResponseDecoder, BodiesThatBreak) {
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(body_failure(chunked + "zz\r\n"), Errc::protocol);
  EXPECT_EQ(body_failure(chunked + "5\r\nhelloXXXX\r\n"), Errc::protocol);
  EXPECT_EQ(body_failure(chunked + "ffffffffffffffffff\r\n"), Errc::protocol);
  EXPECT_EQ(body_failure(chunked + "5\r\nhel"), Errc::connection_lost);
  EXPECT_EQ(body_failure(chunked + "5\r\nhello\r\n"), Errc::connection_lost);
  EXPECT_EQ(body_failure(chunked + "0\r\n\r\n"), Errc{});
}

}  // namespace
}  // namespace hawser
