// One file a note in notes/.
#include "store/notes.hpp"

#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>

namespace hawser {
namespace {

constexpr std::string_view suffix = ".note";

std::string file_of(std::string_view name) {
  return std::string(name) + std::string(suffix);
}

}  // namespace

bool is_note_name(std::string_view name) {
  const auto allowed = [](char c) {
    return is_ascii_lower(c) || is_ascii_digit(c) || c == '.' || c == '-' || c == '_';
  };
  return !name.empty() && name.size() <= 200 && name.front() != '.' && std::all_of(name.begin(), name.end(), allowed);
}

bool is_note_file(std::string_view file_name) {
  return file_name.ends_with(suffix) && is_note_name(file_name.substr(0, file_name.size() - suffix.size()));
}

void write_note(const StoreLayout& layout, std::string_view name, std::string_view text) noexcept {
  if (!layout.writable() || !is_note_name(name) || text.size() > max_note_size) return;
  try {
    if (read_note(layout, name) == text) return;
    layout.make(StoreLayout::Part::notes).replace(file_of(name), text, Directory::Durable::no);
  } catch (const std::exception&) {
    // The next run does without.
  }
}

std::optional<std::string> read_note(const StoreLayout& layout, std::string_view name) {
  if (!is_note_name(name)) return std::nullopt;
  try {
    const auto directory = layout.find(StoreLayout::Part::notes);
    return directory ? directory->read(file_of(name), max_note_size) : std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace hawser
