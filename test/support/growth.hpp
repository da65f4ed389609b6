// How the work for many things grows over that for a few, whatever the machine.
#pragma once

#include <algorithm>
#include <cstddef>
#include <ctime>

namespace hawser::test {

/// Seconds of this thread's processor time that `work` takes: done again until the clock moves, where it is coarse.
template <class Work>
double processor_time(const Work& work) {
  const auto now = [] {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
  };
  const double begin = now();
  double end = begin;
  int times = 0;
  for (; end <= begin; ++times) {
    work();
    end = now();
  }
  return (end - begin) / times;
}

/// How many times as long `work(20'000)` takes as `work(1000)`: about 20 to 50 where each thing costs the same, 400
/// where it costs a look at all the others.
template <class Work>
double growth(const Work& work) {
  const auto few = [&] { return processor_time([&] { work(std::size_t{1000}); }); };
  const double base = std::min({few(), few(), few()});
  return processor_time([&] { work(std::size_t{20'000}); }) / base;
}

inline constexpr double quadratic_growth = 200;

}  // namespace hawser::test
