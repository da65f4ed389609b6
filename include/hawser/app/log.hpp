// What is said beside progress and results: warnings, and with --verbose what is being done.
#pragma once

#include <hawser/util/error.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// Lines for the user, by importance. Secrets that it was told of are masked in every line, whoever wrote it.
class Log {
 public:
  enum class Level { errors, normal, verbose };

  /// `sink` shows one line (Progress::message does).
  Log(Level level, std::function<void(std::string_view)> sink);

  /// Never shows `secret` from now on, as far as blot_out() goes.
  void mask(std::string_view secret);
  /// `text` as it may be shown elsewhere: with the secrets masked.
  std::string masked(std::string_view text) const;
  /// The same error with its texts masked.
  Error masked(const Error& error) const;

  void error(std::string_view text) const { show(Level::errors, "hawser: ", text); }
  /// What the user can do about the error just shown.
  void hint(std::string_view text) const { show(Level::errors, "        ", text); }
  void warning(std::string_view text) const { show(Level::normal, "warning: ", text); }
  void note(std::string_view text) const { show(Level::normal, "", text); }
  void detail(std::string_view text) const { show(Level::verbose, "", text); }
  bool is_verbose() const noexcept { return level_ == Level::verbose; }

 private:
  void show(Level level, std::string_view prefix, std::string_view text) const;

  Level level_;
  std::function<void(std::string_view)> sink_;
  std::vector<std::string> secrets_;
};

}  // namespace hawser
