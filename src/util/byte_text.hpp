// Numbers in bytes that a file has: seven bits each, the lowest first, the highest bit where more follow (LEB128).
#pragma once

#include <hawser/util/error.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace hawser {

/// Appends a number.
inline void put_number(std::string& text, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7) text += static_cast<char>((number & 0x7f) | 0x80);
  text += static_cast<char>(number);
}

/// Reads what put_number() has written. Everything in it is hostile.
class NumberReader {
 public:
  /// `what` names it in errors: "the recipe of a gzip stream".
  NumberReader(std::string_view text, std::string what) : text_(text), what_(std::move(what)) {}

  [[noreturn]] void refuse() const { throw Error(Errc::malformed, what_ + " makes no sense"); }

  std::uint8_t byte() {
    if (text_.empty()) refuse();
    const auto value = static_cast<std::uint8_t>(text_.front());
    text_.remove_prefix(1);
    return value;
  }
  /// A number of at most `most`.
  std::uint64_t number(std::uint64_t most) {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 63; shift += 7) {
      const std::uint8_t next = byte();
      value |= std::uint64_t{next & 0x7fU} << shift;
      if (next < 0x80) {
        if (value > most) refuse();
        return value;
      }
    }
    refuse();
  }
  std::span<const std::byte> take(std::size_t count) {
    const auto bytes = rest();
    skip(count);
    return bytes.first(count);
  }
  void skip(std::size_t count) {
    if (count > text_.size()) refuse();
    text_.remove_prefix(count);
  }
  std::span<const std::byte> rest() const { return std::as_bytes(std::span(text_.data(), text_.size())); }

 private:
  std::string_view text_;
  std::string what_;
};

}  // namespace hawser
