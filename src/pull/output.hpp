// One output of a request: which images go into it, what they consist of, and what is wrong with which. Place() alone
// looks at the disk.
#pragma once

#include "archive/archive_layout.hpp"
#include "archive/delta.hpp"
#include "image/manifest.hpp"
#include "pull/image_resolver.hpp"

#include <hawser/pull/pull.hpp>
#include <hawser/util/error.hpp>

#include <cstddef>
#include <filesystem>
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
  /// `numbers_`: of its images among the references of `request_`, which must outlive this. `directory_`: see there.
  Output(const PullRequest& request_, std::string path_, std::vector<std::size_t> numbers_,
         std::optional<std::string> directory_ = {});

  const RequestedImage& image(std::size_t position) const { return request.references[numbers[position]]; }
  const Reference& reference(std::size_t position) const { return image(position).reference; }
  /// What was asked for, if anything.
  const std::optional<Platform>& platform(std::size_t position) const {
    return image(position).platform ? image(position).platform : request.platform;
  }
  /// The path that is written: what the user has named may be a symbolic link to it; other links are replaced and lead
  /// nowhere. Throws Error{disk} where one leads out of the directory, and where a list names (output=) what is there
  /// and is no archive of images, unless that is forced.
  std::filesystem::path place() const;
  /// All images are resolved: finds out what they consist of. Throws Error{unsupported} for foreign layers that are
  /// not allowed, Error{usage} where two images have one name, Error{malformed} where a blob has two sizes.
  void collect();
  /// What the config of a manifest says; the blobs of its layers have their diff IDs from there. Throws
  /// Error{malformed}, Error{no_platform} where it does not belong to the manifest, or is for another platform than was
  /// asked for.
  ImageConfig read_config(std::size_t position, const ArchiveManifest& manifest, const std::string& bytes);

  /// Makes it a delta: what that leaves out is no blob of it any more, and its patches are.
  void leave_out(Delta delta_);

  /// Says that it is for this image that the output can't be made, unless the reason is on this side.
  void blame(std::size_t position, const Error& error);
  /// The position of the first image that was blamed.
  std::optional<std::size_t> first_blamed() const;

  const PullRequest& request;
  std::string path;                      // "-" is standard output
  std::optional<std::string> directory;  // that its name was made in; nothing: the user has named it
  std::vector<std::size_t> numbers;      // its images among the references; other members go by position here
  std::vector<std::optional<ResolvedImage>> images;  // nothing until they are resolved
  std::vector<std::optional<Error>> failures;        // of single images
  std::vector<ArchiveImage> archive;                 // the images, those with the same manifest made one
  std::map<Digest, OutputBlob> blobs;                // each digest once
  std::set<Digest> configs;                          // of these, the configs
  std::optional<Delta> delta;                        // where the request is for one, once it is known

 private:
  void check_foreign_layers();
  void check_names() const;
};

/// Throws Error{usage} where `text` can't name files: it is made of letters, digits, "_", "." and "-", begins with none
/// of the last two, and has {registry}, {repository}, {name} (the repository's last part), {tag}, {os} and {arch} (with
/// its variant) in it. For `all_platforms` the last two say nothing.
void check_output_template(const std::string& text, bool all_platforms);

/// The default archive names of all images of one call, in their order: "{registry}_{repository}_{tag}.tar" without
/// Docker Hub's host, such as "library_nginx_latest.tar", "quay.io_a_b_1.tar". The platform that the user asked
/// for, if any, is appended: "library_nginx_latest_arm_v7.tar" (an os other than linux goes before the
/// architecture). A reference by digest alone has "sha256-" and twelve digits for a tag. A name is one path component
/// of at most 200 bytes out of letters, digits, "_", "." and "-", which begins with neither "." nor "-". Where
/// different images would share a name (ignoring case, for filesystems that do), each of them gets a part of its own
/// hash; equal ones share one. Those of deltas end in ".delta.tar". With a template the names follow it instead, and
/// images that would share one, or have one of more than 200 bytes, are Error{usage}.
std::vector<std::string> output_names(const PullRequest& request);

/// The file, layout or "-" that takes all images of the request; nothing where each has its own in a directory. Throws
/// Error{usage} where images have files of their own, by template or by name, but the path names one for all.
std::optional<std::string> shared_output(const PullRequest& request);

/// Throws Error{usage} where the request wants parts of what is no archive in files.
void check_split(const PullRequest& request);

/// The outputs of a request: without a path a file for each image under its own name, the template's or its default
/// name, in the working directory or in the directory that the path names; with a file or "-" one for all. Throws
/// what shared_output() and check_split() do, and Error{usage} where two images would get one file that have not asked
/// for the same.
std::vector<Output> plan_outputs(const PullRequest& request);

}  // namespace hawser
