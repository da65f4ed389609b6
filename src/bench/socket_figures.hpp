// What the kernel counts of the connections of a pull (TCP_INFO), as far as a receiver can see what the link does.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace hawser {

/// Looks at all TCP connections of the process, by their descriptors, and adds them up: a bench has no others. A
/// connection counts with what it had come to when it was looked at last.
class SocketFigures {
 public:
  void look();

  /// The least round trip of the connection that has brought the most, its handshake included, seconds; nothing where
  /// none has brought anything.
  std::optional<double> round_trip() const { return round_trip_; }
  /// Segments with data that came.
  std::uint64_t segments() const;
  /// Of these, those that came before one that precedes them. Where one is lost, that is all that follow it until it
  /// was sent again: of the lost there are fewer.
  std::uint64_t out_of_order() const;

 private:
  struct Counts {
    std::uint64_t segments = 0, out_of_order = 0;
  };

  Counts closed_;                // of connections that are gone
  std::vector<Counts> sockets_;  // by descriptor
  std::optional<double> round_trip_;
  std::uint64_t most_ = 0;  // segments of the connection that it is of
};

}  // namespace hawser
