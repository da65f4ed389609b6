#include "cli/have.hpp"

#include "archive/classic_writer.hpp"
#include "archive/tar_import.hpp"
#include "cli/image_list.hpp"
#include "cli/image_lock.hpp"
#include "util/decompressor.hpp"
#include "util/json.hpp"
#include "util/platform/file.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/json.hpp>

namespace hawser {
namespace json = boost::json;
namespace {

constexpr std::size_t longest_text = 16 * 1024 * 1024;  // bytes
constexpr std::size_t tar_head = 512;                   // bytes by which a tar is known
constexpr std::size_t most_images = 10'000;

[[noreturn]] void refuse(const std::string& why) {
  throw Error(Errc::malformed, why,
              "--without takes image tars, image layouts, locks of --lock, and what docker image inspect, "
              "ctr image ls or ctr content ls have printed");
}

std::optional<Digest> digest_of(std::string_view text) {
  try {
    return Digest::parse(text);
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// An image of what docker or podman image inspect prints.
void add_inspected(Have& have, const json::value& image) {
  const json::object* const rootfs = json_object(image, "RootFS");
  const json::array* const layers = rootfs ? json_array(*rootfs, "Layers") : nullptr;
  if (!layers) refuse("an image in it has no RootFS.Layers, as docker image inspect prints them");
  if (layers->size() > max_layers) refuse("an image in it has too many layers");
  // Only podman tells these.
  if (const json::object& members = image.get_object(); members.contains("NamesHistory") || members.contains("Digest"))
    have.kind = Have::Kind::podman;
  std::optional<Digest> chain;
  for (const json::value& layer : *layers) {
    const auto diff_id = layer.is_string() ? digest_of(layer.get_string()) : std::nullopt;
    if (!diff_id) refuse("a layer in RootFS.Layers is no digest");
    chain = chain ? chain_id(*chain, *diff_id) : *diff_id;
    have.diff_ids.insert(*diff_id);
    have.chains.insert(*chain);
  }
}

Have parse_inspected(std::string_view text, Have have) {
  json::error_code error;
  const json::value document = parse_json(text, error);
  if (error) refuse("it is no JSON (" + error.message() + ")");
  have.kind = Have::Kind::docker;
  if (document.is_object()) {
    add_inspected(have, document);
    return have;
  }
  if (!document.is_array() || document.get_array().size() > most_images)
    refuse("it is no list of images, as docker image inspect prints it");
  for (const json::value& image : document.get_array()) add_inspected(have, image);
  return have;
}

/// The words of a line that are apart by blanks.
std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  for (std::size_t begin = line.find_first_not_of(" \t"); begin != std::string_view::npos;) {
    const std::size_t end = std::min(line.find_first_of(" \t", begin), line.size());
    words.push_back(line.substr(begin, end - begin));
    begin = line.find_first_not_of(" \t", end);
  }
  return words;
}

/// The rows of a table that ctr prints, but for the one that begins with `head`: gives the words of each to `take`.
Have parse_rows(std::string_view text, std::string_view head, Have have,
                const std::function<void(Have&, const std::vector<std::string_view>&)>& take) {
  have.kind = Have::Kind::containerd;
  while (!text.empty()) {
    const std::vector<std::string_view> words = words_of(take_line(text));
    if (!words.empty() && words.front() != head) take(have, words);
  }
  return have;
}

/// Of ctr content ls, also with -q: a row begins with the digest of a blob.
void take_blob(Have& have, const std::vector<std::string_view>& words) {
  const std::optional<Digest> digest = digest_of(words.front());
  if (!digest) refuse("a line in it does not begin with a digest, as ctr content ls prints it");
  have.layers.insert(*digest);
}

/// Of ctr image ls: name, type and digest of an image.
void take_image(Have& have, const std::vector<std::string_view>& words) {
  const std::optional<Digest> digest = words.size() > 2 ? digest_of(words[2]) : std::nullopt;
  if (!digest) refuse("a line in it has no digest in the third place, as ctr image ls prints it");
  // Some images of containerd have a digest for their name.
  if (digest_of(words.front())) return;
  Reference image = Reference::parse(words.front());
  image.digest = digest;
  have.images.push_back(std::move(image));
  if (have.images.size() > most_images) refuse("it has too many images");
}

/// What an image tar or layout has.
Have read_archive(const std::filesystem::path& file, Have have) {
  TarImport tar = read_saved_images(file);
  if (tar.cut) throw *tar.cut;
  have.path = file.string();
  for (const ImportedBlob& blob : tar.blobs) {
    if (blob.kind == ImportedBlob::Kind::document || blob.kind == ImportedBlob::Kind::patch) continue;
    if (blob.kind != ImportedBlob::Kind::nameless_layer) have.layers.insert(blob.digest);
    if (blob.kind != ImportedBlob::Kind::layer) have.diff_ids.insert(blob.digest);
    if (blob.diff_id) have.diff_ids.insert(*blob.diff_id);
  }
  if (!tar.delta) return have;
  // Who could make use of a delta had these.
  for (const auto& [digest, layer] : tar.delta->left_out) {
    if (!layer.plain) have.layers.insert(digest);
    if (layer.diff_id) have.diff_ids.insert(*layer.diff_id);
  }
  return have;
}

bool is_text(std::string_view head) {
  return head.find('\0') == std::string_view::npos && compression_of(head) == Compression::none;
}

}  // namespace

Have parse_have(std::string_view text, std::string_view name) {
  Have have{std::string(name)};
  const std::size_t begin = text.find_first_not_of(" \t\r\n\xef\xbb\xbf");  // a byte order mark may precede it
  if (begin == std::string_view::npos) refuse("it is empty");
  text.remove_prefix(begin);
  if (text.front() == '[' || text.front() == '{') return parse_inspected(text, std::move(have));
  std::string_view rest = text;
  const std::vector<std::string_view> first = words_of(take_line(rest));
  if (first.front() == "REF") return parse_rows(text, "REF", std::move(have), take_image);
  if (first.front() == "DIGEST" || digest_of(first.front()))
    return parse_rows(text, "DIGEST", std::move(have), take_blob);
  have.images = ImageLock(text, "as a lock").images();
  if (have.images.empty()) refuse("there is no image in it");
  return have;
}

Have read_have(const std::filesystem::path& file) try {
  namespace fs = std::filesystem;
  const std::string name = (file.has_filename() ? file : file.parent_path()).filename().string();
  if (fs::is_directory(file)) return read_archive(file, Have{name});
  if (fs::is_regular_file(file) && !is_text(File(file).read_text(tar_head))) return read_archive(file, Have{name});
  std::ifstream input(file);  // it may be a pipe: <(ssh far docker image inspect ...)
  if (!input) throw disk_error(last_stream_error(), "read", printable(file.string(), 4096));
  return parse_have(read_input(input, longest_text, Error(Errc::too_large, "it is too long for a list")), name);
} catch (const Error& error) {
  throw error.in("--without " + printable(file.string(), 4096));
}

}  // namespace hawser
