// Files that share blocks on disk ("reflinks": XFS, Btrfs and others).
#pragma once

#include <filesystem>

namespace hawser {

/// Whether the kernel can give a new file in `to` the blocks of one in `from` instead of a copy
/// (ioctl_ficlonerange(2)); then File::copy_from() does, for what begins at a block in both. Leaves nothing behind;
/// false where it can't tell.
bool can_share_blocks(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace hawser
