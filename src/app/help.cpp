#include <hawser/app/help.hpp>
#include <hawser/version.hpp>

#include <algorithm>

namespace hawser {
namespace {

constexpr std::size_t name_column = 36;  // where the explanation of an option begins

/// Appends `text`, broken between words, as a second column that begins at `indent`; the cursor is at `column`.
void append_wrapped(std::string& out, std::string_view text, std::size_t column, std::size_t indent,
                    std::size_t width) {
  if (column > 0 && column + 1 > indent) {
    out += '\n';
    column = 0;
  }
  out.append(indent - column, ' ');
  column = indent;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (column > indent && column + 1 + word.size() > width) {
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

void append_options(std::string& out, unsigned commands, std::size_t width) {
  for (const OptionGroup group : {OptionGroup::image, OptionGroup::output, OptionGroup::transfer, OptionGroup::access,
                                  OptionGroup::cache, OptionGroup::general}) {
    bool titled = false;
    for (const OptionInfo& option : option_table()) {
      if (option.group != group || (option.commands & commands) == 0) continue;
      if (!titled) ((out += '\n') += group_title(group)) += ":\n";
      titled = true;
      const std::string spelling = option_spelling(option);
      out += spelling;
      append_wrapped(out, option.help, spelling.size(), name_column, width);
    }
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
  hawser --from-file images.txt -o out/     a list of images, a tar each
  hawser --dry-run debian                   what would be fetched, and how much

  A private registry (what docker login and podman login kept is used, too):
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
  HAWSER_PASSWORD                     password that belongs to --username
  DOCKER_CONFIG                       directory of docker login's config.json (default: ~/.docker)
  REGISTRY_AUTH_FILE                  podman login's auth.json, where it is another than podman's own

Exit codes:
  0 done   1 other   2 usage   3 authentication   4 not found   5 network   6 integrity
  7 rate limited   8 local disk   130 interrupted (SIGINT)   143 terminated (SIGTERM)
)";

constexpr std::string_view cache_actions = R"(
Actions:
  ls      list the images and the blobs in the cache, and what they weigh
  verify  hash every blob; corrupt ones are put into quarantine/, and fetched again when they are needed
  prune   remove what was unused for the time of --older-than, and what is in quarantine/
)";

std::string general_help(std::size_t width) {
  std::string out =
      "hawser pulls container images from registries into a tar that docker load takes.\n"
      "\n"
      "Usage:\n"
      "  hawser [pull] [options] IMAGE...\n";
  for (const CommandInfo& command : command_table())
    if (command.command != CommandName::pull) (out += "  " + usage_line(command)) += '\n';
  out += "\nIMAGE is [REGISTRY/]REPOSITORY[:TAG][@DIGEST], as docker has it: nginx, quay.io/a/b:1.\n\nCommands:\n";
  for (const CommandInfo& command : command_table()) {
    const std::string name = "  " + std::string(command.name);
    out += name;
    append_wrapped(out, command.summary, name.size(), 12, width);
  }
  append_options(out, command_bit(CommandName::pull), width);
  out += examples;
  out += environment;
  return out;
}

}  // namespace

std::string help_text(std::optional<CommandName> topic, std::size_t width) {
  width = std::max<std::size_t>(width, 60);
  if (!topic) return general_help(width);
  const CommandInfo& command = command_info(*topic);
  std::string out = "Usage: " + usage_line(command) + "\n\n";
  append_wrapped(out, command.summary, 0, 0, width);
  if (*topic == CommandName::cache) out += cache_actions;
  append_options(out, command_bit(*topic), width);
  if (*topic == CommandName::pull) out += examples;
  return out;
}

std::string version_text() {
  return std::string("hawser ") + version + "\n";
}

}  // namespace hawser
