// What a pull has come to, for people and as JSON.
#pragma once

#include "cli/exit_code.hpp"

#include <hawser/pull/pull.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hawser {

/// The whole call.
struct PullStatistics {
  std::vector<ImageResult> images;
  std::vector<SourceResult> sources;
  std::uint64_t received = 0;  ///< bytes of blobs that came over the network
  std::uint64_t resumed = 0;   ///< bytes that an interrupted run had left
  std::size_t retries = 0;
  std::chrono::milliseconds elapsed{0};
  bool dry_run = false;
  bool verbose = false;                                ///< for people: what came from where, too
  OutputFormat format = OutputFormat::docker_archive;  ///< decides how the outputs are loaded
  bool uncompressed = false;                           ///< so does this
  bool applied = false;                                ///< it was put together from files, and nothing was asked for
  bool delta = false;                                  ///< layers may have been left out

  /// Of all images; a layer that several share counts once.
  LayerSums sums() const;
  /// The exit code of the call.
  ExitCode exit() const;
};

/// The closing lines for people: hits of layers, percent, data saved; bytes, time, rate, retries; where each image
/// is and how to load it. What came from each host only where `verbose` is and there is a mirror. Of a dry run, each
/// image's layers and what there is of them. Why an image failed is said only where the log has not. Ends in a newline.
std::string format_statistics(const PullStatistics& statistics);

/// The same as one JSON object on one line, with a newline. docs/formats.md describes the members.
std::string statistics_json(const PullStatistics& statistics);

/// `text` quoted so that a POSIX shell takes it as one word; as it is where nothing needs quoting.
std::string shell_quoted(std::string_view text);

}  // namespace hawser
