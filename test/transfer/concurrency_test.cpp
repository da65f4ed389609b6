#include "transfer/concurrency.hpp"

#include <algorithm>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

/// A link of a fixed rate, over which one connection alone gets no more than its share.
struct Link {
  double rate = 0;
  double per_connection = 0;
  std::size_t allowed = 1000;  ///< connections that the registry bears

  double through(std::size_t connections) const {
    return std::min(rate, per_connection * static_cast<double>(connections));
  }
};

/// Lets `intervals` pass with as many connections in use as the controller wants.
void run(ConcurrencyController& controller, const Link& link, int intervals) {
  for (int i = 0; i < intervals; ++i) {
    const std::size_t wanted = controller.target();
    const std::size_t open = std::min(wanted, link.allowed);
    for (std::size_t refused = open; refused < wanted; ++refused) controller.complaint(wanted);
    controller.sample(link.through(open), controller.target(), true);
  }
}

TEST(InitialConnections, GrowWithTheRoundTrip) {
  EXPECT_EQ(initial_connections(0us), 4u);
  EXPECT_GT(initial_connections(100ms), initial_connections(20ms));
  EXPECT_EQ(initial_connections(10s), max_shared_connections);
}

TEST(MostConnections, OneForEvery64KiBASecond) {
  EXPECT_EQ(most_connections(0), max_auto_connections);
  EXPECT_EQ(most_connections(20'000), 1u);
  EXPECT_EQ(most_connections(500'000), 7u);
  EXPECT_EQ(most_connections(1'000'000'000), max_auto_connections);
}

TEST(ConcurrencyController, StartsWithinItsLimits) {
  EXPECT_EQ(ConcurrencyController(100, 8).target(), 8u);
  EXPECT_EQ(ConcurrencyController(0, 8).target(), 1u);
}

TEST(ConcurrencyController, GrowsUntilTheLinkIsFull) {
  const Link link{.rate = 160, .per_connection = 10};
  ConcurrencyController controller(4, 64);
  run(controller, link, 400);
  EXPECT_GE(link.through(controller.target()), 0.8 * link.rate);
  EXPECT_LE(controller.target(), 28u);  // one step of growth over what is needed, no more
}

TEST(ConcurrencyController, StaysWhereOneConnectionFillsTheLink) {
  const Link link{.rate = 100, .per_connection = 100};
  ConcurrencyController controller(4, 64);
  run(controller, link, 15);
  EXPECT_EQ(controller.target(), 4u);
  std::size_t settled = 0;
  for (int i = 0; i < 300; ++i) {
    run(controller, link, 1);
    EXPECT_LE(controller.target(), 6u);  // it tries one step now and then, and takes it back
    settled += controller.target() == 4;
  }
  EXPECT_GT(settled, 200u);
}

/// Lets the connections show their shares until the controller has made up its mind; returns how many it wanted.
std::vector<std::size_t> share_out(ConcurrencyController& controller, const Link& link,
                                   ConcurrencyController::Seconds rest = 1h) {
  std::vector<std::size_t> wanted{controller.target()};
  for (int i = 0; i < 200; ++i) {
    const auto connections = static_cast<double>(controller.target());
    const ConcurrencyController::Seconds each(0.05);
    controller.share_out({link.through(controller.target()) * each.count(), connections * each}, controller.target(),
                         rest, 1s);
    if (controller.target() != wanted.back()) wanted.push_back(controller.target());
  }
  return wanted;
}

TEST(ConcurrencyController, MultipliesConnectionsThatEachHaveAShareOfTheirOwn) {
  ConcurrencyController controller(8, max_auto_connections);
  EXPECT_THAT(share_out(controller, {.rate = 1e9, .per_connection = 150'000}), ElementsAre(8, 32, 128));
}

TEST(ConcurrencyController, BeginsWithWhatAnEarlierCallHasProven) {
  const Link link{.rate = 1e9, .per_connection = 10};
  ConcurrencyController controller(4, 128);
  EXPECT_EQ(controller.proven(), 0u);
  share_out(controller, link);
  EXPECT_EQ(controller.proven(), 128u);
  ConcurrencyController next(4, 128, true, controller.proven());
  EXPECT_THAT(share_out(next, link), testing::ElementsAre(128));
  EXPECT_EQ(ConcurrencyController(4, 8, true, 128).target(), 8u);
  next.complaint(100);
  EXPECT_EQ(next.proven(), next.target());
  ConcurrencyController full(4, 128);
  share_out(full, {.rate = 30, .per_connection = 10});
  EXPECT_EQ(full.proven(), 0u);
}

TEST(ConcurrencyController, StopsWhereTheSharesFillTheLink) {
  ConcurrencyController controller(8, max_auto_connections);
  EXPECT_THAT(share_out(controller, {.rate = 400, .per_connection = 10}), ElementsAre(8, 32, 128, 50));
}

TEST(ConcurrencyController, TakesBackWhatBringsNothingMore) {
  ConcurrencyController controller(8, max_auto_connections);
  EXPECT_THAT(share_out(controller, {.rate = 80, .per_connection = 80}), ElementsAre(8, 32, 10));
}

TEST(ConcurrencyController, AnOriginThatFallsSilentIsAskedOverManyConnectionsAtOnce) {
  const Link link{.rate = 1e9, .per_connection = 10};
  ConcurrencyController controller(4, max_auto_connections);
  controller.silence(80, 1h, 1s);  // its first bytes came in a burst
  controller.silence(80, 1h, 1s);
  EXPECT_THAT(share_out(controller, link), ElementsAre(64, 128));
  EXPECT_EQ(controller.proven(), 128u);
  ConcurrencyController half_done(4, max_auto_connections), nearly_done = half_done;
  half_done.silence(80, 1h, 1s);
  EXPECT_THAT(share_out(half_done, link, 500ms), ElementsAre(64, 128)) << "the link has room";
  nearly_done.silence(80, 1h, 1s);
  EXPECT_THAT(share_out(nearly_done, link, 400ms), ElementsAre(64));
}

TEST(ConcurrencyController, AnOriginThatIsJustSlowGetsNoMoreConnectionsThanBefore) {
  ConcurrencyController controller(4, max_auto_connections);
  controller.silence(80, 1h, 1s);
  EXPECT_THAT(share_out(controller, {.rate = 40, .per_connection = 10}), ElementsAre(64, 4));
  EXPECT_EQ(controller.proven(), 0u);
}

TEST(ConcurrencyController, SilenceCountsNeitherAtTheEndNorAfterAComplaintNorBeyondTheMaximum) {
  ConcurrencyController nearly_done(4, 128), scolded(4, 128), bounded(4, 8), far_away(4, 128, false);
  nearly_done.silence(80, 900ms, 1s);
  EXPECT_EQ(nearly_done.target(), 4u);
  scolded.complaint(4);
  scolded.silence(80, 1h, 1s);
  EXPECT_EQ(scolded.target(), 2u);
  bounded.silence(80, 1h, 1s);
  EXPECT_EQ(bounded.target(), 8u);
  far_away.silence(80, 1h, 1s);
  EXPECT_EQ(far_away.target(), 4u);
}

TEST(ConcurrencyController, IsNotMultipliedForAShortRestNorAfterAComplaint) {
  const Link link{.rate = 1e9, .per_connection = 10};
  ConcurrencyController nearly_done(4, 64);
  EXPECT_THAT(share_out(nearly_done, link, 900ms), ElementsAre(4));
  ConcurrencyController scolded(4, 64);
  scolded.complaint(4);
  EXPECT_THAT(share_out(scolded, link), ElementsAre(2));
}

TEST(ConcurrencyController, IsJudgedByTheRateWhereSharesTellNothing) {
  const Link link{.rate = 160, .per_connection = 10};
  ConcurrencyController far_away(4, 64, false);
  EXPECT_THAT(share_out(far_away, link), ElementsAre(4));
  run(far_away, link, 100);
  EXPECT_GE(far_away.target(), 16u);
  ConcurrencyController controller(4, 64);
  run(controller, link, 20);
  EXPECT_EQ(controller.target(), 4u);
  run(controller, link, 100);
  EXPECT_GE(controller.target(), 16u);
}

TEST(ConcurrencyController, OnALongWaySharesTellOnceThereIsRoom) {
  const Link link{.rate = 1e9, .per_connection = 10};
  ConcurrencyController controller(29, max_auto_connections, false);
  controller.probe();
  EXPECT_THAT(share_out(controller, link), ElementsAre(30));
  controller.look_at_shares();
  EXPECT_THAT(share_out(controller, link), ElementsAre(30, 120, 128));
  ConcurrencyController full(29, 29, false), scolded(29, max_auto_connections, false);
  full.probe();
  EXPECT_EQ(full.target(), 29u);
  scolded.complaint(29);
  scolded.look_at_shares();
  EXPECT_THAT(share_out(scolded, link), ElementsAre(14));
}

TEST(ConcurrencyController, NeverExceedsItsMaximum) {
  const Link link{.rate = 1e9, .per_connection = 1};
  ConcurrencyController controller(4, 10);
  for (int i = 0; i < 200; ++i) {
    run(controller, link, 1);
    ASSERT_LE(controller.target(), 10u);
  }
  EXPECT_EQ(controller.target(), 10u);
}

TEST(ConcurrencyController, DoesNotGrowWhereNothingIsLeftToDo) {
  ConcurrencyController controller(4, 64);
  for (int i = 0; i < 100; ++i) controller.sample(100, 4, false);
  EXPECT_EQ(controller.target(), 4u);
}

TEST(ConcurrencyController, DoesNotGrowWhileItsConnectionsAreNotInUse) {
  ConcurrencyController controller(8, 64);
  for (int i = 0; i < 100; ++i) controller.sample(100, 3, true);
  EXPECT_EQ(controller.target(), 8u);
}

TEST(ConcurrencyController, SettlesBelowWhatTheRegistryBears) {
  const Link link{.rate = 1000, .per_connection = 10, .allowed = 5};
  ConcurrencyController controller(24, 32);
  run(controller, link, 100);
  EXPECT_LE(controller.target(), 5u);
  EXPECT_GE(controller.target(), 2u);
}

TEST(ConcurrencyController, SeveralComplaintsAtOnceAreOneStepBack) {
  ConcurrencyController controller(16, 32);
  for (int i = 0; i < 10; ++i) controller.complaint(16);
  EXPECT_EQ(controller.target(), 8u);
}

TEST(ConcurrencyController, NeverStepsBackBelowItsMinimum) {
  ConcurrencyController controller(2, 32);
  for (int i = 0; i < 10; ++i) {
    controller.complaint(controller.target());
    controller.sample(10, controller.target(), true);
  }
  EXPECT_EQ(controller.target(), 1u);
}

TEST(ConcurrencyController, RecoversWhenTheRegistryComplainsNoMore) {
  Link link{.rate = 160, .per_connection = 10, .allowed = 3};
  ConcurrencyController controller(16, 32);
  run(controller, link, 60);
  EXPECT_LE(controller.target(), 3u);
  link.allowed = 1000;
  run(controller, link, 2000);
  EXPECT_GE(link.through(controller.target()), 0.8 * link.rate);
}

TEST(ConcurrencyController, ALossOnOneConnectionDoesNotForbidMore) {
  const Link link{.rate = 80, .per_connection = 10};
  ConcurrencyController controller(4, 32);
  controller.complaint(1);
  EXPECT_EQ(controller.target(), 1u);
  run(controller, link, 120);
  EXPECT_GE(controller.target(), 6u);
}

TEST(ConcurrencyController, OccasionalLossDoesNotKeepItDown) {
  const Link link{.rate = 160, .per_connection = 10};
  ConcurrencyController controller(8, 32);
  for (int i = 0; i < 10; ++i) {
    run(controller, link, 200);
    controller.complaint(controller.target());
  }
  run(controller, link, 200);
  EXPECT_GE(controller.target(), 4u);
}

}  // namespace
}  // namespace hawser
