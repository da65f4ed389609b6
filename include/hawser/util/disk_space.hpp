// Whether the disk has room, asked before rather than found out by a failed write.
#pragma once

#include <cstdint>
#include <filesystem>

namespace hawser {

/// Checks that `bytes` more fit on the file system of `directory`, for a user without reserved blocks. Throws
/// Error{disk_full} that says how much is needed and how much there is, Error{disk} where the file system can't be
/// asked.
void require_space(const std::filesystem::path& directory, std::uint64_t bytes);

}  // namespace hawser
