#include "pull/image_resolver.hpp"

#include "image/manifest.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <set>

namespace hawser {
namespace {

/// Manifests and indexes of one image, all platforms and their attestations together: how many, and their bytes.
constexpr std::size_t max_documents = 512;
constexpr std::size_t max_document_bytes = 64 * 1024 * 1024;

/// A document and what it says.
struct Document {
  Document(Descriptor descriptor_, std::string bytes_, std::variant<Manifest, Index> content_)
      : descriptor(std::move(descriptor_)), bytes(std::move(bytes_)), content(std::move(content_)) {}

  Descriptor descriptor;
  std::string bytes;
  std::variant<Manifest, Index> content;
};

/// One resolution: follows the documents from the reference down.
class Resolver {
 public:
  Resolver(Session& session, BlobStore* store, const Reference& reference, const std::optional<Platform>& platform,
           bool all_platforms)
      : session_(session), store_(store), wanted_(platform.value_or(Platform::host())), all_(all_platforms) {
    result_.reference = reference;
    result_.archive.references = {reference};
  }

  asio::awaitable<ResolvedImage> run() {
    Document top = co_await fetch_top();
    result_.top = top.descriptor.digest;
    co_await take(std::move(top), 0);
    if (result_.archive.manifests.empty())
      throw Error(Errc::not_found, result_.reference.familiar() + " is an index without any image in it");
    co_return std::move(result_);
  }

 private:
  asio::awaitable<Document> fetch_top() {
    const Reference& reference = result_.reference;
    if (reference.digest) {
      Descriptor descriptor{.media_type = "", .digest = *reference.digest};
      Document document = co_await fetch(std::move(descriptor));
      co_return document;
    }
    if (session_.is_offline()) {
      Descriptor recorded = recorded_image();
      Document document = co_await fetch(std::move(recorded));
      co_return document;
    }
    FetchedManifest fetched = co_await session_.get_manifest(reference, reference.manifest_selector());
    Descriptor descriptor{.media_type = "", .digest = fetched.digest};
    co_return take_in(std::move(descriptor), std::move(fetched));
  }

  /// What the cache's index has under the reference's name: of several platforms what serves best.
  Descriptor recorded_image() const {
    const std::vector<Descriptor> images =
        store_ ? store_->images_named(result_.reference.name_with_tag()) : std::vector<Descriptor>();
    const Descriptor* best = nullptr;
    std::optional<PlatformRank> best_rank;
    for (const Descriptor& image : images) {
      if (all_ && !media_type::is_index(image.media_type)) continue;
      // What names no platform is an index, or an image that only its config tells of.
      const auto rank = image.platform ? platform_rank(*image.platform, wanted_) : std::nullopt;
      if ((image.platform && !rank) || (best_rank && (!rank || *best_rank <= *rank)) || (best && !rank)) continue;
      best = &image;
      best_rank = rank;
    }
    if (best) return *best;
    const std::string wanted = images.empty() ? "" : all_ ? "for all platforms " : "for " + wanted_.to_string() + " ";
    throw Error(Errc::not_found, "the cache has no image " + wanted + "under that name, and --offline asks no registry",
                "hawser cache ls shows what is there");
  }

  /// The document of a digest, from the cache where it is there.
  asio::awaitable<Document> fetch(Descriptor descriptor) {
    if (store_) {
      if (std::optional<std::string> cached = store_->get(descriptor.digest)) {
        const std::string type = descriptor.media_type;
        co_return parse(std::move(descriptor), std::move(*cached), type);
      }
    }
    FetchedManifest fetched = co_await session_.get_manifest(result_.reference, descriptor.digest.to_string());
    if (descriptor.size != 0 && fetched.bytes.size() != descriptor.size)
      throw Error(Errc::size_mismatch, "the manifest " + descriptor.digest.to_string() + " has " +
                                           std::to_string(fetched.bytes.size()) + " bytes, not the " +
                                           std::to_string(descriptor.size) + " that the index says");
    co_return take_in(std::move(descriptor), std::move(fetched));
  }

  Document take_in(Descriptor descriptor, FetchedManifest fetched) {
    result_.fetched.emplace(fetched.digest, fetched.bytes);
    return parse(std::move(descriptor), std::move(fetched.bytes), fetched.content_type);
  }

  Document parse(Descriptor descriptor, std::string bytes, const std::string& content_type) {
    auto content = parse_manifest(bytes, content_type);
    descriptor.media_type = std::visit([](const auto& document) { return document.media_type; }, content);
    descriptor.size = bytes.size();
    count(bytes.size());
    return {std::move(descriptor), std::move(bytes), std::move(content)};
  }

  /// All documents are held until the image is complete, so a registry must not name them without end.
  void count(std::size_t bytes) {
    bytes_ += bytes;
    if (++documents_ > max_documents || bytes_ > max_document_bytes)
      throw Error(Errc::too_large, "its indexes name more than " + std::to_string(max_documents) +
                                       " documents, or ones of more than " + format_bytes(max_document_bytes));
  }

