// An output in the making: what a pull knows of it.
#pragma once

#include <hawser/app/image_output.hpp>
#include <hawser/app/image_resolver.hpp>
#include <hawser/app/pull_run.hpp>
#include <hawser/util/error.hpp>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace hawser {

/// Whether the manifest is an image's, whose config says its platform and its layers' diff IDs.
inline bool has_image_config(const ArchiveManifest& manifest) {
  return !is_attestation(manifest.descriptor) && is_image_config(manifest.manifest.config.media_type);
}

struct PullRun::Output {
  Output(const OutputPlan& plan_, std::size_t group_)
      : plan(plan_), group(group_), images(plan_.images.size()), failures(images.size()) {}

  /// Where a blob of the output is to be had: from the repository of one of its images.
  struct Source {
    Source(Descriptor descriptor_, std::size_t position_) : descriptor(std::move(descriptor_)), position(position_) {}
    Descriptor descriptor;
    std::size_t position;
  };

  /// Fills `blobs` and `config_digests`.
  void collect_blobs();
  /// Says that it is for this image that the output can't be made.
  void blame(std::size_t position, const Error& error);
  /// The position of the first image that was blamed.
  std::optional<std::size_t> first_blamed() const;

  const OutputPlan& plan;
  std::size_t group;                                 // for the fetcher's fairness
  std::vector<std::optional<ResolvedImage>> images;  // by position in the plan
  std::vector<std::optional<Error>> failures;        // of single images, by position in the plan
  std::vector<ArchiveImage> archive;                 // the images, those with the same manifest made one
  std::map<Digest, Source> blobs;                    // each digest once
  std::set<Digest> config_digests;
  std::map<Digest, std::string> configs;  // bytes of the configs, once they are there
  std::unique_ptr<ImageOutput> image_output;
};

}  // namespace hawser
