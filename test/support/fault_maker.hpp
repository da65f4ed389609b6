// Random faults from a seed: what a registry on a bad link, behind bad proxies, does to its clients.
#pragma once

#include "support/scripted_auth.hpp"
#include "support/scripted_content.hpp"
#include "support/scripted_message.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <random>
#include <string>

namespace hawser::test {

/// Spoils replies at random; the same seed and the same requests give the same faults. Safe from any thread.
class FaultMaker {
 public:
  FaultMaker(std::uint64_t seed, double share) : random_(seed), share_(share) {}

  /// From now on so many of the replies are spoiled, 0 to 1.
  void set_share(double share);
  /// Perhaps spoils the reply to `request`. `content` and `auth` are those of the registry that gave it.
  void spoil(const ScriptedRequest& request, Reply& reply, ScriptedContent& content, ScriptedAuth& auth);
  /// Faults made up to now, by name.
  std::map<std::string, std::size_t> counts() const;

 private:
  std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_); }
  std::string spoil_stream(Reply& reply);
  std::string spoil_answer(Reply& reply);
  std::string spoil_range(const ScriptedRequest& request, Reply& reply, ScriptedContent& content);

  mutable std::mutex mutex_;
  std::mt19937_64 random_;
  double share_;
  std::size_t burst_ = 0;  ///< replies that are still to be 503
  std::map<std::string, std::size_t> counts_;
};

}  // namespace hawser::test
