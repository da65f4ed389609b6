// NtCreateFile, which opens what lies in an open directory, as openat(2) does; no reparse point that stands for another
// name is followed.
#include "util/platform/directory.hpp"
#include "util/platform/windows.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <thread>

#include <winternl.h>

namespace hawser {

using namespace windows;

namespace {

// What MinGW's headers do not declare (ntifs.h).
constexpr auto disposition_information_ex = std::bit_cast<FILE_INFORMATION_CLASS>(64);
constexpr auto rename_information_ex = std::bit_cast<FILE_INFORMATION_CLASS>(65);
constexpr NTSTATUS object_name_not_found = static_cast<NTSTATUS>(0xC0000034);
constexpr NTSTATUS object_path_not_found = static_cast<NTSTATUS>(0xC000003A);
constexpr NTSTATUS delete_pending = static_cast<NTSTATUS>(0xC0000056);
constexpr NTSTATUS object_name_collision = static_cast<NTSTATUS>(0xC0000035);
constexpr NTSTATUS access_denied = static_cast<NTSTATUS>(0xC0000022);
constexpr NTSTATUS sharing_violation = static_cast<NTSTATUS>(0xC0000043);
constexpr NTSTATUS directory_not_empty = static_cast<NTSTATUS>(0xC0000101);
constexpr NTSTATUS object_name_invalid = static_cast<NTSTATUS>(0xC0000033);

bool is_absent(NTSTATUS status) noexcept {
  return status == object_name_not_found || status == object_path_not_found || status == delete_pending;
}

std::error_code to_error(NTSTATUS status) noexcept {
  if (is_absent(status)) return {ERROR_FILE_NOT_FOUND, std::system_category()};
  return {static_cast<int>(::RtlNtStatusToDosError(status)), std::system_category()};
}

Error link_error(const std::string& path) {
  return {Errc::disk, path + " is a link to elsewhere, and hawser follows none inside its cache",
          "remove the link, or choose another directory with --cache-dir"};
}

struct How {
  ACCESS_MASK access = FILE_READ_ATTRIBUTES;
  ULONG disposition = FILE_OPEN;
  ULONG options = 0;
  MadeFor whom = MadeFor::user;
};

/// Opens `name`, or "" for the directory itself.
NTSTATUS open_at(HANDLE directory, const std::string& name, const How& how, OwnHandle& opened) noexcept {
  std::wstring text = wide(name);
  if (!text.empty() && (!is_possible_name(text) || text.find_first_of(L"/\\") != std::wstring::npos))
    return object_name_invalid;
  UNICODE_STRING object{static_cast<USHORT>(text.size() * 2), static_cast<USHORT>(text.size() * 2), text.data()};
  OBJECT_ATTRIBUTES attributes{};
  attributes.Length = sizeof attributes;
  attributes.RootDirectory = directory;
  attributes.ObjectName = &object;
  attributes.Attributes = OBJ_CASE_INSENSITIVE;
  if (how.disposition != FILE_OPEN) attributes.SecurityDescriptor = descriptor_for(how.whom);
  IO_STATUS_BLOCK block{};
  HANDLE handle = nullptr;
  const NTSTATUS status =
      ::NtCreateFile(&handle, how.access | SYNCHRONIZE, &attributes, &block, nullptr, FILE_ATTRIBUTE_NORMAL, share_all,
                     how.disposition, how.options | FILE_SYNCHRONOUS_IO_NONALERT, nullptr, 0);
  if (status >= 0) opened = OwnHandle(handle);
  return status;
}

/// open_at(), but a reparse point is opened itself where it is a link, which `is_link` then says.
NTSTATUS open_no_link(HANDLE directory, const std::string& name, const How& how, OwnHandle& opened,
                      bool& is_link) noexcept {
  How itself = how;
  itself.options |= FILE_OPEN_REPARSE_POINT;
  const NTSTATUS status = open_at(directory, name, itself, opened);
  if (status < 0) return status;
  FILE_ATTRIBUTE_TAG_INFO tag{};
  if (::GetFileInformationByHandleEx(opened.get(), FileAttributeTagInfo, &tag, sizeof tag) == 0 ||
      (tag.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) == 0)
    return status;
  is_link = IsReparseTagNameSurrogate(tag.ReparseTag);
  // What is compressed, or kept by a cloud, is a file all the same, and its content is only to be had this way.
  return is_link ? status : open_at(directory, name, how, opened);
}

constexpr ACCESS_MASK directory_access = FILE_LIST_DIRECTORY | FILE_TRAVERSE | FILE_READ_ATTRIBUTES | SYNCHRONIZE;

/// Not open, with GetLastError(), where `path` is no directory.
OwnHandle open_directory(const std::filesystem::path& path) noexcept {
  OwnHandle opened(::CreateFileW(call_path(path).c_str(), directory_access, share_all, nullptr, OPEN_EXISTING,
                                 FILE_FLAG_BACKUP_SEMANTICS, nullptr));
  if (!opened) return opened;
  const auto status = windows::status_of(opened.get());
  if (status && status->kind == FileKind::directory) return opened;
  opened = OwnHandle();
  ::SetLastError(ERROR_DIRECTORY);
  return opened;
}

File to_file(OwnHandle handle, std::filesystem::path path) {
  return File::adopt(to_file_handle(handle.release()), std::move(path));
}

How how_to_open(OpenMode mode) noexcept {
  How how;
  how.access = GENERIC_READ;
  if (mode != OpenMode::read && mode != OpenMode::read_now) how.access |= GENERIC_WRITE;
  if (mode == OpenMode::create) how.disposition = FILE_OPEN_IF;
  return how;
}

/// Again and again for a second while others, a virus scanner say, have open what can't be had meanwhile.
template <typename Call>
NTSTATUS patiently(Call call) noexcept {
  NTSTATUS status = call();
  for (int attempt = 0; attempt < 20 && (status == access_denied || status == sharing_violation); ++attempt) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    status = call();
  }
  return status;
}

NTSTATUS set_name(HANDLE handle, HANDLE directory, std::wstring_view name, FILE_INFORMATION_CLASS how, DWORD flags) {
  std::vector<std::byte> memory(sizeof(FILE_RENAME_INFO) + name.size() * sizeof(wchar_t));
  auto& info = *reinterpret_cast<FILE_RENAME_INFO*>(memory.data());
  info.Flags = flags;
  info.RootDirectory = directory;
  info.FileNameLength = static_cast<DWORD>(name.size() * sizeof(wchar_t));
  std::memcpy(info.FileName, name.data(), name.size() * sizeof(wchar_t));
  IO_STATUS_BLOCK block{};
  return ::NtSetInformationFile(handle, &block, &info, static_cast<ULONG>(memory.size()), how);
}

/// Takes the name away at once: so does Windows 10 on NTFS; others keep a file's until it is closed, so there it gets
/// another one first.
NTSTATUS delete_open(HANDLE handle, HANDLE directory) {
  FILE_DISPOSITION_INFO_EX flags{FILE_DISPOSITION_FLAG_DELETE | FILE_DISPOSITION_FLAG_POSIX_SEMANTICS |
                                 FILE_DISPOSITION_FLAG_IGNORE_READONLY_ATTRIBUTE};
  IO_STATUS_BLOCK block{};
  const NTSTATUS status = ::NtSetInformationFile(handle, &block, &flags, sizeof flags, disposition_information_ex);
  if (status >= 0 || status == directory_not_empty) return status;
  if (const auto what = windows::status_of(handle); what && what->kind != FileKind::directory)
    (void)set_name(handle, directory, wide(".deleted." + random_hex(16) + ".partial"), FileRenameInformation, 0);
  FILE_BASIC_INFO attributes{};
  attributes.FileAttributes = FILE_ATTRIBUTE_NORMAL;  // also where it may only be read
  (void)::SetFileInformationByHandle(handle, FileBasicInfo, &attributes, sizeof attributes);
  FILE_DISPOSITION_INFO info{TRUE};
  return ::NtSetInformationFile(handle, &block, &info, sizeof info, FileDispositionInformation);
}

/// In the place of an older file: in one step on NTFS; elsewhere in two where somebody has the older one open.
NTSTATUS rename_open(HANDLE handle, HANDLE directory, const std::string& name) {
  const std::wstring text = wide(name);
  NTSTATUS status = set_name(handle, directory, text, rename_information_ex,
                             FILE_RENAME_FLAG_REPLACE_IF_EXISTS | FILE_RENAME_FLAG_POSIX_SEMANTICS);
  if (status >= 0 || status == access_denied || status == sharing_violation) return status;
  status = set_name(handle, directory, text, FileRenameInformation, TRUE);
  if (status != access_denied) return status;
  OwnHandle older;
  if (open_at(directory, name, {DELETE, FILE_OPEN, FILE_NON_DIRECTORY_FILE | FILE_OPEN_REPARSE_POINT}, older) < 0 ||
      delete_open(older.get(), directory) < 0)
    return status;
  return set_name(handle, directory, text, FileRenameInformation, TRUE);
}

}  // namespace

