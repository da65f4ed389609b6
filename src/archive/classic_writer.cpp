#include "archive/classic_writer.hpp"

#include "archive/output_file.hpp"
#include "archive/tar_header.hpp"
#include "image/hasher.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <span>
#include <utility>

#include <boost/json.hpp>

namespace hawser {
namespace json = boost::json;
namespace {

std::string tar_file(const std::string& path, const std::string& text) {
  std::string result = tar_file_header(path, text.size()) + text;
  result.resize(tar_padded(result.size()), '\0');
  return result;
}

/// Names of an image in the file `repositories`: repository → tag → id of the topmost layer.
void add_repositories(json::object& repositories, const std::vector<Reference>& references, const std::string& top) {
  for (const std::string& name : familiar_tags(references)) {
    const std::size_t colon = name.rfind(':');
    json::value& tags = repositories[name.substr(0, colon)];
    if (!tags.is_object()) tags.emplace_object();
    tags.get_object()[name.substr(colon + 1)] = top;
  }
}

}  // namespace

Digest chain_id(const Digest& below, const Digest& diff_id) {
  return Digest::of(below.to_string() + " " + diff_id.to_string());
}

ClassicLayout::ClassicLayout(const std::vector<ArchiveImage>& images, const ClassicConfigs& configs,
                             const std::optional<Delta>& delta) {
  std::vector<ClassicLayer> all;
  std::map<Digest, std::size_t> in_all;  // by diff ID
  json::array manifest_json;
  json::object repositories;
  std::set<std::string> config_paths;
  std::vector<Document> config_documents;
  for (const ArchiveImage& image : images) {
    const Manifest& manifest = image.manifests.front().manifest;
    const auto& [config, config_bytes] = configs.at(image.root().digest);
    json::object entry;
    json::array paths;
    std::optional<Digest> chain;
    std::string parent;
    for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
      const Digest& diff_id = config.diff_ids.at(i);
      const Digest& blob = manifest.layers[i].digest;
      if (diff_ids.emplace(blob, diff_id).first->second != diff_id)
        throw Error(Errc::malformed, "the image configs give layer " + blob.short_string() + " two diff IDs");
      chain = chain ? chain_id(*chain, diff_id) : diff_id;
      const auto [place, fresh] = in_all.emplace(diff_id, all.size());
      if (fresh) all.push_back({blob, chain->hex(), parent});
      parent = all[place->second].id;
      paths.push_back(json::value(all[place->second].layer_path()));
    }
    const std::string config_path = manifest.config.digest.hex() + ".json";
    if (config_paths.insert(config_path).second) config_documents.push_back({config_path, config_bytes});
    entry["Config"] = config_path;
    entry["RepoTags"] = repo_tags(image.references);
    entry["Layers"] = std::move(paths);
    manifest_json.push_back(std::move(entry));
    if (!parent.empty()) add_repositories(repositories, image.references, parent);
  }
  documents.push_back({"manifest.json", json::serialize(manifest_json)});
  if (!repositories.empty()) documents.push_back({"repositories", json::serialize(repositories)});
  documents.insert(documents.end(), config_documents.begin(), config_documents.end());
  if (delta) documents.push_back({std::string(delta_file), delta->text()});
  for (ClassicLayer& layer : all) {
    if (delta && delta->left_out.contains(layer.blob)) continue;
    places_.emplace(diff_ids.at(layer.blob), layers.size());
    layers.push_back(std::move(layer));
  }
}

std::optional<std::size_t> ClassicLayout::index_of(const Digest& blob) const {
  const auto diff_id = diff_ids.find(blob);
  if (diff_id == diff_ids.end()) return std::nullopt;
  const auto place = places_.find(diff_id->second);
  return place != places_.end() && layers[place->second].blob == blob ? std::optional(place->second) : std::nullopt;
}

std::string ClassicLayout::preamble(const ClassicLayer& layer) {
  json::object v1;
  v1["id"] = layer.id;
  if (!layer.parent.empty()) v1["parent"] = layer.parent;
  v1["created"] = "1970-01-01T00:00:00Z";
  v1["container_config"] = json::object();
  return tar_directory_header(layer.id + "/") + tar_file(layer.id + "/VERSION", "1.0") +
         tar_file(layer.id + "/json", json::serialize(v1));
}

