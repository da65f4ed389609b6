#include "cli/commands.hpp"
#include "cli/login.hpp"
#include "cli/registries.hpp"
#include "cli/runtime.hpp"
#include "image/manifest.hpp"
#include "pull/image_resolver.hpp"
#include "pull/session.hpp"
#include "util/platform/terminal.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <boost/json.hpp>

namespace hawser {
namespace {

namespace json = boost::json;

/// A document that inspect shows: a manifest or an index with what it says, or a config.
struct Document {
  std::string reference;  // as docker shows it
  Digest digest;
  std::string media_type;
  std::string bytes;
  std::optional<std::variant<Manifest, Index>> content;  // nothing: a config
};

json::value parse_json(const Document& document) {
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

/// For people: a heading and a table of platforms or layers. Everything in it is printable.
std::string inspection_text(const Document& document) {
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

/// For scripts, on one line.
std::string inspection_json(const Document& document) {
  return json_line(json::object{{"reference", document.reference},
                                {"digest", document.digest.to_string()},
                                {"mediaType", document.media_type},
                                {"size", document.bytes.size()},
                                {"document", parse_json(document)}});
}

Document describe(const Reference& reference, FetchedManifest fetched) {
  auto content = parse_manifest(fetched.bytes, fetched.content_type);
  std::string type = std::visit([](const auto& parsed) { return parsed.media_type; }, content);
  return {reference.familiar(), fetched.digest, std::move(type), std::move(fetched.bytes), std::move(content)};
}

/// The manifest for the platform, or its config.
asio::awaitable<Document> fetch_for_platform(Session& session, const Command& command, const Reference& reference) {
  ResolvedImage image = co_await resolve_image(session, nullptr, reference, command.platform, false);
  ArchiveManifest& found = image.archive.manifests.front();
  const Descriptor& config = found.manifest.config;
  // Where no index says it, only the config tells the platform.
  const bool check_platform = command.platform && !found.descriptor.platform;
  std::string config_bytes;
  if (command.config || check_platform) {
    Descriptor wanted = config;
    config_bytes = co_await session.get_blob(reference, std::move(wanted));
    if (check_platform && has_image_config(found.manifest))
      check_config(parse_config(config_bytes), found.manifest, command.platform, reference.familiar());
  }
  if (command.config) {
    Document document{reference.familiar(), config.digest, config.media_type, std::move(config_bytes), {}};
    co_return document;
  }
  Document document{reference.familiar(), found.descriptor.digest, found.descriptor.media_type, std::move(found.bytes),
                    std::move(found.manifest)};
  co_return document;
}

asio::awaitable<std::string> inspect_image(Session& session, const Command& command, const Reference& reference) {
  std::optional<Document> document;
  if (command.platform || command.config) {
    document = co_await fetch_for_platform(session, command, reference);
  } else {
    FetchedManifest fetched = co_await session.get_manifest(reference, reference.manifest_selector());
    document = describe(reference, std::move(fetched));
  }
  if (command.json) co_return inspection_json(*document);
  if (!command.raw) co_return inspection_text(*document);
  // A document's own bytes could do anything to a terminal.
  co_return is_terminal(StandardStream::output) ? printable_json(document->bytes) : std::move(document->bytes);
}

/// Whether a registry that answers HEAD so may have another answer to GET, or says in that one's body what is wrong.
bool is_worth_a_get(Errc code) {
  return code == Errc::not_found || code == Errc::forbidden || code == Errc::bad_request || code == Errc::malformed;
}

asio::awaitable<Digest> find_digest(Session& session, const Command& command, const Reference& reference) {
  if (command.platform) {
    const Document document = co_await fetch_for_platform(session, command, reference);
    co_return document.digest;
  }
  std::optional<Digest> claimed;
  try {
    const ManifestHead head = co_await session.head_manifest(reference);
    claimed = head.digest;
  } catch (const Error& error) {
    if (!is_worth_a_get(error.code())) throw;
  }
  if (claimed) co_return *claimed;
  const FetchedManifest fetched = co_await session.get_manifest(reference, reference.manifest_selector());
  co_return fetched.digest;
}

asio::awaitable<std::string> show_digest(Session& session, const Command& command, const Reference& reference) {
  const Digest digest = co_await find_digest(session, command, reference);
  if (!command.json) co_return digest.to_string() + "\n";
  co_return json_line(json::object{{"reference", reference.familiar()}, {"digest", digest.to_string()}});
}

/// For scripts; null is what the registry does not say.
std::string rate_limit_json(const std::string& registry, const std::optional<RateLimit>& told) {
  json::object object{{"registry", registry},
                      {"limit", nullptr},
                      {"window_seconds", nullptr},
                      {"remaining", nullptr},
                      {"source", nullptr}};
  if (told) object["limit"] = told->limit;
  if (told && told->window) object["window_seconds"] = told->window->count();
  if (told && told->remaining) object["remaining"] = *told->remaining;
  if (told && !told->source.empty()) object["source"] = told->source;
  return json_line(object);
}

asio::awaitable<std::string> show_rate_limit(Session& session, const Command& command, const Reference& reference) {
  const ManifestHead head = co_await session.head_at_registry(reference);
  if (command.json) co_return rate_limit_json(reference.domain, head.rate_limit);
  if (!head.rate_limit) co_return reference.domain + " tells no limit\n";
  co_return reference.domain + " allows " + head.rate_limit->to_string() + "\n";
}

asio::awaitable<std::string> list_tags(Session& session, const Command& command, const Reference& reference) {
  const std::vector<std::string> tags = co_await session.list_tags(reference);
  if (command.json) co_return json_line(json::array(tags.begin(), tags.end()));
  std::string out;
  for (const std::string& tag : tags) (out += printable(tag)) += '\n';
  co_return out;
}

using Ask = asio::awaitable<std::string> (*)(Session&, const Command&, const Reference&);

/// Asks for what a name may stand for, one after the other, until one is there.
asio::awaitable<std::string> ask_first(Session& session, const Command& command,
                                       const std::vector<Reference>& candidates, Ask ask) {
  std::vector<std::pair<Reference, Error>> failures;
  for (const Reference& candidate : candidates) {
    try {
      std::string text = co_await ask(session, command, candidate);
      co_return text;
    } catch (const Error& error) {
      failures.emplace_back(candidate, error);
    }
  }
  throw none_has_it(failures);
}

/// Runs `ask`, which returns the text to print, with a session for the command's reference.
Outcome ask_registry(const Command& command, const Environment& environment, Ask ask) {
  Runtime runtime(command, environment);
  const auto registries = read_registries(command, environment, runtime.progress());
  const ResolvedName name = image_names(registries, runtime.progress())(command.words.front());
  RegistryAccess access = registry_access(command, name.candidates, environment, registries, runtime.progress());
  access.max_connections = 1;
  Session session(runtime.executor(), runtime.pool(), std::move(access), runtime.progress());
  Outcome outcome;
  const auto task = [&]() -> asio::awaitable<void> {
    outcome.text = co_await ask_first(session, command, name.candidates, ask);
  };
  const int signal = runtime.run(task(), [&] { session.stop(); });
  if (signal != 0) return {"", exit_code_of_signal(signal)};
  return outcome;
}

}  // namespace

Outcome run_inspect_command(const Command& command, const Environment& environment) {
  return ask_registry(command, environment, inspect_image);
}

Outcome run_digest_command(const Command& command, const Environment& environment) {
  return ask_registry(command, environment, show_digest);
}

Outcome run_ratelimit_command(const Command& command, const Environment& environment) {
  return ask_registry(command, environment, show_rate_limit);
}

Outcome run_tags_command(const Command& command, const Environment& environment) {
  return ask_registry(command, environment, list_tags);
}

}  // namespace hawser
