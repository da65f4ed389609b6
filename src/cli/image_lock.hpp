// What tags stood for: a list of images with digests, written by --lock and believed by --locked.
#pragma once

#include <hawser/image/digest.hpp>
#include <hawser/image/reference.hpp>
#include <hawser/pull/pull.hpp>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// A lock: docs/formats.md describes its file.
class ImageLock {
 public:
  ImageLock() = default;
  /// Parses `text`, which errors call `name`. Throws Error{usage} or Error{bad_reference} "name:line: ..." where a line
  /// is no whole name with a tag and a digest, or a name is there with two digests.
  ImageLock(std::string_view text, const std::string& name);
  /// Reads the file. Throws Error{disk}, too.
  static ImageLock read(const std::filesystem::path& file);

  /// Notes what a tag stood for; returns false, and changes nothing, where it has noted something else. References
  /// without a tag are left out: they are the same next year.
  bool add(const Reference& image, const Digest& digest);
  /// `image` with the digest that its tag had; null where it is not there. One with a digest is itself.
  std::optional<Reference> find(const Reference& image) const;
  /// The tags of the repository of `image`.
  std::vector<std::string> tags_of(const Reference& image) const;

  /// All that is in it, by name.
  std::vector<Reference> images() const;

  std::string text() const;
  /// Puts it in the place of the file, as a whole. Throws Error{disk}.
  void write(const std::filesystem::path& file) const;

 private:
  std::map<std::string, Reference> images_;  // by name with tag
};

}  // namespace hawser
