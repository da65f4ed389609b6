// Joints between the store, the transfer engine and the outputs.
#pragma once

#include "cli/options.hpp"
#include "cli/runtime.hpp"
#include "cli/statistics.hpp"
#include "image/manifest.hpp"
#include "pull/image_output.hpp"
#include "pull/image_resolver.hpp"
#include "pull/session.hpp"
#include "store/blob_store.hpp"
#include "store/partial_blob.hpp"
#include "transfer/blob_fetcher.hpp"
#include "transfer/blob_job.hpp"
#include "util/async.hpp"
#include "util/file.hpp"

#include <hawser/util/error.hpp>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/thread_pool.hpp>

namespace hawser {

/// A blob that grows in the cache.
class StoreDestination final : public BlobDestination {
 public:
  explicit StoreDestination(std::unique_ptr<PartialBlob> partial) : partial_(std::move(partial)) {}

  const File& file() const override { return partial_->file(); }
  std::uint64_t base() const override { return 0; }
  const IntervalSet& present() const override { return partial_->present(); }
  void wrote(std::uint64_t begin, std::uint64_t end) override { partial_->wrote(begin, end); }
  void checkpoint() override { partial_->checkpoint(); }
  void commit() override { partial_->commit(); }
  void restart() override { partial_->discard(); }

 private:
  std::unique_ptr<PartialBlob> partial_;
};

/// Keeps the bytes of a small blob, and passes them on to `next` where there is one.
class CaptureConsumer final : public BlobConsumer {
 public:
  CaptureConsumer(std::string& bytes, std::shared_ptr<BlobConsumer> next) : bytes_(bytes), next_(std::move(next)) {}

  void data(std::uint64_t offset, std::span<const std::byte> bytes) override {
    if (bytes_.size() + bytes.size() > max_manifest_size)
      throw Error(Errc::too_large, "the image's config is larger than 4 MiB");
    bytes_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (next_) next_->data(offset, bytes);
  }
  void restart() override {
    bytes_.clear();
    if (next_) next_->restart();
  }
  void done() override {
    if (next_) next_->done();
  }

 private:
  std::string& bytes_;
  std::shared_ptr<BlobConsumer> next_;
};

/// What one output is made of: its path ("-" is stdout) and the references that go into it, by number.
struct OutputPlan {
  std::string path;
  std::vector<std::size_t> images;
};

/// Which outputs a call has: without --output a file for each image under its default name, in the working directory
/// or in the directory that --output names; with --output FILE or "-" one for all. Throws Error{usage}.
std::vector<OutputPlan> plan_outputs(const PullCommand& command, const std::vector<Reference>& references);

/// Where a pull has its blobs from, and where it puts them.
struct PullStores {
  BlobStore* cache = nullptr;     ///< what was there before, perhaps for reading only; null: none
  BlobStore* arrivals = nullptr;  ///< takes what is fetched: the cache, or a store for this call; null: the output does
  std::filesystem::path rehearsed = {};  ///< of a dry run: a directory on the filesystem where `arrivals` would be
};

/// Carries the plans out. Images of a batch run beside each other and share connections, tokens and blobs; one that
/// fails does not stop the others. Used on one thread.
class PullRun {
 public:
  PullRun(asio::any_io_executor executor, asio::thread_pool& pool, const PullCommand& command,
          std::vector<Reference> references, std::vector<OutputPlan> plans, Session& session, PullStores stores,
          TransferObserver& observer, Log& log);
  ~PullRun();

  /// Pulls everything; failures end up in the results.
  asio::awaitable<void> run();
  /// Ends the run early; what has arrived stays in the cache.
  void stop();

  /// An entry for each reference, in their order.
  const std::vector<ImageResult>& results() const { return results_; }

 private:
  struct Output;

  asio::awaitable<void> make_output(const OutputPlan& plan, std::size_t group);
  asio::awaitable<void> resolve(Output& output, std::size_t position);
  asio::awaitable<void> fill(Output& output);
  asio::awaitable<void> bring_configs(Output& output);
  asio::awaitable<void> bring_in_turn(Output& output, Digest digest);
  asio::awaitable<void> bring(Output& output, Digest digest);
  asio::awaitable<void> take_or_fetch(Output& output, Digest digest);
  asio::awaitable<bool> take_cached(Output& output, const Digest& digest);
  asio::awaitable<void> check_cached(Output& output);
  void count_as_missing(const Digest& digest);
  void take_into(Output& output, const Digest& digest, const File& blob);
  std::vector<RankedSource> sources_of(const Descriptor& descriptor, const Reference& reference);
  BlobJob make_job(Output& output, const Digest& digest, bool& taken_on_the_way);
  asio::awaitable<void> rehearse(Output& output);
  asio::awaitable<std::string> fetch_config(const ResolvedImage& image, Descriptor descriptor);
  ImageConfig accept_config(Output& output, std::size_t position, const ArchiveManifest& manifest,
                            const std::string& bytes);
  void check_foreign_layers(Output& output) const;
  static void check_names(const std::vector<ArchiveImage>& images);
  void survey(Output& output);
  const SurveyedLayer& survey(const Descriptor& layer, bool attestation);
  std::filesystem::path arrivals_directory() const;
  void check_space(const Output& output) const;
  std::vector<Error> record(const Output& output);
  void failed(const Output& output, const Error& error);

  asio::any_io_executor executor_;
  asio::thread_pool& pool_;
  const PullCommand& command_;
  std::vector<Reference> references_;
  std::vector<OutputPlan> plans_;
  Session& session_;
  BlobStore* store_;
  BlobStore* arrivals_;
  std::filesystem::path rehearsed_;
  TransferObserver& observer_;
  Log& log_;
  BlobFetcher fetcher_;
  Semaphore places_;
  Semaphore blob_places_;
  std::vector<ImageResult> results_;
  std::map<Digest, SurveyedLayer> surveyed_;  // before anything was fetched
  std::set<Digest> fetched_;                  // by this run: hashed just now
  std::set<Digest> checked_;                  // by a dry run: hashed where the pull would do so
  bool stopped_ = false;
};

/// Whether the manifest is an image's, whose config says its platform and its layers' diff IDs.
inline bool has_image_config(const ArchiveManifest& manifest) {
  return !is_attestation(manifest.descriptor) && is_image_config(manifest.manifest.config.media_type);
}

struct PullRun::Output {
  Output(const OutputPlan& plan_, std::size_t group_)
      : plan(plan_), group(group_), images(plan_.images.size()), failures(images.size()) {}

  /// Where a blob of the output is to be had: from the repository of one of its images.
  struct Source {
    Source(Descriptor descriptor_, std::size_t position_) : descriptor(std::move(descriptor_)), position(position_) {}
    Descriptor descriptor;
    std::size_t position;
  };

  /// Fills `blobs` and `config_digests`.
  void collect_blobs();
  /// Says that it is for this image that the output can't be made.
  void blame(std::size_t position, const Error& error);
  /// The position of the first image that was blamed.
  std::optional<std::size_t> first_blamed() const;

  const OutputPlan& plan;
  std::size_t group;                                 // for the fetcher's fairness
  std::vector<std::optional<ResolvedImage>> images;  // by position in the plan
  std::vector<std::optional<Error>> failures;        // of single images, by position in the plan
  std::vector<ArchiveImage> archive;                 // the images, those with the same manifest made one
  std::map<Digest, Source> blobs;                    // each digest once
  std::set<Digest> config_digests;
  std::map<Digest, std::string> configs;  // bytes of the configs, once they are there
  std::unique_ptr<ImageOutput> image_output;
};

}  // namespace hawser
