// From the options and the machine's files to where images come from, and to what their names stand for.
#pragma once

#include "cli/image_lock.hpp"
#include "cli/options.hpp"
#include "cli/process.hpp"
#include "cli/progress.hpp"

#include <hawser/image/reference.hpp>
#include <hawser/registry/registries.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser {

/// Reads what is configured, for `command`. `progress`, which must live longer, is told what can't be read. Throws what
/// the constructor of Registries does.
std::shared_ptr<const Registries> read_registries(const Command& command, const Environment& environment,
                                                  Progress& progress);

/// What a name of an image stands for: Registries::resolve(), or docker's own rule.
using ImageNames = std::function<ResolvedName(std::string_view name)>;

/// Resolves names by `registries`, and tells of those that did not go by docker's rule.
ImageNames image_names(std::shared_ptr<const Registries> registries, Progress& progress);

/// An image, or with `tags` several, that a command line or a list names, before it is known which one that is.
struct ListedImage {
  ResolvedName name;  ///< with `tags`, of the repository
  std::string tags;   ///< a pattern, see tag_pattern(); empty: it is one image
  std::string word;   ///< as it was given
  std::optional<Platform> platform = {};
  std::optional<Reference> tag_as = {};
  std::string output = {};

  /// It, once it is known which one.
  RequestedImage request(Reference reference) const;
};

/// What a name stands for by a lock: of its candidates the first that is in it, of a pattern the newest `latest` that
/// match; none where there are none.
std::vector<Reference> images_in_lock(const ImageLock& lock, const ListedImage& listed,
                                      std::optional<std::size_t> latest);

/// A name of which it could not be found out what it stands for, and why.
using UnknownImage = std::pair<ListedImage, Error>;

/// What is left of a pull where names may stand for several images.
struct ChosenImages {
  std::vector<RequestedImage> images;
  std::vector<UnknownImage> unknown;
  int signal = 0;  ///< that came meanwhile; then there are no images
};

/// Of each name that has several candidates the first that is there, of each pattern the tags that it stands for. Asks
/// the registries, by `access`, or instead of them the lock of --locked or with --offline the cache, and nobody where
/// all names are plain. Throws Error{usage} where the lock lacks images.
ChosenImages choose_images(const std::vector<ListedImage>& names, const Command& command,
                           const Environment& environment, RegistryAccess access, Progress& progress);

/// The error of a name that no candidate has, from what came of each.
Error none_has_it(const std::vector<std::pair<Reference, Error>>& failures);

}  // namespace hawser
