#include "util/platform/process.hpp"
#include "util/platform/windows.hpp"

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cwchar>
#include <map>
#include <thread>

#include <aclapi.h>
#include <fcntl.h>
#include <io.h>
#include <psapi.h>
#include <sddl.h>
#include <shellapi.h>

namespace hawser {

using namespace windows;

namespace {

UINT former_output = 0, former_input = 0;

/// The console is left as it was found.
void restore_console() noexcept {
  if (former_output != 0) ::SetConsoleOutputCP(former_output);
  if (former_input != 0) ::SetConsoleCP(former_input);
}

/// Ctrl-Break, and that the console is closed or the user logs off, are SIGTERM. After the latter two Windows ends the
/// process once this returns.
BOOL WINAPI on_console_event(DWORD event) {
  if (event == CTRL_C_EVENT) return FALSE;  // the C library makes it SIGINT
  std::raise(SIGTERM);
  if (event != CTRL_BREAK_EVENT) ::Sleep(INFINITE);
  return TRUE;
}

/// The owner may see that it runs, wait for it and end it (and not take back that this is all), the system and its
/// administrators all.
void forbid_reading_of_memory() noexcept {
  constexpr const wchar_t* access = L"D:P(A;;0x101001;;;OW)(A;;GA;;;SY)(A;;GA;;;BA)";
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  if (::ConvertStringSecurityDescriptorToSecurityDescriptorW(access, SDDL_REVISION_1, &descriptor, nullptr) == 0)
    return;
  (void)::SetKernelObjectSecurity(::GetCurrentProcess(), DACL_SECURITY_INFORMATION, descriptor);
  ::LocalFree(descriptor);
}

}  // namespace

void harden_process() noexcept {
  ::SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX | SEM_NOOPENFILEERRORBOX);  // no dialogs, no dumps
  ::SetDefaultDllDirectories(LOAD_LIBRARY_SEARCH_SYSTEM32);
  forbid_reading_of_memory();
  // All text is UTF-8, and an archive has no line ends.
  for (std::FILE* const stream : {stdin, stdout, stderr}) (void)::_setmode(::_fileno(stream), _O_BINARY);
  former_output = ::GetConsoleOutputCP();
  former_input = ::GetConsoleCP();
  ::SetConsoleOutputCP(CP_UTF8);
  ::SetConsoleCP(CP_UTF8);
  std::atexit(restore_console);
  ::SetConsoleCtrlHandler(on_console_event, TRUE);
}

std::uint32_t process_id() noexcept {
  return ::GetCurrentProcessId();
}

/// Windows has no number for the user, and nobody who may do everything.
std::uint32_t user_id() noexcept {
  return 1;
}

double cpu_seconds() noexcept {
  FILETIME made{}, ended{}, kernel{}, user{};
  if (::GetProcessTimes(::GetCurrentProcess(), &made, &ended, &kernel, &user) == 0) return 0;
  const auto seconds = [](const FILETIME& time) {
    return static_cast<double>(std::uint64_t{time.dwHighDateTime} << 32 | time.dwLowDateTime) / 1e7;
  };
  return seconds(kernel) + seconds(user);
}

std::uint64_t resident_bytes() noexcept {
  PROCESS_MEMORY_COUNTERS counters{};
  return ::GetProcessMemoryInfo(::GetCurrentProcess(), &counters, sizeof counters) != 0 ? counters.WorkingSetSize : 0;
}

char** program_arguments(int& argc, char**) {
  static std::vector<std::string> arguments;
  static std::vector<char*> pointers;
  int count = 0;
  wchar_t** const given = ::CommandLineToArgvW(::GetCommandLineW(), &count);
  for (int i = 0; given != nullptr && i < count; ++i) arguments.push_back(narrow(given[i]));
  ::LocalFree(given);
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  argc = static_cast<int>(arguments.size());
  return pointers.data();
}

namespace {

/// What environment_variable() has given out.
std::map<std::string, std::string>& variables() {
  static std::map<std::string, std::string> all;
  return all;
}

void wipe_command_line(const std::wstring& text) noexcept {
  const std::size_t length = text.size();
  if (length == 0) return;
  wchar_t* at = ::GetCommandLineW();
  while ((at = std::wcsstr(at, text.c_str())) != nullptr)
    for (std::size_t i = 0; i < length; ++i) *const_cast<volatile wchar_t*>(at++) = L'*';
}

}  // namespace

