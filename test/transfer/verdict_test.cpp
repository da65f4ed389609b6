#include "transfer/verdict.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace hawser {
namespace {

struct Case {
  std::string what;
  FailedRequest failed;
  Verdict verdict;
};

TEST(Verdict, FollowsFromWhatIsKnown) {
  const std::vector<Case> cases{
      {"a connection that broke", {.code = Errc::connection_lost}, Verdict::retry},
      {"the last try", {.code = Errc::connection_lost, .failures = 9, .budget_used_up = true}, Verdict::give_up},
      {"no try allowed", {.code = Errc::stalled, .failures = 1, .budget_used_up = true}, Verdict::give_up},
      {"what broke with another range", {.code = Errc::connection_lost, .is_news = false}, Verdict::ignore},
      {"the same when the budget is used up",
       {.code = Errc::connection_lost, .is_news = false, .failures = 9, .budget_used_up = true},
       Verdict::ignore},
      {"nothing there", {.code = Errc::not_found}, Verdict::fail},
      {"nothing there, and no news", {.code = Errc::not_found, .is_news = false}, Verdict::fail},
      {"a full disk", {.code = Errc::disk_full}, Verdict::fail},
      {"a range refused", {.code = Errc::range_not_honoured, .ranged = true}, Verdict::use_whole_bodies},
      {"a range refused, with another URL",
       {.code = Errc::range_not_honoured, .ranged = true, .has_next_url = true},
       Verdict::use_whole_bodies},
      {"a range refused at the end",
       {.code = Errc::range_not_honoured, .stopped = true, .ranged = true},
       Verdict::use_whole_bodies},
      {"a whole body refused", {.code = Errc::range_not_honoured}, Verdict::fail},

      {"nothing there, but another URL", {.code = Errc::not_found, .has_next_url = true}, Verdict::ask_next_url},
      {"another URL, first failure", {.code = Errc::stalled, .has_next_url = true, .failures = 1}, Verdict::retry},
      {"another URL, second failure", {.code = Errc::stalled, .has_next_url = true, .failures = 2}, Verdict::retry},
      {"another URL, third failure",
       {.code = Errc::stalled, .has_next_url = true, .failures = 3},
       Verdict::ask_next_url},
      {"another URL, the last try",
       {.code = Errc::stalled, .has_next_url = true, .failures = 1, .budget_used_up = true},
       Verdict::ask_next_url},
      {"another URL, no news",
       {.code = Errc::stalled, .has_next_url = true, .is_news = false, .failures = 3},
       Verdict::ignore},
      {"a URL given up", {.code = Errc::not_found, .url_given_up = true}, Verdict::ignore},
      {"a URL given up, and stopped",
       {.code = Errc::cancelled, .stopped = true, .url_given_up = true},
       Verdict::ignore},
      {"a URL given up that refused a range",
       {.code = Errc::range_not_honoured, .ranged = true, .url_given_up = true},
       Verdict::ignore},

      {"stopped", {.code = Errc::cancelled, .stopped = true}, Verdict::fail},
      {"broken while stopping", {.code = Errc::connection_lost, .stopped = true}, Verdict::fail},
      {"stopped, with another URL", {.code = Errc::not_found, .stopped = true, .has_next_url = true}, Verdict::fail},
  };
  for (const Case& one : cases) EXPECT_EQ(judge(one.failed), one.verdict) << one.what;
}

TEST(Verdict, WhatARegistryComplainsOf) {
  for (const Errc code : {Errc::rate_limited, Errc::server_error, Errc::connect_failed, Errc::connect_refused,
                          Errc::connection_lost, Errc::tls_failed}) {
    EXPECT_TRUE(is_complaint({.code = code})) << static_cast<int>(code);
    EXPECT_TRUE(is_complaint({.code = code, .is_news = false})) << static_cast<int>(code);
    EXPECT_FALSE(is_complaint({.code = code, .stopped = true})) << static_cast<int>(code);
    EXPECT_FALSE(is_complaint({.code = code, .url_given_up = true})) << static_cast<int>(code);
  }
  for (const Errc code : {Errc::not_found, Errc::stalled, Errc::resolve_failed, Errc::protocol,
                          Errc::range_not_honoured, Errc::cancelled})
    EXPECT_FALSE(is_complaint({.code = code})) << static_cast<int>(code);
}

}  // namespace
}  // namespace hawser
