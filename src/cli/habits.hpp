// What people type who know other tools, and hawser's own words for it: they are told those, rather than that Docker
// Hub has no image called "save".
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// How hawser calls what an option of another tool does, spelled with its dashes; empty where nobody knows it.
std::string own_option(std::string_view spelling);

/// Throws Error{usage} where the words of a pull are no images: a file or a place to write to, and, where `is_named` is
/// false, that is where no command was named, a first word that is a command of another tool or a mistyped one, with
/// others after it. The hint is a call that does what was meant.
void refuse_foreign_words(const std::vector<std::string>& words, bool is_named);

}  // namespace hawser