const char* environment_variable(const char* name) {
  const std::wstring wide_name = wide(name);
  std::wstring value(32 * 1024, L'\0');
  ::SetLastError(ERROR_SUCCESS);
  const DWORD size = ::GetEnvironmentVariableW(wide_name.c_str(), value.data(), static_cast<DWORD>(value.size()));
  if (size == 0 && ::GetLastError() == ERROR_ENVVAR_NOT_FOUND) return nullptr;
  std::string& kept = variables()[name];
  kept = narrow(std::wstring_view(value).substr(0, size));
  return kept.c_str();
}

void wipe(char* text) noexcept {
  wipe_command_line(wide(text));
  // Volatile, so that the writes are not optimised away.
  for (volatile char* at = text; *at != '\0'; ++at) *at = '*';
}

void wipe_variable(const char* name) noexcept {
  for (char* const value : {std::getenv(name), variables()[name].data()})
    for (volatile char* at = value; at != nullptr && *at != '\0'; ++at) *at = '*';
  (void)::_putenv_s(name, "");
  (void)::SetEnvironmentVariableW(wide(name).c_str(), nullptr);
}

void exit_at_once(int code) noexcept {
  restore_console();
  ::TerminateProcess(::GetCurrentProcess(), static_cast<UINT>(code));
  std::abort();  // never reached
}

/// Ctrl-C, and what on_console_event() makes of others.
std::vector<int> stop_signals() {
  return {SIGINT, SIGTERM};
}

std::vector<int> terminal_signals() {
  return {};
}

struct HelperProcess::System {
  OwnHandle process, job, input, output;
  std::error_code error;
};

namespace {

/// Where PATH leads to it; no directory that is not absolute is looked into, and none but those of PATH. Scripts, which
/// would need a shell, are none.
std::wstring find_program(const std::string& program) {
  if (!is_possible_name(wide(program)) || program.find_first_of("/\\") != std::string::npos) return {};
  std::wstring all(32 * 1024, L'\0');
  all.resize(::GetEnvironmentVariableW(L"PATH", all.data(), static_cast<DWORD>(all.size())));
  for (std::wstring_view rest = all; !rest.empty();) {
    const std::size_t end = std::min(rest.find(L';'), rest.size());
    std::wstring directory(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    std::erase(directory, L'"');
    if (!std::filesystem::path(directory).is_absolute()) continue;
    std::wstring file = directory + L"\\" + wide(program) + L".exe";
    const DWORD attributes = ::GetFileAttributesW(file.c_str());
    if (attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) == 0) return file;
  }
  return {};
}

struct Pipe {
  OwnHandle reading, writing;
};

/// One end of which child processes inherit.
bool open_pipe(Pipe& pipe, bool child_reads) noexcept {
  SECURITY_ATTRIBUTES inherited{sizeof inherited, nullptr, TRUE};
  HANDLE reading = nullptr, writing = nullptr;
  constexpr DWORD room = 128 * 1024;  // more than a helper is told, so that nobody waits for it to read
  if (::CreatePipe(&reading, &writing, &inherited, room) == 0) return false;
  pipe.reading = OwnHandle(reading);
  pipe.writing = OwnHandle(writing);
  return ::SetHandleInformation(child_reads ? writing : reading, HANDLE_FLAG_INHERIT, 0) != 0;
}

/// A job whose processes end with it: helpers start others.
OwnHandle make_job() noexcept {
  OwnHandle job(::CreateJobObjectW(nullptr, nullptr));
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits{};
  limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
  if (job) ::SetInformationJobObject(job.get(), JobObjectExtendedLimitInformation, &limits, sizeof limits);
  return job;
}

/// Starts `file` with these three and no other handle of ours, and without a console window.
OwnHandle start(const std::wstring& file, const std::string& argument, std::array<HANDLE, 3> streams, HANDLE job) {
  STARTUPINFOEXW startup{};
  startup.StartupInfo.cb = sizeof startup;
  startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
  startup.StartupInfo.hStdInput = streams[0];
  startup.StartupInfo.hStdOutput = streams[1];
  startup.StartupInfo.hStdError = streams[2];
  SIZE_T size = 0;
  ::InitializeProcThreadAttributeList(nullptr, 1, 0, &size);
  std::vector<std::byte> memory(size);
  startup.lpAttributeList = reinterpret_cast<LPPROC_THREAD_ATTRIBUTE_LIST>(memory.data());
  if (::InitializeProcThreadAttributeList(startup.lpAttributeList, 1, 0, &size) == 0) return {};
  std::wstring command = L"\"" + file + L"\" " + wide(argument);
  PROCESS_INFORMATION started{};
  if (::UpdateProcThreadAttribute(startup.lpAttributeList, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, streams.data(),
                                  sizeof streams, nullptr, nullptr) == 0 ||
      ::CreateProcessW(file.c_str(), command.data(), nullptr, nullptr, TRUE,
                       CREATE_NO_WINDOW | CREATE_SUSPENDED | EXTENDED_STARTUPINFO_PRESENT, nullptr, nullptr,
                       &startup.StartupInfo, &started) == 0)
    started.hProcess = nullptr;
  const DWORD error = ::GetLastError();
  ::DeleteProcThreadAttributeList(startup.lpAttributeList);
  if (started.hProcess != nullptr) {
    if (job != nullptr) (void)::AssignProcessToJobObject(job, started.hProcess);
    ::ResumeThread(started.hThread);
    ::CloseHandle(started.hThread);
  }
  ::SetLastError(error);
  return OwnHandle(started.hProcess);
}

}  // namespace

