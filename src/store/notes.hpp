// Small texts that one run leaves for the next.
#pragma once

#include "store/store_layout.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace hawser {

inline constexpr std::size_t max_note_size = 64 * 1024;  ///< bytes; a longer one is not written and not read

/// Whether `name` is 1 to 200 of a-z, 0-9, ".", "-" and "_", and does not begin with a dot.
bool is_note_name(std::string_view name);
/// Whether a file of notes/ is a note: its name and ".note". Other files there are not ours.
bool is_note_file(std::string_view file_name);
/// Writes a note; nothing happens where that can't be done.
void write_note(const StoreLayout& layout, std::string_view name, std::string_view text) noexcept;
/// The note, where there is one that can be read.
std::optional<std::string> read_note(const StoreLayout& layout, std::string_view name);

}  // namespace hawser
