// Whole reads and writes by the wide calls of Windows, and who may use a file.
#include "util/platform/windows.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <array>
#include <codecvt>
#include <limits>
#include <locale>
#include <memory>
#include <vector>

#include <aclapi.h>
#include <sddl.h>
#include <winioctl.h>

/// In the place of std::codecvt<wchar_t, char, std::mbstate_t>::do_in(), by the linker's --wrap: with it libstdc++ 12
/// makes paths of narrow text, by the locale of the C library, which knows no UTF-8. hawser's text is UTF-8, and so is
/// what libstdc++ makes of paths.
extern "C" std::codecvt_base::result __wrap__ZNKSt7codecvtIwciE5do_inERiPKcS3_RS3_PwS5_RS5_(
    const void*, std::mbstate_t& state, const char* from, const char* from_end, const char*& from_next, wchar_t* to,
    wchar_t* to_end, wchar_t*& to_next) {
  static const std::codecvt_utf8_utf16<wchar_t> utf8;
  return utf8.in(state, from, from_end, from_next, to, to_end, to_next);
}

namespace hawser {

namespace windows {

std::wstring wide(std::string_view text) {
  if (text.empty()) return {};
  const int size = static_cast<int>(text.size());
  std::wstring result(text.size(), L'\0');  // never longer
  result.resize(static_cast<std::size_t>(::MultiByteToWideChar(CP_UTF8, 0, text.data(), size, result.data(), size)));
  return result;
}

std::string narrow(std::wstring_view text) {
  if (text.empty()) return {};
  const int size = static_cast<int>(text.size());
  std::string result(text.size() * 3, '\0');
  result.resize(static_cast<std::size_t>(::WideCharToMultiByte(CP_UTF8, 0, text.data(), size, result.data(),
                                                               static_cast<int>(result.size()), nullptr, nullptr)));
  return result;
}

std::wstring call_path(const std::filesystem::path& path) {
  constexpr std::size_t longest = 240;  // 12 less than MAX_PATH allows a directory
  const std::wstring& given = path.native();
  if (given.empty() || given.starts_with(LR"(\\?\)") || given.starts_with(LR"(\\.\)")) return given;
  const DWORD size = ::GetFullPathNameW(given.c_str(), 0, nullptr, nullptr);
  if (size <= longest) return given;
  std::wstring full(size, L'\0');
  full.resize(::GetFullPathNameW(given.c_str(), size, full.data(), nullptr));
  return full.starts_with(LR"(\\)") ? LR"(\\?\UNC)" + full.substr(1) : LR"(\\?\)" + full;
}

void fail(std::string_view action, const std::filesystem::path& path) {
  throw disk_error(last_error(), action, printable(path.string(), 4096));
}

namespace {

/// "D:P…": this user, the system and the administrators have full access, and nothing is inherited.
PSECURITY_DESCRIPTOR make_private_descriptor() noexcept {
  HANDLE token = nullptr;
  if (::OpenProcessToken(::GetCurrentProcess(), TOKEN_QUERY, &token) == 0) return nullptr;
  const OwnHandle closed(token);
  alignas(TOKEN_USER) std::array<std::byte, 256> user{};
  DWORD size = 0;
  LPWSTR name = nullptr;
  if (::GetTokenInformation(token, TokenUser, user.data(), static_cast<DWORD>(user.size()), &size) == 0 ||
      ::ConvertSidToStringSidW(reinterpret_cast<TOKEN_USER*>(user.data())->User.Sid, &name) == 0)
    return nullptr;
  const std::wstring text = L"D:P(A;OICI;FA;;;" + std::wstring(name) + L")(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)";
  ::LocalFree(name);
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  (void)::ConvertStringSecurityDescriptorToSecurityDescriptorW(text.c_str(), SDDL_REVISION_1, &descriptor, nullptr);
  return descriptor;
}

std::int64_t nanoseconds_of(const FILETIME& time) noexcept {
  constexpr std::int64_t to_1970 = 11'644'473'600, ticks = 10'000'000;  // FILETIME counts from 1601 by 100 ns
  const auto count =
      static_cast<std::int64_t>((std::uint64_t{time.dwHighDateTime} << 32 | time.dwLowDateTime) & INT64_MAX);
  return to_nanoseconds(count / ticks - to_1970, count % ticks * 100);
}

}  // namespace

PSECURITY_DESCRIPTOR descriptor_for(MadeFor whom) noexcept {
  if (whom == MadeFor::everyone) return nullptr;
  static const PSECURITY_DESCRIPTOR descriptor = make_private_descriptor();  // as long as the process lives
  return descriptor;
}

std::optional<FileStatus> status_of(HANDLE handle) noexcept {
  BY_HANDLE_FILE_INFORMATION about{};
  FileStatus result;
  if (::GetFileType(handle) != FILE_TYPE_DISK) return result;
  if (::GetFileInformationByHandle(handle, &about) == 0) return std::nullopt;
  result.kind = (about.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0 ? FileKind::directory : FileKind::regular;
  FILE_ATTRIBUTE_TAG_INFO tag{};
  // Other reparse points are files all the same: compressed ones, or such as a cloud keeps.
  if ((about.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0 &&
      ::GetFileInformationByHandleEx(handle, FileAttributeTagInfo, &tag, sizeof tag) != 0 &&
      IsReparseTagNameSurrogate(tag.ReparseTag))
    result.kind = FileKind::link;
  result.id = {about.dwVolumeSerialNumber, std::uint64_t{about.nFileIndexHigh} << 32 | about.nFileIndexLow};
  result.size = std::uint64_t{about.nFileSizeHigh} << 32 | about.nFileSizeLow;
  FILE_STANDARD_INFO standard{};
  if (::GetFileInformationByHandleEx(handle, FileStandardInfo, &standard, sizeof standard) != 0)
    result.allocated = static_cast<std::uint64_t>(standard.AllocationSize.QuadPart);
  result.modified = nanoseconds_of(about.ftLastWriteTime);
  result.accessed = nanoseconds_of(about.ftLastAccessTime);
  return result;
}

}  // namespace windows

using namespace windows;

namespace {

constexpr std::uint64_t largest_offset = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t largest_call = std::size_t{1} << 30;

OVERLAPPED at(std::uint64_t offset) noexcept {
  OVERLAPPED result{};
  result.Offset = static_cast<DWORD>(offset);
  result.OffsetHigh = static_cast<DWORD>(offset >> 32);
  return result;
}

void check_offset(std::uint64_t offset, std::string_view action, const std::filesystem::path& path) {
  if (offset <= largest_offset) return;
  ::SetLastError(ERROR_FILE_TOO_LARGE);
  fail(action, path);
}

DWORD part_of(std::size_t size) noexcept {
  return static_cast<DWORD>(std::min(size, largest_call));
}

HANDLE open_handle(const std::filesystem::path& path, DWORD access, DWORD disposition, DWORD flags = 0,
                   SECURITY_ATTRIBUTES* security = nullptr) {
  return ::CreateFileW(call_path(path).c_str(), access, share_all, security, disposition,
                       FILE_FLAG_BACKUP_SEMANTICS | flags, nullptr);
}

HANDLE open_file(const std::filesystem::path& path, OpenMode mode) {
  if (mode == OpenMode::read || mode == OpenMode::read_now) return open_handle(path, GENERIC_READ, OPEN_EXISTING);
  if (mode == OpenMode::read_write) return open_handle(path, GENERIC_READ | GENERIC_WRITE, OPEN_EXISTING);
  if (!is_possible_name(path.filename().native())) {
    ::SetLastError(ERROR_INVALID_NAME);
    return INVALID_HANDLE_VALUE;
  }
  SECURITY_ATTRIBUTES security{sizeof security, descriptor_for(MadeFor::user), FALSE};
  return open_handle(path, GENERIC_READ | GENERIC_WRITE, OPEN_ALWAYS, 0, &security);
}

/// The number of bytes that were read; 0 at the end of a file, or of a pipe whose writer is gone.
std::size_t read_once(HANDLE handle, std::span<std::byte> buffer, OVERLAPPED* where,
                      const std::filesystem::path& path) {
  DWORD got = 0;
  if (::ReadFile(handle, buffer.data(), part_of(buffer.size()), &got, where) != 0) return got;
  const DWORD error = ::GetLastError();
  if (error == ERROR_HANDLE_EOF || error == ERROR_BROKEN_PIPE) return 0;
  fail("read", path);
}

void write_whole(HANDLE handle, std::span<const std::byte> data, std::optional<std::uint64_t> offset,
                 const std::filesystem::path& path) {
  while (!data.empty()) {
    OVERLAPPED where = at(offset.value_or(0));
    DWORD put = 0;
    if (::WriteFile(handle, data.data(), part_of(data.size()), &put, offset ? &where : nullptr) == 0) {
      const DWORD error = ::GetLastError();
      if (error == ERROR_BROKEN_PIPE || error == ERROR_NO_DATA)
        throw Error(Errc::disk, "whoever read the output has stopped reading (broken pipe)",
                    "the program after the pipe ended early; see what it said");
      fail("write", path);
    }
    data = data.subspan(put);
    if (offset) *offset += put;
  }
}

}  // namespace

File::File(std::filesystem::path path, OpenMode mode) : path_(std::move(path)) {
  handle_ = to_file_handle(open_file(path_, mode));
  if (handle_ == no_handle) fail(mode == OpenMode::create ? "create" : "open", path_);
}

File File::unnamed(const std::filesystem::path& directory, std::filesystem::path path) {
  const std::filesystem::path name = directory / (".nameless." + random_hex(16) + ".partial");
  SECURITY_ATTRIBUTES security{sizeof security, descriptor_for(MadeFor::user), FALSE};
  const HANDLE handle = open_handle(name, GENERIC_READ | GENERIC_WRITE | DELETE, CREATE_NEW,
                                    FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE, &security);
  if (handle == INVALID_HANDLE_VALUE) fail("create", path);
  return adopt(to_file_handle(handle), std::move(path));
}

/// Windows keeps a temporary file that is soon gone in memory as long as it can.
File File::in_memory(std::filesystem::path path) {
  return unnamed(std::filesystem::temp_directory_path(), std::move(path));
}

namespace {

HANDLE duplicate_handle(HANDLE handle) noexcept {
  HANDLE copy = INVALID_HANDLE_VALUE;
  const HANDLE process = ::GetCurrentProcess();
  return ::DuplicateHandle(process, handle, process, &copy, 0, FALSE, DUPLICATE_SAME_ACCESS) != 0
             ? copy
             : INVALID_HANDLE_VALUE;
}

}  // namespace

File File::standard_output() {
  const HANDLE copy = duplicate_handle(::GetStdHandle(STD_OUTPUT_HANDLE));
  if (copy == INVALID_HANDLE_VALUE) fail("open", "standard output");
  return adopt(to_file_handle(copy), "standard output");
}

File File::duplicate() const {
  const HANDLE copy = duplicate_handle(handle_of(*this));
  if (copy == INVALID_HANDLE_VALUE) fail("open", path_);
  return adopt(to_file_handle(copy), path_);
}

File::~File() {
  if (handle_ != no_handle) ::CloseHandle(handle_of(*this));
}

FileStatus File::status() const {
  const auto status = windows::status_of(handle_of(*this));
  if (!status) fail("examine", path_);
  return *status;
}

std::size_t File::read_at(std::uint64_t offset, std::span<std::byte> buffer) const {
  std::size_t done = 0;
  while (done < buffer.size()) {
    check_offset(offset + done, "read", path_);
    OVERLAPPED where = at(offset + done);
    const std::size_t got = read_once(handle_of(*this), buffer.subspan(done), &where, path_);
    if (got == 0) break;
    done += got;
  }
  return done;
}

std::size_t File::read(std::span<std::byte> buffer) const {
  return read_once(handle_of(*this), buffer, nullptr, path_);
}

void File::write_at(std::uint64_t offset, std::span<const std::byte> data) const {
  check_offset(offset + data.size(), "write", path_);
  write_whole(handle_of(*this), data, offset, path_);
}

void File::write(std::span<const std::byte> data) const {
  write_whole(handle_of(*this), data, std::nullopt, path_);
}

void File::write_from(const File& source, std::uint64_t size) const {
  write_through_memory(source, 0, size);
}

void File::truncate(std::uint64_t size) const {
  check_offset(size, "resize", path_);
  DWORD ignored = 0;
  // So that what is not written yet takes no room, nor the time to write zeros. FAT can't, and does without.
  if (size > this->size())
    (void)::DeviceIoControl(handle_of(*this), FSCTL_SET_SPARSE, nullptr, 0, nullptr, 0, &ignored, nullptr);
  FILE_END_OF_FILE_INFO end{};
  end.EndOfFile.QuadPart = static_cast<LONGLONG>(size);
  if (::SetFileInformationByHandle(handle_of(*this), FileEndOfFileInfo, &end, sizeof end) == 0) fail("resize", path_);
}

void File::forget(std::uint64_t offset, std::uint64_t length) const {
  const HANDLE handle = handle_of(*this);
  FILE_ZERO_DATA_INFORMATION range{};
  range.FileOffset.QuadPart = static_cast<LONGLONG>(offset);
  range.BeyondFinalZero.QuadPart = static_cast<LONGLONG>(offset + length);
  DWORD ignored = 0;
  (void)::DeviceIoControl(handle, FSCTL_SET_SPARSE, nullptr, 0, nullptr, 0, &ignored, nullptr);
  if (::DeviceIoControl(handle, FSCTL_SET_ZERO_DATA, &range, sizeof range, nullptr, 0, &ignored, nullptr) != 0) return;
  // A file system without sparse files keeps the room, and gets its zeros as bytes.
  if (::GetLastError() != ERROR_NOT_SUPPORTED && ::GetLastError() != ERROR_INVALID_FUNCTION) fail("release", path_);
  const std::uint64_t end = std::min(offset + length, size());
  const std::vector<std::byte> zeros(static_cast<std::size_t>(std::min<std::uint64_t>(length, 1 << 20)));
  while (offset < end) {
    const auto part =
        std::span(zeros).first(static_cast<std::size_t>(std::min<std::uint64_t>(end - offset, zeros.size())));
    write_at(offset, part);
    offset += part.size();
  }
}

void File::sync() const {
  if (::FlushFileBuffers(handle_of(*this)) != 0) return;
  // Names are in the journal of NTFS; a directory, or what is open for reading alone, can't be flushed.
  if (::GetLastError() != ERROR_ACCESS_DENIED && ::GetLastError() != ERROR_INVALID_HANDLE) fail("flush", path_);
}

void File::start_writeback(std::uint64_t, std::uint64_t) const noexcept {}  // Windows begins by itself

void File::copy_from(const File& source, std::uint64_t source_offset, std::uint64_t offset,
                     std::uint64_t length) const {
  copy_through_memory(source, source_offset, offset, length);
}

void File::take_permissions_of(const std::filesystem::path& path) const {
  PACL list = nullptr;
  PSECURITY_DESCRIPTOR old = nullptr;
  std::wstring name = call_path(path);
  DWORD error = ::GetNamedSecurityInfoW(name.data(), SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, nullptr, nullptr, &list,
                                        nullptr, &old);
  if (error == ERROR_FILE_NOT_FOUND || error == ERROR_PATH_NOT_FOUND) return;
  const std::unique_ptr<void, decltype(&::LocalFree)> freed(old, &::LocalFree);
  SECURITY_DESCRIPTOR_CONTROL control = 0;
  DWORD revision = 0;
  if (error == ERROR_SUCCESS && ::GetSecurityDescriptorControl(old, &control, &revision) == 0) error = ::GetLastError();
  if (error == ERROR_SUCCESS) {
    const OwnHandle handle(::ReOpenFile(handle_of(*this), WRITE_DAC, share_all, 0));
    const DWORD inherits = (control & SE_DACL_PROTECTED) != 0 ? PROTECTED_DACL_SECURITY_INFORMATION
                                                              : UNPROTECTED_DACL_SECURITY_INFORMATION;
    error = handle ? ::SetSecurityInfo(handle.get(), SE_FILE_OBJECT, DACL_SECURITY_INFORMATION | inherits, nullptr,
                                       nullptr, list, nullptr)
                   : ::GetLastError();
  }
  if (error == ERROR_SUCCESS) return;
  ::SetLastError(error);
  fail("change", path);
}

void File::close() {
  if (handle_ == no_handle) return;
  if (::CloseHandle(reinterpret_cast<HANDLE>(std::exchange(handle_, no_handle))) == 0) fail("close", path_);
}

std::optional<FileStatus> status_at(const std::filesystem::path& path) noexcept {
  const OwnHandle handle(open_handle(path, FILE_READ_ATTRIBUTES, OPEN_EXISTING));
  return handle ? windows::status_of(handle.get()) : std::nullopt;
}

std::error_code check_access(const std::filesystem::path& path, Use use) noexcept {
  const DWORD wanted = use == Use::read ? GENERIC_READ : FILE_ADD_FILE | FILE_TRAVERSE;
  return OwnHandle(open_handle(path, wanted, OPEN_EXISTING)) ? std::error_code() : last_error();
}

std::error_code make_private_directory(const std::filesystem::path& path) noexcept {
  if (!is_possible_name(path.filename().native())) return {ERROR_INVALID_NAME, std::system_category()};
  SECURITY_ATTRIBUTES security{sizeof security, descriptor_for(MadeFor::user), FALSE};
  if (::CreateDirectoryW(call_path(path).c_str(), &security) != 0 || ::GetLastError() == ERROR_ALREADY_EXISTS)
    return {};
  return last_error();
}

std::optional<std::uint64_t> free_space(const std::filesystem::path& directory) {
  ULARGE_INTEGER available{}, all{};
  if (::GetDiskFreeSpaceExW(call_path(directory).c_str(), &available, &all, nullptr) == 0)
    fail("ask for the free space of", directory);
  if (all.QuadPart == 0) return std::nullopt;
  return available.QuadPart;
}

bool can_share_blocks(const std::filesystem::path&, const std::filesystem::path&) {
  return false;
}

}  // namespace hawser