namespace {

/// The size in a tar header; nothing where it says none.
std::optional<std::uint64_t> size_in(std::string_view header) {
  constexpr std::size_t at = 124, length = 12;
  if (header.size() < tar_block_size) return std::nullopt;
  const std::string_view field = header.substr(at, length);
  std::uint64_t size = 0;
  if (field[0] == '\x80') {
    for (const char c : field.substr(4)) size = size << 8 | static_cast<unsigned char>(c);
    return size;
  }
  for (const char c : field.substr(0, length - 1)) {
    if (c < '0' || c > '7') return std::nullopt;
    size = size << 3 | static_cast<std::uint64_t>(c - '0');
  }
  return size;
}

/// The configs among the documents that a classic tar begins with; nothing where one is missing or wrong.
std::optional<ClassicConfigs> configs_in(const ArchiveReader& file, const std::vector<ArchiveImage>& images) {
  ClassicConfigs configs;
  std::uint64_t offset = 0;
  // manifest.json, repositories, and a config for each image at most
  for (std::size_t entries = 0; entries < images.size() + 2; ++entries) {
    const std::string header = file.read_text(tar_block_size, offset);
    const std::optional<std::uint64_t> size = size_in(header);
    if (!size || *size > max_layout_index) return std::nullopt;
    const std::string_view path = std::string_view(header).substr(0, std::min<std::size_t>(header.find('\0'), 100));
    for (const ArchiveImage& image : images) {
      const Digest& digest = image.manifests.front().manifest.config.digest;
      if (path != digest.hex() + ".json") continue;
      std::string bytes = file.read_text(*size, offset + tar_block_size);
      if (Digest::of(bytes, digest.algorithm()) != digest) return std::nullopt;
      ImageConfig config = parse_config(bytes);
      if (config.diff_ids.size() != image.manifests.front().manifest.layers.size()) return std::nullopt;
      configs.insert_or_assign(image.root().digest, std::pair(std::move(config), std::move(bytes)));
    }
    if (configs.size() == images.size()) return configs;
    offset += tar_block_size + tar_padded(*size);
  }
  return std::nullopt;
}

/// Whether `file` is a tar of this layout, whatever is in its layers.
bool is_of(const ArchiveReader& file, const ClassicLayout& layout) {
  std::uint64_t offset = 0;
  const auto has = [&](const std::string& text) {
    if (file.read_text(text.size(), offset) != text) return false;
    offset += text.size();
    return true;
  };
  for (const ClassicLayout::Document& document : layout.documents)
    if (!has(tar_file(document.path, document.text))) return false;
  for (const ClassicLayer& layer : layout.layers) {
    if (!has(ClassicLayout::preamble(layer))) return false;
    const std::optional<std::uint64_t> size = size_in(file.read_text(tar_block_size, offset));
    if (!size || *size > file.size() || !has(tar_file_header(layer.layer_path(), *size))) return false;
    offset += tar_padded(*size);
  }
  return has(std::string(tar_trailer_size, '\0')) && offset == file.size();
}

}  // namespace

std::optional<std::map<Digest, std::string>> configs_of_same_classic_tar(const ArchiveReader& file,
                                                                         const std::vector<ArchiveImage>& images,
                                                                         const std::optional<Delta>& delta) {
  const std::optional<ClassicConfigs> configs = configs_in(file, images);
  if (!configs || !is_of(file, ClassicLayout(images, *configs, delta))) return std::nullopt;
  std::map<Digest, std::string> result;
  for (const ArchiveImage& image : images)
    result.emplace(image.manifests.front().manifest.config.digest, configs->at(image.root().digest).second);
  return result;
}

LayerInflater::LayerInflater(Decompressor::Sink sink, std::binary_semaphore& threads, DecompressLimits limits)
    : sink_(std::move(sink)), threads_(threads), limits_(limits) {
  begin();
}

LayerInflater::~LayerInflater() {
  leave_threads();
}

void LayerInflater::begin() {
  const auto hand_over = [this](std::span<const std::byte> data) { taking_ ? taking_->push(data) : sink_(data); };
  decompressor_.emplace(hand_over, limits_);
}

void LayerInflater::feed(std::span<const std::byte> data) {
  if (!inflating_ && decompressor_->bytes_out() >= long_layer && threads_.try_acquire()) {
    taking_.emplace(sink_);
    inflating_.emplace([this](std::span<const std::byte> piece) { decompressor_->feed(piece); });
  }
  if (inflating_)
    inflating_->push(data);
  else
    decompressor_->feed(data);
}

void LayerInflater::finish() {
  if (inflating_) inflating_->drain();
  decompressor_->finish();
  if (taking_) taking_->drain();
  leave_threads();
}

void LayerInflater::restart() {
  leave_threads();
  begin();
}

/// What they still have to do is dropped.
void LayerInflater::leave_threads() {
  if (!inflating_) return;
  inflating_.reset();
  taking_.reset();
  threads_.release();
}

