// What a pull writes of its traffic: --timeline and --trace-http.
#pragma once

#include "cli/exit_code.hpp"
#include "cli/options.hpp"
#include "cli/progress.hpp"

#include <hawser/net/traffic.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

namespace hawser {

/// The files that tell where the time of one pull went, be it that it fails or is stopped.
class TrafficFiles {
 public:
  /// Throws what check_output() throws.
  explicit TrafficFiles(const Command& command);

  /// What is to be filled; null where neither file is wanted.
  const std::shared_ptr<TrafficRecord>& record() const { return record_; }
  /// Whether anything may be written: not before it is known that the files are no others of the pull's.
  void allow(bool may_write) { may_write_ = may_write; }
  /// Writes both, each as a whole. `images` is what was to be pulled; what `progress` masks is masked. `exit`: the pull
  /// is over, and its connections are closed; nothing: it is about to be stopped. Throws Error{disk, disk_full}.
  void write(const std::vector<std::string>& images, std::optional<ExitCode> exit, const Progress& progress) const;

 private:
  void write_file(const std::string& path, boost::json::object document, bool is_last, const Progress& progress) const;

  const Command& command_;
  std::shared_ptr<TrafficRecord> record_;
  bool may_write_ = false;
};

}  // namespace hawser
