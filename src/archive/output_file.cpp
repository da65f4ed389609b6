#include "archive/output_file.hpp"

#include <hawser/util/error.hpp>

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace hawser {
namespace fs = std::filesystem;
namespace {

constexpr const char* stream_hint = "use --output - and redirect to write into a pipe or device";
constexpr int max_links = 40;              // as many as the kernel follows
constexpr std::size_t kept_of_name = 180;  // a name may have 255 bytes, and the temporary's is longer

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

std::string link_to_open_file(const File& file) {
  return "/proc/self/fd/" + std::to_string(file.fd());
}

/// Whether a file that has no name could be given one; not without /proc.
bool can_be_named(const File& file) {
  struct stat status {};
  return ::lstat(link_to_open_file(file).c_str(), &status) == 0;
}

}  // namespace

fs::path temporary_beside(const fs::path& path) {
  const std::string name = path.filename().native().substr(0, kept_of_name);
  return directory_of(path) / ("." + name + "." + random_hex(16) + ".partial");
}

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

void check_output(const fs::path& named) {
  const fs::path path = resolved_output(named);
  const std::string shown = path.native();
  if (!path.has_filename()) throw Error(Errc::disk, "cannot write \"" + shown + "\": it names no file");
  const fs::path directory = directory_of(path);
  const fs::file_status parent = status_of(directory);
  if (!fs::exists(parent))
    throw Error(Errc::disk, "cannot write " + shown + ": there is no directory " + directory.native(),
                "create it with mkdir -p");
  if (!fs::is_directory(parent))
    throw Error(Errc::disk, "cannot write " + shown + ": " + directory.native() + " is not a directory");
  const fs::file_status status = status_of(path);
  if (fs::is_directory(status))
    throw Error(Errc::disk, "cannot write " + shown + ": it is a directory", "name a file in it with --output");
  if (fs::exists(status) && !fs::is_regular_file(status))
    throw Error(Errc::disk, "cannot write " + shown + ": it is not a regular file", stream_hint);
  if (::access(directory.c_str(), W_OK | X_OK) != 0) throw disk_error(errno, "write into", directory.native());
}

OutputFile::OutputFile(fs::path path) : path_(resolved_output(std::move(path))) {
  check_output(path_);
  // A file without any name leaves nothing behind, however the process ends.
  file_ = File::unnamed(directory_of(path_), path_, 0666);
  if (file_ && can_be_named(file_)) return;
  // Not every file system can do that.
  temporary_ = temporary_beside(path_);
  file_ = File(temporary_, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0666);
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)), temporary_(std::move(other.temporary_)), file_(std::move(other.file_)) {
  other.temporary_.clear();
}

OutputFile::~OutputFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void OutputFile::commit() {
  file_.sync();
  if (temporary_.empty()) {
    // A nameless file can't replace another one, so it gets a temporary name on the way.
    const fs::path temporary = temporary_beside(path_);
    if (::linkat(AT_FDCWD, link_to_open_file(file_).c_str(), AT_FDCWD, temporary.c_str(), AT_SYMLINK_FOLLOW) != 0)
      throw disk_error(errno, "give a name to", path_.native());
    temporary_ = temporary;
  }
  rename_durably(temporary_, path_);
  temporary_.clear();
}

}  // namespace hawser
