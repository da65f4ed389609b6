#include <hawser/app/harden.hpp>

#include <csignal>
#include <cstdlib>
#include <string_view>

#include <sys/prctl.h>
#include <sys/resource.h>

namespace hawser {
namespace {

/// Overwrites a C string in place with a character that says what happened.
void wipe(char* text) noexcept {
  // Volatile, so that the writes are not optimised away.
  for (volatile char* at = text; *at != '\0'; ++at) *at = '*';
}

}  // namespace

void forbid_dumps() noexcept {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

void meet_limits() noexcept {
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &files);
}

void scrub_arguments(int argc, char** argv) noexcept {
  constexpr std::string_view option = "--password";
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--") return;
    if (argument == option && i + 1 < argc)
      wipe(argv[++i]);
    else if (argument.starts_with(option) && argument.size() > option.size() && argument[option.size()] == '=')
      wipe(argv[i] + option.size() + 1);
  }
}

std::optional<std::string> take_from_environment(const char* name) {
  char* value = std::getenv(name);
  if (value == nullptr) return std::nullopt;
  std::string copy = value;
  wipe(value);
  ::unsetenv(name);
  return copy;
}

}  // namespace hawser
