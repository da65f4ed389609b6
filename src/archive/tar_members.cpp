#include "archive/tar_members.hpp"

#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>

namespace hawser {
namespace {

constexpr int max_links = 40;  // in a row, as in Linux
constexpr std::uint64_t max_followed = std::uint64_t{1} << 30;

std::string_view parent_of(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  return slash == std::string_view::npos ? "" : name.substr(0, slash);
}

/// Goes from the directory `at` on to `part`. Above the root there is nothing but more of "..".
void enter(std::string& at, std::string_view part) {
  if (part.empty() || part == ".") return;
  if (part == ".." && !at.empty() && at != ".." && !at.ends_with("/..")) {
    at.resize(parent_of(at).size());
  } else {
    if (!at.empty()) at += '/';
    at += part;
  }
}

/// Takes the first part off `path`.
std::string_view take_part(std::string_view& path) {
  const std::size_t slash = std::min(path.find('/'), path.size());
  const std::string_view part = path.substr(0, slash);
  path.remove_prefix(std::min(slash + 1, path.size()));
  return part;
}

}  // namespace

std::string plain_name(std::string_view path) {
  std::string name;
  while (!path.empty()) enter(name, take_part(path));
  return name;
}

void TarMembers::add(const std::string& name, const TarMember& member) {
  links_.erase(name);
  files_.insert_or_assign(name, member);
}

void TarMembers::add_link(const std::string& name, std::string_view target, bool hard) {
  if (const TarMember* const there = hard ? find(target).member : nullptr) return add(name, TarMember(*there));
  files_.erase(name);
  links_.insert_or_assign(name, (hard ? "/" : "") + std::string(target));
}

TarMembers::Found TarMembers::find(std::string_view path) const {
  std::string at, rest_of_link;
  std::string_view rest = path;
  int links = 0;
  while (!rest.empty()) {
    enter(at, take_part(rest));
    followed_ += at.size();
    if (followed_ > max_followed) throw Error(Errc::too_large, "the tar's links are too many to follow");
    const auto link = links_.find(at);
    if (link == links_.end()) continue;
    if (++links > max_links) return {nullptr, printable(path) + " is a link that leads in a circle"};
    const std::string& target = link->second;
    at.resize(target.starts_with('/') ? 0 : parent_of(at).size());
    rest_of_link = target + "/" + std::string(rest);
    rest = rest_of_link;
    followed_ += rest.size();
  }
  if (const auto file = files_.find(at); file != files_.end()) return {&file->second};
  if (links == 0) return {};
  const bool outside = at == ".." || at.starts_with("../");
  return {nullptr, printable(path) + " is a link to " + printable(at) +
                       (outside ? ", which is outside of the tar" : ", which is no file of the tar")};
}

}  // namespace hawser
