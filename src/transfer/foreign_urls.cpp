#include "transfer/foreign_urls.hpp"

#include "net/origin.hpp"

#include <utility>

namespace hawser {

ForeignUrls::ForeignUrls(std::vector<std::string> urls) : urls_(std::move(urls)) {
  if (urls_.size() > most_tried) urls_.resize(most_tried);
}

bool ForeignUrls::can_go_on(Errc code) const noexcept {
  return number() + 1 < urls_.size() && !is_on_this_side(code);
}

bool ForeignUrls::go_on(const Error& error) {
  if (!can_go_on(error.code())) return false;
  failures_.push_back(error);
  return true;
}

std::string ForeignUrls::account_of(std::size_t number, const Error& error) const {
  const std::string url = displayed_url(urls_[number], 200);
  const std::string what = error.what();
  return what.find(url) != std::string::npos ? what : url + ": " + what;
}

Error ForeignUrls::told(const Error& error) const {
  if (failures_.empty() || is_on_this_side(error.code())) return error;
  std::string text =
      "none of the " + std::to_string(number() + 1) + " URLs of the foreign layer that were tried has it";
  for (std::size_t i = 0; i < failures_.size(); ++i) text += (i == 0 ? ": " : "; ") + account_of(i, failures_[i]);
  text += "; " + account_of(number(), error);
  return {error.code(), text,
          error.hint().empty() ? "ask the image's publisher where the layer is to be had" : error.hint()};
}

}  // namespace hawser
