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

void Log::show(Level level, std::string_view prefix, std::string_view text) const {
  if (level > level_) return;
  std::string line(text);
  for (const std::string& secret : secrets_) blot_out(line, secret);
  sink_(printable(std::string(prefix) + line, 2000));
}

}  // namespace hawser
