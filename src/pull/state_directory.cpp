#include "pull/state_directory.hpp"

#include "util/atomic_file.hpp"
#include "util/platform/file.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <chrono>

namespace hawser {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t max_note = 16 * 1024;
/// What is older may have changed without a trace.
constexpr std::chrono::hours lifetime{30 * 24};

/// "https_registry.example_5000.json"
fs::path file_of(const fs::path& directory, const Origin& origin) {
  std::string name = origin.tls ? "https_" : "http_";
  for (const char c : origin.host_header())
    name += is_ascii_lower(c) || is_ascii_digit(c) || c == '.' || c == '-' ? c : '_';
  return directory / "origins" / (name + ".json");
}

}  // namespace

OriginNote StateDirectory::recall(const Origin& origin) {
  const auto [place, is_new] = known_.try_emplace(origin);
  if (!is_new || path_.empty()) return place->second;
  try {
    const fs::path file = file_of(path_, origin);
    // Anything else, such as a pipe, might never be read to its end.
    if (fs::is_regular_file(file) && fs::file_time_type::clock::now() - fs::last_write_time(file) < lifetime)
      place->second = OriginNote::parse(origin, read_file(file, max_note));
  } catch (const std::exception&) {
    // There is none, or none that can be read.
  }
  return place->second;
}

void StateDirectory::update(const Origin& origin, const std::function<void(OriginNote&)>& change) {
  (void)recall(origin);
  OriginNote& note = known_[origin];
  change(note);
  if (path_.empty()) return;
  try {
    const fs::path file = file_of(path_, origin);
    // The hosts that a user asks are nobody else's business.
    if (fs::create_directories(file.parent_path())) fs::permissions(path_, fs::perms::owner_all);
    AtomicFile written(file, MadeFor::user);
    const std::string text = note.to_text(origin);
    written.file().write(std::as_bytes(std::span(text)));
    written.commit(Durable::no);
  } catch (const std::exception&) {
    // The next call finds it out again.
  }
}

}  // namespace hawser