namespace fs = std::filesystem;
namespace {

constexpr std::size_t read_step = 1 << 20;
/// How much of a growing layer is left to the disk at a time: all of it at the end would be waited for.
constexpr std::uint64_t writeback_step = 8 << 20;

std::set<Digest> layers_of(const std::vector<ArchiveImage>& images) {
  std::set<Digest> layers;
  for (const ArchiveImage& image : images)
    for (const Descriptor& layer : image.manifests.front().manifest.layers) layers.insert(layer.digest);
  return layers;
}

}  // namespace

/// One layer on its way. What is wrong with its data counts only once the data is known to be the registry's own: what
/// the line damaged is fetched again.
class ClassicWriter::Layer final : public BlobConsumer {
 public:
  Layer(ClassicWriter& writer, const Digest& blob)
      : writer_(writer),
        blob_(blob),
        inflater_([this](std::span<const std::byte> data) { write(data); }, writer.inflating_threads_) {}

  void data(std::uint64_t, std::span<const std::byte> bytes) override {
    if (failure_) return;
    try {
      inflater_.feed(bytes);
    } catch (const Error& error) {
      keep(error);
    }
  }

  void restart() override {
    failure_.reset();
    inflater_.restart();
    hasher_ = Hasher(Digest::Algorithm::sha256);
    size_ = started_ = 0;
    if (direct_) writer_.output_->truncate(base_);
    if (file_) file_.truncate(0);
  }

  void done() override {
    try {
      if (!failure_) inflater_.finish();
    } catch (const Error& error) {
      keep(error);
    }
    if (failure_) throw failure_->in("layer " + blob_.short_string());
    take_turn();
    const Digest found = hasher_.finish();
    if (direct_) {
      writer_.check(blob_, found,
                    [&](Digest::Algorithm algorithm) { return writer_.output_->hash(algorithm, base_, size_); });
      writer_.place(size_, nullptr);
      writer_.assemble();
    } else {
      make_file();
      writer_.add(blob_, {std::move(file_), size_, found});
    }
    writer_.mark_filled(blob_);
  }

 private:
  void keep(const Error& error) {
    if (is_on_this_side(error.code())) throw error;
    failure_ = error;
  }

  void make_file() {
    if (!file_) file_ = File::unnamed(writer_.directory_, writer_.directory_ / "(temporary file)");
  }

  /// Moves into the archive if it is the layer's turn now.
  void take_turn() {
    if (direct_ || writer_.stream_ || !writer_.arranged_) return;
    const std::vector<ClassicLayer>& layers = writer_.layout_->layers;
    const std::size_t turn = writer_.turn_;
    if (turn == layers.size() || layers[turn].blob != blob_) return;
    base_ = writer_.data_offset();
    if (file_) {
      writer_.output_->copy_from(file_, 0, base_, size_);
      writer_.copied_ += size_;
      file_.close();
    }
    direct_ = true;
  }

  void write(std::span<const std::byte> data) {
    take_turn();
    if (!direct_) make_file();
    direct_ ? writer_.output_->write_at(base_ + size_, data) : file_.write_at(size_, data);
    hasher_.update(data);
    size_ += data.size();
    if (direct_ && size_ - started_ >= writeback_step) {
      writer_.output_->start_writeback(base_ + started_, size_ - started_);
      started_ = size_;
    }
  }

  ClassicWriter& writer_;
  const Digest blob_;
  Hasher hasher_{Digest::Algorithm::sha256};
  File file_;            // where its tar grows while it is not its turn
  bool direct_ = false;  // it grows in the archive, from `base_` on
  std::uint64_t base_ = 0;
  std::uint64_t size_ = 0;     // bytes of tar so far
  std::uint64_t started_ = 0;  // those that are on their way to the disk
  std::optional<Error> failure_;
  LayerInflater inflater_;  // ends first, since it writes
};

ClassicWriter::ClassicWriter(const fs::path& path, std::vector<ArchiveImage> images, std::uint64_t part_size,
                             std::optional<Delta> delta)
    : ImageOutput(ArchiveLayout(OutputFormat::docker_archive, images, delta).blobs()),
      images_(std::move(images)),
      delta_(std::move(delta)),
      layers_(layers_of(images_)),
      output_(std::in_place, path, part_size),
      directory_(directory_of(output_->path())) {}

ClassicWriter::ClassicWriter(File stream, fs::path directory, std::vector<ArchiveImage> images,
                             std::optional<Delta> delta)
    : ImageOutput(ArchiveLayout(OutputFormat::docker_archive, images, delta).blobs()),
      images_(std::move(images)),
      delta_(std::move(delta)),
      layers_(layers_of(images_)),
      stream_(std::move(stream)),
      directory_(std::move(directory)) {}

