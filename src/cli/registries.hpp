// From the options and the machine's files to where images come from, and to what their names stand for.
#pragma once

#include "cli/options.hpp"
#include "cli/process.hpp"
#include "cli/progress.hpp"

#include <hawser/image/reference.hpp>
#include <hawser/registry/registries.hpp>

#include <functional>
#include <memory>
#include <string_view>
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

/// What is left of a pull where a name may stand for several images: of each the first that is there.
struct ChosenImages {
  std::vector<Reference> images;
  int signal = 0;  ///< that came meanwhile; then there are no images
};

/// Asks the registries of each name that has several candidates, in their order, and takes the first that has the
/// image. Throws Error that says why none has it, and Error{usage} where --username would show a password to several.
ChosenImages choose_images(const std::vector<ResolvedName>& names, const Command& command,
                           const Environment& environment, std::shared_ptr<const Registries> registries);

/// The error of a name that no candidate has, from what came of each.
Error none_has_it(const std::vector<std::pair<Reference, Error>>& failures);

}  // namespace hawser
