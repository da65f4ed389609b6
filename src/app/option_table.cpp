#include <hawser/app/option_table.hpp>

#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

namespace hawser {
namespace {

using enum CommandName;
using Group = OptionGroup;

constexpr std::array<CommandInfo, 7> commands{{
    {pull, "pull", "IMAGE...", "Pull images into tars that docker load takes (the default command)"},
    {inspect, "inspect", "IMAGE", "Show an image's manifest, index or config without pulling it"},
    {tags, "tags", "REPOSITORY", "List the tags of a repository"},
    {cache, "cache", "ls|verify|prune", "List, check or clean the layer cache"},
    {import, "import", "FILE...", "Take the layers of existing image tars into the cache"},
    {help, "help", "[COMMAND]", "Show help on hawser or on one command"},
    {version, "version", "", "Show the version"},
}};

constexpr unsigned on_pull = command_bit(pull);
constexpr unsigned on_registry = on_pull | command_bit(inspect) | command_bit(tags);
constexpr unsigned on_cache = on_pull | command_bit(cache) | command_bit(import);
constexpr unsigned on_work = on_registry | on_cache;
constexpr unsigned on_all = on_work | command_bit(help) | command_bit(version);

constexpr auto options = std::to_array<OptionInfo>({
    // Which image.
    {"platform", 0, "OS/ARCH[/VARIANT]", false, Group::image, on_pull | command_bit(inspect),
     "Platform to pull, such as linux/arm64 or linux/arm/v7 (default: this machine's)"},
    {"all-platforms", 0, "", false, Group::image, on_pull,
     "Pull every platform of the image; needs --format oci-archive or oci-dir"},
    {"from-file", 0, "LIST", true, Group::image, on_pull,
     "Pull the images named in LIST, one a line, # begins a comment; - reads standard input"},
    {"allow-foreign-layers", 0, "", false, Group::image, on_pull,
     "Fetch layers from the URLs that the manifest names (old Windows images), without credentials"},
    {"dry-run", 0, "", false, Group::image, on_pull,
     "Show what would be fetched, what is cached and how many bytes that is; fetch no layer"},
    {"config", 0, "", false, Group::image, command_bit(inspect), "Show the image's config instead of its manifest"},
    {"raw", 0, "", false, Group::image, command_bit(inspect),
     "Print the document byte for byte as the registry has it"},

    // What comes out.
    {"output", 'o', "PATH", false, Group::output, on_pull,
     "File or directory to write to; - is standard output. One file takes all images of the call"},
    {"format", 0, "FORMAT", false, Group::output, on_pull, "docker-archive (default), oci-archive or oci-dir"},
    {"uncompressed", 0, "", false, Group::output, on_pull,
     "Write layers as plain tars in the classic docker save layout, for old engines"},
    {"json", 0, "", false, Group::output, on_work, "Print the result as JSON on standard output"},

    // How it is transferred.
    {"max-concurrent-downloads", 0, "N|auto", false, Group::transfer, on_pull,
     "Layers downloaded at once (default: auto)"},
    {"max-connections", 0, "N|auto", false, Group::transfer, on_pull, "Connections to one origin (default: auto)"},
    {"chunk-size", 0, "SIZE", false, Group::transfer, on_pull,
     "Bytes asked for by one range of a large layer, 64K to 1G (default: from the link)"},
    {"limit-rate", 0, "SIZE", false, Group::transfer, on_pull, "Bytes a second in all, 1K to 1T (default: no limit)"},
    {"retries", 0, "N", false, Group::transfer, on_registry,
     "Failures in a row without progress before giving up, 0 to 1000 (default: 10)"},
    {"connect-timeout", 0, "TIME", false, Group::transfer, on_registry, "Time to connect in (default: 10s)"},
    {"stall-timeout", 0, "TIME", false, Group::transfer, on_registry,
     "Try again when no byte came for so long (default: 15s)"},

    // How the registry is reached.
    {"username", 'u', "NAME", false, Group::access, on_registry,
     "User at the registry; without a password option HAWSER_PASSWORD is read (default: what docker login kept)"},
    {"password-stdin", 0, "", false, Group::access, on_registry, "Read the password from standard input"},
    {"password", 0, "PASSWORD", false, Group::access, on_registry,
     "Password at the registry; other users of this machine may see it, prefer --password-stdin"},
    {"plain-http", 0, "", false, Group::access, on_registry, "Speak HTTP without TLS to the registry"},
    {"insecure", 0, "", false, Group::access, on_registry, "Trust any TLS certificate"},
    {"ca-cert", 0, "FILE", false, Group::access, on_registry, "Trust the CA certificates in FILE (PEM), too"},

    // The cache.
    {"cache-dir", 0, "DIR", false, Group::cache, on_cache, "Layer cache (default: ./docker_images_cache)"},
    {"no-cache", 0, "", false, Group::cache, on_pull, "Do without the cache: nothing is kept, nothing is resumed"},
    {"verify-cache", 0, "", false, Group::cache, on_pull, "Hash cached layers before they are used"},
    {"import-tar", 0, "FILE", true, Group::cache, on_pull,
     "Take the layers of an existing image tar into the cache first; without an image, do only that"},
    {"older-than", 0, "AGE", false, Group::cache, command_bit(cache),
     "With prune: what was unused for so long, such as 12h or 30d (default: 30d)"},

    // The rest.
    {"quiet", 'q', "", false, Group::general, on_work, "Show errors only"},
    {"verbose", 'v', "", false, Group::general, on_work, "Show what is being done, and each retry"},
    {"help", 'h', "", false, Group::general, on_all, "Show help"},
    {"version", 0, "", false, Group::general, on_all, "Show the version"},
});

/// Levenshtein's distance.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

template <typename Rows>
auto find_by_name(const Rows& rows, std::string_view name) {
  const auto found = std::ranges::find(rows, name, [](const auto& row) { return row.name; });
  return found == rows.end() ? nullptr : &*found;
}

}  // namespace

std::span<const CommandInfo> command_table() {
  return commands;
}

std::span<const OptionInfo> option_table() {
  return options;
}

const CommandInfo& command_info(CommandName command) {
  return commands[static_cast<std::size_t>(command)];
}

const CommandInfo* find_command(std::string_view name) {
  return find_by_name(commands, name);
}

const OptionInfo* find_option(std::string_view name) {
  return find_by_name(options, name);
}

std::string_view group_title(OptionGroup group) {
  switch (group) {
    case Group::image:
      return "Which image";
    case Group::output:
      return "What comes out";
    case Group::transfer:
      return "Transfer";
    case Group::access:
      return "Access to the registry";
    case Group::cache:
      return "Cache";
    case Group::general:
      return "General";
  }
  return "";
}

const OptionInfo* nearest_option(std::string_view name) {
  if (name.empty() || name.size() > 40) return nullptr;
  const OptionInfo* nearest = nullptr;
  std::size_t best = std::max<std::size_t>(1, name.size() / 3) + 1;  // as far as a slip of the fingers goes
  for (const OptionInfo& option : options) {
    // The beginning of one name only is meant to be that one.
    const std::size_t distance =
        name.size() >= 3 && option.name.starts_with(name) ? 1 : edit_distance(name, option.name);
    if (distance < best) {
      best = distance;
      nearest = &option;
    }
  }
  return nearest;
}

}  // namespace hawser
