// Read from /proc: boot ID, process start times, the PID namespace.
#include "store/lock_file.hpp"

#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <fstream>
#include <iterator>
#include <sstream>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace hawser {
namespace {

std::string read_proc(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::string boot_text() {
  std::string text = read_proc("/proc/sys/kernel/random/boot_id");
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

// Field 22 of /proc/<pid>/stat (proc(5)); 0 where there is no such process.
std::uint64_t start_time_of(pid_t pid) {
  const std::string text = read_proc("/proc/" + std::to_string(pid) + "/stat");
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(text.substr(name_end + 1));
  std::string field;
  for (int number = 3; number <= 22; ++number) fields >> field;
  return parse_whole<std::uint64_t>(field).value_or(0);
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

std::string own_pid_namespace() {
  std::array<char, 64> target{};
  const ssize_t length = ::readlink("/proc/self/ns/pid", target.data(), target.size());
  return length > 0 ? std::string(target.data(), static_cast<std::size_t>(length)) : "";
}

}  // namespace

const BootId& current_boot() {
  static const BootId boot = parse_boot_id(boot_text());
  return boot;
}

BootId parse_boot_id(std::string_view text) {
  if (text.size() != 36) return unknown_boot;
  BootId result{};
  std::size_t digits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (text[i] != '-') return unknown_boot;
      continue;
    }
    unsigned value = 0;
    if (!std::isxdigit(static_cast<unsigned char>(text[i]))) return unknown_boot;
    std::from_chars(&text[i], &text[i] + 1, value, 16);
    result[digits / 2] = static_cast<std::uint8_t>((result[digits / 2] << 4U) | value);
    ++digits;
  }
  return result;
}

ProcessIdentity ProcessIdentity::self() {
  const pid_t pid = ::getpid();
  return {host_name(), boot_text(), own_pid_namespace(), pid, start_time_of(pid)};
}

std::string ProcessIdentity::encode() const {
  return "host " + host + "\nboot " + boot + "\npid_namespace " + pid_namespace + "\npid " + std::to_string(pid) +
         "\nstart_time " + std::to_string(start_time) + "\n";
}

std::optional<ProcessIdentity> ProcessIdentity::parse(std::string_view text) {
  std::vector<std::string_view> values;
  for (const std::string_view key : {"host ", "boot ", "pid_namespace ", "pid ", "start_time "}) {
    const std::size_t line_end = text.find('\n');
    if (!text.starts_with(key) || line_end == std::string_view::npos) return std::nullopt;
    values.push_back(text.substr(key.size(), line_end - key.size()));
    text.remove_prefix(line_end + 1);
  }
  const auto pid = parse_whole<pid_t>(values[3]);
  const auto start_time = parse_whole<std::uint64_t>(values[4]);
  if (!text.empty() || !pid || !start_time || *pid <= 0) return std::nullopt;
  return ProcessIdentity{std::string(values[0]), std::string(values[1]), std::string(values[2]), *pid, *start_time};
}

Liveness liveness(const ProcessIdentity& process) {
  const ProcessIdentity self = ProcessIdentity::self();
  if (process.host != self.host) return Liveness::unknown;
  // Another boot may be an earlier one of this machine, or another machine of the same name.
  if (process.boot != self.boot || parse_boot_id(self.boot) == unknown_boot) return Liveness::unknown;
  if (process.pid_namespace != self.pid_namespace || self.pid_namespace.empty()) return Liveness::unknown;
  if (::kill(process.pid, 0) != 0 && errno == ESRCH) return Liveness::dead;
  const std::uint64_t start_time = start_time_of(process.pid);
  if (start_time == 0 || process.start_time == 0) return Liveness::unknown;
  return start_time == process.start_time ? Liveness::alive : Liveness::dead;
}

namespace {

constexpr std::size_t max_owner_size = 4096;

std::optional<File> make_owner_file(const Directory& directory, const std::string& name) {
  auto file = directory.open_file(name, O_RDWR | O_CREAT | O_EXCL);
  if (!file) return file;
  try {
    file->write(as_bytes(ProcessIdentity::self().encode()));
  } catch (const Error&) {
    directory.remove(name);
    throw;
  }
  return file;
}

// `now` is by the clock of the filesystem, which need not be ours.
bool is_stale(const Directory& directory, const std::string& name, std::int64_t now,
              std::chrono::milliseconds stale_after) {
  const auto status = directory.status(name);
  if (!status) return false;
  const auto owner = ProcessIdentity::parse(directory.read(name, max_owner_size).value_or(""));
  switch (owner ? liveness(*owner) : Liveness::unknown) {
    case Liveness::alive:
      return false;
    case Liveness::dead:
      return true;
    case Liveness::unknown:
      break;
  }
  return now - modification_time(*status) > std::chrono::nanoseconds(stale_after).count();
}

}  // namespace

std::string owner_file_name(const std::string& name) {
  return name + ".owner";
}

std::optional<File> acquire_owner_file(const Directory& directory, const std::string& name,
                                       std::chrono::milliseconds stale_after) {
  const std::string owner_name = owner_file_name(name);
  if (auto file = make_owner_file(directory, owner_name)) return file;

  // Only who holds the guard may remove an owner file that is not its own. A guard left by a process that died in
  // these few lines is removed by the next comer, who then has to come again.
  const std::string guard_name = name + ".guard";
  const auto guard = directory.open_file(guard_name, O_RDWR | O_CREAT | O_EXCL);
  if (!guard) {
    const File clock = directory.create_temporary();
    const auto now = modification_time(status_of(clock));
    directory.remove(clock.path().filename().string());
    if (is_stale(directory, guard_name, now, stale_after)) directory.remove(guard_name);
    return std::nullopt;
  }
  // Who was suspended for long may find another's guard in its place.
  const auto give_up_guard = [&] {
    if (directory.holds(guard_name, *guard)) directory.remove(guard_name);
  };
  std::optional<File> file;
  try {
    if (is_stale(directory, owner_name, modification_time(status_of(*guard)), stale_after)) {
      directory.remove(owner_name);
      file = make_owner_file(directory, owner_name);
    }
  } catch (const Error&) {
    give_up_guard();
    throw;
  }
  give_up_guard();
  return file;
}

namespace {

constexpr std::chrono::seconds heartbeat_interval{5};
constexpr int max_attempts = 100;

bool is_refused_by_filesystem(int error) {
  return error == ENOLCK || error == EOPNOTSUPP || error == EINVAL || error == ENOSYS;
}

int set_lock(int fd, int type) {
  struct flock lock {};
  lock.l_type = static_cast<short>(type);
  lock.l_whence = SEEK_SET;
  return ::fcntl(fd, F_OFD_SETLK, &lock) == 0 ? 0 : errno;
}

}  // namespace

int lock_whole_file(int fd) {
  return set_lock(fd, F_WRLCK);
}

void mark_in_use(const File& file) noexcept {
  (void)set_lock(file.fd(), F_RDLCK);
}

bool is_in_use(const File& file) noexcept {
  const int error = set_lock(file.fd(), F_WRLCK);
  if (error == 0) (void)set_lock(file.fd(), F_UNLCK);
  return error == EAGAIN || error == EACCES;
}

LockFile::LockFile(Directory directory, std::string name, File file, bool is_owner_file)
    : directory_(std::move(directory)),
      name_(std::move(name)),
      file_(std::move(file)),
      is_owner_file_(is_owner_file),
      last_heartbeat_(std::chrono::steady_clock::now()) {}

LockFile::~LockFile() {
  release();
}

std::optional<LockFile> LockFile::try_acquire(Directory directory, const std::string& name,
                                              const LockSettings& settings) {
  const std::string lock_name = name + ".lock";
  for (int attempt = 0; attempt < max_attempts; ++attempt) {
    auto file = directory.open_file(lock_name, O_RDWR | O_CREAT);
    if (!file) continue;
    const int error = settings.lock(file->fd());
    if (error == EAGAIN || error == EACCES) return std::nullopt;
    if (is_refused_by_filesystem(error)) {
      auto owner = acquire_owner_file(directory, name, settings.stale_after);
      if (!owner) return std::nullopt;
      return LockFile(std::move(directory), owner_file_name(name), std::move(*owner), true);
    }
    if (error != 0) throw disk_error(error, "lock", directory.path_of(lock_name));
    // The holder before may have removed the file between our opening and our locking of it.
    if (directory.holds(lock_name, *file)) return LockFile(std::move(directory), lock_name, std::move(*file), false);
  }
  return std::nullopt;
}

bool LockFile::is_in_place() const {
  return file_ && directory_.holds(name_, file_);
}

void LockFile::heartbeat() noexcept {
  if (!is_owner_file_ || !file_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - last_heartbeat_ < heartbeat_interval) return;
  last_heartbeat_ = now;
  (void)::futimens(file_.fd(), nullptr);
}

void LockFile::release() noexcept {
  if (!file_) return;
  try {
    // While the lock is held: nobody else may take the name's file away or put another there.
    if (is_in_place()) directory_.remove(name_);
  } catch (const Error&) {
    // A file that stays is harmless: what counts is the lock, or for an owner file that its process ends.
  }
  file_ = File();
}

}  // namespace hawser