Directory::Directory(const std::filesystem::path& path) {
  const std::filesystem::path named = path.empty() ? std::filesystem::path(".") : path;
  OwnHandle opened = open_directory(named);
  if (!opened) fail("open", named);
  handle_ = to_file(std::move(opened), named);
}

std::optional<Directory> Directory::open(const std::filesystem::path& path) {
  OwnHandle opened = open_directory(path);
  if (opened) return Directory(to_file(std::move(opened), path));
  if (last_error() == std::errc::no_such_file_or_directory) return std::nullopt;
  fail("open the directory", path);
}

std::optional<Directory> Directory::subdirectory(const std::string& name) const {
  OwnHandle opened;
  bool is_link = false;
  const How how{directory_access, FILE_OPEN, FILE_DIRECTORY_FILE};
  const NTSTATUS status = open_no_link(handle_of(handle_), name, how, opened, is_link);
  if (is_link) throw link_error(path_of(name));
  if (status >= 0) return Directory(to_file(std::move(opened), path() / wide(name)));
  if (is_absent(status)) return std::nullopt;
  // A link to a file is no directory, either.
  if (const auto found = this->status(name); found && found->kind == FileKind::link) throw link_error(path_of(name));
  throw disk_error(to_error(status), "open the directory", path_of(name));
}

