#include "cli/options.hpp"

#include "cli/habits.hpp"
#include "cli/tag_pattern.hpp"
#include "pull/output.hpp"
#include "registry/registry_rule.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>
#include <hawser/version.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace hawser {

namespace {

Error usage(const std::string& message, std::string hint = "see hawser --help") {
  return {Errc::usage, message, std::move(hint)};
}

/// A value that must not be empty.
std::string non_empty(std::string value, const std::string& what) {
  if (value.empty()) throw usage(what + " is empty");
  return value;
}

/// A tar to import: a file, since it is read twice.
std::string tar_file(const std::string& file, const std::string& what) {
  if (file == "-") throw usage("a tar can't be imported from standard input", "save it to a file first");
  return non_empty(file, what);
}

}  // namespace

/// The value of an option. Each way to read it throws Error{usage} where it is something else.
struct OptionValue {
  std::string option;  ///< with its dashes
  const std::string& text;

  std::string non_empty() const { return hawser::non_empty(text, option); }
  std::string mirror() const {
    (void)parse_mirror(text, option);
    return text;
  }

  std::string insecure() const {
    check_insecure(text, option);
    return text;
  }

  std::string timeline() const {
    if (!text.ends_with(".json") && !text.ends_with(".html"))
      throw usage(option + " takes a file whose name ends in .html or .json");
    return text;
  }

  std::string tar() const { return tar_file(text, option); }

  std::string user() const {
    if (text.find(':') != std::string::npos) throw usage(option + " must not contain a colon (RFC 7617)");
    return non_empty();
  }

  std::size_t number(std::size_t least, std::size_t most) const { return number(text, least, most); }

  std::optional<std::size_t> number_or_auto(std::size_t most) const {
    return text == "auto" ? std::nullopt : std::optional(number(1, most));
  }

  std::uint64_t size(std::string_view least, std::string_view most) const {
    const std::uint64_t bytes = parse_size(text, option);
    if (bytes < parse_size(least, option) || bytes > parse_size(most, option))
      throw out_of_range(std::string(least) + " and " + std::string(most));
    return bytes;
  }

  /// "1,8,auto".
  std::vector<std::optional<std::size_t>> numbers(std::size_t most) const {
    std::vector<std::optional<std::size_t>> result;
    for_each_part([&](const std::string& part) {
      const OptionValue value{option, part};
      result.push_back(value.number_or_auto(most));
    });
    return result;
  }

  /// "1M,4M,auto".
  std::vector<std::optional<std::uint64_t>> sizes(std::string_view least, std::string_view most) const {
    std::vector<std::optional<std::uint64_t>> result;
    for_each_part([&](const std::string& part) {
      const OptionValue value{option, part};
      result.push_back(part == "auto" ? std::nullopt : std::optional(value.size(least, most)));
    });
    return result;
  }

  std::chrono::milliseconds timeout() const {
    const auto duration = parse_duration(text, option);
    if (duration < std::chrono::milliseconds{100} || duration > std::chrono::hours{24})
      throw out_of_range("100ms and a day");
    return duration;
  }

  std::chrono::milliseconds wait() const {
    const auto duration = parse_duration(text, option);
    if (duration > std::chrono::hours{24}) throw out_of_range("0 and a day");
    return duration;
  }

  /// "30d", "12h", up to a century, or whatever parse_duration() takes.
  std::chrono::seconds age() const {
    using std::chrono::hours;
    constexpr std::size_t century = 36500;  // days
    const std::string_view count = std::string_view(text).substr(0, text.empty() ? 0 : text.size() - 1);
    if (text.ends_with('d')) return hours{24 * number(count, 0, century)};
    if (text.ends_with('h')) return hours{number(count, 0, 24 * century)};
    try {
      return std::chrono::duration_cast<std::chrono::seconds>(parse_duration(text, option));
    } catch (const Error&) {
      throw usage(option + ": \"" + printable(text, 60) + "\" is not an age, such as 12h or 30d");
    }
  }

  /// "2/8".
  Shard shard() const {
    constexpr std::size_t most = 1'000'000;
    const std::string_view whole = text;
    const std::size_t slash = std::min(whole.find('/'), whole.size());
    const auto index = parse_whole<std::size_t>(whole.substr(0, slash));
    const auto count = parse_whole<std::size_t>(whole.substr(std::min(slash + 1, whole.size())));
    if (!index || !count || *index < 1 || *index > *count || *count > most)
      throw usage(option + ": " + printable(text, 40) + " is not I/N, with I from 1 to N, and N at most " +
                      std::to_string(most),
                  "1/8 is the first of eight parts, 8/8 the last");
    return {*index, *count};
  }

  TlsVersion tls_version() const {
    if (text == "1.2") return TlsVersion::tls_1_2;
    if (text == "1.3") return TlsVersion::tls_1_3;
    throw usage(option + ": " + printable(text, 40) + " is neither 1.2 nor 1.3");
  }

  OutputFormat format() const {
    if (text == "docker-archive") return OutputFormat::docker_archive;
    if (text == "oci-archive") return OutputFormat::oci_archive;
    if (text == "oci-dir") return OutputFormat::oci_dir;
    throw usage(option + ": there is no " + printable(text, 40), "docker-archive, oci-archive and oci-dir are there");
  }

