#include "util/background_sink.hpp"

#include <hawser/util/error.hpp>

#include <atomic>
#include <future>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

namespace hawser {
namespace {

using Bytes = std::span<const std::byte>;

Bytes bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}
std::string text_of(Bytes data) {
  return {reinterpret_cast<const char*>(data.data()), data.size()};
}

TEST(BackgroundSink, GivesEverythingInOrderOnAnotherThread) {
  std::string got, wanted;
  std::size_t largest = 0;
  std::thread::id thread;
  {
    BackgroundSink sink([&](Bytes data) {
      got += text_of(data);
      largest = std::max(largest, data.size());
      thread = std::this_thread::get_id();
    });
    for (std::size_t size : {1, 0, 300, 262'144, 262'145, 3'000'000, 7}) {
      const std::string piece(size, static_cast<char>('a' + wanted.size() % 26));
      wanted += piece;
      sink.push(bytes_of(piece));
    }
    sink.drain();
    EXPECT_TRUE(got == wanted);
    EXPECT_EQ(largest, 256U * 1024);
    EXPECT_NE(thread, std::this_thread::get_id());
    sink.push(bytes_of("more"));
    sink.drain();
  }
  EXPECT_TRUE(got == wanted + "more");
}

TEST(BackgroundSink, TheProducerIsNeverFarAhead) {
  std::promise<void> gate;
  std::atomic<std::size_t> pushed = 0;
  std::atomic<std::size_t> taken = 0;
  std::size_t ahead = 0;
  BackgroundSink sink([&, opened = gate.get_future().share()](Bytes data) {
    opened.wait();
    ahead = std::max(ahead, pushed - taken);
    taken += data.size();
  });
  std::thread producer([&] {
    const std::string piece(100'000, 'x');
    for (int i = 0; i < 100; ++i) {
      pushed += piece.size();
      sink.push(bytes_of(piece));
    }
    sink.drain();
  });
  while (pushed < 4 * 100'000) std::this_thread::yield();
  gate.set_value();
  producer.join();
  EXPECT_EQ(taken, 10'000'000U);
  EXPECT_LE(ahead, 5 * 100'000U);  // one at the sink, three that wait, one that waits for room
}

TEST(BackgroundSink, WhatTheSinkThrowsReachesTheProducer) {
  int calls = 0;
  BackgroundSink sink([&](Bytes) {
    ++calls;
    throw Error(Errc::disk_full, "no space");
  });
  sink.push(bytes_of("first"));
  EXPECT_THROW(sink.drain(), Error);
  EXPECT_THROW(sink.push(bytes_of("second")), std::logic_error);
  EXPECT_EQ(calls, 1);
}

TEST(BackgroundSink, AProducerThatWaitsForRoomHearsOfAFailure) {
  std::promise<void> gate;
  BackgroundSink sink([opened = gate.get_future().share()](Bytes) {
    opened.wait();
    throw Error(Errc::disk_full, "no space");
  });
  std::jthread opener([&] { gate.set_value(); });
  EXPECT_THROW(for (;;) sink.push(bytes_of("piece")), Error);
}

TEST(BackgroundSink, ItsEndWaitsForASinkThatIsBusy) {
  std::promise<void> entered, gate;
  std::atomic<int> calls = 0;
  std::atomic<bool> inside = false;
  std::jthread opener;
  {
    BackgroundSink sink([&, opened = gate.get_future().share()](Bytes) {
      inside = true;
      if (++calls == 1) entered.set_value();
      opened.wait();
      inside = false;
    });
    for (int i = 0; i < 3; ++i) sink.push(bytes_of("piece"));
    entered.get_future().wait();
    opener = std::jthread([&] { gate.set_value(); });
  }
  EXPECT_FALSE(inside);
  EXPECT_GE(calls, 1);
  EXPECT_LE(calls, 3);
}

/// In a process that may have no other thread.
[[noreturn]] void push_without_threads() {
  const rlimit none{0, 0};
  if (setrlimit(RLIMIT_NPROC, &none) != 0 || (getuid() == 0 && setuid(65534) != 0)) _exit(2);
  std::string got;
  std::thread::id thread;
  BackgroundSink sink([&](Bytes data) {
    got += text_of(data);
    thread = std::this_thread::get_id();
  });
  sink.push(bytes_of("some"));
  sink.push(bytes_of("thing"));
  sink.drain();
  _exit(got == "something" && thread == std::this_thread::get_id() ? 0 : 1);
}

TEST(BackgroundSink, WithoutAThreadTheProducerDoesIt) {
  EXPECT_EXIT(push_without_threads(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace hawser
