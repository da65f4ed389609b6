// Without precompiled headers: they have the C library's struct tcp_info, which is older than the kernel's.
#include "util/platform/tcp_figures.hpp"

#include <cstddef>

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace hawser {

std::optional<TcpFigures> tcp_figures(std::intptr_t socket) noexcept {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(static_cast<int>(socket), IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
      size < offsetof(tcp_info, tcpi_rcv_ooopack) + sizeof info.tcpi_rcv_ooopack)
    return std::nullopt;
  TcpFigures figures{info.tcpi_data_segs_in, info.tcpi_rcv_ooopack, std::nullopt};
  if (info.tcpi_min_rtt != UINT32_MAX) figures.round_trip = info.tcpi_min_rtt / 1e6;
  return figures;
}

}  // namespace hawser
