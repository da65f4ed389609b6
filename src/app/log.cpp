#include <hawser/app/log.hpp>
#include <hawser/util/text.hpp>

#include <algorithm>

namespace hawser {

Log::Log(Level level, std::function<void(std::string_view)> sink) : level_(level), sink_(std::move(sink)) {}

void Log::mask(std::string_view secret) {
  if (std::ranges::find(secrets_, secret) != secrets_.end()) return;
  secrets_.emplace_back(secret);
  // The longest first: one secret may hold another.
  std::ranges::stable_sort(secrets_, std::ranges::greater{}, &std::string::size);
}

std::string Log::masked(std::string_view text) const {
  std::string result(text);
  for (const std::string& secret : secrets_) blot_out(result, secret);
  return result;
}

Error Log::masked(const Error& error) const {
  return {error.code(), masked(error.what()), masked(error.hint())};
}

void Log::show(Level level, std::string_view prefix, std::string_view text) const {
  if (level > level_) return;
  sink_(printable(std::string(prefix) + masked(text), 2000));
}

}  // namespace hawser
