// Files that have their names only once they are complete, and hidden names for what is not. What has such a name goes
// with its object, or where the process ends without destructors, with remove_temporaries().
#pragma once

#include "util/platform/directory.hpp"

#include <filesystem>
#include <string>
#include <string_view>

namespace hawser {

/// Whether something is on the disk when it is done, or a power cut may undo it.
enum class Durable { no, yes };

/// A name beside a final one, `.<name>.<random>.partial`, for a file or directory that is not complete. What has the
/// name is removed with the object, with all it contains. Functions throw Error{disk}.
class Temporary {
 public:
  /// For what will be `path`. Makes nothing.
  explicit Temporary(const std::filesystem::path& path);
  /// The same in the open `directory` that `path` lies in, whatever is under the directory's name by now.
  Temporary(Directory directory, std::filesystem::path path);
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary();

  const std::filesystem::path& path() const noexcept { return path_; }
  const std::filesystem::path& final_path() const noexcept { return final_path_; }
  const Directory& directory() const noexcept { return directory_; }
  /// Gives it its final name, in the place of an older file.
  void rename(Durable durable);

 private:
  void forget() noexcept;

  Directory directory_;
  std::filesystem::path final_path_;
  std::filesystem::path path_;  // empty once it is renamed
};

/// A new file, for reading and writing, that replaces an older one as a whole or not at all. Until commit() it has no
/// name (O_TMPFILE), or where that can't be done, a temporary one. Functions throw Error{disk, disk_full}.
class AtomicFile {
 public:
  /// The arguments of a Temporary.
  explicit AtomicFile(const std::filesystem::path& path, MadeFor whom = MadeFor::everyone) : temporary_(path) {
    open(whom);
  }
  AtomicFile(Directory directory, std::filesystem::path path, MadeFor whom)
      : temporary_(std::move(directory), std::move(path)) {
    open(whom);
  }
  /// For the user alone, on its way to `name` in `directory`.
  AtomicFile(const Directory& directory, const std::string& name)
      : AtomicFile(directory.duplicate(), directory.path() / name, MadeFor::user) {}

  const File& file() const noexcept { return file_; }
  /// The final name.
  const std::filesystem::path& path() const noexcept { return temporary_.final_path(); }
  /// Gives the file its name; with Durable::yes fsync before, and of the directory after. Returns it.
  File commit(Durable durable = Durable::yes);

 private:
  void open(MadeFor whom);

  Temporary temporary_;
  File file_;
  bool is_named_ = false;
};

/// Replaces `name` in `directory` by a file with `content` for the user alone, whole or not at all, and returns that.
File replace_file(const Directory& directory, const std::string& name, std::string_view content, Durable durable);

/// A name such as Temporary's.
std::filesystem::path temporary_beside(const std::filesystem::path& path);
/// Whether a name is one of these.
bool is_temporary(std::string_view name);

/// Removes what has a temporary name, before the process ends without destructors. Other threads may be at work in it.
void remove_temporaries() noexcept;

}  // namespace hawser
