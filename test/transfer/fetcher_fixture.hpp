// What the tests of the fetcher share: destinations, consumers and observers that remember what was done to them.
#pragma once

#include "registry/registry_fixture.hpp"
#include "support/temp_dir.hpp"
#include "transfer/blob_fetcher.hpp"

#include <atomic>
#include <thread>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace hawser::test {

/// What became of a destination; outlives it.
struct DestinationLog {
  int restarts = 0;
  int commits = 0;
  std::uint64_t written = 0;                  ///< bytes, counted as often as they were written
  std::vector<std::thread::id> disk_threads;  ///< of the calls that may wait for the disk
};

class FileDestination final : public BlobDestination {
 public:
  FileDestination(File file, DestinationLog& log) : file_(std::move(file)), log_(log) {}

  const File& file() const override { return file_; }
  std::uint64_t base() const override { return base_offset; }
  const IntervalSet& present() const override { return present_; }
  void wrote(std::uint64_t begin, std::uint64_t end) override {
    log_.written += end - begin;
    present_.insert(begin, end);
  }
  void checkpoint() override {}
  void commit() override {
    ++log_.commits;
    log_.disk_threads.push_back(std::this_thread::get_id());
  }
  void discard(const IntervalSet& wrong) override {
    ++log_.restarts;
    log_.disk_threads.push_back(std::this_thread::get_id());
    present_ = present_.without(wrong);
  }

  /// Blobs begin here in their files, as they do in a tar.
  static constexpr std::uint64_t base_offset = 512;

 private:
  File file_;
  DestinationLog& log_;
  IntervalSet present_;
};

/// Checks that bytes come in order and once.
class RecordingConsumer final : public BlobConsumer {
 public:
  void data(std::uint64_t offset, std::span<const std::byte> bytes) override {
    in_order = in_order && offset == seen.size();
    seen.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (fail_with) throw *fail_with;
  }
  void restart() override {
    ++restarts;
    seen.clear();
  }
  void done() override { ++dones; }

  std::string seen;
  bool in_order = true;
  int restarts = 0;
  int dones = 0;
  std::optional<Error> fail_with;
};

struct RecordingObserver final : TransferObserver {
  struct Retry {
    std::string what, why;
    std::chrono::milliseconds delay;
  };

  void blob_planned(const Digest&, std::uint64_t, std::uint64_t present) override { present_before = present; }
  void blob_progress(const Digest&, std::uint64_t bytes) override { progress += bytes; }
  void blob_restarted(const Digest&, std::uint64_t kept_, const std::string&) override {
    ++restarted;
    kept = kept_;
  }
  void blob_waiting(const Digest&, const std::string&) override { ++waiting; }
  void blob_done(const Digest&) override { ++done; }
  void retrying(const std::string& what, const std::string& why, std::chrono::milliseconds delay) override {
    retries.push_back({what, why, delay});
  }

  void connections(std::size_t count) override { most_connections = std::max(most_connections, count); }

  std::uint64_t present_before = 0, progress = 0, kept = 0;
  std::size_t most_connections = 0;
  int restarted = 0, waiting = 0, done = 0;
  std::vector<Retry> retries;
};

/// `size` bytes that don't repeat soon.
inline std::string pattern(std::size_t size, std::uint32_t seed = 1) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) {
    seed = seed * 1664525 + 1013904223;
    byte = static_cast<char>(seed >> 24);
  }
  return bytes;
}

class FetcherFixture : public RegistryFixture {
 protected:
  FetcherFixture() {
    options.max_connections = 1;
    options.retry.attempts = 3;
    options.retry.base = std::chrono::milliseconds(2);
    options.retry.longest = std::chrono::milliseconds(4);
  }
  ~FetcherFixture() override {
    http.close();
    fetcher.reset();
    registry.stop();  // its replies are made of `bytes`, also those that nobody waits for any more
  }

  /// Puts `bytes` into the registry as the blob of the test.
  void serve(std::string bytes_) {
    bytes = std::move(bytes_);
    digest = registry.content().add_blob(bytes);
    path = "/v2/a/b/blobs/" + digest->to_string();
  }
  Descriptor descriptor() const { return {"application/vnd.oci.image.layer.v1.tar", *digest, bytes.size()}; }

  /// A destination in which `resumed` is there already from the blob's beginning on.
  std::unique_ptr<FileDestination> destination(const std::string& resumed = {}) {
    File file(dir / "blob", OpenMode::create);
    file.truncate(0);
    file.truncate(FileDestination::base_offset + bytes.size());
    file.write_at(FileDestination::base_offset, as_bytes(resumed));
    auto made = std::make_unique<FileDestination>(std::move(file), log);
    made->wrote(0, resumed.size());
    log.written = 0;
    return made;
  }
  BlobJob job(const std::string& resumed = {}) {
    BlobJob made(descriptor(), {{current().source("a/b"), 0}});
    made.acquire = [this, resumed]() -> BlobAcquisition { return destination(resumed); };
    made.consumer = consumer;
    return made;
  }
  BlobFetcher& engine() {
    if (!fetcher)
      fetcher =
          std::make_unique<BlobFetcher>(context.get_executor(), pool.get_executor(), facts_of(http), options, observer);
    return *fetcher;
  }
  BlobFetcher::Outcome fetch() { return fetch(job()); }
  BlobFetcher::Outcome fetch(BlobJob work) { return run_coroutine(context, engine().fetch(std::move(work))); }
  Failure fetch_failure() {
    return failure_of([&] { fetch(); });
  }
  /// The file's bytes where the blob lies.
  std::string stored() const {
    const std::string all = read_file(dir / "blob", 100'000'000);
    return all.substr(FileDestination::base_offset, bytes.size());
  }
  /// That the blob arrived, whole and once.
  void expect_fetched() {
    EXPECT_EQ(fetch(), BlobFetcher::Outcome::fetched);
    EXPECT_TRUE(stored() == bytes);
    EXPECT_TRUE(consumer->seen == bytes);
    EXPECT_TRUE(consumer->in_order);
    EXPECT_EQ(consumer->dones, 1);
    EXPECT_EQ(log.commits, 1);
    EXPECT_EQ(observer.done, 1);
  }
  /// Where the range of a request begins; 0 without one.
  static std::uint64_t range_begin(const ScriptedRequest& request) {
    const std::string range = request.header("Range");
    return range.empty() ? 0 : std::stoull(range.substr(6));
  }
  /// Runs `action` once the registry has got `requests` requests.
  template <class Action>
  void when_asked(std::size_t requests, Action action) {
    asio::co_spawn(context, poll(requests, std::function<void()>(action)), asio::detached);
  }
  asio::awaitable<void> poll(std::size_t requests, std::function<void()> action) {
    asio::steady_timer timer(context);
    while (registry.requests().size() < requests) {
      timer.expires_after(std::chrono::milliseconds(2));
      co_await timer.async_wait(asio::use_awaitable);
    }
    action();
  }

  TempDir dir;
  asio::thread_pool pool{2};
  RecordingObserver observer;
  FetchOptions options;
  std::shared_ptr<RecordingConsumer> consumer = std::make_shared<RecordingConsumer>();
  DestinationLog log;
  std::string bytes;
  std::optional<Digest> digest;
  std::string path;
  std::unique_ptr<BlobFetcher> fetcher;
};

}  // namespace hawser::test
