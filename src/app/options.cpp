#include <hawser/app/options.hpp>
#include <hawser/util/error.hpp>
#include <hawser/util/text.hpp>

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/positional_options.hpp>
#include <boost/program_options/value_semantic.hpp>

namespace hawser {
namespace {

namespace po = boost::program_options;

constexpr const char* words_key = "hawser-words";  // where Program_options puts what is no option

Error usage(const std::string& message, std::string hint = "see hawser --help") {
  return {Errc::usage, message, std::move(hint)};
}

/// What was given: words in order, and each option with its values.
struct Given {
  std::vector<std::string> words;
  std::map<std::string, std::vector<std::string>, std::less<>> options;

  bool has(std::string_view name) const { return options.contains(name); }
  std::optional<std::string> value(std::string_view name) const {
    const auto found = options.find(name);
    if (found == options.end()) return std::nullopt;
    return found->second.back();
  }
  std::vector<std::string> values(std::string_view name) const {
    const auto found = options.find(name);
    return found == options.end() ? std::vector<std::string>{} : found->second;
  }
};

po::options_description describe_options() {
  po::options_description description;
  for (const OptionInfo& option : option_table()) {
    std::string spelling(option.name);
    if (option.letter != 0) (spelling += ',') += option.letter;
    if (option.argument.empty())
      description.add_options()(spelling.c_str(), "");
    else
      description.add_options()(spelling.c_str(), po::value<std::vector<std::string>>()->composing(), "");
  }
  description.add_options()(words_key, po::value<std::vector<std::string>>()->composing(), "");
  return description;
}

/// The name in "--name=value", "--name" or "-n", without what might be a secret.
std::string bare_name(std::string_view token) {
  token = token.substr(0, token.find('='));
  return printable(token, 60);
}

[[noreturn]] void refuse_unknown(const std::string& token) {
  const std::string name = bare_name(token);
  const std::size_t dashes = std::min(name.find_first_not_of('-'), name.size());
  const OptionInfo* nearest = nearest_option(std::string_view(name).substr(dashes));
  if (nearest != nullptr)
    throw usage("unknown option " + name, "did you mean --" + std::string(nearest->name) + "? See hawser --help");
  throw usage("unknown option " + name);
}

/// Whether `token` is spelled like one of the options; then it is not the value of the one before it.
bool is_an_option(std::string_view token) {
  if (token.starts_with("--")) return find_option(token.substr(2, token.find('=') - 2)) != nullptr;
  return token.size() == 2 && token[0] == '-' &&
         std::ranges::find(option_table(), token[1], &OptionInfo::letter) != option_table().end();
}

/// Runs Program_options over the arguments; its errors become ours.
Given split(const std::vector<std::string>& arguments) {
  namespace style = po::command_line_style;
  const po::options_description description = describe_options();
  po::positional_options_description positions;
  positions.add(words_key, -1);
  Given given;
  try {
    const auto parsed =
        po::command_line_parser(arguments)
            .options(description)
            .positional(positions)
            .style(style::allow_long | style::allow_short | style::allow_dash_for_short | style::long_allow_adjacent |
                   style::long_allow_next | style::short_allow_adjacent | style::short_allow_next | style::allow_sticky)
            .run();
    for (const auto& option : parsed.options) {
      if (option.position_key >= 0) {
        given.words.insert(given.words.end(), option.value.begin(), option.value.end());
        continue;
      }
      if (option.string_key == words_key) refuse_unknown(std::string("--") + words_key);
      if (option.original_tokens.size() > 1 && is_an_option(option.original_tokens[1]))
        throw usage("--" + option.string_key + " needs a value");
      auto& values = given.options[option.string_key];
      values.insert(values.end(), option.value.begin(), option.value.end());
      const OptionInfo* info = find_option(option.string_key);
      if (info != nullptr && !info->argument.empty() && !info->repeatable && values.size() > 1)
        throw usage("--" + option.string_key + " is given more than once");
    }
  } catch (const po::unknown_option& error) {
    refuse_unknown(error.get_option_name());
  } catch (const po::invalid_command_line_syntax& error) {
    const std::string name = bare_name(error.get_option_name());
    if (error.kind() == po::invalid_syntax::missing_parameter ||
        error.kind() == po::invalid_syntax::empty_adjacent_parameter)
      throw usage(name + " needs a value");
    throw usage(name + " takes no value");
  } catch (const po::error_with_option_name& error) {
    throw usage(bare_name(error.get_option_name()) + " is not understood");
  } catch (const po::error&) {
    throw usage("the command line is not understood");
  }
  return given;
}

/// A number in [least, most].
std::size_t parse_number(std::string_view text, std::string_view option, std::size_t least, std::size_t most) {
  const auto number = parse_whole<std::size_t>(text);
  if (!number || *number < least || *number > most)
    throw usage(std::string(option) + ": " + printable(text, 40) + " is not a number from " + std::to_string(least) +
                " to " + std::to_string(most));
  return *number;
}

std::optional<std::size_t> parse_number_or_auto(const Given& given, std::string_view name, std::size_t most) {
  const auto text = given.value(name);
  if (!text || *text == "auto") return std::nullopt;
  return parse_number(*text, "--" + std::string(name), 1, most);
}

/// A power of 1024, or a small multiple of one, as parse_size() takes it: "64K".
std::string size_text(std::uint64_t size) {
  std::size_t unit = 0;
  for (; size >= 1024 && size % 1024 == 0 && unit < 4; ++unit) size /= 1024;
  return std::to_string(size) + (unit == 0 ? "" : std::string(1, "KMGT"[unit - 1]));
}

std::optional<std::uint64_t> parse_size_between(const Given& given, std::string_view name, std::uint64_t least,
                                                std::uint64_t most) {
  const auto text = given.value(name);
  if (!text) return std::nullopt;
  const std::string option = "--" + std::string(name);
  const std::uint64_t size = parse_size(*text, option);
  if (size < least || size > most)
    throw usage(option + ": " + printable(*text, 40) + " is not between " + size_text(least) + " and " +
                size_text(most));
  return size;
}

std::chrono::milliseconds parse_timeout(const Given& given, std::string_view name,
                                        std::chrono::milliseconds otherwise) {
  using namespace std::chrono_literals;
  const auto text = given.value(name);
  if (!text) return otherwise;
  const std::string option = "--" + std::string(name);
  const auto duration = parse_duration(*text, option);
  if (duration < 100ms || duration > 24h)
    throw usage(option + ": " + printable(*text, 40) + " is not between 100ms and a day");
  return duration;
}

/// "30d", "12h", up to a century, or whatever parse_duration() takes.
std::chrono::seconds parse_age(std::string_view text) {
  using namespace std::chrono;
  if (text.ends_with('d')) return hours{24 * parse_number(text.substr(0, text.size() - 1), "--older-than", 0, 36500)};
  if (text.ends_with('h')) return hours{parse_number(text.substr(0, text.size() - 1), "--older-than", 0, 24 * 36500)};
  try {
    return duration_cast<seconds>(parse_duration(text, "--older-than"));
  } catch (const Error&) {
    throw usage("--older-than: \"" + printable(text, 60) + "\" is not an age, such as 12h or 30d");
  }
}

/// A value that must not be empty.
std::string non_empty(std::string value, std::string_view what) {
  if (value.empty()) throw usage(std::string(what) + " is empty");
  return value;
}

OutputStyle parse_style(const Given& given) {
  if (given.has("quiet") && given.has("verbose")) throw usage("--quiet and --verbose exclude each other");
  return {given.has("quiet"), given.has("verbose"), given.has("json")};
}

std::string parse_cache_directory(const Given& given) {
  return non_empty(given.value("cache-dir").value_or(default_cache_directory), "--cache-dir");
}

AccessOptions parse_access(const Given& given) {
  AccessOptions access;
  access.username = given.value("username");
  access.password = given.value("password");
  access.password_stdin = given.has("password-stdin");
  access.plain_http = given.has("plain-http");
  access.insecure = given.has("insecure");
  access.ca_file = given.value("ca-cert").value_or("");
  if (access.username) non_empty(*access.username, "--username");
  if (given.has("ca-cert")) non_empty(access.ca_file, "--ca-cert");
  if (access.username && access.username->find(':') != std::string::npos)
    throw usage("--username must not contain a colon (RFC 7617)");
  if (access.password && access.password_stdin) throw usage("--password and --password-stdin exclude each other");
  if ((access.password || access.password_stdin) && !access.username)
    throw usage(access.password ? "--password needs --username" : "--password-stdin needs --username");
  if (access.insecure && !access.ca_file.empty())
    throw usage("--insecure and --ca-cert exclude each other", "--ca-cert alone is the safe way");
  if (const auto retries = given.value("retries"))
    access.retries = static_cast<unsigned>(parse_number(*retries, "--retries", 0, 1000));
  access.connect_timeout = parse_timeout(given, "connect-timeout", access.connect_timeout);
  access.stall_timeout = parse_timeout(given, "stall-timeout", access.stall_timeout);
  return access;
}

OutputFormat parse_format(const Given& given) {
  const std::string text = given.value("format").value_or("docker-archive");
  for (const OutputFormat format : {OutputFormat::docker_archive, OutputFormat::oci_archive, OutputFormat::oci_dir})
    if (text == to_string(format)) return format;
  throw usage("--format: there is no " + printable(text, 40), "docker-archive, oci-archive and oci-dir are there");
}

/// The tars to import: files, since each is read twice.
std::vector<std::string> checked_tars(std::vector<std::string> files, std::string_view what) {
  for (const std::string& file : files) {
    if (file == "-") throw usage("a tar can't be imported from standard input", "save it to a file first");
    non_empty(file, what);
  }
  return files;
}

/// What does not go together in a pull.
void check_combinations(const PullCommand& pull) {
  const bool to_stdout = pull.output == "-";
  const auto stdin_lists = std::ranges::count(pull.lists, "-");
  if (pull.all_platforms && pull.platform) throw usage("--all-platforms and --platform exclude each other");
  if (pull.all_platforms && pull.format == OutputFormat::docker_archive)
    throw usage("--all-platforms needs --format oci-archive or oci-dir", "a docker-archive holds one platform");
  if (pull.uncompressed && pull.format != OutputFormat::docker_archive)
    throw usage("--uncompressed is for --format docker-archive only", "OCI formats keep the registry's own layers");
  if (to_stdout && pull.format == OutputFormat::oci_dir)
    throw usage("a directory can't be written to standard output", "use --format oci-archive");
  if (to_stdout && pull.style.json) throw usage("--output - and --json both want standard output");
  if (stdin_lists > 1) throw usage("--from-file - is given more than once");
  if (stdin_lists > 0 && pull.access.password_stdin)
    throw usage("--from-file - and --password-stdin both want standard input");
  if (!pull.use_cache && pull.verify_cache) throw usage("--no-cache and --verify-cache exclude each other");
  if (!pull.use_cache && !pull.import_tars.empty()) throw usage("--no-cache and --import-tar exclude each other");
  if (pull.dry_run && !pull.import_tars.empty()) throw usage("--dry-run and --import-tar exclude each other");
}

ParsedCommand make_pull(const Given& given) {
  PullCommand pull;
  pull.images = given.words;
  pull.lists = given.values("from-file");
  pull.import_tars = checked_tars(given.values("import-tar"), "--import-tar");
  for (const auto& image : pull.images) non_empty(image, "an image's name");
  for (const auto& list : pull.lists) non_empty(list, "--from-file");
  if (const auto platform = given.value("platform")) pull.platform = Platform::parse(*platform);
  pull.all_platforms = given.has("all-platforms");
  pull.allow_foreign_layers = given.has("allow-foreign-layers");
  pull.dry_run = given.has("dry-run");
  pull.output = given.value("output");
  if (pull.output) non_empty(*pull.output, "--output");
  pull.format = parse_format(given);
  pull.uncompressed = given.has("uncompressed");
  pull.max_downloads = parse_number_or_auto(given, "max-concurrent-downloads", 128);
  pull.max_connections = parse_number_or_auto(given, "max-connections", 128);
  pull.chunk_size = parse_size_between(given, "chunk-size", 64 * 1024, 1024 * 1024 * 1024);
  pull.limit_rate = parse_size_between(given, "limit-rate", 1024, std::uint64_t{1} << 40);
  pull.cache_directory = parse_cache_directory(given);
  pull.use_cache = !given.has("no-cache");
  pull.verify_cache = given.has("verify-cache");
  pull.access = parse_access(given);
  pull.style = parse_style(given);
  check_combinations(pull);
  if (!pull.images.empty() || !pull.lists.empty()) return pull;
  if (pull.import_tars.empty()) throw usage("which image?", "hawser nginx:latest pulls one; see hawser --help");
  return ImportCommand{pull.import_tars, pull.cache_directory, pull.style};
}

ParsedCommand make_inspect(const Given& given) {
  if (given.words.size() != 1) throw usage("inspect takes one image");
  InspectCommand inspect;
  inspect.image = non_empty(given.words.front(), "the image's name");
  if (const auto platform = given.value("platform")) inspect.platform = Platform::parse(*platform);
  inspect.config = given.has("config");
  inspect.raw = given.has("raw");
  inspect.access = parse_access(given);
  inspect.style = parse_style(given);
  if (inspect.raw && inspect.style.json) throw usage("--raw and --json exclude each other");
  return inspect;
}

ParsedCommand make_tags(const Given& given) {
  if (given.words.size() != 1) throw usage("tags takes one repository");
  const std::string& repository = given.words.front();
  // What follows the last slash can't be a port.
  if (repository.find_first_of(":@", repository.rfind('/') + 1) != std::string::npos)
    throw usage("tags takes a repository, without a tag or digest: " + printable(repository, 300),
                "hawser inspect shows one image of it");
  return TagsCommand{non_empty(given.words.front(), "the repository's name"), parse_access(given), parse_style(given)};
}

ParsedCommand make_cache(const Given& given) {
  using Action = CacheCommand::Action;
  if (given.words.size() != 1) throw usage("cache takes one of ls, verify and prune");
  const std::string& word = given.words.front();
  CacheCommand cache;
  if (word == "ls")
    cache.action = Action::ls;
  else if (word == "verify")
    cache.action = Action::verify;
  else if (word == "prune")
    cache.action = Action::prune;
  else
    throw usage("cache takes one of ls, verify and prune, not " + printable(word, 40), "see hawser help cache");
  if (const auto age = given.value("older-than")) {
    if (cache.action != Action::prune) throw usage("--older-than is for cache prune");
    cache.older_than = parse_age(*age);
  }
  cache.cache_directory = parse_cache_directory(given);
  cache.style = parse_style(given);
  return cache;
}

ParsedCommand make_import(const Given& given) {
  if (given.words.empty()) throw usage("import takes the tars to import");
  return ImportCommand{checked_tars(given.words, "the file's name"), parse_cache_directory(given), parse_style(given)};
}

ParsedCommand make_help(const Given& given) {
  if (given.words.empty()) return HelpCommand{};
  if (given.words.size() > 1) throw usage("help takes one command");
  const CommandInfo* command = find_command(given.words.front());
  if (command == nullptr) throw usage("there is no help on " + printable(given.words.front(), 40));
  return HelpCommand{command->command};
}

/// Refuses options that belong to another command.
void check_options_of(const CommandInfo& command, const Given& given) {
  for (const auto& [name, values] : given.options) {
    const OptionInfo* option = find_option(name);
    if (option == nullptr || (option->commands & command_bit(command.command)) == 0)
      throw usage("--" + name + " is no option of hawser " + std::string(command.name),
                  "see hawser help " + std::string(command.name));
  }
}

}  // namespace

std::string_view to_string(OutputFormat format) {
  switch (format) {
    case OutputFormat::docker_archive:
      return "docker-archive";
    case OutputFormat::oci_archive:
      return "oci-archive";
    case OutputFormat::oci_dir:
      return "oci-dir";
  }
  return "";
}

ParsedCommand parse_command_line(const std::vector<std::string>& arguments) {
  Given given = split(arguments);
  const CommandInfo* named = given.words.empty() ? nullptr : find_command(given.words.front());
  if (named != nullptr) given.words.erase(given.words.begin());
  if (given.has("help")) {
    if (named == nullptr || named->command == CommandName::help) return HelpCommand{};
    return HelpCommand{named->command};
  }
  if (given.has("version")) return VersionCommand{};
  if (arguments.empty()) return HelpCommand{};

  const CommandInfo& command = named != nullptr ? *named : command_info(CommandName::pull);
  check_options_of(command, given);
  switch (command.command) {
    case CommandName::pull:
      return make_pull(given);
    case CommandName::inspect:
      return make_inspect(given);
    case CommandName::tags:
      return make_tags(given);
    case CommandName::cache:
      return make_cache(given);
    case CommandName::import:
      return make_import(given);
    case CommandName::help:
      return make_help(given);
    case CommandName::version:
      break;
  }
  if (!given.words.empty()) throw usage("version takes no argument");
  return VersionCommand{};
}

}  // namespace hawser
