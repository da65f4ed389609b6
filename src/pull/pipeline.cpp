#include "pull/pipeline.hpp"

#include "archive/parts.hpp"
#include "pull/delta.hpp"
#include "pull/image_resolver.hpp"
#include "pull/patches.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <array>
#include <exception>
#include <filesystem>
#include <memory>
#include <mutex>
#include <utility>

namespace hawser {
namespace {

/// Outputs that are worked on at once; the others wait. Their layers share the connections anyway; but far from the
/// registry each turn of the others costs its round trips.
constexpr std::size_t outputs_at_once = 32;
/// Blobs beside the configs that are worked on at once, of all outputs together. Each has about four files open, and
/// many systems allow 1024.
constexpr std::size_t blobs_at_once = 128;

/// `text` without what it may begin with: the reference, which is shown before it anyway.
std::string without_reference(std::string_view text, const std::string& reference) {
  const std::string prefix = reference + ": ";
  while (text.starts_with(prefix)) text.remove_prefix(prefix.size());
  return std::string(text);
}

void add_platform(std::vector<std::string>& platforms, const Platform& platform) {
  std::string name = platform.to_string();
  if (std::ranges::find(platforms, name) == platforms.end()) platforms.push_back(std::move(name));
}

/// Whether the manifest is of all platforms only since its index names it.
bool comes_along(const ArchiveManifest& manifest) {
  return is_attestation(manifest.descriptor) || manifest.manifest.config.media_type == media_type::oci_empty;
}

/// What the user can do about an image that was not to be had.
std::string hint_for(const Reference& reference, const Error& error) {
  static constexpr std::array not_there{Errc::no_such_host, Errc::resolve_failed, Errc::unauthorized, Errc::forbidden,
                                        Errc::not_found};
  const std::string misreading = reference.misreading();
  return misreading.empty() || std::ranges::find(not_there, error.code()) == not_there.end() ? error.hint()
                                                                                             : misreading;
}

}  // namespace

Pipeline::Pipeline(asio::any_io_executor executor, asio::thread_pool& pool, PullRequest request,
                   TransferObserver& observer)
    : executor_(executor),
      pool_(pool),
      request_(std::move(request)),
      observer_(observer),
      outputs_(plan_outputs(request_)),
      haves_(request_.without),
      output_places_(executor, outputs_at_once),
      blob_places_(executor, blobs_at_once),
      patch_place_(executor, 1),
      results_(request_.references.size()) {
  for (std::size_t i = 0; i < results_.size(); ++i) results_[i].reference = request_.references[i].reference.familiar();
}

void Pipeline::stop() {
  stopped_ = true;
  if (supply_) supply_->stop();
  if (session_) session_->stop();
}

void Pipeline::tell(Importance importance, const std::string& text) const {
  if (request_.access.log) request_.access.log(importance, text);
}

asio::awaitable<void> Pipeline::each_output(Storage storage, Step last) {
  storage_ = std::move(storage);
  session_.emplace(executor_, pool_, request_.access, observer_);
  supply_.emplace(executor_, pool_, request_, storage_, *session_, observer_);
  if (stopped_) stop();
  for (const RequestedImage& image : request_.references) session_->prepare(image.reference);
  co_await look_up_haves();
  TaskGroup group(executor_);
  for (Output& output : outputs_) group.start(make(output, last));
  co_await group.join();
  // What the cache seemed to have may have turned out to be damaged.
  for (ImageResult& result : results_)
    for (PlannedLayer& layer : result.layers)
      if (!layer.left_out) {
        const std::uint64_t patch = layer.patch;
        layer = supply_->layer(layer.digest);
        layer.patch = patch;
      }
  co_await end_requests();
}

/// Answers that nobody needs any more may still be waited for, by coroutines that use what goes with this object.
asio::awaitable<void> Pipeline::end_requests() {
  supply_->stop();
  session_->stop();
  while (supply_->is_busy() || session_->is_busy())
    co_await sleep(Clock::system(), executor_, std::chrono::milliseconds(1));
}

asio::awaitable<void> Pipeline::make(Output& output, Step last) {
  co_await output_places_.enter();
  std::optional<Error> failure;
  try {
    if (stopped_) throw Error(Errc::cancelled, "stopped");
    TaskGroup images(executor_);
    for (std::size_t position = 0; position < output.images.size(); ++position) images.start(resolve(output, position));
    co_await images.join();
    if (const auto blamed = output.first_blamed()) throw *output.failures[*blamed];
    output.collect();
    describe(output);
    if (!haves_.empty()) co_await leave_out(output);
    if (request_.fine && output.delta && last == &Pipeline::write) co_await patch(output);
    const bool up_to_date = co_await is_up_to_date(output);
    if (!up_to_date) co_await (this->*last)(output);
  } catch (const Error& error) {
    failure = error;
  } catch (const std::filesystem::filesystem_error& error) {
    failure = Error(Errc::disk, error.what());
  } catch (const std::exception& error) {
    failure = Error(Errc::unsupported, std::string("unexpected: ") + error.what());
  }
  output_places_.leave();
  if (failure) failed(output, *failure);
}

asio::awaitable<void> Pipeline::resolve(Output& output, std::size_t position) {
  const Reference reference = output.reference(position);
  const std::optional<Platform> platform = output.platform(position);
  // One that fails does not keep what is wrong with the others from being found.
  try {
    ResolvedImage image =
        co_await resolve_image(*session_, storage_.source(), reference, platform, request_.all_platforms);
    if (const auto& name = output.image(position).tag_as) image.archive.references = {*name};
    for (const ArchiveManifest& manifest : image.archive.manifests)
      if (!image.from_index || !request_.all_platforms || !comes_along(manifest)) check_is_image(manifest.manifest);
    output.images[position] = std::move(image);
  } catch (const Error& error) {
    output.blame(position, error);
    if (!output.failures[position]) throw;
  }
}

/// Notes what each image consists of, and what the cache has of it.
void Pipeline::describe(const Output& output) {
  for (std::size_t position = 0; position < output.images.size(); ++position) {
    ImageResult& result = results_[output.numbers[position]];
    const ArchiveImage& image = output.images[position]->archive;
    result.output = output.path;
    result.digest = image.root().digest;
    result.pinned = output.images[position]->top;
    std::set<Digest> seen;
    for (const ArchiveManifest& manifest : image.manifests) {
      const bool attestation = is_attestation(manifest.descriptor);
      if (!attestation && manifest.descriptor.platform) add_platform(result.platforms, *manifest.descriptor.platform);
      for (const Descriptor& layer : manifest.manifest.layers)
        if (seen.insert(layer.digest).second) result.layers.push_back(supply_->note_layer(layer, attestation));
    }
  }
}

/// Finds out which layers the images consist of that are said to be there.
asio::awaitable<void> Pipeline::look_up_haves() {
  std::set<std::string> named;
  std::vector<std::optional<Platform>> platforms;
  for (const RequestedImage& image : request_.references) {
    const std::optional<Platform>& platform = image.platform ? image.platform : request_.platform;
    if (named.insert(platform ? platform->to_string() : "").second) platforms.push_back(platform);
  }
  TaskGroup group(executor_);
  for (Have& have : haves_)
    for (const Reference& image : have.images)
      for (const std::optional<Platform>& platform : platforms) group.start(look_up(have, image, platform));
  co_await group.join();
}

/// An image that can't be looked up is not counted on: what it has is in the delta then.
asio::awaitable<void> Pipeline::look_up(Have& have, Reference image, std::optional<Platform> platform) {
  co_await output_places_.enter();
  std::optional<Error> failure;
  try {
    if (stopped_) throw Error(Errc::cancelled, "stopped");
    const ResolvedImage found =
        co_await resolve_image(*session_, storage_.source(), image, platform, request_.all_platforms);
    for (const ArchiveManifest& manifest : found.archive.manifests)
      for (const Descriptor& layer : manifest.manifest.layers) have.layers.insert(layer.digest);
  } catch (const Error& error) {
    failure = error;
  }
  output_places_.leave();
  if (failure && failure->code() != Errc::cancelled)
    tell(Importance::warning, printable(have.name) + ": " + failure->what() + "; its layers are not taken to be there");
}

/// Decides what the output lacks. The configs say the layers' diff IDs, so they are asked for first.
asio::awaitable<void> Pipeline::leave_out(Output& output) {
  std::map<Digest, ImageConfig> configs;
  for (std::size_t position = 0; position < output.images.size(); ++position) {
    const ResolvedImage& image = *output.images[position];
    for (const ArchiveManifest& manifest : image.archive.manifests) {
      if (!has_image_config(manifest) || configs.contains(manifest.descriptor.digest)) continue;
      const std::string bytes = co_await config_of(output, position, manifest);
      configs.emplace(manifest.descriptor.digest, output.read_config(position, manifest, bytes));
    }
  }
  output.leave_out(make_delta(output, configs, haves_));
  for (const std::string& line : check_delta(*output.delta, haves_, request_.format, request_.uncompressed))
    tell(Importance::warning, line);
  note_delta(output);
}

/// Tells the results what the output lacks.
void Pipeline::note_delta(const Output& output) {
  const bool for_docker = is_for_docker(*output.delta, output, request_.format);
  for (const std::size_t number : output.numbers) {
    ImageResult& result = results_[number];
    result.left_out_for = output.delta->holders();
    result.for_docker = for_docker;
    for (PlannedLayer& layer : result.layers) {
      const auto found = output.delta->left_out.find(layer.digest);
      const bool lacking = found != output.delta->left_out.end();
      // What was patched was fetched, too.
      layer.patch = lacking && found->second.patch ? found->second.patch->size : 0;
      layer.left_out = lacking && layer.patch == 0;
    }
  }
}

/// Keeps hold of the layers that are to be patched, once they are there.
class Pipeline::LayerFiles final : public ImageOutput {
 public:
  explicit LayerFiles(std::vector<Digest> layers) : ImageOutput(std::move(layers)) {}

