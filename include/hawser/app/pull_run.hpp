// One call of `hawser pull`: all its images, from their references to complete outputs.
#pragma once

#include <hawser/app/image_output.hpp>
#include <hawser/app/image_resolver.hpp>
#include <hawser/app/log.hpp>
#include <hawser/app/options.hpp>
#include <hawser/app/session.hpp>
#include <hawser/app/statistics.hpp>
#include <hawser/store/blob_store.hpp>
#include <hawser/transfer/blob_fetcher.hpp>
#include <hawser/util/file.hpp>
#include <hawser/util/semaphore.hpp>
#include <hawser/util/task_group.hpp>

#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/thread_pool.hpp>

namespace hawser {

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
  std::optional<File> find_homeless(const Digest& digest);
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
  std::mutex homeless_mutex_;                 // for pool threads
  std::map<Digest, File> homeless_;           // of what was fetched: what a cache that was deleted could not take
  bool stopped_ = false;
};

}  // namespace hawser
