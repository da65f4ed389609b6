#include "util/platform/tcp_figures.hpp"

#include <algorithm>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace hawser {

std::optional<TcpFigures> tcp_figures(std::intptr_t socket) noexcept {
  tcp_connection_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(static_cast<int>(socket), IPPROTO_TCP, TCP_CONNECTION_INFO, &info, &size) != 0 || size < sizeof info)
    return std::nullopt;
  // What came out of order is counted in bytes here, and of the round trip there is the smoothed one, in milliseconds.
  const std::uint64_t segment = std::max<std::uint64_t>(info.tcpi_maxseg, 1);
  TcpFigures figures{info.tcpi_rxpackets, (info.tcpi_rxoutoforderbytes + segment - 1) / segment, std::nullopt};
  if (info.tcpi_srtt != 0) figures.round_trip = info.tcpi_srtt / 1e3;
  return figures;
}

}  // namespace hawser
