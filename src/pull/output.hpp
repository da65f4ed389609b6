// One output of a request: which images go into it, what they consist of, and what is wrong with which. No I/O.
#pragma once

#include "archive/archive_layout.hpp"
#include "image/manifest.hpp"
#include "pull/image_resolver.hpp"

#include <hawser/pull/pull.hpp>
#include <hawser/util/error.hpp>

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace hawser {

/// A blob of an output, and the position of an image that has it: it is fetched from that one's repository.
struct OutputBlob {
  OutputBlob(Descriptor descriptor_, std::size_t position_) : descriptor(std::move(descriptor_)), position(position_) {}

  Descriptor descriptor;
  std::size_t position;
  std::optional<Digest> diff_id = {};  ///< of a layer, once a config has said it
};

/// Whether the manifest is an image's, whose config says its platform and its layers' diff IDs.
inline bool has_image_config(const ArchiveManifest& manifest) {
  return !is_attestation(manifest.descriptor) && has_image_config(manifest.manifest);
}

/// An output on its way.
struct Output {
  /// `numbers_`: of its images among the references of `request_`, which must outlive this.
  Output(const PullRequest& request_, std::string path_, std::vector<std::size_t> numbers_);

  const Reference& reference(std::size_t position) const { return request.references[numbers[position]]; }
  /// All images are resolved: finds out what they consist of. Throws Error{unsupported} for foreign layers that are
  /// not allowed, Error{usage} where two images have one name, Error{malformed} where a blob has two sizes.
  void collect();
  /// What the config of a manifest says; the blobs of its layers have their diff IDs from there. Throws
  /// Error{malformed}, Error{no_platform} where it does not belong to the manifest, or is for another platform than was
  /// asked for.
  ImageConfig read_config(std::size_t position, const ArchiveManifest& manifest, const std::string& bytes);

  /// Says that it is for this image that the output can't be made, unless the reason is on this side.
  void blame(std::size_t position, const Error& error);
  /// The position of the first image that was blamed.
  std::optional<std::size_t> first_blamed() const;

  const PullRequest& request;
  std::string path;                  // "-" is standard output
  std::vector<std::size_t> numbers;  // its images among the references; other members go by position here
  std::vector<std::optional<ResolvedImage>> images;  // nothing until they are resolved
  std::vector<std::optional<Error>> failures;        // of single images
  std::vector<ArchiveImage> archive;                 // the images, those with the same manifest made one
  std::map<Digest, OutputBlob> blobs;                // each digest once
  std::set<Digest> configs;                          // of these, the configs

 private:
  void check_foreign_layers();
  void check_names() const;
};

/// The default archive names of all references of one call, in their order: "{registry}_{repository}_{tag}.tar" without
/// Docker Hub's host, such as "library_nginx_latest.tar", "quay.io_a_b_1.tar". `platform` is what the user asked for,
/// if anything; it is appended: "library_nginx_latest_arm_v7.tar" (an os other than linux goes before the
/// architecture). A reference by digest alone has "sha256-" and twelve digits for a tag. A name is one path component
/// of at most 200 bytes out of letters, digits, "_", "." and "-", which begins with neither "." nor "-". Where
/// different references would share a name (ignoring case, for filesystems that do), each of them gets a part of its
/// own hash; equal references share one.
std::vector<std::string> output_names(std::span<const Reference> references, const std::optional<Platform>& platform);

/// The outputs of a request: without a path a file for each image under its default name, in the working directory or
/// in the directory that the path names; with a file or "-" one for all.
std::vector<Output> plan_outputs(const PullRequest& request);

}  // namespace hawser
