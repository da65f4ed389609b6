// Read from /proc: boot ID, process start times, the PID namespace.
#include "process_identity.hpp"

#include <hawser/util/text.hpp>

#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <fstream>
#include <iterator>
#include <sstream>
#include <vector>

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

}  // namespace hawser
