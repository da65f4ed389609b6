#include "app/pull_output.hpp"

#include <hawser/app/pull_run.hpp>
#include <hawser/util/error.hpp>
#include <hawser/util/run_on.hpp>

#include <filesystem>
#include <set>

namespace hawser {
namespace {

/// Outputs that are worked on at once; the others wait. Their layers share the connections anyway.
constexpr std::size_t outputs_at_once = 8;
/// Blobs beside the configs that are worked on at once, of all outputs together. Each has about four files open, and
/// many systems allow 1024.
constexpr std::size_t blobs_at_once = 128;

FetchOptions fetch_options(const PullCommand& command, const RetryLimits& retry) {
  FetchOptions options;
  options.max_blobs = command.max_downloads;
  options.max_connections = command.max_connections;
  options.chunk_size = command.chunk_size;
  options.limit_rate = command.limit_rate.value_or(0);
  options.retry = retry;
  return options;
}

}  // namespace

PullRun::PullRun(asio::any_io_executor executor, asio::thread_pool& pool, const PullCommand& command,
                 std::vector<Reference> references, std::vector<OutputPlan> plans, Session& session, PullStores stores,
                 TransferObserver& observer, Log& log)
    : executor_(executor),
      pool_(pool),
      command_(command),
      references_(std::move(references)),
      plans_(std::move(plans)),
      session_(session),
      store_(stores.cache),
      arrivals_(stores.arrivals),
      rehearsed_(std::move(stores.rehearsed)),
      observer_(observer),
      log_(log),
      fetcher_(executor, pool, session.http(), fetch_options(command, session.retry_limits()), observer),
      places_(executor, outputs_at_once),
      blob_places_(executor, blobs_at_once),
      results_(references_.size()) {
  for (std::size_t i = 0; i < references_.size(); ++i) results_[i].reference = references_[i].familiar();
}

PullRun::~PullRun() = default;

void PullRun::stop() {
  stopped_ = true;
  fetcher_.stop();
  session_.stop();
}

asio::awaitable<void> PullRun::run() {
  std::set<std::string> prepared;
  for (const Reference& reference : references_)
    if (prepared.insert(reference.registry_host()).second) session_.prepare(reference);
  TaskGroup outputs(executor_);
  for (std::size_t i = 0; i < plans_.size(); ++i) outputs.start(make_output(plans_[i], i));
  co_await outputs.join();
}

asio::awaitable<void> PullRun::make_output(const OutputPlan& plan, std::size_t group) {
  co_await places_.enter();
  Output output(plan, group);
  std::optional<Error> failure;
  try {
    if (stopped_) throw Error(Errc::cancelled, "stopped");
    TaskGroup images(executor_);
    for (std::size_t i = 0; i < plan.images.size(); ++i) images.start(resolve(output, i));
    co_await images.join();
    if (const auto blamed = output.first_blamed()) throw *output.failures[*blamed];
    co_await fill(output);
  } catch (const Error& error) {
    failure = error;
  } catch (const std::filesystem::filesystem_error& error) {
    failure = Error(Errc::disk, error.what());
  } catch (const std::exception& error) {
    failure = Error(Errc::unsupported, std::string("unexpected: ") + error.what());
  }
  places_.leave();
  if (failure) failed(output, *failure);
}

asio::awaitable<void> PullRun::resolve(Output& output, std::size_t position) {
  const Reference reference = references_[output.plan.images[position]];
  PlatformChoice choice;
  choice.platform = command_.platform;
  choice.all = command_.all_platforms;
  // One that fails does not keep what is wrong with the others from being found.
  try {
    ResolvedImage image = co_await resolve_image(session_, store_, reference, choice);
    output.images[position] = std::move(image);
  } catch (const Error& error) {
    output.blame(position, error);
    if (!output.failures[position]) throw;
  }
}

asio::awaitable<void> PullRun::fill(Output& output) {
  check_foreign_layers(output);
  std::vector<ArchiveImage> images;
  for (const auto& image : output.images) images.push_back(image->archive);
  output.archive = merge_images(images);
  check_names(output.archive);
  output.collect_blobs();
  survey(output);
  if (command_.dry_run) {
    co_await rehearse(output);
    co_return;
  }
  auto open = [&] {
    check_space(output);
    output.image_output = open_image_output(command_.format, command_.uncompressed, output.plan.path, output.archive,
                                            arrivals_directory());
  };
  co_await run_on(pool_, open);
  TaskGroup blobs(executor_, [&] { fetcher_.abandon(output.group); });
  blobs.start(bring_configs(output));
  for (const Digest& digest : output.image_output->missing())
    if (!output.config_digests.contains(digest)) blobs.start(bring_in_turn(output, digest));
  co_await blobs.join();
  bool alone = true;
  auto finish = [&] {
    output.image_output->finish();
    if (command_.format == OutputFormat::oci_dir)
      alone = images_in_layout(output.plan.path) <= output.plan.images.size();
  };
  co_await run_on(pool_, finish);
  for (const std::size_t image : output.plan.images) results_[image].alone = alone;
  std::vector<Error> unrecorded;
  auto enter = [&] { unrecorded = record(output); };
  co_await run_on(pool_, enter);
  // The archive is complete; only the next pull and other tools miss the entry.
  for (const Error& error : unrecorded)
    log_.warning(std::string("the cache could not take the image's documents: ") + error.what());
}

/// Refuses what the pull would refuse before it fetches a layer.
asio::awaitable<void> PullRun::rehearse(Output& output) {
  auto check = [&] {
    check_space(output);
    check_image_output(command_.format, command_.uncompressed, output.plan.path, output.archive, arrivals_directory());
  };
  co_await run_on(pool_, check);
  for (std::size_t position = 0; position < output.images.size(); ++position) {
    for (const ArchiveManifest& manifest : output.images[position]->archive.manifests) {
      if (!has_image_config(manifest)) continue;
      std::string config;
      try {
        Descriptor descriptor = manifest.manifest.config;
        config = co_await fetch_config(*output.images[position], std::move(descriptor));
      } catch (const Error& error) {
        output.blame(position, error);
        throw;
      }
      accept_config(output, position, manifest, config);
    }
  }
  co_await check_cached(output);
}

asio::awaitable<std::string> PullRun::fetch_config(const ResolvedImage& image, Descriptor descriptor) {
  if (store_) {
    if (std::optional<std::string> cached = store_->get(descriptor.digest)) co_return std::move(*cached);
  }
  std::string config = co_await session_.get_blob(image.reference, std::move(descriptor));
  co_return config;
}

}  // namespace hawser
