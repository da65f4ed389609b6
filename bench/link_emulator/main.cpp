// link_emulator: joins two network namespaces by a link of given round trip,
// rates, queue and loss, for kernels without tc netem.
#include "forwarder.hpp"

#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string_view>

#include <sys/resource.h>

namespace {

using hawser::bench::DirectionCounters;

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

void print_counters(const char* name, const DirectionCounters& counters) {
  std::printf("\"%s\":{\"packets\":%lu,\"ip_bytes\":%lu,\"lost\":%lu,\"queue_full\":%lu,\"not_taken\":%lu},", name,
              counters.packets, counters.ip_bytes, counters.lost, counters.queue_full, counters.not_taken);
}

void print_report(const hawser::bench::ForwarderReport& report) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("{");
  print_counters("to_client", report.to_client);
  print_counters("to_server", report.to_server);
  std::printf("\"cpu_seconds\":%.3f}\n", seconds(usage.ru_utime) + seconds(usage.ru_stime));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--help") {
    std::fputs(hawser::bench::usage().data(), stdout);
    return 0;
  }
  try {
    print_report(hawser::bench::run_forwarder(hawser::bench::parse_options(argc, argv)));
    return 0;
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "link_emulator: %s\n%s", error.what(), hawser::bench::usage().data());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "link_emulator: %s\n", error.what());
    return 1;
  }
}