bool Directory::create_subdirectory(const std::string& name) const {
  OwnHandle made;
  const How how{directory_access, FILE_CREATE, FILE_DIRECTORY_FILE, MadeFor::user};
  const NTSTATUS status = open_at(handle_of(handle_), name, how, made);
  if (status == object_name_collision) return false;
  if (status < 0) throw disk_error(to_error(status), "make the directory", path_of(name));
  return true;
}

std::optional<File> Directory::open_file(const std::string& name, OpenMode mode) const {
  OwnHandle opened;
  bool is_link = false;
  NTSTATUS status = open_no_link(handle_of(handle_), name, how_to_open(mode), opened, is_link);
  // A file that is being deleted keeps its name until all have closed it, on older systems.
  if (mode == OpenMode::create && status == delete_pending)
    status = patiently([&] {
      const NTSTATUS again = open_no_link(handle_of(handle_), name, how_to_open(mode), opened, is_link);
      return again == delete_pending ? access_denied : again;
    });
  if (is_link) throw link_error(path_of(name));
  if (status >= 0) return to_file(std::move(opened), path() / wide(name));
  if (is_absent(status) && mode != OpenMode::create) return std::nullopt;
  throw disk_error(to_error(status), "open", path_of(name));
}

File Directory::new_file(const std::string& name, std::filesystem::path path, MadeFor whom) const {
  OwnHandle made;
  const How how{GENERIC_READ | GENERIC_WRITE, FILE_CREATE, FILE_NON_DIRECTORY_FILE, whom};
  const NTSTATUS status = open_at(handle_of(handle_), name, how, made);
  if (status < 0) throw disk_error(to_error(status), "create", printable(path.string(), 4096));
  return to_file(std::move(made), std::move(path));
}

