// The state of a transfer as lines of text. Pure: the same state, width and height give the same lines.
#pragma once

#include <hawser/app/transfer_state.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace hawser {

/// What a terminal has room for.
struct ViewSize {
  std::size_t width = 80;   ///< columns; no line is longer
  std::size_t height = 24;  ///< lines at most
};

/// A line a layer with bar, bytes, speed and time left, and a total below. Where the layers are more than there is
/// room for, the active ones come first and one line sums up the rest. ASCII only. Empty where nothing is planned.
std::vector<std::string> render_progress(const TransferState& state, ViewSize size);

/// The total alone, for logs: "28.1 MB of 49.2 MB (57%), 18.9 MB/s, 1.2 s left".
std::string render_total(const TransferState& state);

/// "done of all" in percent, rounded down, so that 100 is all of it; 100 of nothing.
unsigned percent_of(std::uint64_t done, std::uint64_t all);

}  // namespace hawser
