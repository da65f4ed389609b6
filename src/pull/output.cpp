#include "pull/output.hpp"

#include "archive/image_output.hpp"
#include "archive/output_file.hpp"
#include "net/origin.hpp"
#include "util/platform/names.hpp"
#include "util/text.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <numeric>

namespace hawser {
namespace {

constexpr std::size_t max_length = 200;

bool is_safe(char c) {
  return is_ascii_alnum(c) || c == '.' || c == '-' || c == '_';
}

std::string_view extension_of(const PullRequest& request) {
  return request.without.empty() ? ".tar" : ".delta.tar";
}

std::string safe(std::string_view text) {
  std::string result;
  for (const char c : text)
    if (c != '[' && c != ']') result += is_safe(c) ? c : '_';
  if (!result.empty() && (result[0] == '.' || result[0] == '-')) result[0] = '_';
  return result;
}

std::string tag_part(const Reference& reference) {
  if (reference.tag) return *reference.tag;
  if (!reference.digest) return "latest";
  return std::string(reference.digest->algorithm_name()) + "-" + reference.digest->hex().substr(0, 12);
}

std::string platform_part(const Platform& platform) {
  std::string result;
  if (platform.os != "linux") result += "_" + platform.os;
  if (!platform.os_version.empty()) result += "_" + platform.os_version;
  result += "_" + platform.architecture;
  if (!platform.variant.empty()) result += "_" + platform.variant;
  return result;
}

/// What the names of outputs tell apart.
std::string identity_of(const RequestedImage& image) {
  std::string text = image.reference.to_string();
  if (image.tag_as) text += " " + image.tag_as->to_string();
  if (image.platform) text += " " + image.platform->to_string();
  return text;
}

/// `level` 0 has no mark, 1 a part and 2 all of the image's hash. What is cut to fit leaves a part of the hash in its
/// place.
std::string name_at(const PullRequest& request, const RequestedImage& image, int level) {
  const std::string hash = "_" + Digest::of(identity_of(image)).hex();
  constexpr std::size_t part = 1 + 12;
  const Reference& name = image.name();
  std::string stem = name.domain == "docker.io" ? "" : name.domain + "_";
  stem += name.path + "_" + tag_part(name);
  if (const auto& platform = image.platform ? image.platform : request.platform) stem += platform_part(*platform);
  stem = safe(stem);
  const std::string mark = level == 0 ? "" : level == 1 ? hash.substr(0, part) : hash;
  const std::string_view extension = extension_of(request);
  const std::size_t room = max_length - extension.size() - mark.size();
  if (stem.size() > room) stem = stem.substr(0, room - part) + hash.substr(0, part);
  return stem + mark + std::string(extension);
}

std::vector<std::string> default_names(const PullRequest& request) {
  const std::size_t count = request.references.size();
  std::vector<std::string> names(count);
  std::vector<int> levels(count, 0);
  for (bool again = true; again;) {
    again = false;
    std::map<std::string, std::set<std::string>> users;
    for (std::size_t i = 0; i < count; ++i) {
      names[i] = name_at(request, request.references[i], levels[i]);
      users[ascii_lower(names[i])].insert(identity_of(request.references[i]));
    }
    for (std::size_t i = 0; i < count; ++i)
      if (levels[i] < 2 && users.at(ascii_lower(names[i])).size() > 1) {
        ++levels[i];
        again = true;
      }
  }
  return names;
}

/// What a template may have between braces.
constexpr std::array<std::string_view, 6> fields{"registry", "repository", "name", "tag", "os", "arch"};

/// What stands in the place of a field.
std::string field_of(const PullRequest& request, const RequestedImage& image, std::string_view field) {
  const Reference& name = image.name();
  if (field == "registry") return name.domain;
  if (field == "repository") return name.path;
  if (field == "name") return name.path.substr(name.path.rfind('/') + 1);
  if (field == "tag") return tag_part(name);
  const Platform platform = image.platform ? *image.platform : request.platform.value_or(Platform::host());
  if (field == "os") return platform.os;
  return platform.variant.empty() ? platform.architecture : platform.architecture + "_" + platform.variant;
}

std::string expanded(const PullRequest& request, const RequestedImage& image) {
  std::string name;
  for (std::string_view rest = request.output_template; !rest.empty();) {
    const std::size_t open = std::min(rest.find('{'), rest.size());
    name += rest.substr(0, open);
    if (open == rest.size()) break;
    const std::size_t close = rest.find('}', open);
    name += safe(field_of(request, image, rest.substr(open + 1, close - open - 1)));
    rest.remove_prefix(close + 1);
  }
  if (name.size() > max_length)
    throw Error(Errc::usage,
                "--output-template gives " + image.name().familiar() + " a name of more than " +
                    std::to_string(max_length) + " bytes",
                "a list can name its file by output=");
  return name;
}

std::vector<std::string> template_names(const PullRequest& request) {
  check_output_template(request.output_template, request.all_platforms);
  std::vector<std::string> names;
  std::map<std::string, std::size_t> users;
  for (std::size_t i = 0; i < request.references.size(); ++i) {
    const RequestedImage& image = request.references[i];
    names.push_back(image.output.empty() ? expanded(request, image) : "");
    if (!image.output.empty()) continue;
    const auto [first, added] = users.emplace(ascii_lower(names.back()), i);
    if (added) continue;
    throw Error(Errc::usage,
                "--output-template gives " + request.references[first->second].name().to_string() + " and " +
                    image.name().to_string() + " the same name, " + names.back(),
                "put into it what tells them apart: {registry}, {repository}, {tag}, {os}, {arch}");
  }
  return names;
}

}  // namespace

void check_output_template(const std::string& text, bool all_platforms) {
  const auto refuse = [](const std::string& why) {
    throw Error(Errc::usage, "--output-template: " + why,
                "such as '{registry}_{repository}_{tag}_{arch}.tar'; also {name} and {os}");
  };
  if (text.empty() || text[0] == '.' || text[0] == '-') refuse("a name begins with neither a dot nor a dash");
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '/') refuse("it names files in one directory, which --output names; there is a / in it");
    if (text[at] != '{') {
      if (!is_safe(text[at])) refuse("a name is made of letters, digits, '_', '.' and '-' alone");
      continue;
    }
    const std::size_t close = text.find('}', at);
    const std::string field = text.substr(at + 1, std::min(close, text.size()) - at - 1);
    if (close == std::string::npos || std::ranges::find(fields, field) == fields.end())
      refuse("there is no {" + printable(field, 40) + "}");
    if (all_platforms && (field == "os" || field == "arch"))
      refuse("with --all-platforms {" + field + "} says nothing");
    at = close;
  }
}

