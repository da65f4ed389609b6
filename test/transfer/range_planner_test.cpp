#include "transfer/range_planner.hpp"

#include "range_planner_fixture.hpp"

namespace hawser {
namespace {

constexpr std::uint64_t kib = 1024, mib = 1024 * kib;

TEST_F(RangePlannerTest, ChunksShrinkAsLessIsLeft) {
  add(10'000);
  std::vector<std::uint64_t> sizes;
  while (auto assignment = planner.next(origin, 4, now)) sizes.push_back(assignment->end - assignment->begin);
  EXPECT_EQ(sizes.front(), 1000u);  // the largest chunk: an eighth would be more
  for (std::size_t i = 0; i + 2 < sizes.size(); ++i) EXPECT_GE(sizes[i], sizes[i + 1]) << i;
  EXPECT_LE(sizes.back(), 150u);
  EXPECT_EQ(unassigned(), 0u);
}

TEST_F(RangePlannerTest, ARestOfLessThanHalfAChunkGoesAlong) {
  add(140);
  const Assignment all = next();
  EXPECT_EQ(all.begin, 0u);
  EXPECT_EQ(all.end, 140u);
  EXPECT_TRUE(all.whole);
}

TEST_F(RangePlannerTest, PartsOfABlobAreNotWhole) {
  add(1000);
  EXPECT_FALSE(next().whole);
}

TEST_F(RangePlannerTest, OneConnectionAsksOnceForAGap) {
  add(10 * mib, {{5, 6 * mib}, {7 * mib, 10 * mib}}, 0);
  const Assignment first = next(1), second = next(1);
  EXPECT_EQ(first.begin, 5u);
  EXPECT_EQ(first.end, 6 * mib);
  EXPECT_EQ(second.begin, 7 * mib);
  EXPECT_EQ(second.end, 10 * mib);
  EXPECT_TRUE(idle(1));
}

TEST_F(RangePlannerTest, AFixedChunkIsObeyed) {
  RangeLimits limits;
  limits.fixed_chunk = 10;
  RangePlanner fixed(limits);
  fixed.add(34, {{0, 34}}, 0, {PlannedSource(origin)});
  EXPECT_EQ(fixed.next(origin, 4, now)->end, 10u);
  EXPECT_EQ(fixed.next(origin, 4, now)->end, 20u);
  EXPECT_EQ(fixed.next(origin, 4, now)->end, 34u);  // four bytes more cost less than another request
  EXPECT_FALSE(fixed.next(origin, 4, now));
}

TEST_F(RangePlannerTest, AChunkOfNothingDoesNotStandStill) {
  RangeLimits limits;
  limits.fixed_chunk = 0;
  RangePlanner fixed(limits);
  fixed.add(3, {{0, 3}}, 0, {PlannedSource(origin)});
  EXPECT_EQ(fixed.next(origin, 4, now)->end, 1u);
}

TEST_F(RangePlannerTest, OnlyGapsOfAResumedBlobAreAskedFor) {
  add(1000, {{300, 350}, {900, 1000}}, 0);
  EXPECT_EQ(unassigned(), 150u);
  const Assignment first = next(), second = next();
  EXPECT_EQ(first.begin, 300u);
  EXPECT_EQ(first.end, 350u);
  EXPECT_FALSE(first.whole);
  EXPECT_EQ(second.begin, 900u);
  EXPECT_EQ(second.end, 1000u);
  EXPECT_TRUE(idle());
}

TEST_F(RangePlannerTest, NoMoreBlobsAreBegunThanAllowed) {
  RangeLimits limits = small_limits();
  limits.max_blobs = 2;
  planner = RangePlanner(limits);
  const std::size_t first = add(10), second = add(10), third = add(10);
  const Assignment a = next(), b = next();
  EXPECT_EQ(a.blob, first);
  EXPECT_EQ(b.blob, second);
  EXPECT_TRUE(idle());
  fetch(a);
  EXPECT_EQ(next().blob, third);
}

TEST_F(RangePlannerTest, GroupsGetEqualShares) {
  for (int i = 0; i < 8; ++i) add(100, 1);
  for (int i = 0; i < 4; ++i) add(100, 2);
  std::map<std::size_t, int> handed_out;
  for (int i = 0; i < 8; ++i) ++handed_out[next().blob < 8 ? 1 : 2];
  EXPECT_EQ(handed_out[1], 4);
  EXPECT_EQ(handed_out[2], 4);
  for (int i = 0; i < 4; ++i) EXPECT_LT(next().blob, 8u);
}

TEST_F(RangePlannerTest, WhatWasNotFetchedIsMissingAgainAsOneGap) {
  add(1000);
  const Assignment first = next(), second = next();
  ASSERT_EQ(second.begin, first.end);
  planner.advance(second.id, second.begin + 20, now);
  planner.finish(second.id);
  planner.advance(first.id, 30, now);
  planner.finish(first.id);
  const Assignment gap = next(1);
  EXPECT_EQ(gap.begin, 30u);
  EXPECT_EQ(gap.end, first.end);
  const Assignment rest = next(1);
  EXPECT_EQ(rest.begin, second.begin + 20);
  EXPECT_EQ(rest.end, 1000u);
}

TEST_F(RangePlannerTest, NeighbouringGapsMergeWhicheverComesFirst) {
  for (const bool first_first : {true, false}) {
    planner = RangePlanner(small_limits());
    add(1000);
    const Assignment first = next(), second = next();
    planner.finish(first_first ? first.id : second.id);
    planner.finish(first_first ? second.id : first.id);
    const Assignment all = next(1);
    EXPECT_EQ(all.begin, 0u);
    EXPECT_EQ(all.end, 1000u);
    EXPECT_TRUE(all.whole);
  }
}

TEST_F(RangePlannerTest, SplitHalvesASteadyRange) {
  add(100'000);
  const Assignment all = next(1);
  now += 1s;
  planner.advance(all.id, 20'000, now);
  const auto part = split(10ms);
  ASSERT_TRUE(part);
  EXPECT_EQ(part->end, 100'000u);
  EXPECT_EQ(part->begin, planner.end(all.id));
  EXPECT_GT(part->begin, 20'000u);
  EXPECT_FALSE(part->whole);
}

TEST_F(RangePlannerTest, NothingIsSplitThatWillSoonBeThere) {
  add(100'000);
  const Assignment all = next(1);
  now += 1s;
  planner.advance(all.id, 90'000, now);
  EXPECT_FALSE(split(500ms));
}

TEST_F(RangePlannerTest, NothingIsSplitThatHasJustBegun) {
  add(100'000);
  next(1);
  EXPECT_FALSE(split(100ms, 1ms));
}

TEST_F(RangePlannerTest, NothingIsSplitWhileItsConnectionGathersSpeed) {
  origin.round_trip = 100ms;
  add(100'000);
  const Assignment all = next(1);
  planner.advance(all.id, 1'000, now + 300ms);
  EXPECT_FALSE(split(10ms, 399ms));
  EXPECT_TRUE(split(10ms, 400ms));
}

TEST_F(RangePlannerTest, AStuckRangeIsTakenOverWhole) {
  add(100'000);
  const Assignment all = next(1);
  planner.advance(all.id, 500, now);
  now += 1min;
  const auto rest = split(10ms);
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->begin, 500u);
  EXPECT_EQ(rest->end, 100'000u);
  EXPECT_EQ(planner.end(all.id), 500u);
  // It does not come back when the stuck one ends at last.
  planner.finish(all.id);
  EXPECT_EQ(unassigned(), 0u);
}

TEST_F(RangePlannerTest, ARangeThatDragsIsTakenOverButForWhatArrivesMeanwhile) {
  add(100'000);
  const Assignment quick = next(100), slow = next(100);
  now += 1s;
  planner.advance(quick.id, quick.end, now);
  planner.finish(quick.id);
  planner.advance(slow.id, slow.begin + 10, now);
  const auto rest = split(100ms);
  ASSERT_TRUE(rest);
  EXPECT_EQ(planner.end(slow.id), slow.begin + 11);
  EXPECT_EQ(rest->begin, slow.begin + 11);
  EXPECT_EQ(rest->end, slow.end);
  // If it was not the connection, whoever has taken over has twice as long.
  planner.advance(slow.id, slow.begin + 11, now);
  planner.finish(slow.id);
  now += 1900ms;
  planner.advance(rest->id, rest->begin + 10, now);
  ASSERT_TRUE(split(100ms));
  EXPECT_GE(planner.end(rest->id), rest->begin + 60);
  now += 200ms;
  ASSERT_TRUE(split(100ms));
  EXPECT_EQ(planner.end(rest->id), rest->begin + 10);
}

TEST_F(RangePlannerTest, WhereAllAreAsSlowNoneDrags) {
  add(3'000);
  const Assignment first = next(100), second = next(100);
  now += 1s;
  for (const Assignment& each : {first, second}) planner.advance(each.id, each.begin + 10, now);
  ASSERT_TRUE(split(100ms));
  EXPECT_GE(planner.end(first.id), first.begin + 20);
  EXPECT_GE(planner.end(second.id), second.begin + 20);
}

TEST_F(RangePlannerTest, WhatIsInFlightIsOutstandingToo) {
  add(1'000);
  const Assignment first = next(2);
  planner.advance(first.id, 100, now);
  EXPECT_EQ(planner.outstanding(origin), 900u);
  EXPECT_EQ(planner.outstanding(origin) - unassigned(), first.end - 100);
}

TEST_F(RangePlannerTest, WhoeverTakesOverIsGivenTwiceAsLong) {
  add(100'000);
  next(1);
  now += 1s;
  const auto second = split(10ms);
  ASSERT_TRUE(second);
  now += 1900ms;
  EXPECT_FALSE(split(10ms));
  now += 200ms;
  const auto third = split(10ms);
  ASSERT_TRUE(third);
  EXPECT_EQ(third->begin, 0u);
  now += 4s;
  EXPECT_FALSE(split(10ms));
}

TEST_F(RangePlannerTest, WhereAnswersTakeLongTheyAreWaitedForLonger) {
  add(2'000);
  const Assignment first = next(1);
  now += 2s;
  planner.advance(first.id, 2'000, now);
  planner.finish(first.id);
  add(2'000);
  next(1);
  now += 2900ms;
  EXPECT_FALSE(split(10ms));
  now += 200ms;
  EXPECT_TRUE(split(10ms));
}

TEST_F(RangePlannerTest, APostponedBlobIsNotSplit) {
  const std::size_t blob = add(100'000);
  const Assignment all = next(1);
  planner.advance(all.id, 500, now);
  now += 1min;
  planner.postpone(blob, 0, now + 1s);
  EXPECT_FALSE(split(10ms));
  EXPECT_TRUE(split(10ms, 2s));
}

TEST_F(RangePlannerTest, AnOriginWithoutRangesGetsOneRequestABlob) {
  add(10'000);
  const Assignment first = next(), second = next();
  EXPECT_TRUE(planner.take_whole(first.id));
  EXPECT_EQ(planner.ranges(0, 0), RangeSupport::refused);
  EXPECT_FALSE(planner.take_whole(second.id));
  EXPECT_EQ(planner.end(first.id), 10'000u);
  EXPECT_EQ(planner.end(second.id), second.begin);
  planner.finish(second.id);
  EXPECT_TRUE(idle());
  fetch(first);
  EXPECT_TRUE(idle());
  EXPECT_EQ(unassigned(), 0u);
}

TEST_F(RangePlannerTest, ABodyUnderWayIsKeptWhenItsSplitPartTurnsOutWhole) {
  add(100'000);
  const Assignment all = next(1);
  now += 1s;
  planner.advance(all.id, 20'000, now);
  const auto part = split(10ms);
  ASSERT_TRUE(part);
  EXPECT_FALSE(planner.take_whole(part->id));
  planner.finish(part->id);
  EXPECT_EQ(planner.end(all.id), 100'000u);
  fetch(all);
  EXPECT_TRUE(idle());
}

TEST_F(RangePlannerTest, ABodyThatIsStuckIsNotKept) {
  add(100'000);
  const Assignment all = next(1);
  planner.advance(all.id, 500, now);
  now += 1min;
  const auto part = split(10ms);
  ASSERT_TRUE(part);
  EXPECT_TRUE(planner.take_whole(part->id));
  EXPECT_EQ(planner.end(part->id), 100'000u);
}

TEST_F(RangePlannerTest, ABrokenWholeBodyStartsAgainFromTheBeginning) {
  const std::size_t blob = add(10'000);
  planner.set_ranges(blob, 0, RangeSupport::refused);
  const Assignment all = next();
  EXPECT_TRUE(all.whole);
  planner.advance(all.id, 7'000, now);
  planner.finish(all.id);
  const Assignment again = next();
  EXPECT_EQ(again.begin, 0u);
  EXPECT_EQ(again.end, 10'000u);
  EXPECT_TRUE(idle());
  EXPECT_FALSE(split(10ms, 1min));
}

TEST_F(RangePlannerTest, AWithdrawnBlobEndsAndComesBackOnlyByRestart) {
  const std::size_t blob = add(10'000);
  const Assignment first = next();
  planner.advance(first.id, 10, now);
  planner.withdraw(blob);
  EXPECT_EQ(planner.end(first.id), 10u);
  EXPECT_TRUE(planner.in_flight(blob));
  EXPECT_FALSE(planner.take_whole(first.id));
  planner.finish(first.id);
  EXPECT_FALSE(planner.in_flight(blob));
  EXPECT_TRUE(idle());
  planner.restart(blob, {{0, 1'000}, {4'000, 10'000}});
  EXPECT_EQ(unassigned(), 7'000u);
}

TEST_F(RangePlannerTest, APostponedBlobIsDueLater) {
  const std::size_t first = add(10), second = add(10);
  planner.postpone(first, 0, now + 3s);
  EXPECT_EQ(planner.next_due(now), now + 3s);
  EXPECT_EQ(next().blob, second);
  EXPECT_TRUE(idle());
  planner.postpone(first, 0, now + 1s);  // the later time counts
  now += 2s;
  EXPECT_TRUE(idle());
  now += 1s;
  EXPECT_EQ(planner.next_due(now), std::nullopt);
  EXPECT_EQ(next().blob, first);
}

TEST_F(RangePlannerTest, ASourceIsFoundByItsOriginAndRank) {
  OriginState other = any_origin();
  const std::size_t blob = planner.add(1000, {{0, 1000}}, 0, {PlannedSource(other, 1), PlannedSource(origin, 0)});
  EXPECT_FALSE(planner.next(other, 4, now));
  EXPECT_EQ(next().source, 1u);
  EXPECT_TRUE(planner.exclude(blob, 1));
  EXPECT_TRUE(idle());
  EXPECT_EQ(planner.next(other, 4, now)->source, 0u);
  EXPECT_FALSE(planner.exclude(blob, 0));
}

TEST_F(RangePlannerTest, WhatDragsAtOneOriginIsSplitByAnother) {
  OriginState other = any_origin();
  planner.add(100'000, {{0, 100'000}}, 0, {PlannedSource(origin), PlannedSource(other)});
  const Assignment all = next(1);
  now += 1s;
  planner.advance(all.id, 20'000, now);
  const auto part = planner.split(other, now, 10ms);
  ASSERT_TRUE(part);
  EXPECT_EQ(part->source, 1u);
  EXPECT_EQ(part->begin, planner.end(all.id));
}

TEST_F(RangePlannerTest, ARefusalOfRangesIsTheBlobsOwn) {
  const std::size_t refusing = add(1000);
  const Assignment first = next();
  EXPECT_TRUE(planner.take_whole(first.id));
  const std::size_t other = add(1000), later = add(1000);
  EXPECT_EQ(planner.ranges(other, 0), RangeSupport::probing);
  // One range of each is asked for until that is answered.
  EXPECT_EQ(next().blob, other);
  const Assignment probe = next();
  EXPECT_EQ(probe.blob, later);
  EXPECT_TRUE(idle());
  planner.set_ranges(later, 0, RangeSupport::shown);
  EXPECT_EQ(next().blob, later);
  EXPECT_EQ(planner.ranges(refusing, 0), RangeSupport::refused);
}

TEST_F(RangePlannerTest, AWholeBodyIsNotTakenWhereAnotherSourceGivesRanges) {
  OriginState other = any_origin();
  planner.add(1000, {{0, 1000}}, 0, {PlannedSource(origin), PlannedSource(other)});
  const Assignment first = next();
  EXPECT_FALSE(planner.take_whole(first.id));
  planner.finish(first.id);
  EXPECT_TRUE(idle());
  EXPECT_TRUE(planner.next(other, 4, now));
}

TEST_F(RangePlannerTest, AnOriginThatIsPausedIsAskedNothing) {
  add(1000);
  origin.paused_until = now + 3s;
  EXPECT_TRUE(idle());
  EXPECT_EQ(planner.next_due(now), now + 3s);
  now += 3s;
  next();
}

TEST_F(RangePlannerTest, WhoIsSuspectedIsAskedLastAndAlone) {
  OriginState other = any_origin();
  const std::size_t blob =
      planner.add(1000, {{0, 1000}}, 0, {PlannedSource(origin, 0), PlannedSource(other, 0), PlannedSource(origin, 1)});
  planner.ask_last(blob, 1);
  EXPECT_TRUE(planner.in_use(blob, 0));
  EXPECT_FALSE(planner.in_use(blob, 1));
  planner.ask_last(blob, 0);
  EXPECT_TRUE(planner.in_use(blob, 2));
  EXPECT_TRUE(planner.exclude(blob, 2));
  EXPECT_TRUE(planner.in_use(blob, 1));
  EXPECT_FALSE(planner.in_use(blob, 0));
}

TEST_F(RangePlannerTest, RangesGetShorterAtTheEndWhereTheNextIsAskedForInTime) {
  RangeLimits limits = small_limits();
  limits.last_chunk = 20;
  planner = RangePlanner(limits);
  add(1000);
  const auto size = [&] {
    const Assignment assignment = next(32);
    return assignment.end - assignment.begin;
  };
  EXPECT_EQ(size(), 100u);  // nothing is known of its rate
  origin.brought(2000);     // bytes a second: 40 in a round trip of 20 ms
  EXPECT_EQ(size(), 40u);
  origin.range_rate = 1;
  EXPECT_EQ(size(), 20u);
  origin.has_complained = true;
  EXPECT_EQ(size(), 100u);
}

TEST_F(RangePlannerTest, WhatWasAskedForAheadDoesNotDragWhileItWaits) {
  add(1000);
  const Assignment assignment = next(1);
  now += 5s;  // the connection brings what was asked for before
  planner.begin(assignment.id, now);
  planner.advance(assignment.id, 400, now + 1s);
  EXPECT_FALSE(split(10s, 1s));  // 600 bytes at 400 a second
}

/// Two ranges of a blob of 10000 bytes, of which one comes and the other stands still at `slow_at`.
class TwinsTest : public RangePlannerTest {
 protected:
  TwinsTest() {
    RangeLimits limits = small_limits();
    limits.fixed_chunk = 9900;
    planner = RangePlanner(limits);
    add(10'000, {{0, 9800}, {9900, 10'000}}, 0);
    fast = next();
    slow = next();
    planner.advance(slow.id, slow_at, now + 1s);
    planner.advance(fast.id, 9800, now + 1s);
    planner.finish(fast.id);
    now += 2s;
    twin = planner.duplicate(origin, now, 500ms);
  }

  static constexpr std::uint64_t slow_at = 9950;
  Assignment fast, slow;
  std::optional<Assignment> twin;
};

TEST_F(TwinsTest, WhatIsLeftIsAskedForOnceMoreAndOnlyOnce) {
  ASSERT_TRUE(twin);
  EXPECT_EQ(twin->begin, slow_at);
  EXPECT_EQ(twin->end, 10'000u);
  EXPECT_FALSE(planner.duplicate(origin, now + 5s, 500ms));
}

TEST_F(TwinsTest, TheFirstEndsTheOther) {
  ASSERT_TRUE(twin);
  planner.advance(twin->id, 10'000, now);
  planner.finish(twin->id);
  EXPECT_EQ(planner.end(slow.id), slow_at);
  planner.finish(slow.id);
  EXPECT_TRUE(idle());
}

TEST_F(TwinsTest, WhereOneFailsTheOtherGoesOn) {
  ASSERT_TRUE(twin);
  planner.finish(slow.id);
  EXPECT_TRUE(idle());
  EXPECT_EQ(planner.end(twin->id), 10'000u);
  planner.finish(twin->id);
  EXPECT_EQ(unassigned(), 50u);  // both have failed
}

TEST_F(TwinsTest, WhereBothStandStillAThirdTakesOver) {
  ASSERT_TRUE(twin);
  EXPECT_FALSE(split(500ms));  // the twin has just been asked for
  now += 5s;
  const auto third = split(500ms);
  ASSERT_TRUE(third);
  EXPECT_EQ(third->begin, slow_at);
  EXPECT_EQ(third->end, 10'000u);
  planner.advance(third->id, 10'000, now);
  for (const std::size_t id : {slow.id, twin->id, third->id}) planner.finish(id);
  EXPECT_TRUE(idle());
}

TEST_F(TwinsTest, OneOfWhichIsGivenUpForAWholeBodyEndsNothing) {
  ASSERT_TRUE(twin);
  EXPECT_TRUE(planner.take_whole(twin->id));
  planner.finish(slow.id);
  EXPECT_EQ(planner.end(twin->id), 10'000u);
}

TEST_F(RangePlannerTest, NoMoreThanAFiftiethIsAskedForTwice) {
  add(1000);
  const Assignment assignment = next(1);
  planner.advance(assignment.id, 979, now);
  EXPECT_FALSE(planner.duplicate(origin, now + 10s, 500ms));
  planner.advance(assignment.id, 980, now);
  EXPECT_TRUE(planner.duplicate(origin, now + 10s, 500ms));
}

TEST_F(RangePlannerTest, NothingIsAskedForTwiceBeforeTheEnd) {
  add(1000);
  const Assignment assignment = next(1);
  planner.advance(assignment.id, 990, now);
  add(1000);
  EXPECT_FALSE(planner.duplicate(origin, now + 10s, 500ms));
}

TEST(OriginStates, WhatABenchHasFoundIsWhereAutoBegins) {
  OriginLessons known;
  known.preferred = 3;
  known.proven = 60;
  const OriginState origin(Origin{}, std::chrono::milliseconds(100), 128, known);
  EXPECT_EQ(origin.controller.target(), 3U);
  EXPECT_EQ(origin.lessons().preferred, 3U);
}

}  // namespace
}  // namespace hawser
