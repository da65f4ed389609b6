#include "transfer/retry.hpp"

#include "util/text.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace hawser {
namespace {

using namespace std::chrono_literals;

TEST(IsRetriable, WhatMayPass) {
  for (const Errc code :
       {Errc::rate_limited, Errc::server_error, Errc::resolve_failed, Errc::connect_failed, Errc::connect_refused,
        Errc::proxy_failed, Errc::tls_failed, Errc::connection_lost, Errc::stalled, Errc::protocol})
    EXPECT_TRUE(is_retriable(code)) << static_cast<int>(code);
}

TEST(IsRetriable, WhatStaysAsItIs) {
  for (const Errc code :
       {Errc::tls_certificate, Errc::no_tls, Errc::unauthorized, Errc::forbidden, Errc::not_found, Errc::bad_request,
        Errc::too_many_redirects, Errc::redirect_refused, Errc::unsupported, Errc::digest_mismatch, Errc::size_mismatch,
        Errc::disk, Errc::disk_full, Errc::cancelled, Errc::proxy_refused})
    EXPECT_FALSE(is_retriable(code)) << static_cast<int>(code);
}

TEST(AttemptsAfter, ARefusedPortThatNeverTookAConnectionIsGivenUpSoon) {
  RetryLimits limits;
  limits.attempts = 10;
  EXPECT_EQ(attempts_after(Errc::connect_refused, false, limits), 2U);
  EXPECT_EQ(attempts_after(Errc::connect_refused, true, limits), 10U);
  EXPECT_EQ(attempts_after(Errc::connect_failed, false, limits), 10U);
  limits.attempts = 1;
  EXPECT_EQ(attempts_after(Errc::connect_refused, false, limits), 1U);
}

TEST(RetryBudget, TheBoundDoublesUpToTheLongestWait) {
  RetryLimits limits;
  limits.attempts = 100;
  limits.base = 100ms;
  limits.longest = 1'000ms;
  RetryBudget budget(limits);
  EXPECT_EQ(budget.failed({}, 0.5), 50ms);
  EXPECT_EQ(budget.failed({}, 0.5), 100ms);
  EXPECT_EQ(budget.failed({}, 0.5), 200ms);
  EXPECT_EQ(budget.failed({}, 0.5), 400ms);
  for (int i = 4; i < 100; ++i) EXPECT_EQ(budget.failed({}, 0.5), 500ms) << i;
}

TEST(RetryBudget, JitterIsFull) {
  RetryLimits limits;
  EXPECT_EQ(RetryBudget(limits).failed({}, 0.0), 0ms);
  EXPECT_LT(RetryBudget(limits).failed({}, 0.999), limits.base);
}

TEST(RetryBudget, IsUsedUpAfterSoManyFailures) {
  RetryLimits limits;
  limits.attempts = 2;
  RetryBudget budget(limits);
  EXPECT_TRUE(budget.failed({}, 0.5));
  EXPECT_FALSE(budget.is_used_up());
  EXPECT_TRUE(budget.failed({}, 0.5));
  EXPECT_TRUE(budget.is_used_up());
  EXPECT_EQ(budget.failed({}, 0.5), std::nullopt);
  EXPECT_EQ(budget.failures(), 3u);
}

TEST(RetryBudget, WithoutRetriesTheFirstFailureIsTheLast) {
  RetryLimits limits;
  limits.attempts = 0;
  EXPECT_EQ(RetryBudget(limits).failed({}, 0.5), std::nullopt);
  EXPECT_EQ(RetryBudget(limits).failed(1s, 0.5), std::nullopt);
}

TEST(RetryBudget, ProgressRefillsIt) {
  RetryLimits limits;
  limits.attempts = 1;
  limits.base = 100ms;
  RetryBudget budget(limits);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(budget.failed({}, 0.5), 50ms);
    budget.progressed();
  }
  EXPECT_TRUE(budget.failed({}, 0.5));
  EXPECT_FALSE(budget.failed({}, 0.5));
}

TEST(RetryBudget, RetryAfterIsObeyedWithinReason) {
  RetryLimits limits;
  limits.longest = 1s;
  limits.longest_retry_after = 60s;
  RetryBudget budget(limits);
  EXPECT_EQ(budget.failed(7s, 0.0), 7s);  // neither jitter nor our own longest wait shortens it
  EXPECT_EQ(budget.failed(3600s, 0.0), 60s);
}

TEST(RetryBudget, RetryAfterNeverShortensOurOwnWait) {
  RetryLimits limits;
  limits.base = 100ms;
  RetryBudget budget(limits);
  EXPECT_EQ(budget.failed(0s, 0.5), 50ms);
  EXPECT_EQ(budget.failed(-5s, 0.5), 100ms);
  EXPECT_EQ(budget.failed(150ms, 0.5), 200ms);
  EXPECT_EQ(budget.failed(3s, 0.5), 3s);
}