 private:
  template <typename Take>
  void for_each_part(Take take) const {
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t end = std::min(text.find(',', begin), text.size());
      take(text.substr(begin, end - begin));
      begin = end + 1;
    }
  }

  std::size_t number(std::string_view digits, std::size_t least, std::size_t most) const {
    const auto parsed = parse_whole<std::size_t>(digits);
    if (!parsed || *parsed < least || *parsed > most)
      throw usage(option + ": " + printable(digits, 40) + " is not a number from " + std::to_string(least) + " to " +
                  std::to_string(most));
    return *parsed;
  }

  Error out_of_range(const std::string& range) const {
    return usage(option + ": " + printable(text, 40) + " is not between " + range);
  }
};

namespace {

using enum CommandName;

constexpr std::array<CommandInfo, 16> commands{{
    {pull, "pull", "IMAGE...", "Pull images into tars that docker load takes (the default command)"},
    {inspect, "inspect", "IMAGE", "Show an image's manifest, index or config without pulling it"},
    {manifest, "manifest", "IMAGE", "Print an image's manifest or index byte for byte as the registry has it"},
    {digest, "digest", "IMAGE", "Print the digest that the name of an image stands for"},
    {tags, "tags", "REPOSITORY", "List the tags of a repository"},
    {ratelimit, "ratelimit", "[IMAGE]",
     "Show how much a registry lets you pull (default: Docker Hub), which costs no pull"},
    {config, "config", "IMAGE...", "Show where images come from, how they are reached, and which file says so"},
    {bench, "bench", "IMAGE", "Find out how many connections pull an image the fastest over this link"},
    {cache, "cache", "ls|du|verify|prune", "List, check or clean the layer cache"},
    {import, "import", "FILE...", "Take the layers of existing image tars into the cache"},
    {apply, "apply", "DELTA...", "Make a whole archive of what pull --without wrote, and of what is there already"},
    {join, "join", "PART...", "Put an archive together that --split has written in parts, each of them checked"},
    {login, "login", "[REGISTRY]", "Check a login with the registry and keep it where docker login would"},
    {logout, "logout", "[REGISTRY]", "Remove a login that is kept"},
    {help, "help", "[COMMAND]", "Show help on hawser or on one command"},
    {version, "version", "", "Show the version"},
}};

constexpr unsigned on_pull = command_bit(pull);
constexpr unsigned on_apply = command_bit(apply);
constexpr unsigned on_bench = command_bit(bench);
constexpr unsigned on_platform =
    on_pull | on_bench | command_bit(inspect) | command_bit(manifest) | command_bit(digest);
constexpr unsigned on_registry = on_platform | command_bit(tags) | command_bit(ratelimit) | command_bit(config);
constexpr unsigned on_access = on_registry | command_bit(login);
constexpr unsigned on_cache = on_pull | on_apply | command_bit(cache) | command_bit(import);
constexpr unsigned on_work = on_registry | on_cache | command_bit(join);
constexpr unsigned on_any_work = on_work | command_bit(login) | command_bit(logout);
constexpr unsigned on_all = on_any_work | command_bit(help) | command_bit(version);

constexpr std::string_view image_group = "Which image", compare_group = "What is compared",
                           output_group = "What comes out", transfer_group = "Transfer",
                           access_group = "Access to the registry", network_group = "Network", cache_group = "Cache",
                           general_group = "General";

constexpr auto options = std::to_array<OptionInfo>({
    {"platform", 0, "OS/ARCH[/VARIANT]", false, image_group, on_platform,
     "Platform to pull, such as linux/arm64, linux/arm/v7 or 'windows(10.0.17763)/amd64' (default: this machine's)",
     [](auto& to, auto& value) { to.platform = Platform::parse(value.text); }},
    {"all-platforms", 0, "", false, image_group, on_pull,
     "Pull every platform of the image; needs --format oci-archive or oci-dir",
     [](auto& to, auto&) { to.all_platforms = true; }},
    {"from-file", 0, "LIST", true, image_group, on_pull,
     "Pull the images named in LIST: one a line with platform=, output= and tag-as= after it, # begins a comment; or a "
     "compose file or Kubernetes manifests; - reads standard input",
     [](auto& to, auto& value) { to.lists.push_back(value.non_empty()); }},
    {"latest", 0, "N", false, image_group, on_pull,
     "Of the tags that a pattern such as nginx:1.27.* stands for, pull the N newest versions",
     [](auto& to, auto& value) { to.latest = value.number(1, max_pattern_images); }},
    {"locked", 0, "FILE", false, image_group, on_pull,
     "Pull what the tags stood for when --lock wrote FILE; an image that is not in it is an error",
     [](auto& to, auto& value) { to.locked = value.non_empty(); }},
    {"shard", 0, "I/N", false, image_group, on_pull,
     "Pull a part of the images: the I-th and every N-th after it, so that each of N machines pulls others",
     [](auto& to, auto& value) { to.shard = value.shard(); }},
    {"allow-foreign-layers", 0, "", false, image_group, on_pull,
     "Fetch layers from the URLs that the manifest names (old Windows images), without credentials",
     [](auto& to, auto&) { to.allow_foreign_layers = true; }},
    {"dry-run", 0, "", false, image_group, on_pull,
     "Show what would be fetched, what is cached and how many bytes that is; fetch no layer",
     [](auto& to, auto&) { to.dry_run = true; }},
    {"config", 0, "", false, image_group, command_bit(inspect), "Show the image's config instead of its manifest",
     [](auto& to, auto&) { to.config = true; }},
    {"raw", 0, "", false, image_group, command_bit(inspect), "Print the document byte for byte as the registry has it",
     [](auto& to, auto&) { to.raw = true; }},
    {"connections", 0, "LIST", false, compare_group, on_bench,
     "Numbers of connections to compare, apart by commas, 1 to 128 or auto; 1 is always among them (default: "
     "1,2,4,8,16,auto)",
     [](auto& to, auto& value) { to.bench.connections = value.numbers(128); }},
    {"layers", 0, "LIST", false, compare_group, on_bench,
     "Numbers of layers downloaded at once to compare, with each of --connections (default: auto)",
     [](auto& to, auto& value) { to.bench.layers = value.numbers(128); }},
    {"runs", 0, "N", false, compare_group, on_bench,
     "Rounds, each with all settings, 1 to 1000 (default: 10 where --max-bytes allows them, else as many as it does)",
     [](auto& to, auto& value) { to.bench.runs = value.number(1, 1000); }},
    {"max-bytes", 0, "SIZE", false, compare_group, on_bench, "Download no more than that in all (default: 1G)",
     [](auto& to, auto& value) { to.bench.max_bytes = value.size("1", "1024T"); }},
    {"max-time", 0, "TIME", false, compare_group, on_bench, "End after that time with what there is (default: 5m)",
     [](auto& to, auto& value) { to.bench.max_time = value.timeout(); }},
    {"to-tar", 0, "", false, compare_group, on_bench,
     "Write a tar in each run, in TMPDIR, instead of nothing; it is not kept",
     [](auto& to, auto&) { to.to_tar = true; }},
    {"yes", 0, "", false, compare_group, on_bench, "Do not ask before more than 1 GB are downloaded",
     [](auto& to, auto&) { to.yes = true; }},
    {"save", 0, "", false, compare_group, on_bench,
     "Keep what was found for this registry: auto begins with as many connections from then on",
     [](auto& to, auto&) { to.save = true; }},
    {"csv", 0, "", false, output_group, on_bench, "Print each sample as a line of CSV",
     [](auto& to, auto&) { to.csv = true; }},
    {"markdown", 0, "", false, output_group, on_bench, "Print the table in Markdown",
     [](auto& to, auto&) { to.markdown = true; }},
    {"html", 0, "FILE", false, output_group, on_bench,
     "Write a page with charts to FILE, too, which needs no network to be looked at",
     [](auto& to, auto& value) { to.html = value.non_empty(); }},
    {"output", 'o', "PATH", false, output_group, on_pull | on_apply | command_bit(join),
     "File or directory to write to; with pull and apply, - is standard output, and one file takes all images of the "
     "call",
     [](auto& to, auto& value) { to.output = value.non_empty(); }},
    {"output-template", 0, "TEMPLATE", false, output_group, on_pull | on_apply,
     "Names of the files, such as '{repository}_{tag}_{arch}.tar'; also {registry}, {name} and {os}",
     [](auto& to, auto& value) { to.output_template = value.non_empty(); }},
    {"force", 0, "", false, output_group, on_pull | on_apply,
     "Write a tar again that is there already with the same images", [](auto& to, auto&) { to.force = true; }},
    {"split", 0, "SIZE", false, output_group, on_pull | on_apply,
     "Write each archive in parts of SIZE, 64K to 1024T, NAME.001 and so on, for hawser join",
     [](auto& to, auto& value) { to.split = value.size("64K", "1024T"); }},
    {"check", 0, "", false, output_group, command_bit(join), "Only check the parts; write nothing",
     [](auto& to, auto&) { to.check = true; }},
    {"lock", 0, "FILE", false, output_group, on_pull, "Write to FILE which digests the tags stand for, for --locked",
     [](auto& to, auto& value) { to.lock = value.non_empty(); }},
    {"failed-file", 0, "FILE", false, output_group, on_pull,
     "Write to FILE a list of the images that failed, for --from-file",
     [](auto& to, auto& value) { to.failed_file = value.non_empty(); }},
    {"timeline", 0, "FILE.html|.json", false, output_group, on_pull,
     "Write what went over each connection when, as a page or as JSON: where the time went",
     [](auto& to, auto& value) { to.timeline = value.timeline(); }},
    {"trace-http", 0, "FILE.har", false, output_group, on_pull,
     "Write to FILE.har all requests and answers, without secrets, for the developer tools of a browser (HAR 1.2)",
     [](auto& to, auto& value) { to.trace_http = value.non_empty(); }},
    {"format", 0, "FORMAT", false, output_group, on_pull | on_apply, "docker-archive (default), oci-archive or oci-dir",
     [](auto& to, auto& value) { to.format = value.format(); }},
    {"without", 0, "HAVE", true, output_group, on_pull,
     "Write a delta: leave out, and do not fetch, the layers of HAVE, an image tar or layout, a lock, or what docker "
     "image inspect, ctr image ls or ctr content ls print where it is for",
     [](auto& to, auto& value) { to.haves.push_back(value.non_empty()); }},
    {"fine", 0, "", false, output_group, on_pull,
     "With --without: of layers that resemble layers of HAVE (image tars and layouts) write the differences alone; "
     "hawser apply makes them whole, and no engine takes them",
     [](auto& to, auto&) { to.fine = true; }},
    {"with", 0, "HAVE", true, output_group, on_apply,
     "Take the layers that the delta lacks from HAVE, an image tar or layout; the cache is looked into, too",
     [](auto& to, auto& value) { to.haves.push_back(value.tar()); }},
    {"uncompressed", 0, "", false, output_group, on_pull | on_apply,
     "Write layers as plain tars in the classic docker save layout, for old engines",
     [](auto& to, auto&) { to.uncompressed = true; }},
    {"json", 0, "", false, output_group, on_work & ~command_bit(manifest),
     "Print the result as JSON on standard output", [](auto& to, auto&) { to.json = true; }},
    {"max-concurrent-downloads", 0, "N|auto", false, transfer_group, on_pull,
     "Layers downloaded at once (default: auto)",
     [](auto& to, auto& value) { to.max_downloads = value.number_or_auto(128); }},
    {"max-connections", 0, "N|auto", false, transfer_group, on_pull, "Connections to one origin (default: auto)",
     [](auto& to, auto& value) { to.access.max_connections = value.number_or_auto(128); }},
    {"chunk-size", 0, "SIZE", false, transfer_group, on_pull | on_bench,
     "Bytes asked for by one range of a large layer, 64K to 1G; bench compares several, apart by commas, auto among "
     "them (default: from the link)",
     [](auto& to, auto& value) {
       if (to.name == CommandName::bench)
         to.bench.chunks = value.sizes("64K", "1G");
       else
         to.chunk_size = value.size("64K", "1G");
     }},
    {"limit-rate", 0, "SIZE", false, transfer_group, on_pull, "Bytes a second in all, 1K to 1T (default: no limit)",
     [](auto& to, auto& value) { to.limit_rate = value.size("1K", "1T"); }},
    {"retries", 0, "N", false, transfer_group, on_access,
     "Failures in a row without progress before giving up, 0 to 1000 (default: 10)",
     [](auto& to, auto& value) { to.access.retries = static_cast<unsigned>(value.number(0, 1000)); }},
    {"max-wait", 0, "TIME", false, transfer_group, on_access,
     "Longest wait that a registry may ask for (Retry-After) before hawser gives up, 0 to 24h (default: 2m)",
     [](auto& to, auto& value) { to.access.max_wait = value.wait(); }},
    {"connect-timeout", 0, "TIME", false, transfer_group, on_access, "Time to connect in (default: 10s)",
     [](auto& to, auto& value) { to.access.connect_timeout = value.timeout(); }},
    {"stall-timeout", 0, "TIME", false, transfer_group, on_access,
     "Try again when no byte came for so long (default: 15s)",
     [](auto& to, auto& value) { to.access.stall_timeout = value.timeout(); }},
    {"username", 'u', "NAME", false, access_group, on_access,
     "User at the registry; without a password option HAWSER_PASSWORD is read (default: the stored login)",
     [](auto& to, auto& value) { to.username = value.user(); }},
    {"password-stdin", 0, "", false, access_group, on_access, "Read the password from standard input",
     [](auto& to, auto&) { to.password_stdin = true; }},
    {"password", 0, "PASSWORD", false, access_group, on_access,
     "Password at the registry; other users of this machine may see it, prefer --password-stdin",
     [](auto& to, auto& value) { to.password = value.text; }},
    {"mirror", 0, "[HOST=]URL", true, access_group, on_registry,
     "Ask this mirror first: for images of HOST, of all registries where HOST is *, without HOST of Docker Hub",
     [](auto& to, auto& value) { to.registries.mirrors.push_back(value.mirror()); }},
    {"no-origin", 0, "", false, access_group, on_platform | command_bit(config),
     "Ask mirrors alone for images, never the registry itself", [](auto& to, auto&) { to.access.no_origin = true; }},
    {"no-registry-config", 0, "", false, access_group, on_access,
     "Read no mirrors, insecure hosts and short names from the files of containers, docker and containerd",
     [](auto& to, auto&) { to.registry_config = false; }},
    {"insecure-registry", 0, "HOST[:PORT]|CIDR", true, access_group, on_access,
     "Trust any TLS certificate of this host, and speak HTTP with it where it has no TLS",
     [](auto& to, auto& value) { to.registries.insecure.push_back(value.insecure()); }},
    {"plain-http", 0, "", false, access_group, on_access, "Speak HTTP without TLS to the registry",
     [](auto& to, auto&) { to.access.plain_http = true; }},
    {"insecure", 0, "", false, access_group, on_access, "Trust any TLS certificate",
     [](auto& to, auto&) { to.access.tls.verify = false; }},
    {"ca-cert", 0, "FILE", false, access_group, on_access, "Trust the CA certificates in FILE (PEM), too",
     [](auto& to, auto& value) { to.access.tls.ca_files.push_back(value.non_empty()); }},
    {"cert-dir", 0, "DIR", false, access_group, on_access,
     "Trust the CAs in DIR (*.crt), and show the registry the client certificates there (*.cert and *.key), instead of "
     "looking into certs.d",
     [](auto& to, auto& value) { to.certificate_directory = value.non_empty(); }},
    {"client-cert", 0, "FILE", false, access_group, on_access,
     "Client certificate (PEM) for the registry; its key is in the same file or in that of --client-key",
     [](auto& to, auto& value) { to.client_certificate = value.non_empty(); }},
    {"client-key", 0, "FILE", false, access_group, on_access, "Key (PEM, not encrypted) of --client-cert",
     [](auto& to, auto& value) { to.client_key = value.non_empty(); }},
    {"tls-min", 0, "VERSION", false, access_group, on_access, "Oldest TLS to speak: 1.2 (default) or 1.3",
     [](auto& to, auto& value) { to.access.tls.least_version = value.tls_version(); }},
    {"ipv4", '4', "", false, network_group, on_access, "Connect to IPv4 addresses alone",
     [](auto& to, auto&) { to.access.network.family = NetworkSettings::Family::ipv4; }},
    {"ipv6", '6', "", false, network_group, on_access, "Connect to IPv6 addresses alone",
     [](auto& to, auto&) { to.access.network.family = NetworkSettings::Family::ipv6; }},
    {"resolve", 0, "HOST:PORT:ADDRESS", true, network_group, on_access,
     "Take ADDRESS[,ADDRESS...] for HOST and PORT without asking the name service; HOST may be *",
     [](auto& to, auto& value) { to.access.network.addresses.push_back(HostAddresses::parse(value.text)); }},
    {"interface", 0, "NAME|ADDRESS", false, network_group, on_access,
     "Go out by a network interface, or from one of this machine's addresses",
     [](auto& to, auto& value) { to.access.network.interface = value.non_empty(); }},
    {"cache-dir", 0, "DIR", false, cache_group, on_cache, "Layer cache (default: ./docker_images_cache)",
     [](auto& to, auto& value) { to.cache_directory = value.non_empty(); }},
    {"no-cache", 0, "", false, cache_group, on_pull | on_apply,
     "Do without the cache: nothing is kept, nothing is resumed", [](auto& to, auto&) { to.use_cache = false; }},
    {"offline", 0, "", false, cache_group, on_pull, "Take everything from the cache, and connect to nobody",
     [](auto& to, auto&) { to.access.offline = true; }},
    {"verify-cache", 0, "", false, cache_group, on_pull | on_apply, "Hash cached layers before they are used",
     [](auto& to, auto&) { to.verify_cache = true; }},
    {"import-tar", 0, "FILE", true, cache_group, on_pull,
     "Take the layers of an existing image tar into the cache first; without an image, do only that",
     [](auto& to, auto& value) { to.import_tars.push_back(value.tar()); }},
    {"older-than", 0, "AGE", false, cache_group, command_bit(cache),
     "With prune: remove what was unused for so long, such as 12h or 30d (default: 30d, or with --max-size no age)",
     [](auto& to, auto& value) { to.prune.age = value.age(); }},
    {"max-size", 0, "SIZE", false, cache_group, command_bit(cache),
     "With prune: remove what was unused the longest until the cache has SIZE at most",
     [](auto& to, auto& value) { to.prune.max_bytes = value.size("0", "1000000T"); }},
    {"keep-referenced", 0, "", false, cache_group, command_bit(cache),
     "With prune: keep what the images in the cache's index consist of",
     [](auto& to, auto&) { to.prune.keep_referenced = true; }},
    {"quiet", 'q', "", false, general_group, on_any_work, "Show errors only", [](auto& to, auto&) { to.quiet = true; }},
    {"verbose", 'v', "", false, general_group, on_any_work, "Show what is being done, and each retry",
     [](auto& to, auto&) { to.verbose = true; }},
    {"help", 'h', "", false, general_group, on_all, "Show help", [](auto&, auto&) {}},
    {"version", 0, "", false, general_group, on_all, "Show the version", [](auto&, auto&) {}},
});

/// Options that make no sense together.
struct Exclusion {
  std::string_view first, second;
  std::string hint = "see hawser --help";
};

const auto exclusions = std::to_array<Exclusion>({
    {"json", "csv"},
    {"json", "markdown"},
    {"csv", "markdown"},
    {"ipv4", "ipv6"},
    {"quiet", "verbose"},
    {"password", "password-stdin"},
    {"insecure", "ca-cert", "--ca-cert alone is the safe way"},
    {"all-platforms", "platform"},
    {"no-cache", "verify-cache"},
    {"no-cache", "import-tar"},
    {"no-cache", "offline", "--offline takes everything from the cache"},
    {"lock", "locked"},
    {"lock", "offline", "the cache has images for one platform, not the index that a tag stands for"},
    {"offline", "no-origin", "--offline asks neither mirrors nor registries"},
    {"dry-run", "import-tar"},
    {"raw", "json"},
    {"check", "output"},
});

template <typename Rows>
auto find_by_name(const Rows& rows, std::string_view name) {
  const auto found = std::ranges::find(rows, name, [](const auto& row) { return row.name; });
  return found == rows.end() ? nullptr : &*found;
}

/// The option that `token` is spelled like: "--name", "--name=value" or "-n"; or nullptr.
const OptionInfo* option_of(std::string_view token) {
  if (token.starts_with("--")) return find_by_name(options, token.substr(2, token.find('=') - 2));
  if (token.size() != 2 || token[0] != '-' || token[1] == 0) return nullptr;
  const auto found = std::ranges::find(options, token[1], &OptionInfo::letter);
  return found == options.end() ? nullptr : &*found;
}

/// The option whose name is nearest to the mistyped `name`, or nullptr where none is near.
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

/// The command line taken apart: the words, and each option with its value, in order.
struct Arguments {
  std::vector<std::string> words;
  std::vector<std::pair<const OptionInfo*, std::string>> options;

