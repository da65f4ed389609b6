#include "registry/rate_limit.hpp"

#include <gtest/gtest.h>

namespace hawser {
namespace {

using namespace std::chrono_literals;

std::string told(Headers headers) {
  HttpHead head;
  head.headers = std::move(headers);
  const auto limit = read_rate_limit(head);
  return limit ? limit->to_string() : "none";
}

TEST(RateLimit, IsReadFromWhatDockerHubSends) {
  EXPECT_EQ(told({{"RateLimit-Limit", "100;w=21600"},
                  {"RateLimit-Remaining", "76;w=21600"},
                  {"Docker-RateLimit-Source", "203.0.113.7"}}),
            "100 pulls in 6 hours, 76 left, counted for 203.0.113.7");
  HttpHead head;
  head.headers = {{"ratelimit-limit", "200;w=3600"}, {"ratelimit-remaining", "0;w=3600"}};
  EXPECT_EQ(read_rate_limit(head), (RateLimit{200, 3600s, 0, ""}));
}

TEST(RateLimit, OfLessIsToldLess) {
  EXPECT_EQ(told({{"ratelimit-limit", "10"}}), "10 pulls");
  EXPECT_EQ(told({{"ratelimit-limit", "10;x=1; w=90"}}), "10 pulls in 90 seconds");
  EXPECT_EQ(told({{"ratelimit-limit", "1;w=60"}}), "1 pull in 1 minute");
  EXPECT_EQ(told({{"ratelimit-limit", " 5 ; w=0, 100;w=60"}}), "5 pulls in 0 seconds");
  EXPECT_EQ(told({{"ratelimit-limit", "10;w=soon"}, {"ratelimit-remaining", "some"}}), "10 pulls");
}

TEST(RateLimit, IsNoneWhereNoNumberIsGiven) {
  EXPECT_EQ(told({}), "none");
  EXPECT_EQ(told({{"ratelimit-remaining", "76;w=21600"}}), "none");
  for (const char* value : {"", "many", "-1", "1e3", ";w=60", "99999999999"})
    EXPECT_EQ(told({{"ratelimit-limit", value}}), "none") << value;
}

TEST(RateLimit, TheSourceIsPrintable) {
  EXPECT_EQ(told({{"ratelimit-limit", "1"}, {"docker-ratelimit-source", "a\x1b[2J"}}), "1 pull, counted for a?[2J");
}

}  // namespace
}  // namespace hawser
