#include "bench/phases.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

class PhasesTest : public testing::Test {
 protected:
  /// A connection that was had for 100 ms from `at` on.
  ConnectionRecord& connect(std::chrono::milliseconds at, const std::string& address) {
    ConnectionRecord& connection = *traffic.add_connection(zero + at);
    connection.address = address;
    connection.resolved = zero + at + 10ms;
    connection.connected = zero + at + 30ms;
    connection.secured = zero + at + 60ms;
    return connection;
  }
  ExchangeRecord& ask(Purpose purpose, std::chrono::milliseconds began, std::chrono::milliseconds ended, int status,
                      std::uint64_t received = 0) {
    ExchangeRecord& exchange = *traffic.add_exchange(zero + began);
    exchange.connection = traffic.connections().size();
    exchange.purpose = purpose;
    exchange.status = status;
    exchange.received = received;
    exchange.ended = zero + ended;
    return exchange;
  }

  TrafficRecord traffic;
  TrafficTime zero = std::chrono::steady_clock::now();
  BenchSample sample;
};

TEST_F(PhasesTest, AreThoseOfTheFirstOfEach) {
  connect(0ms, "192.0.2.1:443").connected.reset();
  connect(0ms, "192.0.2.2:443").error = "refused";
  connect(100ms, "192.0.2.3:443");
  ask(Purpose::manifest, 160ms, 200ms, 401);
  ask(Purpose::token, 200ms, 250ms, 200);
  ask(Purpose::manifest, 250ms, 320ms, 200);
  ask(Purpose::manifest, 320ms, 900ms, 200);
  ask(Purpose::config, 320ms, 330ms, 200, 70);
  ask(Purpose::layer, 400ms, 440ms, 307, 9);
  connect(400ms, "192.0.2.4:443");
  ask(Purpose::layer, 440ms, 700ms, 206, 1000);
  ask(Purpose::layer, 450ms, 1400ms, 206, 500);
  ask(Purpose::layer, 450ms, 2000ms, 503, 5);
  sample.bytes = 1070;
  add_traffic(sample, traffic);
  EXPECT_DOUBLE_EQ(*sample.phases.resolve, 0.01);
  EXPECT_DOUBLE_EQ(*sample.phases.connect, 0.02);
  EXPECT_DOUBLE_EQ(*sample.phases.tls, 0.03);
  EXPECT_DOUBLE_EQ(*sample.phases.token, 0.05);
  EXPECT_DOUBLE_EQ(*sample.phases.manifest, 0.07);
  EXPECT_DOUBLE_EQ(*sample.phases.redirect, 0.04);
  EXPECT_DOUBLE_EQ(*sample.phases.layers, 1.0);
  EXPECT_THAT(sample.storage, ElementsAre("192.0.2.4:443"));
  EXPECT_EQ(sample.wasted, 500U);
}

TEST_F(PhasesTest, StepsThatThereWereNotAreAbsent) {
  add_traffic(sample, traffic);
  EXPECT_FALSE(sample.phases.resolve || sample.phases.tls || sample.phases.token || sample.phases.redirect ||
               sample.phases.layers);
  EXPECT_THAT(sample.storage, IsEmpty());
  EXPECT_EQ(sample.wasted, 0U);
}

TEST_F(PhasesTest, WhatWasWastedIsNotKnownWhereExchangesAreLeftOut) {
  for (std::size_t i = 0; i <= TrafficRecord::max_exchanges; ++i) traffic.add_exchange(zero);
  add_traffic(sample, traffic);
  EXPECT_FALSE(sample.wasted);
}

TEST_F(PhasesTest, TheLinkIsToldByTheConnectionThatHasBroughtTheMost) {
  EXPECT_FALSE(link_figures(traffic).round_trip);
  ConnectionRecord& little = connect(0ms, "a");
  little.segments = 5;
  little.out_of_order = 1;
  little.round_trip = 0.01;
  ConnectionRecord& most = connect(0ms, "b");
  most.segments = 50;
  most.out_of_order = 2;
  most.round_trip = 0.1;
  connect(0ms, "c");
  const LinkFigures figures = link_figures(traffic);
  EXPECT_EQ(figures.segments, 55U);
  EXPECT_EQ(figures.out_of_order, 3U);
  EXPECT_EQ(figures.round_trip, 0.1);
}

}  // namespace
}  // namespace hawser