std::vector<std::string> output_names(const PullRequest& request) {
  std::vector<std::string> names = request.output_template.empty() ? default_names(request) : template_names(request);
  for (std::string& name : names) name = possible_name(name);
  return names;
}

Output::Output(const PullRequest& request_, std::string path_, std::vector<std::size_t> numbers_,
               std::optional<std::string> directory_)
    : request(request_),
      path(std::move(path_)),
      directory(std::move(directory_)),
      numbers(std::move(numbers_)),
      images(numbers.size()),
      failures(numbers.size()) {}

std::filesystem::path Output::place() const {
  const std::filesystem::path named = path;
  if (path.empty() || path == "-") return named;
  if (!directory) return resolved_output(named.has_filename() ? named : named.parent_path());
  if (!is_within(real_path(directory_of(named)), real_path(*directory)))
    throw Error(Errc::disk,
                "cannot write " + path + ": a symbolic link on its way leads out of the outputs' directory");
  const bool listed =
      std::ranges::any_of(numbers, [&](auto number) { return !request.references[number].output.empty(); });
  std::error_code ignored;
  const bool is_there =
      std::filesystem::is_regular_file(named, ignored) && std::filesystem::file_size(named, ignored) > 0;
  if (listed && is_there && !request.force && !is_image_archive(named))
    throw Error(Errc::disk, "cannot write " + path + ": there is a file that is no archive of images",
                "--force replaces it; or name another one by output=");
  return named;
}

void Output::collect() {
  check_foreign_layers();
  std::vector<ArchiveImage> all;
  for (const auto& image : images) all.push_back(image->archive);
  archive = merge_images(all);
  check_names();
  for (std::size_t position = 0; position < images.size(); ++position) {
    const auto add = [&](const Descriptor& descriptor) {
      const auto [place, added] = blobs.try_emplace(descriptor.digest, descriptor, position);
      if (added || place->second.descriptor.size == descriptor.size) return;
      const Error error(Errc::malformed,
                        "the blob " + descriptor.digest.to_string() + " has two sizes in its manifests");
      blame(position, error);
      throw error;
    };
    for (const ArchiveManifest& manifest : images[position]->archive.manifests) {
      add(manifest.manifest.config);
      configs.insert(manifest.manifest.config.digest);
      for (const Descriptor& layer : manifest.manifest.layers) add(layer);
    }
  }
}

/// An archive without some of its layers can't be loaded, so hawser does not write one.
void Output::check_foreign_layers() {
  if (request.allow_foreign_layers) return;
  for (std::size_t position = 0; position < images.size(); ++position)
    for (const ArchiveManifest& manifest : images[position]->archive.manifests)
      for (const Descriptor& layer : manifest.manifest.layers) {
        if (!media_type::is_foreign_layer(layer.media_type) || layer.urls.empty()) continue;
        const Error error(Errc::unsupported,
                          "the image has a foreign layer, " + layer.digest.short_string() +
                              ", which its publisher keeps at " + displayed_url(layer.urls.front(), 200),
                          "--allow-foreign-layers fetches it from there, without credentials");
        blame(position, error);
        throw error;
      }
}

