// The files of a tar by their names, as they would lie there once it were unpacked. Names are only compared: nothing
// here touches the disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace hawser {

/// `path` without ".", empty parts, and ".." where something is above; without the "/" that it may begin with.
std::string plain_name(std::string_view path);

/// A regular file of a tar.
struct TarMember {
  std::size_t number = 0;   ///< among the tar's entries: several may have one name
  std::uint64_t size = 0;   ///< bytes, as the header says
  bool compressed = false;  ///< whether it begins as something compressed does
};

/// Files and links, to be added in the order of the tar: of those of one name the last counts.
class TarMembers {
 public:
  /// A file of a plain_name().
  void add(const std::string& name, const TarMember& member);
  /// A link of a plain_name(). A symbolic one leads from its own directory to what has the name `target` in the end; a
  /// hard one to the file that is there by now, or where none is yet, as a symbolic one from the root.
  void add_link(const std::string& name, std::string_view target, bool hard);

  /// Where a path leads.
  struct Found {
    const TarMember* member = nullptr;  ///< null: to no file of the tar
    std::string reason = {};            ///< why, where links have led there; may be shown
  };
  /// Follows `path` from the root, over links to files and directories, and never out of the tar. Throws
  /// Error{too_large} where all that was asked for took more following than any image could.
  Found find(std::string_view path) const;

 private:
  std::unordered_map<std::string, TarMember> files_;
  std::unordered_map<std::string, std::string> links_;  // to their targets
  mutable std::uint64_t followed_ = 0;                  // bytes of names that were gone over
};

}  // namespace hawser
