#include "archive/output_file.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <cerrno>
#include <vector>

#include <poll.h>
#include <sys/sendfile.h>
#include <unistd.h>

namespace hawser {
namespace fs = std::filesystem;
namespace {

constexpr const char* stream_hint = "use --output - and redirect to write into a pipe or device";
constexpr int max_links = 40;  // as many as the kernel follows
constexpr std::size_t step = 1 << 20;

fs::file_status status_of(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::none) throw disk_error(error.value(), "look at", path.native());
  return status;
}

/// Whether `directory` lies in /proc, where names are of what processes have open.
bool is_of_processes(const fs::path& directory) {
  std::error_code error;
  const fs::path real = fs::canonical(directory, error);
  return !error && (real.native() + "/").starts_with("/proc/");
}

/// Waits where `error` says to try again, throws otherwise.
void wait_or_throw(const File& output, int error) {
  if (error == EINTR) return;
  if (error == EPIPE || error == ECONNRESET)
    throw Error(Errc::disk, "whoever read the output has stopped reading (broken pipe)",
                "the program after the pipe ended early; see what it said");
  if (error != EAGAIN) throw disk_error(error, "write", output.path().native());
  pollfd wait{output.fd(), POLLOUT, 0};
  ::poll(&wait, 1, -1);
}

/// Copies through memory from `offset` on, where the kernel can't do it alone.
void copy_through_memory(const File& output, const File& source, std::uint64_t offset, std::uint64_t size) {
  std::vector<std::byte> buffer(step);
  while (offset < size) {
    const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), size - offset));
    const std::size_t count = source.read_at(offset, std::span(buffer).first(wanted));
    if (count == 0) throw Error(Errc::size_mismatch, source.path().native() + " has become shorter");
    write_stream(output, std::span(buffer).first(count));
    offset += count;
  }
}

}  // namespace

fs::path resolved_output(fs::path path) {
  std::error_code error;
  for (int depth = 0; path.has_filename() && fs::is_symlink(fs::symlink_status(path, error)); ++depth) {
    if (depth == max_links) throw disk_error(ELOOP, "write", path.native());
    if (is_of_processes(directory_of(path)))
      throw Error(Errc::disk, "cannot write " + path.native() + ": it stands for a file that is open already",
                  stream_hint);
    const fs::path target = fs::read_symlink(path, error);
    if (error) throw disk_error(error.value(), "look at", path.native());
    path = target.is_absolute() ? target : directory_of(path) / target;
  }
  return path;
}

fs::path check_output(const fs::path& path) {
  const auto refuse = [&] [[noreturn]] (const std::string& reason, const std::string& hint = {}) {
    throw Error(Errc::disk, "cannot write " + path.native() + ": " + reason, hint);
  };
  if (!path.has_filename()) throw Error(Errc::disk, "cannot write \"" + path.native() + "\": it names no file");
  const fs::path directory = directory_of(path);
  const fs::file_status parent = status_of(directory);
  if (!fs::exists(parent)) refuse("there is no directory " + directory.native(), "create it with mkdir -p");
  if (!fs::is_directory(parent)) refuse(directory.native() + " is not a directory");
  std::error_code ignored;
  const fs::file_status status = fs::symlink_status(path, ignored);
  if (fs::is_directory(status)) refuse("it is a directory", "name a file in it with --output");
  if (fs::exists(status) && !fs::is_regular_file(status) && !fs::is_symlink(status))
    refuse("it is not a regular file", stream_hint);
  if (::access(directory.c_str(), W_OK | X_OK) != 0) throw disk_error(errno, "write into", directory.native());
  return path;
}

fs::path real_path(const fs::path& path) {
  std::error_code error;
  // With a name at its end "x/" and "x/." are "x".
  const fs::path absolute = fs::absolute(path / "name");
  fs::path real = fs::weakly_canonical(absolute, error);
  if (error) real = absolute.lexically_normal();
  return real.parent_path();
}

bool is_within(const fs::path& path, const fs::path& directory) {
  return std::ranges::mismatch(directory, path).in1 == directory.end();
}

void write_stream(const File& output, std::span<const std::byte> data) {
  while (!data.empty()) {
    const ssize_t count = ::write(output.fd(), data.data(), data.size());
    if (count < 0)
      wait_or_throw(output, errno);
    else
      data = data.subspan(static_cast<std::size_t>(count));
  }
}

void copy_to_stream(const File& output, const File& source, std::uint64_t size) {
  off_t offset = 0;
  while (static_cast<std::uint64_t>(offset) < size) {
    const std::uint64_t left = size - static_cast<std::uint64_t>(offset);
    const ssize_t count =
        ::sendfile(output.fd(), source.fd(), &offset, static_cast<std::size_t>(std::min<std::uint64_t>(left, step)));
    if (count == 0) throw Error(Errc::size_mismatch, source.path().native() + " has become shorter");
    if (count > 0) continue;
    if (errno == EINVAL || errno == ENOSYS)
      return copy_through_memory(output, source, static_cast<std::uint64_t>(offset), size);
    wait_or_throw(output, errno);
  }
}

}  // namespace hawser