/// Where an archive has two images of one name, loaders take one of them without a word about the other.
void Output::check_names() const {
  std::map<std::string, std::pair<std::size_t, const Reference*>> named;
  for (std::size_t i = 0; i < archive.size(); ++i)
    for (const Reference& each : archive[i].references) {
      if (!each.tag) continue;
      const auto& first = named.try_emplace(each.name_with_tag(), i, &each).first->second;
      if (first.first == i) continue;
      throw Error(Errc::usage,
                  first.second->to_string() + " and " + each.to_string() + " are different images of one name",
                  "write each to an output of its own, or leave the tag of one out");
    }
}

ImageConfig Output::read_config(std::size_t position, const ArchiveManifest& manifest, const std::string& bytes) {
  try {
    ImageConfig config = parse_config(bytes);
    std::optional<Platform> wanted;
    // Where no index says it, the config tells the platform.
    if (!request.all_platforms && !manifest.descriptor.platform) wanted = platform(position).value_or(Platform::host());
    check_config(config, manifest.manifest, wanted, "the image");
    for (std::size_t i = 0; i < config.diff_ids.size(); ++i) {
      const auto blob = blobs.find(manifest.manifest.layers[i].digest);
      if (blob != blobs.end() && !blob->second.diff_id) blob->second.diff_id = config.diff_ids[i];
    }
    return config;
  } catch (const Error& error) {
    blame(position, error);
    throw;
  }
}

void Output::leave_out(Delta delta_) {
  std::erase_if(blobs, [&](const auto& blob) { return delta_.left_out.contains(blob.first); });
  for (const auto& [digest, layer] : delta_.left_out)
    if (layer.patch)
      blobs.emplace(layer.patch->digest,
                    OutputBlob({"application/octet-stream", layer.patch->digest, layer.patch->size}, 0));
  delta = std::move(delta_);
}

void Output::blame(std::size_t position, const Error& error) {
  if (!is_on_this_side(error.code()) && !failures[position]) failures[position] = error;
}

std::optional<std::size_t> Output::first_blamed() const {
  for (std::size_t position = 0; position < failures.size(); ++position)
    if (failures[position]) return position;
  return std::nullopt;
}

void check_split(const PullRequest& request) {
  if (request.split == 0) return;
  if (request.format == OutputFormat::oci_dir)
    throw Error(Errc::usage, "--split is for archives, and --format oci-dir writes a directory",
                "use --format oci-archive");
  if (request.output == "-")
    throw Error(Errc::usage, "--split writes files, but --output - is standard output",
                "name a file, or pipe the archive into split");
}

std::optional<std::string> shared_output(const PullRequest& request) {
  namespace fs = std::filesystem;
  if (request.format == OutputFormat::nothing) return "";
  if (!request.output) return std::nullopt;
  const std::string& path = *request.output;
  std::error_code ignored;
  const bool is_directory =
      path != "-" && !path.empty() && (!fs::path(path).has_filename() || fs::is_directory(path, ignored));
  const auto named = std::ranges::find_if(request.references, [](const auto& image) { return !image.output.empty(); });
  if (request.output_template.empty() && named == request.references.end())
    return is_directory && request.format != OutputFormat::oci_dir ? std::nullopt : request.output;
  if (is_directory) return std::nullopt;
  const std::string who = named == request.references.end()
                              ? "--output-template names a file for each image"
                              : named->reference.familiar() + " has a file of its own (output=)";
  throw Error(Errc::usage, who + ", but --output " + path + " is no directory",
              "make the directory, or write it with a slash at its end");
}

std::vector<Output> plan_outputs(const PullRequest& request) {
  namespace fs = std::filesystem;
  const std::size_t count = request.references.size();
  check_split(request);
  std::vector<Output> outputs;
  if (const auto path = shared_output(request)) {
    std::vector<std::size_t> all(count);
    std::iota(all.begin(), all.end(), std::size_t{0});
    outputs.emplace_back(request, *path, std::move(all));
    return outputs;
  }
  const std::string directory = request.output.value_or("");
  const std::vector<std::string> names = output_names(request);
  std::map<std::string, std::vector<std::size_t>> shared;  // images by the file that they ask for
  for (std::size_t i = 0; i < count; ++i)
    if (const std::string& file = request.references[i].output; !file.empty()) shared[file].push_back(i);
  std::map<std::string, std::size_t> owners;  // of files, by their names ignoring case
  for (std::size_t i = 0; i < count; ++i) {
    const std::string& asked = request.references[i].output;
    fs::path name = asked.empty() ? names[i] : asked;
    if (asked.empty() && request.output_template.empty() && request.format == OutputFormat::oci_dir)
      name.replace_extension();
    const auto [owner, added] = owners.emplace(ascii_lower(name.string()), i);
    const RequestedImage& first = request.references[owner->second];
    if (!added && (first.output != asked || (asked.empty() && first != request.references[i])))
      throw Error(Errc::usage,
                  first.reference.to_string() + " and " + request.references[i].reference.to_string() +
                      " would both be written to " + name.string(),
                  "give one of them another output=");
    if (!added && !asked.empty()) continue;
    outputs.emplace_back(request, (fs::path(directory) / name).string(),
                         asked.empty() ? std::vector{i} : shared.at(asked), directory);
  }
  return outputs;
}

}  // namespace hawser
