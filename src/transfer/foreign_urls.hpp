// Which URL of a foreign layer is asked: each in its turn, until one has the layer.
#pragma once

#include <hawser/util/error.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace hawser {

/// The URLs of one foreign layer, in the manifest's order. Empty for blobs that are the registry's own. No I/O.
class ForeignUrls {
 public:
  /// A manifest names one or two; a hostile one shall not make hawser knock at a thousand doors.
  static constexpr std::size_t most_tried = 8;

  /// Of `urls` the first `most_tried` count.
  explicit ForeignUrls(std::vector<std::string> urls);

  bool empty() const noexcept { return urls_.empty(); }
  /// The URL to ask now; there must be one.
  const std::string& current() const { return urls_[number()]; }
  /// How many have failed, and so the number of the present one.
  std::size_t number() const noexcept { return failures_.size(); }
  /// Whether there is another URL after the present one, and a failure of this kind is not on this side, where it would
  /// be the same there.
  bool can_go_on(Errc code) const noexcept;
  /// The present URL has failed for good with `error`. Turns to the next one and returns true; false, and nothing
  /// changes, where it can't go on.
  bool go_on(const Error& error);
  /// `error`, in which the last URL has ended; where there were others, with what each of them ended in.
  Error told(const Error& error) const;

 private:
  std::string account_of(std::size_t number, const Error& error) const;

  std::vector<std::string> urls_;
  std::vector<Error> failures_;
};

}  // namespace hawser