  bool has(std::string_view name) const {
    return std::ranges::any_of(options, [&](const auto& option) { return option.first->name == name; });
  }

  void add(const OptionInfo& option, std::string value) {
    if (!option.argument.empty() && !option.repeatable && has(option.name))
      throw usage("--" + std::string(option.name) + " is given more than once");
    options.emplace_back(&option, std::move(value));
  }
};

/// `name`: with its dashes, without what might be a secret.
[[noreturn]] void refuse_unknown(std::string_view name) {
  const std::size_t dashes = std::min(name.find_first_not_of('-'), name.size());
  const std::string message = "unknown option " + printable(name, 60);
  if (std::string own = own_option(name); !own.empty()) throw usage(message, std::move(own));
  const OptionInfo* nearest = nearest_option(name.substr(dashes));
  if (nearest == nullptr) throw usage(message);
  throw usage(message, "did you mean --" + std::string(nearest->name) + "? See hawser --help");
}

/// Takes the command line apart as getopt_long() does, abbreviations aside.
Arguments split(const std::vector<std::string>& tokens) {
  Arguments result;
  auto next = tokens.begin();
  const auto take = [&](const OptionInfo& option, std::optional<std::string> value) {
    const std::string name = "--" + std::string(option.name);
    if (option.argument.empty()) {
      if (value) throw usage(name + " takes no value");
    } else if (!value) {
      // What is spelled like an option is rather that than the value of the one before it.
      if (next == tokens.end() || option_of(*next) != nullptr) throw usage(name + " needs a value");
      value = *next++;
    } else if (value->empty()) {
      throw usage(name + " needs a value");
    }
    result.add(option, value.value_or(""));
  };
  while (next != tokens.end()) {
    const std::string& token = *next++;
    if (token == "--") {
      result.words.insert(result.words.end(), next, tokens.end());
      break;
    }
    if (token.size() < 2 || token[0] != '-') {
      result.words.push_back(token);
    } else if (token[1] == '-') {
      const std::size_t equals = token.find('=');
      const OptionInfo* option = option_of(token);
      if (option == nullptr) refuse_unknown(token.substr(0, equals));
      take(*option, equals == std::string::npos ? std::nullopt : std::optional(token.substr(equals + 1)));
    } else {
      // "-q", "-qv", "-oFILE", "-qo FILE"
      for (std::size_t i = 1; i < token.size(); ++i) {
        const std::string letter{'-', token[i]};
        const OptionInfo* option = option_of(letter);
        if (option == nullptr) refuse_unknown(letter);
        const bool has_value = !option->argument.empty() && i + 1 < token.size();
        take(*option, has_value ? std::optional(token.substr(i + 1)) : std::nullopt);
        if (has_value) break;
      }
    }
  }
  return result;
}

/// Notes what the options say; refuses those of another command, and those that make no sense together.
void take_options(Command& command, const std::string& name, const Arguments& arguments) {
  for (const auto& [option, value] : arguments.options) {
    const std::string spelling = "--" + std::string(option->name);
    if ((option->commands & command_bit(command.name)) == 0)
      throw usage(spelling + " is no option of hawser " + name, "see hawser help " + name);
    option->take(command, {spelling, value});
  }
  for (const auto& [first, second, hint] : exclusions)
    if (arguments.has(first) && arguments.has(second))
      throw usage("--" + std::string(first) + " and --" + std::string(second) + " exclude each other", hint);
  if (arguments.has("client-key") && !arguments.has("client-cert")) throw usage("--client-key needs --client-cert");
  for (const char* password : {"password", "password-stdin"})
    if (arguments.has(password) && !command.username) throw usage("--" + std::string(password) + " needs --username");
}

/// What holds for every command that writes archives.
void check_archive(const Command& command) {
  const bool to_stdout = command.output == "-";
  if (command.fine && command.haves.empty())
    throw usage("--fine is for deltas, and there is no --without", "name what is there with --without");
  if (command.fine && command.uncompressed)
    throw usage("--fine is for the registry's own bytes, and --uncompressed is not",
                "hawser apply --uncompressed makes plain tars of a delta of --fine");
  if (command.uncompressed && command.format != OutputFormat::docker_archive)
    throw usage("--uncompressed is for --format docker-archive only", "OCI formats keep the registry's own layers");
  if (to_stdout && command.format == OutputFormat::oci_dir)
    throw usage("a directory can't be written to standard output", "use --format oci-archive");
  check_split(command);
  if (to_stdout && command.json) throw usage("--output - and --json both want standard output");
  if (command.output_template.empty()) return;
  check_output_template(command.output_template, command.all_platforms);
  if (to_stdout) throw usage("--output-template names files, but --output - is standard output");
}

void check_pull(Command& pull) {
  for (const auto& image : pull.words) non_empty(image, "an image's name");
  const auto stdin_lists = std::ranges::count(pull.lists, "-");
  if (pull.all_platforms && pull.format == OutputFormat::docker_archive)
    throw usage("--all-platforms needs --format oci-archive or oci-dir", "a docker-archive holds one platform");
  check_archive(pull);
  if (stdin_lists > 1) throw usage("--from-file - is given more than once");
  if (stdin_lists > 0 && pull.password_stdin)
    throw usage("--from-file - and --password-stdin both want standard input");
  for (const std::string* file : {&pull.lock, &pull.locked, &pull.failed_file, &pull.trace_http})
    if (*file == "-") throw usage("--lock, --locked, --failed-file and --trace-http take files, not -");
  if (!pull.words.empty() || !pull.lists.empty()) return;
  if (pull.import_tars.empty()) throw usage("which image?", "hawser nginx:latest pulls one; see hawser --help");
  pull.name = import;
  pull.words = pull.import_tars;
}

void check_repository(const std::string& repository) {
  non_empty(repository, "the repository's name");
  // What follows the last slash can't be a port.
  if (repository.find_first_of(":@", repository.rfind('/') + 1) != std::string::npos)
    throw usage("tags takes a repository, without a tag or digest: " + printable(repository, 300),
                "hawser inspect shows one image of it");
}

void check_cache(const std::string& action, const Arguments& arguments) {
  if (action != "ls" && action != "du" && action != "verify" && action != "prune")
    throw usage("cache takes one of ls, du, verify and prune, not " + printable(action, 40), "see hawser help cache");
  for (const char* option : {"older-than", "max-size", "keep-referenced"})
    if (arguments.has(option) && action != "prune") throw usage(std::string("--") + option + " is for cache prune");
}

/// Refuses more or fewer words than `least` to `most`.
void check_count(const std::vector<std::string>& words, std::size_t least, std::size_t most, const char* otherwise) {
  if (words.size() < least || words.size() > most) throw usage(otherwise);
}

void check_image(const std::vector<std::string>& words, const std::string& command) {
  if (words.size() != 1) throw usage(command + " takes one image");
  non_empty(words.front(), "the image's name");
}

void check_words(Command& command, const Arguments& arguments) {
  const std::vector<std::string>& words = command.words;
  switch (command.name) {
    case CommandName::pull:
      return check_pull(command);
    case manifest:
      command.raw = true;
      return check_image(words, "manifest");
    case inspect:
      return check_image(words, "inspect");
    case digest:
      return check_image(words, "digest");
    case bench:
      if (command.html == "-") throw usage("--html takes a file, not -", "--json prints the data");
      return check_image(words, "bench");
    case ratelimit:
      // As Docker's documentation has it: of this image a HEAD is no pull.
      if (words.empty()) command.words.emplace_back("docker.io/ratelimitpreview/test");
      return check_image(words, "ratelimit");
    case config:
      if (words.empty()) throw usage("which image?", "hawser config nginx shows where nginx comes from");
      for (const std::string& image : words) non_empty(image, "an image's name");
      return;
    case tags:
      check_count(words, 1, 1, "tags takes one repository");
      return check_repository(words.front());
    case cache:
      check_count(words, 1, 1, "cache takes one of ls, du, verify and prune");
      return check_cache(words.front(), arguments);
    case import:
      check_count(words, 1, SIZE_MAX, "import takes the tars to import");
      for (const std::string& file : words) tar_file(file, "the file's name");
      return;
    case join:
      check_count(words, 1, SIZE_MAX, "join takes the parts of an archive, or their list");
      if (command.output == "-")
        throw usage("join checks the parts before it gives the archive its name, so it writes no standard output",
                    "hawser join --check, then cat the parts");
      for (const std::string& file : words) non_empty(file, "the file's name");
      return;
    case apply:
      check_count(words, 1, SIZE_MAX, "apply takes the deltas to apply");
      for (const std::string& file : words) tar_file(file, "the file's name");
      return check_archive(command);
    case login:
    case logout:
      return check_count(words, 0, 1, "login and logout take one registry");
    case help:
      return check_count(words, 0, 1, "help takes one command");
    case CommandName::version:
      return check_count(words, 0, 0, "version takes no argument");
  }
}

}  // namespace

