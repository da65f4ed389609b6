// One small file a blob in known/: its text is the identity, its modification time the last use.
#include "store/identities.hpp"

#include <hawser/util/error.hpp>

namespace hawser {

Identity Identity::of(const struct stat& status) {
  return {status.st_ino, static_cast<std::uint64_t>(status.st_size), modification_time(status)};
}

std::string Identity::encode() const {
  return "hawser-identity 1\ninode " + std::to_string(inode) + "\nsize " + std::to_string(size) + "\nmtime " +
         std::to_string(mtime) + "\n";
}

bool is_known(const StoreLayout& layout, const Digest& digest, const Identity& identity) {
  const auto directory = layout.find(StoreLayout::Part::known);
  if (!directory) return false;
  constexpr std::size_t max_record_size = 256;
  return directory->read(StoreLayout::stem(digest), max_record_size) == identity.encode();
}

void record_known(const StoreLayout& layout, const Digest& digest, const Identity& identity) noexcept {
  try {
    layout.make(StoreLayout::Part::known).replace(StoreLayout::stem(digest), identity.encode(), Durable::no);
  } catch (const std::exception&) {
    // The blob stays unknown, which costs a hashing.
  }
}

void forget_known(const StoreLayout& layout, const Digest& digest) noexcept {
  try {
    if (const auto directory = layout.find(StoreLayout::Part::known)) directory->remove(StoreLayout::stem(digest));
  } catch (const std::exception&) {
    // A record without a blob says nothing.
  }
}

void touch_known(const StoreLayout& layout, const Digest& digest) noexcept {
  try {
    if (!layout.writable()) return;
    if (const auto directory = layout.find(StoreLayout::Part::known)) directory->touch(StoreLayout::stem(digest));
  } catch (const std::exception&) {
    // The blob looks older than it is.
  }
}

}  // namespace hawser
