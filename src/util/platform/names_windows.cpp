#include "util/platform/names.hpp"
#include "util/platform/windows.hpp"

#include <algorithm>
#include <array>

namespace hawser {

namespace windows {

namespace {

bool is_forbidden(wchar_t c) noexcept {
  return c < L' ' || std::wstring_view(L"<>:\"|?*").find(c) != std::wstring_view::npos;
}

}  // namespace

bool is_possible_name(std::wstring_view name) noexcept {
  static constexpr std::array devices{L"con", L"prn", L"aux", L"nul", L"conin$", L"conout$"};
  const auto lower = [](wchar_t c) { return c >= L'A' && c <= L'Z' ? static_cast<wchar_t>(c - L'A' + L'a') : c; };
  const auto is = [&](std::wstring_view stem, std::wstring_view device) {
    return std::ranges::equal(stem, device, {}, lower);
  };
  if (name.empty() || name.back() == L'.' || name.back() == L' ') return name == L"." || name == L"..";
  if (std::ranges::any_of(name, is_forbidden)) return false;
  std::wstring_view stem = name.substr(0, name.find(L'.'));
  while (stem.ends_with(L' ')) stem.remove_suffix(1);
  if (std::ranges::any_of(devices, [&](const wchar_t* device) { return is(stem, device); })) return false;
  const bool numbered = stem.size() == 4 && (is(stem.substr(0, 3), L"com") || is(stem.substr(0, 3), L"lpt"));
  return !numbered || std::wstring_view(L"0123456789\u00b9\u00b2\u00b3").find(stem[3]) == std::wstring_view::npos;
}

}  // namespace windows

using namespace windows;

std::string possible_name(std::string_view name) {
  std::wstring text = wide(name);
  if (is_possible_name(text)) return std::string(name);
  for (wchar_t& c : text)
    if (is_forbidden(c) || c == L'/' || c == L'\\') c = L'_';
  if (text.empty() || text.back() == L'.' || text.back() == L' ') text += L'_';
  if (!is_possible_name(text)) text.insert(0, 1, L'_');
  return narrow(text);
}

}  // namespace hawser
