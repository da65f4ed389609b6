// O_EXCL is atomic also over NFS. Removing a stale owner file is not, so that needs a second O_EXCL file, the guard.
#include "owner_file.hpp"

#include "process_identity.hpp"

#include <hawser/util/error.hpp>

#include <fcntl.h>
#include <sys/stat.h>

namespace hawser {
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

}  // namespace hawser
