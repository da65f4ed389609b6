// Without precompiled headers: the kernel's struct tcp_info is another than glibc's, and longer.
#include "bench/socket_figures.hpp"

#include <cstddef>

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace hawser {
namespace {

constexpr std::size_t descriptors = 1024;  // a pull has far fewer

}  // namespace

void SocketFigures::look() {
  sockets_.resize(descriptors);
  for (std::size_t fd = 0; fd < descriptors; ++fd) {
    tcp_info info{};
    socklen_t size = sizeof info;
    Counts& counts = sockets_[fd];
    if (::getsockopt(static_cast<int>(fd), IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
        size < offsetof(tcp_info, tcpi_rcv_ooopack) + sizeof info.tcpi_rcv_ooopack)
      continue;
    if (info.tcpi_data_segs_in < counts.segments) {  // another connection by now
      closed_.segments += counts.segments;
      closed_.out_of_order += counts.out_of_order;
    }
    counts.segments = info.tcpi_data_segs_in;
    counts.out_of_order = info.tcpi_rcv_ooopack;
    if (info.tcpi_data_segs_in < most_ || info.tcpi_data_segs_in == 0 || info.tcpi_min_rtt == UINT32_MAX) continue;
    most_ = info.tcpi_data_segs_in;
    round_trip_ = info.tcpi_min_rtt / 1e6;
  }
}

std::uint64_t SocketFigures::segments() const {
  std::uint64_t sum = closed_.segments;
  for (const Counts& counts : sockets_) sum += counts.segments;
  return sum;
}

std::uint64_t SocketFigures::out_of_order() const {
  std::uint64_t sum = closed_.out_of_order;
  for (const Counts& counts : sockets_) sum += counts.out_of_order;
  return sum;
}

}  // namespace hawser
