// Makes a whole archive of a delta and what the place has already: an import of what is needed, and a pull from it.
#include "archive/tar_import.hpp"
#include "cli/commands.hpp"
#include "cli/pull_run.hpp"
#include "cli/runtime.hpp"
#include "pull/patches.hpp"
#include "pull/storage.hpp"
#include "util/async.hpp"
#include "util/platform/file.hpp"
#include "util/text.hpp"

#include <hawser/pull/pull.hpp>
#include <hawser/util/error.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

namespace hawser {
namespace {

namespace asio = boost::asio;

/// What `file` says it lacks; nothing where it is no delta.
std::optional<Delta> delta_in(const std::string& file) {
  TarImport tar = read_saved_images(file);
  if (tar.cut) throw *tar.cut;
  return std::move(tar.delta);
}

Delta last_delta(const std::string& file) {
  std::optional<Delta> delta = delta_in(file);
  if (!delta)
    throw Error(Errc::usage, "it is no delta: there is no " + std::string(delta_file) + " in it",
                "what has layers for one is named by --with");
  return *std::move(delta);
}

/// The layers of a delta on their way into a store.
class Gathering {
 public:
  Gathering(BlobStore& store, Delta delta, bool uncompressed, Runtime& runtime)
      : store_(store), missing_(std::move(delta.left_out)), uncompressed_(uncompressed), runtime_(runtime) {
    know_patches(missing_);
    look();
  }

  /// Counts on the patches of another delta of the row.
  void know_patches(const std::map<Digest, LeftOutLayer>& left_out) {
    for (const auto& [digest, layer] : left_out)
      if (layer.patch) patches_.emplace(digest, layer);
  }

  /// Takes all of the delta itself.
  void take_delta(const std::string& file) {
    const ImportReport report = import_tar(store_, file, tell(), [](const ImportedBlob&) { return true; });
    if (!report.wrong.empty())
      throw Error(Errc::digest_mismatch,
                  "it is damaged: " + report.wrong.front().to_string() + " is not what it claims to be",
                  "copy it again from where it was made");
    look();
  }

  /// Takes what is missing still out of an archive or a layout.
  void take(const std::string& file) {
    std::set<Digest> names;
    for (const auto& [digest, layer] : missing_) name(digest, layer.diff_id, names);
    if (names.empty()) return;
    const auto wanted = [&](const ImportedBlob& blob) {
      return names.contains(blob.digest) || (blob.diff_id && names.contains(*blob.diff_id));
    };
    const ImportReport report = import_tar(store_, file, tell(), wanted);
    for (const Digest& digest : report.wrong)
      warn(printable(file) + ": " + digest.to_string() + " in it is not what it claims to be");
    look();
  }

  /// Makes the layers that there are patches for. False where some can't be made, as what they are of turned out to be
  /// something else, and was set aside: another file may have it.
  bool apply_patches() {
    bool complete = true;
    tried_.clear();
    for (const auto& [digest, layer] : missing_)
      if (const auto* const made = patch_for(digest, layer)) complete &= make(made->first, made->second);
    look();
    return complete;
  }

  /// Throws Error{not_found} where layers are nowhere, or what they are patched of.
  void check() const {
    std::map<Digest, LeftOutLayer> nowhere;
    for (const auto& [digest, layer] : missing_) add_nowhere(digest, layer, nowhere);
    if (nowhere.empty()) return;
    const bool plain = !uncompressed_ && std::ranges::all_of(nowhere, [this](const auto& entry) {
      return entry.second.diff_id && store_.find_layer(*entry.second.diff_id);
    });
    throw Error(Errc::not_found,
                counted(nowhere.size(), "layer") + (nowhere.size() == 1 ? " is" : " are") +
                    (plain ? " there in other bytes than the registry's alone, as plain tars or compressed anew:\n"
                           : " neither in the delta, nor in what --with names, nor in the cache:\n") +
                    describe_layers(nowhere, "  "),
                plain ? "--uncompressed makes an archive of the plain tars, whose diff IDs hold"
                      : "name what has them with --with");
  }

