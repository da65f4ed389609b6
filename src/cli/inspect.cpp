#include "cli/inspect.hpp"

#include "cli/login.hpp"
#include "cli/runtime.hpp"
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

std::string index_table(const Index& index) {
  std::vector<std::vector<std::string>> rows{{"PLATFORM", "DIGEST", ">SIZE"}};
  for (const Descriptor& entry : index.manifests) {
    std::string platform = entry.platform ? entry.platform->to_string() : "-";
    if (is_attestation(entry)) platform = "(attestation)";
    rows.push_back({platform, entry.digest.to_string(), std::to_string(entry.size)});
  }
  return table(std::move(rows));
}

std::string layer_table(const Manifest& manifest) {
  std::vector<std::vector<std::string>> rows{{"LAYER", ">SIZE", "MEDIA TYPE"}};
  for (const Descriptor& layer : manifest.layers)
    rows.push_back({layer.digest.to_string(), format_bytes(layer.size), layer.media_type});
  return table(std::move(rows));
}

/// The manifest or index that was fetched, checked.
InspectedDocument describe(const Reference& image, FetchedManifest fetched) {
  auto content = parse_manifest(fetched.bytes, fetched.content_type);
  std::string type = std::visit([](const auto& parsed) { return parsed.media_type; }, content);
  return {image.familiar(), fetched.digest, std::move(type), std::move(fetched.bytes), std::move(content)};
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
  for (int depth = 0; one_platform && std::holds_alternative<Index>(*document.content); ++depth) {
    if (depth == max_index_depth) throw Error(Errc::malformed, image.familiar() + ": indexes are nested too deep");
    std::string chosen = select_platform(std::get<Index>(*document.content), platform).digest.to_string();
    FetchedManifest below = co_await source.get_manifest(std::move(chosen));
    document = describe(image, std::move(below));
    chosen_by_index = true;
  }

  const bool check_platform = command.platform && !chosen_by_index;
  if (command.config || check_platform) {
    const Manifest manifest = std::get<Manifest>(*document.content);
    Descriptor config = manifest.config;
    std::string config_bytes = co_await source.get_blob(std::move(config));
    if (check_platform && is_image_config(manifest.config.media_type))
      check_config(parse_config(config_bytes), manifest, platform, image.familiar());
    if (command.config) {
      document.bytes = std::move(config_bytes);
      document.digest = manifest.config.digest;
      document.media_type = manifest.config.media_type;
      document.content.reset();
    }
  }
  if (command.raw) co_return std::move(document.bytes);
  if (command.style.json) co_return inspection_json(document);
  co_return inspection_text(document);
}

std::string inspection_text(const InspectedDocument& document) {
  std::string out = "reference:   " + printable(document.reference) + "\n";
  out += "digest:      " + document.digest.to_string() + "\n";
  out += "media type:  " + printable(document.media_type) + "\n";
  // A config has many members that vary: it is shown as it is.
  if (!document.content) return out + "\n" + json_line(parse_json(document));
  if (const auto* index = std::get_if<Index>(&*document.content)) return out + "\n" + index_table(*index);
  const auto& manifest = std::get<Manifest>(*document.content);
  std::uint64_t bytes = 0;
  for (const Descriptor& layer : manifest.layers) bytes += layer.size;
  out += "config:      " + manifest.config.digest.to_string() + "\n";
  out += "layers:      " + std::to_string(manifest.layers.size()) + ", " + format_bytes(bytes) + "\n\n";
  return out + layer_table(manifest);
}

std::string inspection_json(const InspectedDocument& document) {
  return json_line(json::object{{"reference", document.reference},
                                {"digest", document.digest.to_string()},
                                {"mediaType", document.media_type},
                                {"size", document.bytes.size()},
                                {"document", parse_json(document)}});
}

std::string tags_text(const std::vector<std::string>& tags, bool as_json) {
  if (as_json) return json_line(json::array(tags.begin(), tags.end()));
  std::string out;
  for (const std::string& tag : tags) (out += printable(tag)) += '\n';
  return out;
}

namespace {

/// Runs `ask`, which returns the text to print, with a session for `reference`.
template <typename Command>
Outcome ask_registry(const Command& command, const Reference& reference, const Environment& environment,
                     const std::function<asio::awaitable<std::string>(Session&)>& ask) {
  Runtime runtime(command.style);
  RegistryAccess access = command.access;
  access.max_connections = 1;
  access.proxies = environment.proxies;
  access.credentials = credential_lookup(command.login, {reference}, environment.password, std::cin, runtime.log(),
                                         docker_config_logins(environment.login_files));
  access.log = [&](Importance importance, const std::string& text) { runtime.log().tell(importance, text); };
  Session session(runtime.executor(), runtime.pool(), std::move(access), nullptr, runtime.progress());
  Outcome outcome;
  const auto task = [&]() -> asio::awaitable<void> { outcome.text = co_await ask(session); };
  const int signal = runtime.run(task(), [&] { session.stop(); });
  if (signal != 0) return {"", exit_code_of_signal(signal)};
  return outcome;
}

}  // namespace

Outcome run_inspect_command(const InspectCommand& command, const Environment& environment) {
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
  return ask_registry(command, reference, environment, ask);
}

Outcome run_tags_command(const TagsCommand& command, const Environment& environment) {
  const Reference reference = Reference::parse(command.repository);
  const auto ask = [&](Session& session) -> asio::awaitable<std::string> {
    const std::vector<std::string> tags = co_await session.list_tags(reference);
    co_return tags_text(tags, command.style.json);
  };
  return ask_registry(command, reference, environment, ask);
}

}  // namespace hawser
