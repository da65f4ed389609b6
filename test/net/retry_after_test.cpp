#include <hawser/net/retry_after.hpp>

#include <gtest/gtest.h>

namespace hawser {
namespace {

using namespace std::chrono_literals;

// Sun, 06 Nov 1994 08:49:37 GMT
const std::chrono::system_clock::time_point now{784111777s};

TEST(RetryAfter, Seconds) {
  EXPECT_EQ(parse_retry_after("120", now), 120s);
  EXPECT_EQ(parse_retry_after(" 0 ", now), 0s);
}

TEST(RetryAfter, Date) {
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:50:37 GMT", now), 60s);
  EXPECT_EQ(parse_retry_after("Mon, 07 Nov 1994 08:49:37 GMT", now), 24h);
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:38 GMT", now + 500ms), 500ms);
}

TEST(RetryAfter, DateThatHasPassedIsNow) {
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:36 GMT", now), 0s);
}

TEST(RetryAfter, AbsurdlyLongIsCapped) {
  EXPECT_EQ(parse_retry_after("99999999999999999999999999", now), 365 * 24h);
  EXPECT_EQ(parse_retry_after("999999999", now), 365 * 24h);
  EXPECT_EQ(parse_retry_after("Fri, 31 Dec 9999 23:59:59 GMT", now), 365 * 24h);
  EXPECT_EQ(parse_retry_after("Sat, 01 Jan 0000 00:00:00 GMT", now), 0s);
}

TEST(RetryAfter, AnythingElseIsNothing) {
  for (const char* text :
       {"", "-1", "1.5", "soon", "12s", "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 UTC", "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994", "Sun, 06 anF 1994 08:49:37 GMT"})
    EXPECT_EQ(parse_retry_after(text, now), std::nullopt) << text;
}

TEST(RetryAfter, ErrorCarriesThePause) {
  const RetryAfterError error(Errc::rate_limited, "too many requests", "wait", 5s);
  EXPECT_EQ(error.retry_after(), 5s);
  EXPECT_EQ(static_cast<const Error&>(error).code(), Errc::rate_limited);
}

}  // namespace
}  // namespace hawser
