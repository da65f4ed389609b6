#include "archive/tar_listing.hpp"

#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>

#include <archive.h>
#include <archive_entry.h>

namespace hawser::test {

std::vector<ListedEntry> list_tar(std::string_view bytes) {
  const std::unique_ptr<archive, decltype(&archive_read_free)> reader(archive_read_new(), archive_read_free);
  archive_read_support_format_tar(reader.get());
  const auto check = [&](int result) {
    if (result != ARCHIVE_OK) throw std::runtime_error(archive_error_string(reader.get()));
  };
  check(archive_read_open_memory(reader.get(), bytes.data(), bytes.size()));
  std::vector<ListedEntry> result;
  for (archive_entry* entry = nullptr;;) {
    const int status = archive_read_next_header(reader.get(), &entry);
    if (status == ARCHIVE_EOF) return result;
    check(status);
    ListedEntry& listed = result.emplace_back();
    listed.path = archive_entry_pathname(entry);
    listed.type = archive_entry_filetype(entry) == AE_IFDIR   ? 'd'
                  : archive_entry_filetype(entry) == AE_IFREG ? '-'
                                                              : '?';
    listed.mode = archive_entry_perm(entry);
    listed.mtime = archive_entry_mtime(entry);
    listed.uid = archive_entry_uid(entry);
    listed.gid = archive_entry_gid(entry);
    listed.size = archive_entry_size(entry);
    char buffer[4096];
    for (la_ssize_t count = 0; (count = archive_read_data(reader.get(), buffer, sizeof buffer)) != 0;) {
      if (count < 0) throw std::runtime_error(archive_error_string(reader.get()));
      listed.data.append(buffer, static_cast<std::size_t>(count));
    }
  }
}

std::vector<ListedEntry> list_tar_file(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return list_tar(text.str());
}

std::optional<std::string> data_of(const std::vector<ListedEntry>& entries, std::string_view path) {
  for (const ListedEntry& entry : entries)
    if (entry.path == path) return entry.data;
  return std::nullopt;
}

std::vector<std::string> paths_of(const std::vector<ListedEntry>& entries) {
  std::vector<std::string> result;
  for (const ListedEntry& entry : entries) result.push_back(entry.path);
  return result;
}

}  // namespace hawser::test
