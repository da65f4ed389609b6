// measure: runs a command in a network namespace and prints wall time, CPU time
// and peak memory as JSON on descriptor 3. It exists because the peak that the
// kernel reports for a child includes what its parent held when it forked: a
// parent of a megabyte measures truer than an interpreter.
#include <chrono>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr int kReport = 3;
constexpr int kCannotRun = 127;

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

bool enter_namespace(const char* path) {
  const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
  return descriptor >= 0 && setns(descriptor, CLONE_NEWNET) == 0;
}

[[noreturn]] void run(char** command) {
  close(kReport);
  execvp(command[0], command);
  std::perror(command[0]);
  _exit(kCannotRun);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fputs("usage: measure NETNS|- COMMAND [ARGUMENT...] 3>REPORT\n", stderr);
    return 2;
  }
  if (std::strcmp(argv[1], "-") != 0 && !enter_namespace(argv[1])) {
    std::perror(argv[1]);
    return 1;
  }
  const auto start = std::chrono::steady_clock::now();
  const pid_t child = fork();
  if (child < 0) {
    std::perror("fork");
    return 1;
  }
  if (child == 0) run(argv + 2);
  int status = 0;
  rusage usage{};
  if (wait4(child, &status, 0, &usage) < 0) {
    std::perror("wait4");
    return 1;
  }
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
  const int exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  dprintf(kReport, "{\"wall\":%.6f,\"user\":%.6f,\"system\":%.6f,\"peak_kib\":%ld,\"exit\":%d}\n", wall.count(),
          seconds(usage.ru_utime), seconds(usage.ru_stime), usage.ru_maxrss, exit_code);
  return 0;
}