 private:
  // Progress belongs to the thread that draws it.
  std::function<void(std::string_view)> tell() {
    return [this](std::string_view line) {
      asio::post(runtime_.executor(),
                 [&progress = runtime_.progress(), text = std::string(line)] { progress.message(text); });
    };
  }
  void warn(std::string text) {
    asio::post(runtime_.executor(),
               [&progress = runtime_.progress(), text = std::move(text)] { progress.tell(Importance::warning, text); });
  }

  /// Finds out what is not missing any more.
  void look() {
    std::erase_if(missing_, [this](const auto& entry) {
      const auto& [digest, layer] = entry;
      return is_there(store_, digest, layer) || (uncompressed_ && layer.diff_id && store_.find_layer(*layer.diff_id));
    });
  }

  bool has(const LayerPatch::Source& source) const {
    return is_there(store_, source.digest, {source.size}) || store_.find_layer(source.diff_id);
  }

  /// The layer that some patch of the row makes.
  const std::pair<const Digest, LeftOutLayer>* patched(const Digest& digest,
                                                       const std::optional<Digest>& diff_id) const {
    auto found = patches_.find(digest);
    if (found == patches_.end() && diff_id)
      found = std::ranges::find_if(patches_, [&](const auto& entry) { return entry.second.diff_id == diff_id; });
    return found == patches_.end() ? nullptr : &*found;
  }
  /// What makes a missing layer: of another delta of the row where this one counts on having it.
  const std::pair<const Digest, LeftOutLayer>* patch_for(const Digest& digest, const LeftOutLayer& layer) const {
    return patched(digest, uncompressed_ ? layer.diff_id : std::nullopt);
  }

  /// Adds the names by which files may have the layer, or what makes it.
  void name(const Digest& digest, const std::optional<Digest>& diff_id, std::set<Digest>& names) const {
    if (!names.insert(digest).second) return;
    if (diff_id) names.insert(*diff_id);
    const auto* const made = patched(digest, diff_id);
    if (!made) return;
    names.insert(made->second.patch->digest);
    for (const LayerPatch::Source& source : made->second.patch->from)
      if (!has(source)) name(source.digest, source.diff_id, names);
  }

  /// Makes a layer by its patch, and what that is of by theirs. False where all of that seemed to be there, and was
  /// not.
  bool make(const Digest& digest, const LeftOutLayer& layer) {
    if (!tried_.insert(digest).second || is_there(store_, digest, layer)) return true;
    bool complete = true;
    for (const LayerPatch::Source& source : layer.patch->from)
      if (const auto* const made = has(source) ? nullptr : patched(source.digest, source.diff_id))
        complete &= make(made->first, made->second);
    const bool seemed_there =
        std::ranges::all_of(layer.patch->from, [&](const LayerPatch::Source& source) { return has(source); });
    tell()("patching " + digest.short_string() + ", " + format_bytes(layer.size));
    try {
      return make_layer(digest, layer, store_) || (complete && !seemed_there);
    } catch (const Error& error) {
      if (is_on_this_side(error.code())) throw;
      throw Error(error.code(), "the patch of " + digest.to_string() + " is no good: " + error.what(),
                  "copy the delta again from where it was made");
    }
  }

  /// Where the layer is patched of layers that are nowhere, these are what is missing.
  void add_nowhere(const Digest& digest, const LeftOutLayer& layer, std::map<Digest, LeftOutLayer>& nowhere) const {
    bool of_others = false;
    const auto* const made = patch_for(digest, layer);
    for (std::size_t i = 0; made && i < made->second.patch->from.size(); ++i) {
      const LayerPatch::Source& source = made->second.patch->from[i];
      if (has(source)) continue;
      of_others = true;
      nowhere.try_emplace(source.digest, LeftOutLayer{source.size, source.diff_id, false, layer.held_by});
    }
    if (!of_others) nowhere.try_emplace(digest, layer);
  }