std::span<const CommandInfo> command_table() {
  return commands;
}

std::span<const OptionInfo> option_table() {
  return options;
}

Command parse_command_line(const std::vector<std::string>& tokens) {
  const Arguments arguments = split(tokens);
  Command command;
  command.words = arguments.words;
  const CommandInfo* named = command.words.empty() ? nullptr : find_by_name(commands, command.words.front());
  if (named != nullptr) {
    command.name = named->command;
    command.words.erase(command.words.begin());
  }
  if (arguments.has("help") || tokens.empty()) {
    command.words.clear();
    if (named != nullptr && named->command != help) command.words.emplace_back(named->name);
    command.name = help;
  } else if (arguments.has("version")) {
    command.name = CommandName::version;
  } else {
    if (command.name == CommandName::pull) refuse_foreign_words(command.words, named != nullptr);
    take_options(command, std::string(commands[static_cast<std::size_t>(command.name)].name), arguments);
    check_words(command, arguments);
  }
  return command;
}

namespace {

constexpr std::size_t help_width = 100;
constexpr std::size_t name_column = 36;  // where the explanation of an option begins

/// Appends `text`, broken between words, as a second column that begins at `indent`; the cursor is at `column`.
void append_wrapped(std::string& out, std::string_view text, std::size_t column, std::size_t indent) {
  if (column > 0 && column + 1 > indent) {
    out += '\n';
    column = 0;
  }
  out.append(indent - column, ' ');
  column = indent;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (column > indent && column + 1 + word.size() > help_width) {
      out += '\n';
      out.append(indent, ' ');
      column = indent;
    }
    if (column > indent) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  out += '\n';
}

std::string option_spelling(const OptionInfo& option) {
  std::string spelling = option.letter != 0 ? std::string("  -") + option.letter + ", --" : "      --";
  spelling += option.name;
  if (!option.argument.empty()) (spelling += ' ') += option.argument;
  return spelling;
}

void append_options(std::string& out, CommandName command) {
  std::string_view group;
  for (const OptionInfo& option : options) {
    if ((option.commands & command_bit(command)) == 0) continue;
    if (option.group != group) ((out += '\n') += option.group) += ":\n";
    group = option.group;
    const std::string spelling = option_spelling(option);
    out += spelling;
    append_wrapped(out, option.help, spelling.size(), name_column);
  }
}

std::string usage_line(const CommandInfo& command) {
  std::string line = "hawser " + std::string(command.name) + " [options]";
  if (!command.arguments.empty()) (line += ' ') += command.arguments;
  return line;
}

constexpr std::string_view examples = R"(
Examples:
  hawser nginx                              docker.io/library/nginx:latest to library_nginx_latest.tar
  hawser --platform linux/arm64 nginx:1.25  for another machine, to library_nginx_1.25_arm64.tar
  hawser -o all.tar nginx redis postgres    several images in one tar
  hawser -o - alpine | ssh box docker load  straight to another machine
  hawser --from-file images.txt -o out/     a list of images, a tar each; also --from-file compose.yaml
  hawser --latest 3 'nginx:1.27.*'          the three newest of these versions
  hawser --dry-run debian                   what would be fetched, and how much

