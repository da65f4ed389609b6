"""What differs between systems is in src/util/platform: looks for it everywhere else, and shows that it is found."""
import errno
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "src/util/platform"

HEADERS = (
    r"sys/.*|linux/.*|mach/.*|net/\w+\.h|netinet/.*|arpa/.*|"
    r"(aio|cerrno|dirent|dlfcn|errno|fcntl|fnmatch|glob|grp|ifaddrs|libproc|netdb|poll|pthread|pty|pwd|sched|"
    r"signal|spawn|strings|syslog|termios|unistd|utime|wordexp|mqueue|semaphore\.h|execinfo|getopt|langinfo|malloc|resolv|"
    r"boost/asio/posix/.*|boost/process.*|asm/.*|Security/.*|TargetConditionals|"
    r"direct|fileapi|io|iphlpapi|shlobj|shlwapi|winbase|wincrypt|windows|winhttp|winsock2|ws2tcpip)(\.h)?"
)
# Calls that need no "::" to be meant. What the standard library has, such as remove() and time(), is not among them.
CALLS = (
    "chmod|chown|closedir|dup2?|fchmod|fcntl|fork|fsync|ftruncate|getaddrinfo|getegid|getenv_s|geteuid|getpid|"
    "getppid|getuid|gmtime_r|ioctl|isatty|kill|localtime_r|lseek|lstat|mkdir|mmap|munmap|opendir|pipe2?|poll|pread|"
    "pwrite|readdir|readlink|recv|setenv|setsockopt|getsockopt|sigaction|strptime|symlink|sysconf|tcsetattr|timegm|"
    "umask|unlink|unsetenv|usleep|waitpid|CreateFile[AW]?|GetLastError|CloseHandle"
)
SIGNS = {
    "a header of a system": rf"^\s*#\s*(include|import|if.*__has_include\()\s*[<\"]({HEADERS})[>\"]",
    "a macro of a system": r"\b(__linux__|__linux|__APPLE__|__MACH__|__unix__|_WIN32|_WIN64|WIN32|__MINGW\w+|BOOST_OS_\w+|__GLIBC__|__FreeBSD__|_POSIX_\w+)\b",
    "a flag of open(2)": r"\b[OF]_[A-Z]+\b",
    "a type of POSIX": r"\b(struct\s+stat|struct\s+flock|struct\s+timespec|pollfd|sockaddr\w*|mode_t|off_t|pid_t|uid_t|gid_t|ssize_t|socklen_t)\b",
    "a type of Windows": r"\b(HANDLE|DWORD|LPC?W?STR|BOOL|SOCKET)\b",
    "an error number": rf"\b(errno|{'|'.join(errno.errorcode.values())})\b",
    "a signal that C does not have": r"\bSIG(?!INT\b|TERM\b|_)[A-Z0-9]+\b",
    "a constant of POSIX": r"\b(MSG|POLL|AF|PF|SO|SOL|IPPROTO|PROT|MAP|LOCK)_?[A-Z_]+\b(?<!SOURCE)|\bS_I[A-Z]+\b",
    "a standard descriptor": r"\bSTD(IN|OUT|ERR)_FILENO\b",
    "a call of the system": r"(?<![\w>:])::(?!hawser\b|std\b|boost\b|archive_)[A-Za-z_]\w*|"
    rf"(?<![\w.>:])({CALLS})\s*\(",
}
# What says nothing about a system where it stands.
NOTHING = re.compile(r'//.*$|(?<![0-9a-fA-F])\'(?:[^\'\\\n]|\\.)+\'|R"\w*\((?:.|\n)*?\)\w*"|"(?:[^"\\\n]|\\.)*"', re.MULTILINE)


def signs_in(text):
    """[(line number, what it is), ...]"""
    found = []
    code = NOTHING.sub(lambda match: "\n" * match.group().count("\n"), text)
    for number, (line, whole) in enumerate(zip(code.split("\n"), text.split("\n"), strict=True), 1):
        searched = {what: line for what in SIGNS} | {"a header of a system": whole}  # which may stand in quotes
        found += [(number, what) for what, pattern in SIGNS.items() if re.search(pattern, searched[what])]
    return found


class PlatformCode(unittest.TestCase):
    def test_is_in_its_folder_alone(self):
        files = [file for place in ("src", "include") for file in (ROOT / place).rglob("*.?pp")]
        self.assertGreater(len(files), 100)
        for file in files:
            if FOLDER in file.parents:
                continue
            for number, what in signs_in(file.read_text()):
                self.fail(f"{file.relative_to(ROOT)}:{number} has {what}: it belongs into {FOLDER.relative_to(ROOT)}")

    def test_would_be_found(self):
        examples = {
            "a header of a system": ["#include <unistd.h>", "#include <sys/stat.h>", "# include <windows.h>", "#include <cerrno>",
                                     '#include "unistd.h"', "#if __has_include(<poll.h>)"],
            "a macro of a system": ["#ifdef __linux__", "#if defined(_WIN32)"],
            "a flag of open(2)": ["open(path, O_RDONLY)", "fcntl(fd, F_GETFD)"],
            "a type of POSIX": ["struct stat status {};", "mode_t mode", "ssize_t n"],
            "a type of Windows": ["HANDLE handle;"],
            "an error number": ["if (errno != 0)", "error == ENOENT"],
            "a signal that C does not have": ["signals.add(SIGHUP);"],
            "a standard descriptor": ["write(STDERR_FILENO, text)"],
            "a call of the system": ["if (::fsync(fd) != 0)", "return ::getpid();", "run(::close, fd);",
                                     "::CreateFileW(", "setsockopt(s, 1, 2)", "if (c == '\"') ::fsync(fd); if (d == '\"') x();"],
            "a constant of POSIX": ["send(MSG_NOSIGNAL)", "wait(POLLIN)", "S_ISREG(mode)"],
        }
        self.assertEqual(set(examples), set(SIGNS))
        for what, lines in examples.items():
            for line in lines:
                self.assertIn((2, what), signs_in("int x;\n" + line), line)

    def test_is_found_in_its_folder(self):
        self.assertTrue(signs_in((FOLDER / "file_posix.cpp").read_text()))

    def test_passes_over_words_and_the_library(self):
        for line in (
            "// errno, <unistd.h>, O_TMPFILE and ::fsync()",
            'throw Error("see errno, SIGHUP and ENOENT");',
            "std::signal(SIGINT, SIG_IGN);",
            "archive_errno(reader);",
            "Directory::open(path); a->open(); hawser::open(x);",
            '#include "util/platform/file.hpp"',
            'R"(the O_RDONLY of\n errno)"',
        ):
            self.assertEqual(signs_in(line), [], line)


if __name__ == "__main__":
    unittest.main()