  asio::awaitable<void> take(Document document, int depth) {
    if (auto* manifest = std::get_if<Manifest>(&document.content)) {
      ArchiveManifest entry{.descriptor = std::move(document.descriptor),
                            .bytes = std::move(document.bytes),
                            .manifest = std::move(*manifest)};
      result_.archive.manifests.push_back(std::move(entry));
      co_return;
    }
    if (depth >= max_index_depth)
      throw Error(Errc::malformed, result_.reference.familiar() + " is an index nested too deep");
    result_.from_index = true;
    const Index index = std::get<Index>(document.content);
    if (!all_) {
      Descriptor chosen = select_platform(index, wanted_);
      if (!chosen.platform) chosen = co_await choose_by_config(index);
      Document next = co_await fetch(std::move(chosen));
      co_await take(std::move(next), depth + 1);
      co_return;
    }
    ArchiveIndex entry{.descriptor = std::move(document.descriptor), .bytes = std::move(document.bytes)};
    result_.archive.indexes.push_back(std::move(entry));
    for (const Descriptor& descriptor : index.manifests) {
      // Once each: an index may name a document twice, and a hostile one so often that nobody lives to see the end.
      // All that the index names is taken, attestations too: its digest stays true only with all of its children.
      if (!may_be_document(descriptor) || !seen_.insert(descriptor.digest).second) continue;
      Document next = co_await fetch(descriptor);
      co_await take(std::move(next), depth + 1);
    }
  }

  /// Whether an index has an entry for what is wanted, or one that may be.
  bool offers(const Index& index) const {
    try {
      select_platform(index, wanted_);
      return true;
    } catch (const Error&) {
      return false;
    }
  }

  /// Of the entries of `index` without a platform the first that is a nested index with what is wanted, or whose config
  /// is for it; the last one where none is.
  asio::awaitable<Descriptor> choose_by_config(const Index& index) {
    std::vector<Descriptor> candidates;
    for (const Descriptor& entry : index.manifests)
      if (!entry.platform && !is_attestation(entry) && may_be_document(entry)) candidates.push_back(entry);
    for (std::size_t i = 0; i + 1 < candidates.size(); ++i) {
      Document document = co_await fetch(candidates[i]);
      const auto* const manifest = std::get_if<Manifest>(&document.content);
      if (!manifest && offers(std::get<Index>(document.content))) co_return candidates[i];
      if (!manifest) continue;
      if (!has_image_config(*manifest)) continue;
      const std::string bytes = co_await config_of(*manifest);
      const std::optional<Platform> platform = parse_config(bytes).platform;
      if (platform && platform_rank(*platform, wanted_)) co_return candidates[i];
    }
    co_return candidates.back();
  }

  /// The config, from the cache where it is there; kept, since who pulls the same again needs it for the same choice.
  asio::awaitable<std::string> config_of(const Manifest& manifest) {
    Descriptor wanted = manifest.config;
    std::optional<std::string> cached = store_ ? store_->get(wanted.digest) : std::nullopt;
    if (cached) co_return std::move(*cached);
    std::string bytes = co_await session_.get_blob(result_.reference, std::move(wanted));
    count(bytes.size());
    result_.fetched.emplace(manifest.config.digest, bytes);
    co_return bytes;
  }

  /// Whether it is a manifest or an index, or says nothing of what it is.
  static bool may_be_document(const Descriptor& descriptor) {
    return media_type::is_manifest(descriptor.media_type) || media_type::is_index(descriptor.media_type) ||
           descriptor.media_type.empty();
  }

  Session& session_;
  BlobStore* store_;
  const Platform wanted_;
  const bool all_;
  std::set<Digest> seen_;
  std::size_t documents_ = 0;
  std::size_t bytes_ = 0;  // of the documents
  ResolvedImage result_;
};

}  // namespace

asio::awaitable<ResolvedImage> resolve_image(Session& session, BlobStore* store, Reference reference,
                                             std::optional<Platform> platform, bool all_platforms) {
  Resolver resolver(session, store, reference, platform, all_platforms);
  std::optional<Error> failure;
  try {
    ResolvedImage image = co_await resolver.run();
    co_return image;
  } catch (const Error& error) {
    failure = error.in(reference.familiar());
  }
  throw *failure;
}

void check_config(const ImageConfig& config, const Manifest& manifest, const std::optional<Platform>& wanted,
                  const std::string& image) {
  if (config.diff_ids.size() != manifest.layers.size())
    throw Error(Errc::malformed, image + ": the config names " + std::to_string(config.diff_ids.size()) +
                                     " layers (diff IDs), the manifest " + std::to_string(manifest.layers.size()));
  if (wanted && config.platform && !platform_rank(*config.platform, *wanted))
    throw Error(Errc::no_platform,
                image + " is for " + config.platform->to_string() + " only, not for " + wanted->to_string(),
                "say --platform '" + config.platform->to_string() + "' if that is what you want");
}

}  // namespace hawser