  A private registry (what docker login and podman login kept is used, too; hawser login keeps one):
    hawser --username me --password-stdin harbor.example.com/team/app:1 < password.txt
  Amazon ECR:
    aws ecr get-login-password | hawser --username AWS --password-stdin \
      123456789012.dkr.ecr.eu-central-1.amazonaws.com/app:1
  A registry with a certificate authority of its own:
    hawser --ca-cert ca.pem registry.internal:5000/app
  Through a proxy:
    HTTPS_PROXY=http://proxy.example.com:3128 hawser nginx
)";

constexpr std::string_view environment = R"(
Environment:
  HTTPS_PROXY, HTTP_PROXY, ALL_PROXY  proxies; NO_PROXY names hosts that are reached without
  SSL_CERT_FILE, SSL_CERT_DIR         the system's CA certificates, where they are elsewhere
  HAWSER_PASSWORD                     password that belongs to --username
  DOCKER_CONFIG                       directory of docker login's config.json (default: ~/.docker)
  DOCKER_AUTH_CONFIG                  text of a config.json, as GitLab's runners have it
  REGISTRY_AUTH_FILE                  podman login's auth.json, where it is another than podman's own
  CONTAINERS_REGISTRIES_CONF          podman's registries.conf, where it is another than podman's own
  HAWSER_NO_REGISTRY_CONFIG           where it is set, --no-registry-config is meant