TEST(TooLongAWait, SaysUntilWhenAndKeepsTheWords) {
  const auto now = std::chrono::system_clock::from_time_t(1'700'000'000);
  const Error error = too_long_a_wait({Errc::server_error, "manifest x: busy", "try again later"}, 6h, now);
  EXPECT_EQ(error.code(), Errc::rate_limited);
  EXPECT_EQ(error.what(), "manifest x: busy; the server asks to wait 6 h 00 min, until " + format_local_time(now + 6h));
  EXPECT_NE(error.hint().find("--max-wait"), std::string::npos);
}

TEST(RandomJitter, IsWithinBoundsAndVaries) {
  double smallest = 1, largest = 0;
  for (int i = 0; i < 200; ++i) {
    const double jitter = random_jitter();
    ASSERT_GE(jitter, 0.0);
    ASSERT_LT(jitter, 1.0);
    smallest = std::min(smallest, jitter);
    largest = std::max(largest, jitter);
  }
  EXPECT_LT(smallest, 0.5);
  EXPECT_GT(largest, 0.5);
}

struct Case {
  std::string what;
  FailedRequest failed;
  Reaction reaction;
};

TEST(Reaction, FollowsFromWhatIsKnown) {
  const std::vector<Case> cases{
      {"a connection that broke", {.code = Errc::connection_lost}, Reaction::retry},
      {"the last try", {.code = Errc::connection_lost, .failures = 9, .budget_used_up = true}, Reaction::give_up},
      {"no try allowed", {.code = Errc::stalled, .failures = 1, .budget_used_up = true}, Reaction::give_up},
      {"what broke with another range", {.code = Errc::connection_lost, .is_news = false}, Reaction::ignore},
      {"the same when the budget is used up",
       {.code = Errc::connection_lost, .is_news = false, .failures = 9, .budget_used_up = true},
       Reaction::ignore},
      {"a wait for hours", {.code = Errc::rate_limited, .wait_too_long = true}, Reaction::fail},
      {"a wait for hours, and no news",
       {.code = Errc::server_error, .is_news = false, .wait_too_long = true},
       Reaction::fail},
      {"a wait for hours, but another source",
       {.code = Errc::rate_limited, .has_other_source = true, .wait_too_long = true},
       Reaction::give_source_up},
      {"nothing there", {.code = Errc::not_found}, Reaction::fail},
      {"nothing there, and no news", {.code = Errc::not_found, .is_news = false}, Reaction::fail},
      {"a full disk", {.code = Errc::disk_full}, Reaction::fail},
      {"a full disk, and another source", {.code = Errc::disk_full, .has_other_source = true}, Reaction::fail},
      {"a range refused", {.code = Errc::range_not_honoured, .ranged = true}, Reaction::use_whole_bodies},
      {"a range refused, with another source",
       {.code = Errc::range_not_honoured, .ranged = true, .has_other_source = true},
       Reaction::use_whole_bodies},
      {"a range refused at the end",
       {.code = Errc::range_not_honoured, .stopped = true, .ranged = true},
       Reaction::use_whole_bodies},
      {"a whole body refused", {.code = Errc::range_not_honoured}, Reaction::fail},

      {"nothing there, but another source",
       {.code = Errc::not_found, .has_other_source = true},
       Reaction::give_source_up},
      {"another source, first failure",
       {.code = Errc::stalled, .has_other_source = true, .failures = 1},
       Reaction::retry},
      {"another source, second failure",
       {.code = Errc::stalled, .has_other_source = true, .failures = 2},
       Reaction::retry},
      {"another source, third failure",
       {.code = Errc::stalled, .has_other_source = true, .failures = 3},
       Reaction::give_source_up},
      {"another source, the last try",
       {.code = Errc::stalled, .has_other_source = true, .failures = 1, .budget_used_up = true},
       Reaction::give_source_up},
      {"a mirror out of reach",
       {.code = Errc::stalled, .has_other_source = true, .is_mirror = true},
       Reaction::give_source_up},
      {"a mirror out of reach, the only source", {.code = Errc::stalled, .is_mirror = true}, Reaction::retry},
      {"a mirror that serves over other connections",
       {.code = Errc::connect_refused, .has_other_source = true, .is_mirror = true, .is_serving = true},
       Reaction::retry},
      {"a mirror that fails",
       {.code = Errc::server_error, .has_other_source = true, .is_mirror = true},
       Reaction::retry},
      {"another source, no news",
       {.code = Errc::stalled, .has_other_source = true, .is_news = false, .failures = 3},
       Reaction::ignore},
      {"a source given up", {.code = Errc::not_found, .source_given_up = true}, Reaction::ignore},
      {"a source given up, and stopped",
       {.code = Errc::cancelled, .stopped = true, .source_given_up = true},
       Reaction::ignore},
      {"a source given up that refused a range",
       {.code = Errc::range_not_honoured, .ranged = true, .source_given_up = true},
       Reaction::ignore},

      {"stopped", {.code = Errc::cancelled, .stopped = true}, Reaction::fail},
      {"broken while stopping", {.code = Errc::connection_lost, .stopped = true}, Reaction::fail},
      {"stopped, with another source",
       {.code = Errc::not_found, .stopped = true, .has_other_source = true},
       Reaction::fail},
  };
  for (const Case& one : cases) EXPECT_EQ(react_to(one.failed), one.reaction) << one.what;
}

TEST(Reaction, WhatARegistryComplainsOf) {
  for (const Errc code : {Errc::rate_limited, Errc::server_error, Errc::connect_failed, Errc::connect_refused,
                          Errc::connection_lost, Errc::tls_failed}) {
    EXPECT_TRUE(is_complaint({.code = code})) << static_cast<int>(code);
    EXPECT_TRUE(is_complaint({.code = code, .is_news = false})) << static_cast<int>(code);
    EXPECT_FALSE(is_complaint({.code = code, .stopped = true})) << static_cast<int>(code);
    EXPECT_FALSE(is_complaint({.code = code, .source_given_up = true})) << static_cast<int>(code);
  }
  for (const Errc code : {Errc::not_found, Errc::stalled, Errc::resolve_failed, Errc::protocol,
                          Errc::range_not_honoured, Errc::cancelled})
    EXPECT_FALSE(is_complaint({.code = code})) << static_cast<int>(code);
}

}  // namespace
}  // namespace hawser