HelperProcess::HelperProcess(const std::string& program, const std::string& argument)
    : system_(std::make_unique<System>()) {
  const std::wstring file = find_program(program);
  if (file.empty()) {
    system_->error = make_error_code(std::errc::no_such_file_or_directory);
    return;
  }
  Pipe input, output;
  SECURITY_ATTRIBUTES inherited{sizeof inherited, nullptr, TRUE};
  const OwnHandle nobody(
      ::CreateFileW(L"NUL", GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, &inherited, OPEN_EXISTING, 0, nullptr));
  system_->job = make_job();
  if (nobody && open_pipe(input, true) && open_pipe(output, false))
    system_->process =
        start(file, argument, {input.reading.get(), output.writing.get(), nobody.get()}, system_->job.get());
  if (!system_->process) system_->error = last_error();
  system_->input = std::move(input.writing);
  system_->output = std::move(output.reading);
}

HelperProcess::~HelperProcess() {
  if (system_->process && ::WaitForSingleObject(system_->process.get(), 0) != WAIT_OBJECT_0)
    ::TerminateProcess(system_->process.get(), 1);
}

std::error_code HelperProcess::error() const noexcept {
  return system_->error;
}

void HelperProcess::write(std::string_view text) const noexcept {
  DWORD written = 0;
  (void)::WriteFile(system_->input.get(), text.data(), static_cast<DWORD>(text.size()), &written, nullptr);
  system_->input = OwnHandle();
}

HelperProcess::Reading HelperProcess::read(std::string& answer, std::size_t limit, Deadline deadline) const {
  std::array<char, 4096> chunk;
  for (;;) {
    DWORD there = 0, got = 0;
    // A broken pipe is the end: a wait for it would know no deadline.
    if (::PeekNamedPipe(system_->output.get(), nullptr, 0, nullptr, &there, nullptr) == 0) return Reading::complete;
    if (there == 0) {
      if (std::chrono::steady_clock::now() > deadline) return Reading::too_late;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      continue;
    }
    if (::ReadFile(system_->output.get(), chunk.data(), static_cast<DWORD>(chunk.size()), &got, nullptr) == 0)
      return Reading::complete;
    answer.append(chunk.data(), got);
    if (answer.size() > limit) return Reading::too_long;
  }
}

HelperProcess::Ending HelperProcess::wait(Deadline deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
  if (::WaitForSingleObject(system_->process.get(), left > 0 ? static_cast<DWORD>(left) : 0) != WAIT_OBJECT_0)
    return Ending::too_late;
  DWORD code = 1;
  ::GetExitCodeProcess(system_->process.get(), &code);
  return code == 0 ? Ending::success : Ending::failure;
}

}  // namespace hawser