  BlobStore& store_;
  std::map<Digest, LeftOutLayer> missing_;
  std::map<Digest, LeftOutLayer> patches_;  // of all deltas of the row
  std::set<Digest> tried_;                  // layers that were to be made
  const bool uncompressed_;
  Runtime& runtime_;
};

/// A pull of the delta's images by their digests, under the names that they have in it.
PullRequest request_for(const Command& command, const Delta& delta, Progress& progress) {
  PullRequest request = command;
  request.all_platforms = delta.all_platforms;
  for (const DeltaImage& image : delta.images) {
    Reference by_digest = image.reference;
    by_digest.digest = image.digest;
    RequestedImage& wanted = request.references.emplace_back(std::move(by_digest));
    wanted.tag_as = image.reference;
    if (!delta.all_platforms && image.platform && !platform_rank(*image.platform, Platform::host()))
      wanted.platform = image.platform;
  }
  request.access.offline = true;
  request.access.log = [&progress](Importance importance, const std::string& text) { progress.tell(importance, text); };
  return request;
}

/// Where blobs are gathered: the cache, or a place that goes with the command.
std::unique_ptr<TemporaryStore> temporary_store(const Command& command) {
  namespace fs = std::filesystem;
  if (command.use_cache) return nullptr;
  const std::string path = command.output.value_or("");
  if (path == "-") return std::make_unique<TemporaryStore>(fs::temp_directory_path());
  return std::make_unique<TemporaryStore>(fs::is_directory(path) ? fs::path(path) : directory_of(path));
}

asio::awaitable<void> gather_and_pull(asio::thread_pool& pool, const std::function<void()>& gather,
                                      const std::function<Pull&()>& begin_pull) {
  co_await run_on(pool, gather);
  co_await begin_pull().run();
}

}  // namespace

ExitCode run_apply_command(const Command& command, const Environment& environment) {
  const auto begin = std::chrono::steady_clock::now();
  refuse_a_terminal(command);
  Runtime runtime(command, environment);
  Progress& progress = runtime.progress();
  const auto in_file = [](const std::string& file, auto work) {
    try {
      return work();
    } catch (const Error& error) {
      throw error.in(printable(file, 4096));
    }
  };
  const std::string& last = command.words.back();
  const Delta delta = in_file(last, [&] { return last_delta(last); });
  PullRequest request = request_for(command, delta, progress);
  const std::unique_ptr<TemporaryStore> temporary = temporary_store(command);
  if (temporary) request.cache_directory = temporary->store.directory().string();
  const std::function<void()> gather = [&] {
    BlobStore store(request.cache_directory);
    Gathering layers(store, delta, command.uncompressed, runtime);
    in_file(last, [&] { layers.take_delta(last); });
    std::vector<std::string> others(command.words.begin(), command.words.end() - 1);
    for (const std::string& file : others)
      if (const auto earlier = in_file(file, [&] { return delta_in(file); })) layers.know_patches(earlier->left_out);
    others.insert(others.end(), command.haves.begin(), command.haves.end());
    const auto take_others = [&] {
      for (const std::string& file : others) in_file(file, [&] { layers.take(file); });
      return in_file(last, [&] { return layers.apply_patches(); });
    };
    if (!take_others()) take_others();
    in_file(last, [&] { layers.check(); });
    for (const DeltaImage& image : delta.images)
      if (!store.get(image.digest))
        throw Error(Errc::unsupported, printable(last, 4096) + " has no manifest of " + image.reference.familiar(),
                    "a delta that was made with --uncompressed is for docker load alone");
  };
  std::optional<Pull> pull;
  const std::function<Pull&()> begin_pull = [&]() -> Pull& {
    return pull.emplace(runtime.executor(), runtime.pool(), std::move(request), progress);
  };
  const int signal = runtime.run(gather_and_pull(runtime.pool(), gather, begin_pull), [&] {
    if (pull) pull->stop();
  });
  if (signal != 0 && !pull) end_process(signal);
  if (signal != 0) return stopped(command, *pull, signal);
  PullStatistics statistics = statistics_of(command, *pull, progress, begin);
  statistics.delta = false;
  statistics.applied = true;
  say(command, statistics);
  return statistics.exit();
}

}  // namespace hawser
