// What the kernel counts of a TCP connection (TCP_INFO): as far as a receiver can see what the link does.
#pragma once

#include <cstdint>
#include <optional>

namespace hawser {

/// See ConnectionRecord.
struct TcpFigures {
  std::uint64_t segments = 0, out_of_order = 0;
  std::optional<double> round_trip;
};

/// Nothing where `socket` is no TCP connection, or the kernel does not say.
std::optional<TcpFigures> tcp_figures(int socket);

}  // namespace hawser