std::shared_ptr<BlobConsumer> ClassicWriter::consumer(const Digest& digest) {
  return layers_.contains(digest) ? std::make_shared<Layer>(*this, digest) : nullptr;
}

void ClassicWriter::fill(const Digest& digest, const File& source) {
  const std::shared_ptr<BlobConsumer> layer = consumer(digest);
  if (!layer) return mark_filled(digest);  // a config; config_known() has it
  std::vector<std::byte> buffer(read_step);
  std::uint64_t done = 0;
  while (const std::size_t count = source.read_at(done, buffer)) {
    layer->data(done, std::span(buffer).first(count));
    done += count;
  }
  layer->done();
}

/// Once all configs are known, what the tar consists of is: writes the documents and the layers that wait.
void ClassicWriter::config_known(const ArchiveManifest& manifest, const ImageConfig& config, const std::string& bytes) {
  if (arranged_) return;
  configs_.insert_or_assign(manifest.descriptor.digest, std::pair(config, bytes));
  if (configs_.size() < images_.size()) return;
  layout_.emplace(images_, configs_, delta_);
  // Without the lock, since a reader of a stream may be slow; nobody else writes before.
  for (const ClassicLayout::Document& document : layout_->documents) append(tar_file(document.path, document.text));
  std::map<Digest, Waiting> ended;
  {
    const std::lock_guard lock(mutex_);
    ended.swap(waiting_);
    arranged_ = true;
  }
  for (auto& [blob, layer] : ended) add(blob, std::move(layer));
}

void ClassicWriter::complete() {
  if (!arranged_ || turn_ < layout_->layers.size())
    throw Error(Errc::malformed, "the tar is not complete: a layer or an image config is missing");
  append(std::string(tar_trailer_size, '\0'));
  if (output_) output_->commit();
}

void ClassicWriter::append(std::string_view text) {
  if (stream_)
    stream_.write(as_bytes(text));
  else
    output_->write_at(offset_, as_bytes(text));
  offset_ += text.size();
}

/// Compares a layer's tar with what the image config says of it.
void ClassicWriter::check(const Digest& blob, Digest found, const HashAgain& hash) const {
  const Digest& expected = layout_->diff_ids.at(blob);
  if (expected.algorithm() != found.algorithm()) found = hash(expected.algorithm());
  if (found != expected)
    throw Error(Errc::digest_mismatch, "layer " + blob.short_string() + " is " + found.to_string() +
                                           " when uncompressed, where the image config gives it the diff ID " +
                                           expected.to_string());
}

/// Takes a layer that is whole, in a file of its own.
void ClassicWriter::add(const Digest& blob, Waiting layer) {
  {
    const std::lock_guard lock(mutex_);
    if (!arranged_) {
      waiting_.emplace(blob, std::move(layer));
      return;
    }
  }
  check(blob, layer.diff_id,
        [&](Digest::Algorithm algorithm) { return hash_of(layer.file, algorithm, 0, layer.size); });
  if (layout_->index_of(blob)) {
    const std::lock_guard lock(mutex_);
    waiting_.emplace(blob, std::move(layer));
  }
  assemble();
}

/// Where the data of the layer whose turn it is begins.
std::uint64_t ClassicWriter::data_offset() const {
  const ClassicLayer& layer = layout_->layers[turn_];
  return offset_ + ClassicLayout::preamble(layer).size() + tar_file_header(layer.layer_path(), 0).size();
}

/// Writes all around the data of the layer whose turn it is, and passes the turn on; the data is there already or
/// (`from`) comes from a file.
void ClassicWriter::place(std::uint64_t size, const File* from) {
  const ClassicLayer& layer = layout_->layers[turn_];
  append(ClassicLayout::preamble(layer));
  append(tar_file_header(layer.layer_path(), size));
  if (from) copied_ += size;
  if (from && stream_)
    stream_.write_from(*from, size);
  else if (from)
    output_->copy_from(*from, 0, offset_, size);
  if (output_) output_->start_writeback(offset_, size);
  offset_ += size;
  append(std::string(tar_padded(size) - size, '\0'));
  ++turn_;
}

/// Places the waiting layers whose turn has come. One thread does it; others leave their layers to it. After a failure
/// nobody does it any more.
void ClassicWriter::assemble() {
  for (;;) {
    std::map<Digest, Waiting>::node_type next;
    {
      const std::lock_guard lock(mutex_);
      const std::size_t turn = turn_;
      if (assembling_ || turn == layout_->layers.size()) return;
      next = waiting_.extract(layout_->layers[turn].blob);
      if (!next) return;
      assembling_ = true;
    }
    place(next.mapped().size, &next.mapped().file);
    const std::lock_guard lock(mutex_);
    assembling_ = false;
  }
}

}  // namespace hawser