  void fill(const Digest& digest, const File& source) override {
    const std::lock_guard lock(mutex_);
    files_.emplace(digest, source.duplicate());
  }
  const std::map<Digest, File>& files() const { return files_; }

 private:
  void complete() override {}

  std::mutex mutex_;
  std::map<Digest, File> files_;
};

/// Fetches the layers of a delta, and leaves those out that a patch is enough for.
asio::awaitable<void> Pipeline::patch(Output& output) {
  std::vector<Digest> layers;
  for (const auto& [digest, blob] : output.blobs)
    if (blob.diff_id) layers.push_back(digest);
  LayerFiles files(layers);
  TaskGroup group(executor_, [&] { supply_->abandon(output.numbers.front()); });
  for (const Digest& digest : layers) group.start(deliver_in_turn(output, files, digest));
  co_await group.join();
  co_await patch_place_.enter();
  std::exception_ptr failure;
  try {
    co_await make_patches(output, files);
  } catch (...) {
    failure = std::current_exception();
  }
  patch_place_.leave();
  if (failure) std::rethrow_exception(failure);
}

asio::awaitable<void> Pipeline::make_patches(Output& output, const LayerFiles& files) {
  if (files.files().empty()) co_return;
  BlobStore& store = *storage_.arrivals();
  std::set<Digest> known;
  for (const auto& [digest, layer] : output.delta->left_out)
    if (layer.diff_id) known.insert(*layer.diff_id);
  std::optional<PatchMaker> maker;
  std::vector<std::string> warnings;
  auto begin = [&] {
    maker.emplace(store.directory(), haves_, known, [&](const std::string& text) { warnings.push_back(text); });
  };
  co_await run_on(pool_, begin);
  for (const std::string& warning : warnings) tell(Importance::warning, warning);
  if (maker->empty()) {
    tell(Importance::warning, "--fine: what --without names has no layers to patch with; an image tar or layout has");
    co_return;
  }
  Delta delta = *output.delta;
  for (const auto& entry : files.files()) {
    const Digest& digest = entry.first;
    const File& file = entry.second;
    if (stopped_) throw Error(Errc::cancelled, "stopped");
    const OutputBlob& blob = output.blobs.at(digest);
    PatchMaker::Made made;
    auto make = [&] { made = maker->make(file, *blob.diff_id, store); };
    co_await run_on(pool_, make);
    if (!made.patch) {
      tell(Importance::warning, "the layer " + digest.short_string() + " is in the delta as a whole: " + made.reason);
      continue;
    }
    supply_->note_made(made.patch->digest);
    LeftOutLayer layer{blob.descriptor.size, *blob.diff_id};
    layer.held_by = maker->holders();
    layer.patch = std::move(made.patch);
    delta.left_out.emplace(digest, std::move(layer));
  }
  output.leave_out(std::move(delta));
  note_delta(output);
}

/// Whether the output is there as write() would make it. An archive gets its name when it is whole, so its layers are
/// taken for what its documents say.
asio::awaitable<bool> Pipeline::is_up_to_date(Output& output) {
  if (request_.force) co_return false;
  std::optional<Configs> configs;
  std::size_t parts = 0;
  auto look = [&] {
    configs = configs_of_same_output(request_.format, request_.uncompressed, output.path, output.archive,
                                     request_.split, output.delta);
    if (configs) parts = parts_of_archive(output.path, request_.split);
  };
  co_await run_on(pool_, look);
  if (!configs) co_return false;
  for (std::size_t position = 0; position < output.images.size(); ++position) {
    for (const ArchiveManifest& manifest : output.images[position]->archive.manifests)
      if (has_image_config(manifest))
        accept_config(output, position, manifest, configs->at(manifest.manifest.config.digest));
    results_[output.numbers[position]].up_to_date = true;
    results_[output.numbers[position]].parts = parts;
  }
  std::vector<Error> unrecorded;
  auto record = [&] { unrecorded = supply_->record_as_used(output); };
  co_await run_on(pool_, record);
  tell_unrecorded(unrecorded);
  co_return true;
}

/// The bytes of a config, for one who wants to know it only.
asio::awaitable<std::string> Pipeline::config_of(Output& output, std::size_t position,
                                                 const ArchiveManifest& manifest) {
  try {
    std::string bytes = co_await supply_->get_config(output.images[position]->reference, manifest.manifest.config);
    co_return bytes;
  } catch (const Error& error) {
    output.blame(position, error);
    throw;
  }
}

asio::awaitable<void> Pipeline::check(Output& output) {
  auto check_place = [&] {
    check_image_output(request_.format, request_.uncompressed, output.place(), output.archive,
                       storage_.arrivals_directory, request_.split, output.delta);
  };
  co_await run_on(pool_, check_place);
  for (std::size_t position = 0; position < output.images.size(); ++position) {
    const ResolvedImage& image = *output.images[position];
    for (const ArchiveManifest& manifest : image.archive.manifests) {
      if (!has_image_config(manifest)) continue;
      const std::string config = co_await config_of(output, position, manifest);
      accept_config(output, position, manifest, config);
    }
  }
  auto check_space = [&] {
    if (session_->is_offline()) supply_->check_offline(output);
    supply_->check_space(output);
  };
  co_await run_on(pool_, check_space);
  co_await supply_->check_cached(output);
}

asio::awaitable<void> Pipeline::write(Output& output) {
  std::unique_ptr<ImageOutput> file;
  const bool configs_first = supply_->needs_diff_ids();
  auto check_space = [&] {
    if (session_->is_offline()) supply_->check_offline(output);
    supply_->check_space(output);
  };
  auto open = [&] {
    if (!configs_first) check_space();
    file = open_image_output(request_.format, request_.uncompressed, output.place(), output.archive,
                             storage_.arrivals_directory, request_.split, output.delta);
  };
  co_await run_on(pool_, open);
  Configs configs;
  if (configs_first) {
    co_await deliver_configs(output, *file, configs);
    co_await run_on(pool_, check_space);
  }
  TaskGroup blobs(executor_, [&] { supply_->abandon(output.numbers.front()); });
  if (!configs_first) blobs.start(deliver_configs(output, *file, configs));
  for (const Digest& digest : file->missing())
    if (!output.configs.contains(digest)) blobs.start(deliver_in_turn(output, *file, digest));
  co_await blobs.join();
  bool alone = true;
  std::vector<Error> unrecorded;
  auto finish = [&] {
    file->finish();
    if (request_.format == OutputFormat::oci_dir) alone = images_in_layout(output.path) <= output.numbers.size();
    unrecorded = supply_->record(output);
  };
  co_await run_on(pool_, finish);
  for (const std::size_t number : output.numbers) {
    results_[number].alone = alone;
    results_[number].held = file->held();
    results_[number].parts = file->parts();
  }
  tell_unrecorded(unrecorded);
}

/// The archive is complete; only the next pull and other tools miss the entry.
void Pipeline::tell_unrecorded(const std::vector<Error>& errors) const {
  for (const Error& error : errors)
    tell(Importance::warning, std::string("the cache could not take the image's documents: ") + error.what());
}

/// The configs are the first of all blobs: an image that is not what was asked for is refused while its layers are
/// still on their way.
asio::awaitable<void> Pipeline::deliver_configs(Output& output, ImageOutput& file, Configs& configs) {
  for (std::size_t position = 0; position < output.images.size(); ++position) {
    for (const ArchiveManifest& manifest : output.images[position]->archive.manifests) {
      const Digest& digest = manifest.manifest.config.digest;
      const bool is_new = !configs.contains(digest);
      std::string& bytes = configs[digest];
      if (is_new) co_await deliver(output, file, digest, &bytes);
      if (!has_image_config(manifest)) continue;
      const ImageConfig config = accept_config(output, position, manifest, bytes);
      auto known = [&] { file.config_known(manifest, config, bytes); };
      co_await run_on(pool_, known);
    }
  }
}

/// deliver() for a blob that takes its turn: each has descriptors open, and there may be more blobs than descriptors.
asio::awaitable<void> Pipeline::deliver_in_turn(Output& output, ImageOutput& file, Digest digest) {
  co_await blob_places_.enter();
  std::exception_ptr failure;
  try {
    if (stopped_) throw Error(Errc::cancelled, "stopped");
    co_await deliver(output, file, digest, nullptr);
  } catch (...) {
    failure = std::current_exception();
  }
  blob_places_.leave();
  if (failure) std::rethrow_exception(failure);
}

/// Gets one blob into the output; where that can't be done, it is for the image that the blob was asked for.
asio::awaitable<void> Pipeline::deliver(Output& output, ImageOutput& file, const Digest& digest, std::string* bytes) {
  const OutputBlob& blob = output.blobs.at(digest);
  const BlobDelivery delivery{blob, output.images[blob.position]->reference, output.numbers.front(), file, bytes};
  try {
    co_await supply_->deliver(delivery);
  } catch (const Error& error) {
    output.blame(blob.position, error);
    throw;
  }
}

/// Checks the config of a manifest, and notes the platform where nothing else says it, and what the cache has of the
/// layers by their diff IDs. Scratch images and those of old builders say nothing of their platform: they are taken as
/// what the index calls them, or as what was asked for.
ImageConfig Pipeline::accept_config(Output& output, std::size_t position, const ArchiveManifest& manifest,
                                    const std::string& bytes) {
  ImageConfig config = output.read_config(position, manifest, bytes);
  ImageResult& result = results_[output.numbers[position]];
  const std::uint64_t saved = supply_->note_diff_ids(manifest.manifest, config);
  if (saved > 0 && request_.format == OutputFormat::docker_archive && !output.delta)
    tell(Importance::warning, result.reference + ": --uncompressed would save " + format_bytes(saved) +
                                  ", since the cache has layers of it from an imported tar");
  const bool silent = !config.platform;
  if (silent)
    config.platform = manifest.descriptor.platform.value_or(output.platform(position).value_or(Platform::host()));
  if (silent)
    tell(Importance::warning, result.reference + ": the image's config names no architecture; it is taken as one for " +
                                  config.platform->to_string());
  if (!manifest.descriptor.platform) add_platform(result.platforms, *config.platform);
  return config;
}

/// Each image that something is wrong with ends in its own error, and the others of its output in that it was not
/// written.
void Pipeline::failed(const Output& output, const Error& error) {
  const std::optional<std::size_t> blamed = output.first_blamed();
  for (std::size_t position = 0; position < output.numbers.size(); ++position) {
    ImageResult& result = results_[output.numbers[position]];
    const bool innocent = blamed && !output.failures[position];
    const Error& cause = blamed ? *output.failures[innocent ? *blamed : position] : error;
    result.output.clear();
    if (innocent) {
      result.error.emplace(cause.code(),
                           "not written, since " + results_[output.numbers[*blamed]].reference + " failed");
      continue;
    }
    result.error.emplace(cause.code(), without_reference(cause.what(), result.reference),
                         hint_for(output.reference(position), cause));
    result.told = true;
    if (stopped_ || (!blamed && position > 0)) continue;
    // What is wrong with an output of several images is said once, and not of one of them.
    const bool one = blamed || output.numbers.size() == 1;
    tell(Importance::error, (one ? result.reference + ": " : "") + result.error->what());
    if (!result.error->hint().empty()) tell(Importance::hint, result.error->hint());
  }
}

}  // namespace hawser
