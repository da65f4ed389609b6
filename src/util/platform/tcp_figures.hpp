// What the kernel counts of a TCP connection (TCP_INFO): as far as a receiver can see what the link does. By itself,
// since the kernel's struct tcp_info and the C library's, which Asio includes, do not go together.
#pragma once

#include <cstdint>
#include <optional>

namespace hawser {

/// See ConnectionRecord.
struct TcpFigures {
  std::uint64_t segments = 0, out_of_order = 0;
  std::optional<double> round_trip;
};
/// Nothing where `socket`, a native one, is no TCP connection, or the kernel does not say.
std::optional<TcpFigures> tcp_figures(std::intptr_t socket) noexcept;

}  // namespace hawser
