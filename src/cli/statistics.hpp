// What a pull has come to, for people and as JSON.
#pragma once

#include "cli/exit_code.hpp"
#include "cli/options.hpp"
#include "cli/progress.hpp"

#include <hawser/image/digest.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hawser {

/// A layer, and what the cache had of it before the call.
struct SurveyedLayer {
  Digest digest;
  std::uint64_t size = 0;
  std::uint64_t there = 0;   ///< bytes; less than the size: left by an interrupted call
  bool complete = false;     ///< whether it need not be fetched
  bool attestation = false;  ///< of a build attestation, which is no layer of the image
};

/// What layers add up to. Attestations count as bytes, but not as layers.
struct LayerSums {
  std::size_t layers = 0;
  std::size_t cached_layers = 0;      ///< of these, complete in the cache from the start
  std::uint64_t bytes = 0;            ///< as the registry has them
  std::uint64_t cached_bytes = 0;     ///< of the complete ones
  std::uint64_t resumable_bytes = 0;  ///< of the others, what an interrupted call had left

  void add(const SurveyedLayer& layer);
  std::uint64_t to_fetch() const { return bytes - cached_bytes - resumable_bytes; }
};

/// One image of the call.
struct ImageResult {
  std::string reference;               ///< as docker shows it
  std::vector<std::string> platforms;  ///< "linux/amd64"; several with --all-platforms, none where not found out
  std::optional<Digest> digest = {};   ///< of the manifest
  std::string output;                  ///< the file or directory it went to, "-" for stdout; empty: none
  std::vector<SurveyedLayer> layers;   ///< each once, in the manifest's order
  ExitCode exit = ExitCode::done;
  std::string error;  ///< why it failed, without the reference; empty where it did not
  std::string hint;   ///< what the user can do about it
  bool told = false;  ///< whether the log has said why
  bool alone = true;  ///< whether its output holds no images of earlier calls, as a layout may

  LayerSums sums() const;
};

/// The whole call.
struct PullStatistics {
  std::vector<ImageResult> images;
  std::uint64_t received = 0;  ///< bytes of blobs that came over the network
  std::uint64_t resumed = 0;   ///< bytes that an interrupted run had left
  std::size_t retries = 0;
  std::chrono::milliseconds elapsed{0};
  bool dry_run = false;
  OutputFormat format = OutputFormat::docker_archive;  ///< decides how the outputs are loaded

  /// Of all images; a layer that several share counts once.
  LayerSums sums() const;
  /// Takes over what the transfer has counted.
  void add(const TransferState& transfer);
  /// The exit code of the call.
  ExitCode exit() const;
};

/// The closing lines for people: hits of layers, percent, data saved; bytes, time, rate, retries; where each image
/// is and how to load it. Of a dry run, each image's layers and what there is of them. Why an image failed is
/// said only where the log has not. Ends in a newline.
std::string format_statistics(const PullStatistics& statistics);

/// The same as one JSON object on one line, with a newline. docs/formats.md describes the members.
std::string statistics_json(const PullStatistics& statistics);

/// A line for each image that failed, and why, and what to do: all that --quiet shows. Empty where none failed.
std::string format_failures(const PullStatistics& statistics);

/// `text` quoted so that a POSIX shell takes it as one word; as it is where nothing needs quoting.
std::string shell_quoted(std::string_view text);

}  // namespace hawser
