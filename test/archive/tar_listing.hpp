// Tars read back by libarchive, a reader that is not ours.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser::test {

/// An entry as libarchive sees it.
struct ListedEntry {
  std::string path;
  char type = '?';  ///< '-' regular file, 'd' directory
  unsigned mode = 0;
  std::int64_t mtime = -1, uid = -1, gid = -1;
  std::int64_t size = -1;
  std::string data;  ///< empty where the data was not asked for
};

/// Every entry of the tar in `bytes`; throws std::runtime_error where libarchive does not like it.
std::vector<ListedEntry> list_tar(std::string_view bytes);
/// The same of a file.
std::vector<ListedEntry> list_tar_file(const std::filesystem::path& path);

/// The data of the entry `path`; nothing where there is none.
std::optional<std::string> data_of(const std::vector<ListedEntry>& entries, std::string_view path);
std::vector<std::string> paths_of(const std::vector<ListedEntry>& entries);

}  // namespace hawser::test
