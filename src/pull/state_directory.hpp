// The user's state directory (XDG Base Directory Specification): what was learned of origins, a small file each.
#pragma once

#include "registry/origin_note.hpp"

#include <filesystem>
#include <map>

namespace hawser {

/// Notes in files below a directory, which processes share: a file is replaced as a whole, and the last one wins. It
/// may be deleted at any time. Where it can't be read or written, nothing is remembered.
class StateDirectory final : public OriginNotes {
 public:
  /// Makes nothing before there is a note. An empty path keeps the notes for this call only.
  explicit StateDirectory(std::filesystem::path path) : path_(std::move(path)) {}

  OriginNote recall(const Origin& origin) override;
  void update(const Origin& origin, const std::function<void(OriginNote&)>& change) override;

 private:
  std::filesystem::path path_;
  std::map<Origin, OriginNote> known_;
};

}  // namespace hawser
