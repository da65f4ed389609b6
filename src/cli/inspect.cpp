#include "cli/inspect.hpp"

#include "cli/login.hpp"
#include "cli/process.hpp"
#include "cli/runtime.hpp"
#include "cli/statistics.hpp"
#include "image/manifest.hpp"
#include "pull/image_resolver.hpp"
#include "pull/session.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <functional>
#include <iostream>

#include <boost/json.hpp>
#include <unistd.h>

namespace hawser {
namespace {

namespace json = boost::json;

json::value parse_json(const InspectedDocument& document) {
  boost::system::error_code error;
  json::value value = json::parse(document.bytes, error);
  if (error) throw Error(Errc::malformed, document.digest.short_string() + " is not JSON");
  return value;
}

std::uint64_t layer_bytes(const Manifest& manifest) {
  std::uint64_t bytes = 0;
  for (const Descriptor& layer : manifest.layers) bytes += layer.size;
  return bytes;
}

std::string index_table(const Index& index) {
  Table table({"PLATFORM", "DIGEST", ">SIZE"});
  for (const Descriptor& entry : index.manifests) {
    std::string platform = "-";
    if (is_attestation(entry))
      platform = "(attestation)";
    else if (entry.platform)
      platform = entry.platform->to_string();
    table.add({platform, entry.digest.to_string(), std::to_string(entry.size)});
  }
  return table.to_string();
}

std::string layer_table(const Manifest& manifest) {
  Table table({"LAYER", ">SIZE", "MEDIA TYPE"});
  for (const Descriptor& layer : manifest.layers)
    table.add({layer.digest.to_string(), format_bytes(layer.size), layer.media_type});
  return table.to_string();
}

/// What `bytes` are: a manifest or an index, checked.
InspectedDocument describe(const Reference& image, FetchedManifest fetched) {
  auto content = parse_manifest(fetched.bytes, fetched.content_type);
  std::string type = std::visit([](const auto& parsed) { return parsed.media_type; }, content);
  std::variant<std::monostate, Manifest, Index> either;
  if (auto* index = std::get_if<Index>(&content))
    either = std::move(*index);
  else
    either = std::move(std::get<Manifest>(content));
  return {image.familiar(), fetched.digest, std::move(type), std::move(fetched.bytes), std::move(either)};
}

}  // namespace

asio::awaitable<std::string> inspect_image(const ImageSource& source, Reference image, InspectCommand command) {
  std::string selector = image.manifest_selector();
  FetchedManifest fetched = co_await source.get_manifest(std::move(selector));
  InspectedDocument document = describe(image, std::move(fetched));

  // Whether an index chose the manifest; where not, only the config tells its platform.
  bool chosen_by_index = false;
  const bool one_platform = command.platform || command.config;
  const Platform platform = command.platform.value_or(Platform::host());
  for (int depth = 0; one_platform && std::holds_alternative<Index>(document.content); ++depth) {
    if (depth == max_index_depth) throw Error(Errc::malformed, image.familiar() + ": indexes are nested too deep");
    std::string chosen = select_platform(std::get<Index>(document.content), platform).digest.to_string();
    FetchedManifest below = co_await source.get_manifest(std::move(chosen));
    document = describe(image, std::move(below));
    chosen_by_index = true;
  }

  std::string config_bytes;
  const bool check_platform = command.platform && !chosen_by_index;
  if (command.config || check_platform) {
    Descriptor config = std::get<Manifest>(document.content).config;
    config_bytes = co_await source.get_blob(std::move(config));
  }
  if (check_platform) {
    const Manifest& manifest = std::get<Manifest>(document.content);
    if (is_image_config(manifest.config.media_type))
      check_config(parse_config(config_bytes), manifest, platform, image.familiar());
  }
  if (command.config) {
    const Descriptor config = std::get<Manifest>(document.content).config;
    document.bytes = std::move(config_bytes);
    document.digest = config.digest;
    document.media_type = config.media_type;
    document.content = std::monostate{};
  }
  if (command.raw) co_return std::move(document.bytes);
  if (command.style.json) co_return inspection_json(document);
  co_return inspection_text(document);
}

std::string inspection_text(const InspectedDocument& document) {
  std::string out = "reference:   " + printable(document.reference) + "\n";
  out += "digest:      " + document.digest.to_string() + "\n";
  out += "media type:  " + printable(document.media_type) + "\n";
  if (const auto* index = std::get_if<Index>(&document.content)) {
    out += "\n" + index_table(*index);
  } else if (const auto* manifest = std::get_if<Manifest>(&document.content)) {
    out += "config:      " + manifest->config.digest.to_string() + "\n";
    out += "layers:      " + std::to_string(manifest->layers.size()) + ", " + format_bytes(layer_bytes(*manifest)) +
           "\n\n" + layer_table(*manifest);
  } else {
    // A config has many members that vary: it is shown as it is.
    out += "\n" + printable_json(json::serialize(parse_json(document))) + "\n";
  }
  return out;
}

std::string inspection_json(const InspectedDocument& document) {
  const json::object object{{"reference", document.reference},
                            {"digest", document.digest.to_string()},
                            {"mediaType", document.media_type},
                            {"size", document.bytes.size()},
                            {"document", parse_json(document)}};
  return printable_json(json::serialize(object)) + "\n";
}

std::string tags_text(const std::vector<std::string>& tags, bool as_json) {
  if (as_json) return printable_json(json::serialize(json::array(tags.begin(), tags.end()))) + "\n";
  std::string out;
  for (const std::string& tag : tags) (out += printable(tag)) += '\n';
  return out;
}

namespace {

/// Runs `ask` with a session for `reference` and prints the text that it returns.
ExitCode ask_registry(const AccessOptions& access, const OutputStyle& style, const Reference& reference,
                      const std::optional<std::string>& environment_password,
                      const std::function<asio::awaitable<std::string>(Session&)>& ask) {
  Runtime runtime(style);
  CredentialSource credentials = credential_source(access, {reference}, environment_password, std::cin, runtime.log(),
                                                   docker_config_source(runtime.pool()));
  Session session(runtime.executor(), access, 1, std::move(credentials), nullptr, runtime.progress(), runtime.log());
  std::string text;
  const auto task = [&]() -> asio::awaitable<void> { text = co_await ask(session); };
  const int signal = runtime.run(task(), [&] { session.stop(); });
  if (signal != 0) return exit_code_of_signal(signal);
  write_out(text);
  return ExitCode::done;
}

}  // namespace

ExitCode run_inspect_command(const InspectCommand& command, const std::optional<std::string>& environment_password) {
  const Reference reference = Reference::parse(command.image);
  ImageSource source;
  const auto ask = [&](Session& session) -> asio::awaitable<std::string> {
    source.get_manifest = [&](std::string selector) { return session.get_manifest(reference, selector); };
    source.get_blob = [&](Descriptor descriptor) { return session.get_blob(reference, descriptor); };
    std::string text = co_await inspect_image(source, reference, command);
    // A document's own bytes could do anything to a terminal.
    if (command.raw && ::isatty(STDOUT_FILENO) == 1) text = printable_json(text);
    co_return text;
  };
  return ask_registry(command.access, command.style, reference, environment_password, ask);
}

ExitCode run_tags_command(const TagsCommand& command, const std::optional<std::string>& environment_password) {
  const Reference reference = Reference::parse(command.repository);
  const auto ask = [&](Session& session) -> asio::awaitable<std::string> {
    const std::vector<std::string> tags = co_await session.list_tags(reference);
    co_return tags_text(tags, command.style.json);
  };
  return ask_registry(command.access, command.style, reference, environment_password, ask);
}

}  // namespace hawser
