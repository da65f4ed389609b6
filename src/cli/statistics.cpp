#include "cli/statistics.hpp"

#include "archive/parts.hpp"
#include "cli/output.hpp"
#include "cli/progress.hpp"
#include "util/text.hpp"

#include <hawser/image/reference.hpp>
#include <hawser/util/error.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <boost/json.hpp>

namespace hawser {
namespace {

namespace json = boost::json;

std::size_t failures(const PullStatistics& statistics) {
  return static_cast<std::size_t>(
      std::ranges::count_if(statistics.images, [](const ImageResult& image) { return image.error.has_value(); }));
}

ExitCode exit_code_of(const ImageResult& image) {
  return image.error ? exit_code(*image.error) : ExitCode::done;
}

std::uint64_t bytes_per_second(const PullStatistics& statistics) {
  const auto milliseconds = statistics.elapsed.count();
  if (milliseconds <= 0) return 0;
  return static_cast<std::uint64_t>(static_cast<double>(statistics.received) * 1000 /
                                    static_cast<double>(milliseconds));
}

std::string describe(const ImageResult& image) {
  std::string text = printable(image.reference);
  if (image.platforms.size() == 1) text += " (" + printable(image.platforms.front()) + ")";
  if (image.platforms.size() > 1) text += " (" + counted(image.platforms.size(), "platform") + ")";
  return text;
}

std::string describe(const PlannedLayer& layer, bool listed) {
  if (layer.left_out) return "left out";
  if (layer.complete) return "cached";
  if (listed) return "as above";
  return layer.there > 0 ? format_bytes(layer.there) + " there, to be resumed" : "to be fetched";
}

/// What a dry run has found out about the layers of an image. `listed`: those that an image before had, too.
void append_layers(std::string& out, const ImageResult& image, std::set<Digest>& listed) {
  constexpr std::size_t size_width = 8;  // "999.9 MB"
  for (const PlannedLayer& layer : image.layers) {
    const std::string size = format_bytes(layer.size);
    out += "  " + layer.digest.to_string() + "  " + std::string(size_width - std::min(size.size(), size_width), ' ') +
           size + "  " + describe(layer, !listed.insert(layer.digest).second) +
           (layer.attestation ? " (attestation)\n" : "\n");
  }
}

/// What has come of an image, in a word.
std::string outcome_of(const ImageResult& image, bool dry_run) {
  if (image.error) return "failed, exit code " + std::to_string(static_cast<int>(exit_code(*image.error)));
  if (image.up_to_date) return "up to date";
  return dry_run ? "to be pulled" : "saved";
}

/// How an output in parts is called: "app.tar.001 to app.tar.003".
std::string parts_text(const ImageResult& image) {
  const PartList list{image.output, 0, 0, {}};
  if (image.parts == 0) return image.output;
  return list.name_of(0) + (image.parts > 1 ? " to " + list.name_of(image.parts - 1) : "");
}

/// A line for each image. Why one failed is said below, where it was not said before.
void append_table(std::string& out, const PullStatistics& statistics) {
  std::vector<std::vector<std::string>> rows{{"IMAGE", "PLATFORM", ">LAYERS", ">SIZE", "RESULT", "OUTPUT"}};
  for (const ImageResult& image : statistics.images) {
    const LayerSums sums = image.sums();
    std::string platform = image.platforms.size() == 1 ? image.platforms.front() : "";
    if (image.platforms.size() > 1) platform = counted(image.platforms.size(), "platform");
    rows.push_back({image.reference, platform, image.error ? "" : std::to_string(sums.layers),
                    image.error ? "" : format_bytes(sums.bytes), outcome_of(image, statistics.dry_run),
                    image.error || image.output == "-" ? "" : parts_text(image)});
  }
  out += table(std::move(rows));
  for (const ImageResult& image : statistics.images)
    if (image.error && !image.told)
      out += printable(image.reference) + ": " + printable(image.error->what(), 2000) + "\n";
}

void append_images(std::string& out, const PullStatistics& statistics) {
  if (statistics.images.size() > 1 && !statistics.dry_run) return append_table(out, statistics);
  std::set<Digest> listed;
  for (const ImageResult& image : statistics.images) {
    out += describe(image) + ": ";
    if (image.error) {
      out += (image.told ? "failed" : printable(image.error->what(), 2000)) + "\n";
      continue;
    }
    const LayerSums sums = image.sums();
    out += counted(sums.layers, "layer") + ", " + format_bytes(sums.bytes);
    if (image.digest) out += ", " + image.digest->to_string();
    if (image.up_to_date) out += ", up to date";
    out += '\n';
    if (statistics.dry_run && !image.up_to_date) append_layers(out, image, listed);
  }
}

void append_cache(std::string& out, const LayerSums& sums) {
  if (sums.layers == 0) return;
  out += "cache: " + std::to_string(sums.cached_layers) + " of " + counted(sums.layers, "layer") + " hit (" +
         std::to_string(percent_of(sums.cached_layers, sums.layers)) + "%), " + format_bytes(sums.cached_bytes) +
         " saved\n";
}

void append_left_out(std::string& out, const PullStatistics& statistics, const LayerSums& sums) {
  if (!statistics.delta) return;
  std::set<std::string> names;
  for (const ImageResult& image : statistics.images)
    if (!image.error) names.insert(image.left_out_for.begin(), image.left_out_for.end());
  out += "left out: " + counted(sums.left_out_layers, "layer") + ", " + format_bytes(sums.left_out_bytes);
  std::string_view between = ", there by ";
  for (const std::string& name : names) (out += std::exchange(between, ", ")) += printable(name);
  out += '\n';
  if (sums.patched_layers > 0)
    out += "patched: " + counted(sums.patched_layers, "layer") + ", " + format_bytes(sums.patch_bytes) +
           " instead of " + format_bytes(sums.patched_bytes) + '\n';
}

void append_transfer(std::string& out, const PullStatistics& statistics) {
  out += "downloaded " + format_bytes(statistics.received) + " in " + format_duration(statistics.elapsed);
  if (statistics.received > 0) out += ", " + format_bytes(bytes_per_second(statistics)) + "/s";
  if (statistics.resumed > 0) out += ", " + format_bytes(statistics.resumed) + " resumed";
  if (statistics.retries > 0) out += ", tried again " + counted(statistics.retries, "time");
  out += '\n';
}

/// What came from where, where that could be more than one place.
void append_sources(std::string& out, const PullStatistics& statistics) {
  if (std::ranges::all_of(statistics.sources, &SourceResult::is_registry)) return;
  std::uint64_t all = 0;
  for (const SourceResult& source : statistics.sources) all += source.bytes;
  for (const SourceResult& source : statistics.sources) {
    out += "from " + printable(source.host) + ": " + format_bytes(source.bytes);
    if (all > 0) out += " (" + std::to_string(percent_of(source.bytes, all)) + "%)";
    if (!source.trouble.empty()) out += ", left out: " + printable(source.trouble, 2000);
    out += '\n';
  }
}

/// Whether `podman pull oci:` takes the directory: it makes the image's name of the path, "localhost/...".
bool can_be_a_name(std::string_view path) {
  if (path.find_first_of(":@") != std::string_view::npos) return false;
  if (path.starts_with('/')) path.remove_prefix(1);
  try {
    (void)Reference::parse("localhost/" + std::string(path));
    return true;
  } catch (const Error&) {
    return false;
  }
}

/// The command that loads the output of `images` images into an engine; empty where there is none. `alone`: whether
/// there are no others in it.
std::string load_command(OutputFormat format, const std::string& path, std::size_t images, bool alone) {
  // A name that can't be shown as it is can't be pasted either.
  if (printable(path, 4096) != path) return "";
  if (format == OutputFormat::docker_archive) return "docker load -i " + shell_quoted(path);
  if (images > 1 || !alone) return "";
  if (format == OutputFormat::oci_archive) return "podman load -i " + shell_quoted(path);
  return can_be_a_name(path) ? "podman pull oci:" + path : "";
}

/// The engines that take a delta where the layers that it lacks are, in words; empty: none.
std::string engines_for(const ImageResult& image, const PullStatistics& statistics) {
  if (statistics.format == OutputFormat::oci_dir || image.sums().patched_layers > 0) return "";
  const std::string docker = statistics.format == OutputFormat::docker_archive && image.for_docker ? "docker load" : "";
  if (statistics.uncompressed) return docker;
  return docker + (docker.empty() ? "" : ", ") + "podman load and ctr image import";
}

/// A whole archive's name beside that of a delta.
std::string whole_name(std::string path, OutputFormat format) {
  const std::string end = format == OutputFormat::oci_dir ? "" : ".tar", delta_end = ".delta" + end;
  if (path.size() > delta_end.size() && path.ends_with(delta_end))
    return path.substr(0, path.size() - delta_end.size()) + end;
  return "whole" + end;
}

/// How a delta becomes whole (one of plain tars does not), and who takes it as it is.
void append_delta(std::string& out, const ImageResult& image, const PullStatistics& statistics) {
  if (printable(image.output, 4096) == image.output && !statistics.uncompressed)
    out += "  hawser apply " + shell_quoted(image.output) + " --with HAVE -o " +
           shell_quoted(whole_name(image.output, statistics.format)) + "\n";
  if (const std::string engines = engines_for(image, statistics); !engines.empty())
    out += "  taken as it is, where the layers left out are, by " + engines + "\n";
}

/// Each output of images that succeeded once, in order.
void append_outputs(std::string& out, const PullStatistics& statistics) {
  std::vector<const ImageResult*> saved;
  for (const ImageResult& image : statistics.images)
    if (!image.error && !image.output.empty() && image.output != "-") saved.push_back(&image);
  std::set<std::string> told;
  const bool several = std::ranges::any_of(saved, [&](const auto* image) { return image->output != saved[0]->output; });
  if (several) return;  // the table has them
  for (const ImageResult* image : saved) {
    const std::string& path = image->output;
    if (!told.insert(path).second) continue;
    out += (image->up_to_date ? "up to date: " : "saved to ") + printable(parts_text(*image), 4096) + "\n";
    if (image->parts > 0) out += "  hawser join " + shell_quoted(part_list_path(path).string()) + "\n";
    if (statistics.delta) append_delta(out, *image, statistics);
    if (image->parts > 0 || statistics.delta) continue;
    const auto images = static_cast<std::size_t>(std::ranges::count(saved, path, &ImageResult::output));
    if (const std::string load = load_command(statistics.format, path, images, image->alone); !load.empty())
      out += "  " + load + "\n";
  }
}

json::value text_or_null(const std::string& text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

json::object to_json(const ImageResult& image) {
  const LayerSums sums = image.sums();
  return {{"reference", image.reference},
          {"platform", image.platforms.size() == 1 ? image.platforms.front() : std::string()},
          {"platforms", json::array(image.platforms.begin(), image.platforms.end())},
          {"digest", image.digest ? json::value(image.digest->to_string()) : json::value(nullptr)},
          {"output", text_or_null(image.output)},
          {"parts", image.parts},
          {"up_to_date", image.up_to_date},
          {"layers", sums.layers},
          {"cached_layers", sums.cached_layers},
          {"bytes", sums.bytes},
          {"cached_bytes", sums.cached_bytes},
          {"left_out_layers", sums.left_out_layers},
          {"left_out_bytes", sums.left_out_bytes},
          {"patched_layers", sums.patched_layers},
          {"patched_bytes", sums.patched_bytes},
          {"patch_bytes", sums.patch_bytes},
          {"exit_code", static_cast<int>(exit_code_of(image))},
          {"error", text_or_null(image.error ? image.error->what() : "")},
          {"hint", text_or_null(image.error ? image.error->hint() : "")}};
}

json::object to_json(const SourceResult& source) {
  return {{"host", source.host},
          {"registry", source.is_registry},
          {"configured_at", text_or_null(source.configured_at)},
          {"bytes", source.bytes},
          {"left_out", text_or_null(source.trouble)}};
}

}  // namespace

LayerSums PullStatistics::sums() const {
  LayerSums sums;
  std::map<Digest, PlannedLayer> layers;
  for (const ImageResult& image : images) {
    if (image.error || image.up_to_date) continue;
    for (const PlannedLayer& layer : image.layers)
      // One output may do without a layer that another one needs.
      if (const auto [known, fresh] = layers.try_emplace(layer.digest, layer); !fresh && known->second.left_out)
        known->second = layer;
  }
  for (const auto& [digest, layer] : layers) sums.add(layer);
  return sums;
}

ExitCode PullStatistics::exit() const {
  std::vector<ExitCode> codes;
  for (const ImageResult& image : images) codes.push_back(exit_code_of(image));
  return most_severe(codes);
}

std::string format_statistics(const PullStatistics& statistics) {
  const LayerSums sums = statistics.sums();
  const std::size_t failed = failures(statistics), all = statistics.images.size();
  std::string out;
  append_images(out, statistics);
  if (!statistics.applied) append_cache(out, sums);
  append_left_out(out, statistics, sums);
  if (statistics.dry_run) {
    if (failed < all) out += "to download: " + format_bytes(sums.to_fetch());
    if (sums.resumable_bytes > 0) out += ", " + format_bytes(sums.resumable_bytes) + " are left by an earlier run";
    if (failed < all) out += '\n';
  } else {
    if (!statistics.applied && (failed < all || statistics.received > 0)) append_transfer(out, statistics);
    if (statistics.verbose) append_sources(out, statistics);
    append_outputs(out, statistics);
  }
  const auto current = std::ranges::count_if(statistics.images, &ImageResult::up_to_date);
  if (all > 1 && current > 0) out += std::to_string(current) + " of " + counted(all, "image") + " up to date\n";
  if (failed > 0 && all > 1) out += std::to_string(failed) + " of " + counted(all, "image") + " failed\n";
  return out;
}

std::string statistics_json(const PullStatistics& statistics) {
  const LayerSums sums = statistics.sums();
  json::array images;
  for (const ImageResult& image : statistics.images) images.emplace_back(to_json(image));
  json::array sources;
  for (const SourceResult& source : statistics.sources) sources.emplace_back(to_json(source));
  return json_line(json::object{{"images", std::move(images)},
                                {"sources", std::move(sources)},
                                {"layers", sums.layers},
                                {"cached_layers", sums.cached_layers},
                                {"bytes", sums.bytes},
                                {"cached_bytes", sums.cached_bytes},
                                {"left_out_layers", sums.left_out_layers},
                                {"left_out_bytes", sums.left_out_bytes},
                                {"patched_layers", sums.patched_layers},
                                {"patched_bytes", sums.patched_bytes},
                                {"patch_bytes", sums.patch_bytes},
                                {"to_fetch_bytes", sums.to_fetch()},
                                {"received_bytes", statistics.received},
                                {"resumed_bytes", statistics.dry_run ? sums.resumable_bytes : statistics.resumed},
                                {"retries", statistics.retries},
                                {"elapsed_seconds", static_cast<double>(statistics.elapsed.count()) / 1000},
                                {"bytes_per_second", bytes_per_second(statistics)},
                                {"dry_run", statistics.dry_run},
                                {"exit_code", static_cast<int>(statistics.exit())}});
}

std::string shell_quoted(std::string_view text) {
  constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@%+=,-";
  if (!text.empty() && text.find_first_not_of(plain) == std::string_view::npos && text.front() != '-')
    return std::string(text);
  // A word that begins with a dash would be taken for an option, quoted or not.
  std::string quoted = text.starts_with('-') ? "'./" : "'";
  for (const char c : text) {
    if (c == '\'')
      quoted += "'\\''";
    else
      quoted += c;
  }
  return quoted + "'";
}

}  // namespace hawser
