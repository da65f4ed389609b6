// Which layers an output can do without, since the place that it is for has them. No I/O.
#pragma once

#include "archive/delta.hpp"
#include "image/manifest.hpp"
#include "pull/output.hpp"

#include <hawser/pull/pull.hpp>

#include <map>
#include <string>
#include <vector>

namespace hawser {

/// The delta of an output against `haves`: what is left out is held by one of them wherever it occurs. `configs` are
/// those of the container images, by the digests of their manifests. docker takes a layer for the same only where it
/// has the same ones below it; files and the other engines know it by itself.
Delta make_delta(const Output& output, const std::map<Digest, ImageConfig>& configs, const std::vector<Have>& haves);

/// Refuses a delta that an engine would refuse that is said to have its layers: throws Error{usage} that names them.
/// Returns what is not known of it, a sentence each.
std::vector<std::string> check_delta(const Delta& delta, const std::vector<Have>& haves, OutputFormat format,
                                     bool uncompressed);

/// Whether docker load could take it: all that is left out of an image lies below what is not.
bool is_for_docker(const Delta& delta, const Output& output, OutputFormat format);

}  // namespace hawser
