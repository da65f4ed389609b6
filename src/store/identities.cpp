// One small file a blob in known/: its text is the identity, its modification time the last use.
#include "store/identities.hpp"

#include <hawser/util/error.hpp>

#include <charconv>

namespace hawser {
namespace {

constexpr std::string_view title = "hawser-identity 1\n";
constexpr std::size_t max_record_size = 256;

// Takes "key <number>\n" off the front of `text`.
template <typename Integer>
bool take_line(std::string_view& text, std::string_view key, Integer& value) {
  if (!text.starts_with(key)) return false;
  text.remove_prefix(key.size());
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data() + text.size() || *end != '\n') return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  return true;
}

}  // namespace

Identity Identity::of(const struct stat& status) {
  return {status.st_ino, static_cast<std::uint64_t>(status.st_size), modification_time(status)};
}

std::string Identity::encode() const {
  return std::string(title) + "inode " + std::to_string(inode) + "\nsize " + std::to_string(size) + "\nmtime " +
         std::to_string(mtime) + "\n";
}

std::optional<Identity> Identity::parse(std::string_view text) {
  if (!text.starts_with(title)) return std::nullopt;
  text.remove_prefix(title.size());
  Identity result;
  const bool whole = take_line(text, "inode ", result.inode) && take_line(text, "size ", result.size) &&
                     take_line(text, "mtime ", result.mtime) && text.empty();
  if (!whole) return std::nullopt;
  return result;
}

bool is_known(const StoreLayout& layout, const Digest& digest, const struct stat& status) {
  const auto directory = layout.find(StoreLayout::Part::known);
  if (!directory) return false;
  const auto text = directory->read(StoreLayout::stem(digest), max_record_size);
  return text && Identity::parse(*text) == Identity::of(status);
}

void record_known(const StoreLayout& layout, const Digest& digest, const struct stat& status) noexcept {
  try {
    layout.make(StoreLayout::Part::known)
        .replace(StoreLayout::stem(digest), Identity::of(status).encode(), Directory::Durable::no);
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
