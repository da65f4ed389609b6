// Takes the outputs of a request from their references to the end.
#pragma once

#include "archive/image_output.hpp"
#include "pull/blob_supply.hpp"
#include "pull/output.hpp"
#include "pull/session.hpp"
#include "pull/storage.hpp"
#include "util/async.hpp"

#include <hawser/pull/pull.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/thread_pool.hpp>

namespace hawser {

/// Outputs are worked on beside each other and share connections, tokens and blobs. It decides what comes when, and
/// what is said of it in the end; resolve_image(), BlobSupply and ImageOutput do the work. Used on one thread; what
/// takes time is done on the pool.
class Pipeline {
 public:
  /// What is given by reference must outlive the object.
  Pipeline(asio::any_io_executor executor, asio::thread_pool& pool, PullRequest request, TransferObserver& observer);

  /// Finds out what run() would do, and refuses what it would refuse before it fetched a layer. Throws what
  /// open_storage() throws.
  asio::awaitable<void> plan() { return plan(open_storage(request_, outputs_, StorageUse::plan)); }
  asio::awaitable<void> plan(Storage storage) { return each_output(std::move(storage), &Pipeline::check); }
  /// Pulls everything. Failures end up in the results. Throws what open_storage() throws.
  asio::awaitable<void> run() { return run(open_storage(request_, outputs_, StorageUse::pull)); }
  asio::awaitable<void> run(Storage storage) { return each_output(std::move(storage), &Pipeline::write); }
  void stop();

  /// An entry for each reference, in their order.
  const std::vector<ImageResult>& results() const { return results_; }
  std::vector<SourceResult> sources() const { return session_ ? session_->results() : std::vector<SourceResult>(); }
  bool fills_cache() const { return storage_.fills_cache(); }

 private:
  using Step = asio::awaitable<void> (Pipeline::*)(Output&);
  using Configs = std::map<Digest, std::string>;  // their bytes
  class LayerFiles;

  asio::awaitable<void> each_output(Storage storage, Step last);
  asio::awaitable<void> end_requests();
  asio::awaitable<void> make(Output& output, Step last);
  asio::awaitable<void> resolve(Output& output, std::size_t position);
  asio::awaitable<void> look_up_haves();
  asio::awaitable<void> look_up(Have& have, Reference image, std::optional<Platform> platform);
  asio::awaitable<void> leave_out(Output& output);
  asio::awaitable<void> patch(Output& output);
  asio::awaitable<void> make_patches(Output& output, const LayerFiles& files);
  void note_delta(const Output& output);
  asio::awaitable<std::string> config_of(Output& output, std::size_t position, const ArchiveManifest& manifest);
  asio::awaitable<bool> is_up_to_date(Output& output);
  asio::awaitable<void> check(Output& output);
  asio::awaitable<void> write(Output& output);
  asio::awaitable<void> deliver_configs(Output& output, ImageOutput& file, Configs& configs);
  asio::awaitable<void> deliver_in_turn(Output& output, ImageOutput& file, Digest digest);
  asio::awaitable<void> deliver(Output& output, ImageOutput& file, const Digest& digest, std::string* bytes);
  void describe(const Output& output);
  ImageConfig accept_config(Output& output, std::size_t position, const ArchiveManifest& manifest,
                            const std::string& bytes);
  void failed(const Output& output, const Error& error);
  void tell(Importance importance, const std::string& text) const;
  void tell_unrecorded(const std::vector<Error>& errors) const;

  asio::any_io_executor executor_;
  asio::thread_pool& pool_;
  const PullRequest request_;
  TransferObserver& observer_;
  std::vector<Output> outputs_;
  std::vector<Have> haves_;  // the request's, with the layers of their images
  Storage storage_;
  std::optional<Session> session_;
  std::optional<BlobSupply> supply_;
  Semaphore output_places_;
  Semaphore blob_places_;
  Semaphore patch_place_;  // one output after the other: patches take memory
  std::vector<ImageResult> results_;
  bool stopped_ = false;
};

}  // namespace hawser
