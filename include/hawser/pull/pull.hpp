// Pulling images: what is asked for, what that takes, and what came of it.
#pragma once

#include <hawser/archive/output_format.hpp>
#include <hawser/image/digest.hpp>
#include <hawser/image/platform.hpp>
#include <hawser/image/reference.hpp>
#include <hawser/net/network_settings.hpp>
#include <hawser/net/proxy_settings.hpp>
#include <hawser/net/tls_settings.hpp>
#include <hawser/net/traffic.hpp>
#include <hawser/registry/credentials.hpp>
#include <hawser/registry/endpoint.hpp>
#include <hawser/transfer/observer.hpp>
#include <hawser/util/error.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>

namespace hawser {

/// What a message is about, for who shows it or doesn't.
enum class Importance {
  error,    ///< why an image failed
  hint,     ///< what can be done about the error before
  warning,  ///< something that the user should know
  detail,   ///< each request, and the like
};

/// How registries are reached.
struct RegistryAccess {
  bool plain_http = false;
  /// Holds for every host; but its client certificates are shown to the registries of the references alone.
  TlsSettings tls;
  unsigned retries = 10;                        ///< failures in a row without progress
  std::chrono::milliseconds max_wait{120'000};  ///< a registry that asks for a longer one is not waited for
  std::optional<std::size_t> max_connections;   ///< per registry; nothing: as many as make it faster
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds stall_timeout{15'000};
  NetworkSettings network;
  /// Where what was learned of registries is kept for the next call; empty: nothing is.
  std::string state_directory;
  ProxySettings proxies;     ///< read_proxy_settings() takes them from the environment
  EndpointLookup endpoints;  ///< empty: the registry that the reference names alone
  bool offline = false;      ///< nothing is asked of anybody: what the cache lacks is an error
  bool no_origin = false;    ///< images are asked of mirrors alone, never of the registry itself
  TlsLookup certificates;    ///< what holds for one host beside `tls`; empty: nothing. certificates_in() makes one
  /// Asked when a registry wants authentication, on a thread of the pool, by the name that the reference has for it;
  /// empty: all access is anonymous. docker_config_logins() makes one.
  CredentialLookup credentials;
  /// Takes down what goes over the network; null: nobody does.
  std::shared_ptr<TrafficRecord> traffic;
  /// Takes a line for people. Called on the network thread.
  std::function<void(Importance, const std::string&)> log;
};

/// An image of a request, and what holds for it alone.
struct RequestedImage {
  RequestedImage(Reference reference_) : reference(std::move(reference_)) {}

  Reference reference;
  std::optional<Platform> platform = {};  ///< nothing: the request's
  std::optional<Reference> tag_as = {};   ///< the name that it has in its output; nothing: its own
  /// Its file or layout, below the directory that the request's output names; images that name the same share it.
  /// Empty: it has one of its own, under the template's name or its default name.
  std::string output = {};

  /// The name that its output is about.
  const Reference& name() const { return tag_as ? *tag_as : reference; }
  friend bool operator==(const RequestedImage&, const RequestedImage&) = default;
};

/// What a file says is already there where an output is for.
struct Have {
  /// What has the layers: files that hawser reads, or an engine, of which the file is a list.
  enum class Kind { files, docker, podman, containerd };

  std::string name;       ///< of the file; is written into the output
  std::string path = {};  ///< of the file, where it has layers itself: an image tar or layout
  Kind kind = Kind::files;
  std::set<Digest> layers = {};        ///< by the digests by which registries serve them
  std::set<Digest> diff_ids = {};      ///< by those of the plain tars
  std::set<Digest> chains = {};        ///< stacks of layers, by chain ID (OCI image-spec, "Layer ChainID")
  std::vector<Reference> images = {};  ///< with digests: what their manifests name is there, too
};

/// What is to be pulled, from where and into what.
struct PullRequest {
  std::vector<RequestedImage> references;
  std::optional<Platform> platform;   ///< nothing: the host's
  bool all_platforms = false;         ///< for OCI formats
  bool allow_foreign_layers = false;  ///< fetched from the URLs that their manifest names

  /// One file or layout for all images, "-" for standard output, or a directory that gets a file for each; nothing: the
  /// working directory does.
  std::optional<std::string> output;
  /// How the files in a directory are called, such as "{repository}_{tag}.tar", see check_output_template() for what
  /// may stand in it; empty: default names.
  std::string output_template;
  bool force = false;  ///< an archive that is there and holds just these images is written again
  OutputFormat format = OutputFormat::docker_archive;
  bool uncompressed = false;  ///< layers as plain tars, for a docker_archive
  std::uint64_t split = 0;    ///< bytes of the parts that archives in files are written as; 0: they are written whole
  /// Where it is not empty, each output is a delta: what these have is left out, and neither fetched.
  std::vector<Have> without;
  /// Of layers that resemble layers of `without` the differences alone go into the delta, where that is possible.
  bool fine = false;

  std::string cache_directory;  ///< empty: no cache
  bool verify_cache = false;    ///< hash every blob that comes from the cache

  std::optional<std::size_t> max_downloads;  ///< layers in flight; nothing: as many as make it faster
  std::optional<std::uint64_t> chunk_size;   ///< bytes of a range; nothing: chosen from the link
  std::optional<std::uint64_t> limit_rate;   ///< bytes a second; nothing: no limit

  RegistryAccess access;
};

/// A layer, and what the cache had of it before the call.
struct PlannedLayer {
  Digest digest;
  std::uint64_t size = 0;
  std::uint64_t there = 0;   ///< bytes; less than the size: left by an interrupted call
  bool complete = false;     ///< whether it need not be fetched
  bool attestation = false;  ///< of a build attestation, which is no layer of the image
  bool left_out = false;     ///< of a delta: neither fetched nor written
  std::uint64_t patch = 0;   ///< of a delta: bytes that were written in its place; 0: it was written itself
};

/// What layers add up to. Attestations count as bytes, but not as layers. What is left out counts as that alone.
struct LayerSums {
  std::size_t layers = 0;
  std::size_t cached_layers = 0;      ///< of these, complete in the cache from the start
  std::uint64_t bytes = 0;            ///< as the registry has them
  std::uint64_t cached_bytes = 0;     ///< of the complete ones
  std::uint64_t resumable_bytes = 0;  ///< of the others, what an interrupted call had left
  std::size_t left_out_layers = 0;
  std::uint64_t left_out_bytes = 0;
  std::size_t patched_layers = 0;   ///< of the layers, those in whose places patches were written
  std::uint64_t patched_bytes = 0;  ///< of these layers
  std::uint64_t patch_bytes = 0;    ///< of the patches

  void add(const PlannedLayer& layer);
  std::uint64_t to_fetch() const { return bytes - cached_bytes - resumable_bytes; }
};

/// One image of a request: what a pull of it takes, and what has come of it.
struct ImageResult {
  std::string reference;               ///< as docker shows it
  std::vector<std::string> platforms;  ///< "linux/amd64"; several with all_platforms, none where not found out
  std::optional<Digest> digest = {};   ///< of the manifest, or of the index for all platforms
  std::optional<Digest> pinned = {};   ///< what its name stood for: of the index where there is one
  bool up_to_date = false;             ///< its output was there and is left as it was; nothing was fetched for it
  std::string output;                  ///< the file or directory it goes to, "-" for standard output; empty: none
  std::size_t parts = 0;               ///< of its output; 0: it is not in parts
  std::vector<PlannedLayer> layers;    ///< each once, in the manifest's order
  std::optional<Error> error = {};     ///< why it failed; does not name the reference
  bool told = false;                   ///< whether the log was told why
  bool alone = true;                   ///< whether its output holds no images of earlier calls, as a layout may
  std::vector<std::string> left_out_for = {};  ///< of a delta: what has the layers that it lacks, by name
  bool for_docker = true;                      ///< whether docker load takes it where the layers that it lacks are
  std::uint64_t held = 0;                      ///< with OutputFormat::nothing: bytes that waited for the hash, at most

  LayerSums sums() const;
};

/// A host that was asked for images, and what came of it.
struct SourceResult {
  std::string host;
  bool is_registry = false;   ///< the registry itself, not a mirror
  std::string configured_at;  ///< as Endpoint has it
  std::uint64_t bytes = 0;    ///< of blobs that came from there
  std::string trouble;        ///< why it was left out, for the rest of the call or for a repository; empty: it was not
};

/// Finds out what pull() would do, and whether it can: writes nothing, and fetches no layer. Blocks. Throws Error where
/// nothing could even begin; what is wrong with one image is in its result.
std::vector<ImageResult> plan(const PullRequest& request);

/// Pulls all images; one that fails does not stop the others. `observer` is called on the calling thread. Blocks, and
/// throws as plan() does.
std::vector<ImageResult> pull(const PullRequest& request, TransferObserver& observer);

class Pipeline;

/// The same for a program that has an event loop. Used on one thread, the executor's.
class Pull {
 public:
  /// What blocks runs on `pool`. All that is given by reference must outlive the object. Throws as plan() does.
  Pull(boost::asio::any_io_executor executor, boost::asio::thread_pool& pool, PullRequest request,
       TransferObserver& observer);
  ~Pull();

  /// As the functions of these names; the results are there in the end. One of them may be called, once.
  boost::asio::awaitable<void> plan();
  boost::asio::awaitable<void> run();
  /// Ends what is under way early; what has arrived stays in the cache.
  void stop();

  /// An entry for each reference, in their order.
  const std::vector<ImageResult>& results() const;
  /// The hosts that the images' bytes came from, or were to come from.
  std::vector<SourceResult> sources() const;
  /// Whether there is a cache that takes what arrives.
  bool fills_cache() const;

 private:
  std::unique_ptr<Pipeline> pipeline_;
};

}  // namespace hawser