Exit codes:
  0 done   1 other   2 usage   3 authentication   4 not found   5 network   6 integrity
  7 rate limited   8 local disk   130 interrupted (SIGINT)   143 terminated (SIGTERM)
)";

constexpr std::string_view cache_actions = R"(
Actions:
  ls      list the images and the blobs in the cache, and what they weigh
  verify  hash every blob; corrupt ones are put into quarantine/, and fetched again when they are needed
  du      show what each image takes of the disk, alone and with others, and what could be pruned
  prune   remove what was unused for the time of --older-than, or for the longest until --max-size is kept, and what is
          in quarantine/
)";

std::string general_help() {
  std::string out =
      "hawser pulls container images from registries into a tar that docker load takes.\n"
      "\n"
      "Usage:\n"
      "  hawser [pull] [options] IMAGE...\n";
  for (const CommandInfo& command : commands)
    if (command.command != pull) (out += "  " + usage_line(command)) += '\n';
  out += "\nIMAGE is [REGISTRY/]REPOSITORY[:TAG][@DIGEST], as docker has it: nginx, quay.io/a/b:1.\n\nCommands:\n";
  for (const CommandInfo& command : commands) {
    const std::string name = "  " + std::string(command.name);
    out += name;
    append_wrapped(out, command.summary, name.size(), 12);
  }
  append_options(out, pull);
  out += examples;
  out += environment;
  return out;
}

}  // namespace

std::string help_text(std::string_view topic) {
  if (topic.empty()) return general_help();
  const CommandInfo* command = find_by_name(commands, topic);
  if (command == nullptr) throw usage("there is no help on " + printable(topic, 40));
  std::string out = "Usage: " + usage_line(*command) + "\n\n";
  append_wrapped(out, command->summary, 0, 0);
  if (command->command == cache) out += cache_actions;
  append_options(out, command->command);
  if (command->command == CommandName::pull) out += examples;
  return out;
}

std::string version_text() {
  return std::string("hawser ") + hawser::version + "\n";
}

}  // namespace hawser
