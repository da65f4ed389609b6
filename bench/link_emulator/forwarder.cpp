// See forwarder.hpp. One thread serves both ways: offload makes packets few
// enough, and the other core stays free for what is measured.
#include "forwarder.hpp"

#include "tun_device.hpp"

#include <csignal>
#include <cstdio>
#include <ctime>

#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>

namespace hawser::bench {
namespace {

constexpr int kPacketsAtOnce = 64;
constexpr std::size_t kLargestPacket = kOffloadHeaderBytes + 65536;

LinkTime monotonic_now() {
  return std::chrono::duration_cast<LinkTime>(std::chrono::steady_clock::now().time_since_epoch());
}

FileDescriptor stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  check_system(sigprocmask(SIG_BLOCK, &signals, nullptr), "block signals");
  return FileDescriptor(check_system(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd"));
}

/// A line keeps its rate however busy the machine is. Without the right to, the emulator does what it can.
void keep_time() {
  prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);  // wake within a microsecond, not fifty
  const sched_param priority{.sched_priority = 1};
  static_cast<void>(sched_setscheduler(0, SCHED_RR, &priority));
}

void take_all(const TunDevice& from, Direction& direction, std::span<std::uint8_t> buffer) {
  for (int i = 0; i < kPacketsAtOnce; ++i) {
    const std::size_t size = from.read(buffer);
    if (size == 0) return;
    direction.take(monotonic_now(), buffer.first(size));
  }
}

void give_arrived(Direction& direction, const TunDevice& to) {
  const LinkTime now = monotonic_now();
  while (const auto packet = direction.arrived(now)) {
    if (!to.write(*packet)) direction.count_not_taken();
  }
}

/// Time until the first arrival of either way, for ppoll; nothing where none is under way.
std::optional<timespec> time_to_sleep(const Direction& one, const Direction& other) {
  std::optional<LinkTime> next = one.next_arrival();
  if (const auto second = other.next_arrival(); second && (!next || *second < *next)) next = second;
  if (!next) return std::nullopt;
  const LinkTime left = std::max(LinkTime{0}, *next - monotonic_now());
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
  return timespec{seconds.count(), (left - seconds).count()};
}

}  // namespace

ForwarderReport run_forwarder(const EmulatorOptions& options) {
  const FileDescriptor stop = stop_signals();
  const TunDevice client(options.client_namespace, options.device);
  const TunDevice server(options.server_namespace, options.device);
  Direction to_client(options.to_client);
  Direction to_server(options.to_server);
  TunPacket buffer(kLargestPacket);
  keep_time();
  std::puts("ready");
  std::fflush(stdout);
  for (;;) {
    pollfd waits[] = {{client.descriptor(), POLLIN, 0}, {server.descriptor(), POLLIN, 0}, {stop.get(), POLLIN, 0}};
    const auto sleep = time_to_sleep(to_client, to_server);
    if (ppoll(waits, std::size(waits), sleep ? &*sleep : nullptr, nullptr) < 0 && errno != EINTR) {
      check_system(-1, "ppoll");
    }
    if (waits[2].revents != 0) return {to_client.counters(), to_server.counters()};
    if (waits[0].revents != 0) take_all(client, to_server, buffer);
    if (waits[1].revents != 0) take_all(server, to_client, buffer);
    give_arrived(to_server, server);
    give_arrived(to_client, client);
  }
}

}  // namespace hawser::bench