/// Windows has files that go with their handle, but none of these can get a name.
File Directory::unnamed_file(std::filesystem::path, MadeFor) const {
  return {};
}

void Directory::give_name(const File& file, const std::string&) const {
  throw disk_error(make_error_code(std::errc::not_supported), "give a name to", printable(file.path().string(), 4096));
}

std::optional<FileStatus> Directory::status(const std::string& name) const {
  OwnHandle opened;
  bool is_link = false;
  const NTSTATUS status = open_no_link(handle_of(handle_), name, How(), opened, is_link);
  if (is_absent(status)) return std::nullopt;
  if (status < 0) throw disk_error(to_error(status), "look at", path_of(name));
  const auto result = windows::status_of(opened.get());
  if (!result) throw disk_error(last_error(), "look at", path_of(name));
  return result;
}

std::error_code Directory::try_rename(const std::string& name, const Directory& target,
                                      const std::string& new_name) const noexcept {
  if (!is_possible_name(wide(new_name))) return to_error(object_name_invalid);
  OwnHandle opened;
  const How how{DELETE, FILE_OPEN, FILE_OPEN_REPARSE_POINT};
  NTSTATUS status = open_at(handle_of(handle_), name, how, opened);
  if (status >= 0) status = patiently([&] { return rename_open(opened.get(), handle_of(target.handle_), new_name); });
  return status >= 0 ? std::error_code() : to_error(status);
}

bool Directory::remove(const std::string& name) const {
  OwnHandle opened;
  const How how{DELETE | FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES, FILE_OPEN, FILE_OPEN_REPARSE_POINT};
  NTSTATUS status = open_at(handle_of(handle_), name, how, opened);
  if (is_absent(status)) return false;
  if (status >= 0) {
    const auto what = windows::status_of(opened.get());
    if (what && what->kind == FileKind::directory)
      if (const auto inside = subdirectory(name))
        for (const std::string& each : inside->names()) (void)inside->remove(each);
    status = patiently([&] { return delete_open(opened.get(), handle_of(handle_)); });
  }
  if (status < 0) throw disk_error(to_error(status), "delete", path_of(name));
  return true;
}

void Directory::touch(const std::string& name) const noexcept {
  OwnHandle opened;
  const How how{FILE_WRITE_ATTRIBUTES, FILE_OPEN, FILE_OPEN_REPARSE_POINT};
  if (open_at(handle_of(handle_), name, how, opened) < 0) return;
  FILETIME now{};
  ::GetSystemTimeAsFileTime(&now);
  (void)::SetFileTime(opened.get(), nullptr, nullptr, &now);
}

std::vector<std::string> Directory::names() const {
  // Opened anew, as who reads has a place in the list.
  OwnHandle list;
  const How how{directory_access, FILE_OPEN, FILE_DIRECTORY_FILE};
  if (const NTSTATUS status = open_at(handle_of(handle_), "", how, list); status < 0)
    throw disk_error(to_error(status), "read the directory", path().string());
  alignas(FILE_ID_BOTH_DIR_INFO) std::array<std::byte, 32 * 1024> buffer;
  std::vector<std::string> result;
  while (::GetFileInformationByHandleEx(list.get(), FileIdBothDirectoryInfo, buffer.data(), buffer.size()) != 0) {
    for (const std::byte* at = buffer.data();;) {
      const auto& entry = *reinterpret_cast<const FILE_ID_BOTH_DIR_INFO*>(at);
      const std::wstring_view name(entry.FileName, entry.FileNameLength / sizeof(wchar_t));
      if (name != L"." && name != L"..") result.push_back(narrow(name));
      if (entry.NextEntryOffset == 0) break;
      at += entry.NextEntryOffset;
    }
  }
  if (::GetLastError() != ERROR_NO_MORE_FILES) throw disk_error(last_error(), "read the directory", path().string());
  return result;
}

void Directory::lock() const noexcept {}  // Windows locks files alone

}  // namespace hawser
