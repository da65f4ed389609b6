// References made into file names that stay in their directory and apart from each other.
#include <hawser/image/output_name.hpp>
#include <hawser/util/text.hpp>

#include <algorithm>
#include <map>

namespace hawser {
namespace {

constexpr std::size_t max_length = 200;
constexpr std::string_view extension = ".tar";

bool is_safe(char c) {
  return is_ascii_alnum(c) || c == '.' || c == '-' || c == '_';
}

std::string safe(std::string_view text) {
  std::string result;
  for (const char c : text)
    if (c != '[' && c != ']') result += is_safe(c) ? c : '_';
  if (!result.empty() && (result[0] == '.' || result[0] == '-')) result[0] = '_';
  return result;
}

std::string tag_part(const Reference& reference) {
  if (reference.tag) return *reference.tag;
  if (!reference.digest) return "latest";
  return std::string(reference.digest->algorithm_name()) + "-" + reference.digest->hex().substr(0, 12);
}

std::string platform_part(const Platform& platform) {
  std::string result;
  if (platform.os != "linux") result += "_" + platform.os;
  result += "_" + platform.architecture;
  if (!platform.variant.empty()) result += "_" + platform.variant;
  return result;
}

std::string hash_of(const Reference& reference) {
  return Digest::of(reference.to_string()).hex();
}

/// `stem` with `mark`, cut to fit; what is cut leaves a part of the hash in its place.
std::string finish(std::string stem, const std::string& mark, const Reference& reference) {
  const std::size_t room = max_length - extension.size() - mark.size();
  if (stem.size() > room) {
    const std::string hash = "_" + hash_of(reference).substr(0, 12);
    stem = stem.substr(0, room - hash.size()) + hash;
  }
  return stem + mark + std::string(extension);
}

/// `level` 0 has no mark, 1 a short and 2 the whole hash of the reference.
std::string name_at(const Reference& reference, const std::optional<Platform>& platform, int level) {
  std::string stem = reference.domain == "docker.io" ? "" : reference.domain + "_";
  stem += reference.path + "_" + tag_part(reference);
  if (platform) stem += platform_part(*platform);
  const std::string mark = level == 0 ? "" : "_" + hash_of(reference).substr(0, level == 1 ? 12 : 64);
  return finish(safe(stem), mark, reference);
}

}  // namespace

std::string output_name(const Reference& reference, const std::optional<Platform>& platform) {
  return name_at(reference, platform, 0);
}

std::vector<std::string> output_names(std::span<const Reference> references, const std::optional<Platform>& platform) {
  std::vector<std::string> names(references.size());
  std::vector<int> levels(references.size(), 0);
  for (bool again = true; again;) {
    std::map<std::string, std::vector<std::size_t>> users;
    for (std::size_t i = 0; i < references.size(); ++i) {
      names[i] = name_at(references[i], platform, levels[i]);
      users[ascii_lower(names[i])].push_back(i);
    }
    again = false;
    for (const auto& user : users) {
      const std::vector<std::size_t>& group = user.second;
      const bool shared = std::any_of(group.begin(), group.end(),
                                      [&](std::size_t i) { return references[i] != references[group.front()]; });
      if (!shared) continue;
      for (const std::size_t i : group)
        if (levels[i] < 2) {
          ++levels[i];
          again = true;
        }
    }
  }
  return names;
}

}  // namespace hawser
