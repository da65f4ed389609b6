// The file names that archives get where the user gives none.
#pragma once

#include <hawser/image/platform.hpp>
#include <hawser/image/reference.hpp>

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace hawser {

/// The default archive name of `reference`, "{registry}_{repository}_{tag}.tar" without Docker Hub's host:
/// "library_nginx_latest.tar", "quay.io_a_b_1.tar". `platform` is what the user asked for, if anything; it is
/// appended: "library_nginx_latest_arm_v7.tar" (an os other than linux goes before the architecture). A reference
/// by digest alone has "sha256-" and twelve digits for a tag. The result is one path component of at most 200
/// bytes out of letters, digits, "_", "." and "-", which begins with neither "." nor "-".
std::string output_name(const Reference& reference, const std::optional<Platform>& platform);

/// The names for all references of one call, in their order. Where different references would share a name
/// (ignoring case, for filesystems that do), each of them gets a part of its own hash; equal references share one.
std::vector<std::string> output_names(std::span<const Reference> references, const std::optional<Platform>& platform);

}  // namespace hawser
