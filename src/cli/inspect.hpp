// What `hawser inspect` and `hawser tags` print: what a registry has, without pulling it.
#pragma once

#include "cli/options.hpp"
#include "cli/output.hpp"
#include "cli/process.hpp"
#include "image/manifest.hpp"
#include "registry/client.hpp"

#include <hawser/image/reference.hpp>

#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <boost/asio/awaitable.hpp>

namespace hawser {

/// A document that inspect shows: a manifest or an index with what it says, or a config.
struct InspectedDocument {
  std::string reference;  ///< as docker shows it
  Digest digest;
  std::string media_type;
  std::string bytes;
  std::optional<std::variant<Manifest, Index>> content;  ///< nothing: a config
};

/// How inspect reaches the one image that it is about.
struct ImageSource {
  /// The manifest under a tag or a digest.
  std::function<asio::awaitable<FetchedManifest>(std::string selector)> get_manifest;
  /// A whole small blob, checked.
  std::function<asio::awaitable<std::string>(Descriptor descriptor)> get_blob;
};

/// Fetches what `command` asks for and returns the text to print. Without --platform an index is shown as such; with
/// it, or with --config, the manifest for the platform (the host's by default); one that no index chose must by its
/// config be for --platform, where that is given. `source` must outlive the call. Throws what `source` throws, and as
/// parse_manifest(), select_platform() and check_config() do.
asio::awaitable<std::string> inspect_image(const ImageSource& source, Reference image, InspectCommand command);

/// The document for people: a heading and a table of platforms or layers. Everything in it is printable.
std::string inspection_text(const InspectedDocument& document);
/// The document for scripts: {"reference", "digest", "mediaType", "size", "document"}, on one line.
std::string inspection_json(const InspectedDocument& document);
/// One tag a line, printable; or a JSON array of them.
std::string tags_text(const std::vector<std::string>& tags, bool as_json);

/// What the registry has under the reference. Throws as inspect_image() does.
Outcome run_inspect_command(const InspectCommand& command, const Environment& environment);
/// The repository's tags.
Outcome run_tags_command(const TagsCommand& command, const Environment& environment);

}  // namespace hawser
