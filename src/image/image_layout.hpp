// The documents of an OCI image layout (OCI image-spec, "Image Layout"), as text: where its files lie, oci-layout, and
// index.json with the annotations by which tools know an image.
#pragma once

#include "image/manifest.hpp"

#include <hawser/image/digest.hpp>
#include <hawser/image/platform.hpp>

#include <cstddef>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

namespace hawser::annotation {

inline constexpr const char* image_name = "io.containerd.image.name";         ///< containerd's: the full name
inline constexpr const char* ref_name = "org.opencontainers.image.ref.name";  ///< the tag, as a rule

}  // namespace hawser::annotation

namespace hawser {

/// The text of the file `oci-layout`.
std::string_view oci_layout_document();
/// Whether `text` is what that file may say: a layout of version 1.
bool is_oci_layout_document(std::string_view text);
inline constexpr std::size_t max_oci_layout_document = 4096;  ///< bytes; a longer one is not read

/// Where an image layout keeps a blob: "blobs/sha256/…".
std::string blob_path(const Digest& digest);
/// The digest of the blob that lies there; nothing for any other path.
std::optional<Digest> digest_of_blob_path(std::string_view path);

/// A descriptor as JSON; members that are empty are left out, and so are urls.
boost::json::object descriptor_json(const Descriptor& descriptor);

inline constexpr std::size_t max_layout_index = 16 * 1024 * 1024;  ///< bytes; a longer index.json is not read

/// The document of a digest; nothing where it can't be read.
using DocumentReader = std::function<std::optional<std::string>(const Digest& document)>;
/// What the config of the image `image` says, by its documents as `read` gives them; nothing for an index, an artifact,
/// and what can't be read.
std::optional<Platform> platform_of_image(const Digest& image, const DocumentReader& read);

/// What an image of a layout runs on where its entry doesn't say it; nothing where that can't be told.
using PlatformLookup = std::function<std::optional<Platform>(const Digest& image)>;

/// An index.json that other tools write into, too: an edit keeps whatever it doesn't understand.
class LayoutIndex {
 public:
  /// One without entries.
  LayoutIndex();
  /// Nothing where `text` is no index: no JSON, nested too deep, or without a list of manifests.
  static std::optional<LayoutIndex> parse(std::string_view text);

  struct Entry {
    std::string name, ref_name;    ///< annotations; empty where there are none
    std::optional<Digest> digest;  ///< nothing where it is no digest that hawser knows
  };
  std::vector<Entry> entries() const;
  /// The entries of this full name, as they were before they were given it: sizes are not told.
  std::vector<Descriptor> images_named(std::string_view name) const;

  /// Adds `images`. They take the place of entries of the same full name and platform, and of those of the same name
  /// and digest; a tag alone is no name, since other tools give one to several images. Where another entry has an
  /// image's ref.name, the image gets its full name for it; where that has gone, too, the full name with @ and its
  /// platform, or at last its digest: tools that choose an image by its ref.name need it to be the only one.
  /// They go to the end.
  void put(const std::vector<Descriptor>& images, const PlatformLookup& look_up = {});
  /// put() for a cache, where a name is what was pulled of it last: what has no platform, as an index, makes way for
  /// any image of its name, and all of the name for an image without one. The entry of `top`, the index that `image`
  /// was chosen from, stays. The image goes to where the first that it replaces was.
  void put_newest(const Descriptor& image, const std::optional<Digest>& top, const PlatformLookup& look_up = {});
  /// Gives the index itself an annotation.
  void annotate(std::string_view key, std::string_view value);
  /// Removes the entries of these digests.
  void remove(const std::set<Digest>& digests);

  /// The text: the very one that was parsed where no edit has changed anything. Nothing where a number in it can't be
  /// written again, being past the greatest double; smaller ones that a double can't hold lose digits.
  std::optional<std::string> text() const;

 private:
  void add(const std::vector<Descriptor>& images, const std::function<bool(const boost::json::value&)>& makes_way,
           bool in_place);
  void replace(boost::json::array entries);

  boost::json::object document_;
  std::optional<std::string> original_;  // until an edit changes something
};

}  // namespace hawser
