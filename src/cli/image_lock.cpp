#include "cli/image_lock.hpp"

#include "archive/output_file.hpp"
#include "util/atomic_file.hpp"
#include "util/platform/file.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

namespace hawser {
namespace {

constexpr std::size_t longest_lock = 16 * 1024 * 1024;  // bytes

}  // namespace

ImageLock::ImageLock(std::string_view text, const std::string& name) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = trim(take_line(text));
    if (line.empty() || line.starts_with('#')) continue;
    try {
      const Reference image = Reference::parse(line);
      if (!image.tag || !image.digest || image.to_string() != line)
        throw Error(Errc::usage, "a lock has whole names with a tag and a digest, as --lock writes them");
      if (!add(image, *image.digest)) throw Error(Errc::usage, image.name_with_tag() + " is there with two digests");
    } catch (const Error& error) {
      throw error.in(printable(name) + ":" + std::to_string(number));
    }
  }
}

ImageLock ImageLock::read(const std::filesystem::path& file) {
  return {read_file(file, longest_lock), file.string()};
}

bool ImageLock::add(const Reference& image, const Digest& digest) {
  if (!image.tag) return true;
  Reference locked = image;
  locked.digest = digest;
  return images_.try_emplace(image.name_with_tag(), locked).first->second == locked;
}

std::optional<Reference> ImageLock::find(const Reference& image) const {
  if (image.digest) return image;
  const auto found = images_.find(image.name_with_tag());
  return found == images_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::string> ImageLock::tags_of(const Reference& image) const {
  std::vector<std::string> tags;
  for (const auto& [name, locked] : images_)
    if (locked.domain == image.domain && locked.path == image.path) tags.push_back(*locked.tag);
  return tags;
}

std::vector<Reference> ImageLock::images() const {
  std::vector<Reference> images;
  for (const auto& [name, locked] : images_) images.push_back(locked);
  return images;
}

std::string ImageLock::text() const {
  std::string text = "# What tags stood for: hawser --locked takes it, and --from-file, too.\n";
  for (const auto& [name, locked] : images_) text += locked.to_string() + "\n";
  return text;
}

void ImageLock::write(const std::filesystem::path& file) const {
  AtomicFile written(check_output(resolved_output(file)));
  written.file().write(as_bytes(text()));
  written.commit();
}

}  // namespace hawser
