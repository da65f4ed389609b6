#include "cli/habits.hpp"

#include "cli/options.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <optional>
#include <span>

namespace hawser {
namespace {

/// Words of other tools that mean the same, a space before and after each, and what to say of them.
struct Habit {
  std::string_view others;
  std::string_view answer;
};

constexpr Habit foreign_options[] = {
    {" --arch --os --variant --override-arch --override-os --override-variant ",
     "--platform OS/ARCH[/VARIANT] names all of it: --platform linux/arm64"},
    {" --tls-verify --src-tls-verify --skip-tls-verify --allow-insecure -k ",
     "--insecure trusts any certificate, --ca-cert FILE one of your own, --plain-http goes without TLS"},
    {" --cacert --registry-ca ", "--ca-cert FILE trusts the CA certificates in FILE (PEM)"},
    {" --src-cert-dir ", "--cert-dir DIR takes CA and client certificates from DIR"},
    {" --cert -E --key ", "--client-cert FILE and --client-key FILE name a client certificate and its key"},
    {" --authfile --src-authfile --registry-config ", "name the file in the environment: REGISTRY_AUTH_FILE=FILE"},
    {" --registry-mirror --registry-mirrors --hosts-dir ",
     "--mirror [HOST=]URL names a mirror; what containers, docker and containerd have configured is used without it"},
    {" --registries-conf ", "name the file in the environment: CONTAINERS_REGISTRIES_CONF=FILE"},
    {" --creds --src-creds ", "--username NAME with --password-stdin, or with HAWSER_PASSWORD in the environment"},
    {" -p ", "--password-stdin reads the password from standard input"},
    {" -f --file --dest --destination --tar ", "-o FILE names the output, --from-file FILE a list of images"},
    {" --cache_path --cache-path --cache ", "--cache-dir DIR names the cache"},
    {" --insecure-policy --policy --disable-content-trust ",
     "leave it out: hawser checks the digest of all that it fetches, and knows no policies"},
    {" -t --tag ", "the tag is a part of the image's name: hawser nginx:1.25"},
    {" -a --all-tags ", "hawser tags REPOSITORY lists the tags, and a call may pull several images"},
    {" --all --multi-arch ", "--all-platforms, with --format oci-archive or oci-dir"},
    {" --debug -d ", "--verbose shows what is being done"},
    {" --retry-times --max-retries ", "--retries N"},
};

constexpr std::string_view only_pulls = "hawser only pulls images: docker load takes the tar, and docker does the rest";

constexpr Habit foreign_commands[] = {
    {" save copy cp download fetch get export ", ""},
    {" ls list list-tags ", "hawser tags REPOSITORY lists the tags of a repository"},
    {" images ", "hawser cache ls lists the images in the cache"},
    {" search ", "hawser can't search; hawser tags REPOSITORY lists the tags of a repository"},
    {" load ", "docker load -i FILE loads a tar; hawser import FILE takes its layers into the cache"},
    {" validate ", "a pull checks all digests; hawser cache verify checks what is in the cache"},
    {" rmi rm ", "hawser cache prune removes what was unused for long"},
    {" push tag run create exec build ", only_pulls},
};

const Habit* find(std::span<const Habit> habits, std::string_view word) {
  if (word.empty() || word.find(' ') != std::string_view::npos) return nullptr;
  for (const Habit& habit : habits)
    if (habit.others.find(" " + std::string(word) + " ") != std::string_view::npos) return &habit;
  return nullptr;
}

/// The options by which hawser writes to what `word` names: a tar, or one of skopeo's places; nothing where it is
/// neither.
std::optional<std::string> output_options(std::string_view word) {
  static constexpr std::pair<std::string_view, std::string_view> places[] = {
      {"docker-archive:", ""},
      {"oci-archive:", "--format oci-archive "},
      {"oci:", "--format oci-dir "},
      {"dir:", "--format oci-dir "},
  };
  for (const auto& [place, format] : places) {
    if (!word.starts_with(place) || word.size() == place.size()) continue;
    const std::string_view path = word.substr(place.size());
    return " " + std::string(format) + "-o " + printable(path.substr(0, path.find(':')), 200);
  }
  for (const std::string_view end : {".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.xz"})
    if (word.size() > end.size() && equals_ignoring_case(word.substr(word.size() - end.size()), end))
      return " -o " + printable(word.substr(0, word.size() - end.size()), 200) + ".tar";
  return std::nullopt;
}

/// The pull that words are meant to be.
std::string as_pull(std::span<const std::string> words) {
  std::string outputs, images;
  for (const std::string& word : words) {
    if (const auto output = output_options(word))
      outputs = *output;
    else
      images += " " + printable(word, 200);
  }
  return "hawser pull" + outputs + (images.empty() ? " IMAGE" : images);
}

/// The command that `word` is a slip of the fingers away from; empty: none.
std::string_view nearest_command(std::string_view word) {
  if (word.size() < 3 || word.size() > 12) return {};
  for (const CommandInfo& command : command_table())
    if (edit_distance(word, command.name) <= (command.name.size() > 4 ? 2U : 1U)) return command.name;
  return {};
}

void refuse_command(const std::vector<std::string>& words) {
  const std::string& first = words.front();
  const std::span<const std::string> rest = std::span(words).subspan(1);
  std::string answer;
  if (const Habit* habit = find(foreign_commands, first)) {
    answer = habit->answer.empty() ? "write " + as_pull(rest) : std::string(habit->answer);
  } else if (const std::string_view nearest = nearest_command(first); nearest == "pull") {
    answer = "write " + as_pull(rest);
  } else if (!nearest.empty()) {
    answer = "did you mean hawser " + std::string(nearest) + " " + printable(rest.front(), 200) + "?";
  } else {
    return;
  }
  throw Error(Errc::usage, "hawser has no command " + first,
              answer + " (to pull an image called " + first + ", write hawser pull " + first + ")");
}

}  // namespace

std::string own_option(std::string_view spelling) {
  const Habit* habit = find(foreign_options, spelling);
  return habit ? std::string(habit->answer) : std::string();
}

void refuse_foreign_words(const std::vector<std::string>& words, bool is_named) {
  if (!is_named && words.size() > 1) refuse_command(words);
  for (const std::string& word : words) {
    if (word.ends_with(".yaml") || word.ends_with(".yml"))
      throw Error(Errc::usage, printable(word, 200) + " names a file, not an image",
                  "hawser --from-file " + printable(word, 200) +
                      " pulls the images that a compose file or Kubernetes manifests name");
    if (!output_options(word)) continue;
    const std::string import = words.size() == 1 ? "; hawser import takes the layers of a tar into the cache" : "";
    throw Error(Errc::usage, printable(word, 200) + " names a file or a directory, not an image",
                "write " + as_pull(words) + import + " (an image of that name needs its registry and tag)");
  }
}

}  // namespace hawser
