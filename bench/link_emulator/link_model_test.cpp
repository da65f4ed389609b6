#include "link_model.hpp"

#include <gtest/gtest.h>

namespace hawser::bench {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

LinkSettings gigabit() {
  LinkSettings settings;
  settings.bits_per_second = 1e9;
  settings.delay = milliseconds(10);
  settings.queue_bytes = 10 * 1538;
  return settings;
}

TEST(LinkModel, AFullPacketTakesItsWireBytesAndTheDelay) {
  LinkModel link(gigabit());
  const Verdict verdict = link.offer(LinkTime(0), 1500);
  EXPECT_EQ(verdict.fate, Fate::delivered);
  EXPECT_EQ(verdict.arrival, milliseconds(10) + LinkTime(1538 * 8));
}

TEST(LinkModel, PacketsQueueBehindEachOther) {
  LinkModel link(gigabit());
  link.offer(LinkTime(0), 1500);
  EXPECT_EQ(link.offer(LinkTime(0), 1500).arrival, milliseconds(10) + LinkTime(2 * 1538 * 8));
  EXPECT_DOUBLE_EQ(link.backlog_bytes(LinkTime(0)), 2 * 1538);
}

TEST(LinkModel, AnIdleLineStartsAtOnce) {
  LinkModel link(gigabit());
  link.offer(LinkTime(0), 1500);
  EXPECT_EQ(link.offer(milliseconds(5), 1500).arrival, milliseconds(15) + LinkTime(1538 * 8));
}

TEST(LinkModel, WhatTheQueueCannotHoldIsDroppedAndCostsNoLineTime) {
  LinkModel link(gigabit());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(link.offer(LinkTime(0), 1500).fate, Fate::delivered) << i;
  EXPECT_EQ(link.offer(LinkTime(0), 1500).fate, Fate::queue_full);
  EXPECT_DOUBLE_EQ(link.backlog_bytes(LinkTime(0)), 10 * 1538);
  // One packet later there is room for one.
  EXPECT_EQ(link.offer(LinkTime(1538 * 8), 1500).fate, Fate::delivered);
}

TEST(LinkModel, AQueueSmallerThanAPacketStillPassesOneOnAnIdleLine) {
  LinkSettings settings = gigabit();
  settings.queue_bytes = 100;
  LinkModel link(settings);
  EXPECT_EQ(link.offer(LinkTime(0), 1500).fate, Fate::delivered);
  EXPECT_EQ(link.offer(LinkTime(0), 1500).fate, Fate::queue_full);
}

TEST(LinkModel, WithoutARateOnlyTheDelayCounts) {
  LinkSettings settings;
  settings.delay = microseconds(250);
  LinkModel link(settings);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(link.offer(LinkTime(0), 65000).arrival, microseconds(250));
}

TEST(LinkModel, LosesTheShareAskedForAndTheSamePacketsForASeed) {
  LinkSettings settings;
  settings.loss = 0.01;
  settings.seed = 7;
  LinkModel one(settings);
  LinkModel other(settings);
  int lost = 0;
  for (int i = 0; i < 100000; ++i) {
    const Fate fate = one.offer(LinkTime(i), 1500).fate;
    ASSERT_EQ(fate, other.offer(LinkTime(i), 1500).fate) << i;
    lost += fate == Fate::lost ? 1 : 0;
  }
  EXPECT_GT(lost, 850);
  EXPECT_LT(lost, 1150);
}

TEST(LinkModel, EfficiencyOfFullSegmentsIsThatOfEthernet) {
  LinkSettings settings;
  settings.bits_per_second = 200e6;
  settings.queue_bytes = 1 << 30;
  LinkModel link(settings);
  LinkTime last{0};
  const int packets = 100000;
  for (int i = 0; i < packets; ++i) last = link.offer(LinkTime(0), 1500).arrival;
  const double payload_rate = packets * 1448.0 * 8 / std::chrono::duration<double>(last).count();
  EXPECT_NEAR(payload_rate, 200e6 * 1448 / 1538, 1000);
}

TEST(DefaultQueue, IsOneBandwidthDelayProductOrAtLeast256KiB) {
  EXPECT_EQ(default_queue_bytes(200e6, milliseconds(100)), 2500000);
  EXPECT_EQ(default_queue_bytes(1e6, milliseconds(1)), 256 << 10);
}

}  // namespace
}  // namespace hawser::bench
