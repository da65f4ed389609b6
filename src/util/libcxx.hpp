// What libc++ 16 lacks of C++20 and hawser uses. cmake/HawserCompiler.cmake has clang include it before all else.
#pragma once

#include <version>

#if defined(_LIBCPP_VERSION) && _LIBCPP_VERSION < 170000
#include <array>
#include <compare>
#include <cstddef>

namespace std {

/// [array.overview]: elements in their order. Where the elements have a <=>.
template <class Element, size_t Size>
constexpr auto operator<=>(const array<Element, Size>& a, const array<Element, Size>& b) -> decltype(a[0] <=> b[0]) {
  for (size_t i = 0; i < Size; ++i)
    if (const auto order = a[i] <=> b[i]; order != 0) return order;
  return strong_ordering::equal;
}

}  // namespace std
#endif
