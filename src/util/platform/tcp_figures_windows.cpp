#include "util/platform/tcp_figures.hpp"

#include <winsock2.h>
// Only after that one:
#include <mstcpip.h>

namespace hawser {

/// Windows counts bytes, not segments.
std::optional<TcpFigures> tcp_figures(std::intptr_t socket) noexcept {
  DWORD version = 0, size = 0;
  TCP_INFO_v0 info{};
  if (::WSAIoctl(static_cast<SOCKET>(socket), SIO_TCP_INFO, &version, sizeof version, &info, sizeof info, &size,
                 nullptr, nullptr) != 0 ||
      size < sizeof info || info.Mss == 0)
    return std::nullopt;
  TcpFigures figures{info.BytesIn / info.Mss, info.BytesReordered / info.Mss, std::nullopt};
  if (info.MinRttUs > 0 && info.MinRttUs != UINT32_MAX) figures.round_trip = info.MinRttUs / 1e6;
  return figures;
}

}  // namespace hawser
