#include "archive/classic_writer.hpp"

#include "archive/archive_layout.hpp"
#include "archive/archive_writer.hpp"
#include "archive/output_file.hpp"
#include "archive/tar_header.hpp"
#include "image/hasher.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <map>
#include <mutex>
#include <optional>
#include <semaphore>
#include <utility>
#include <vector>

#include <boost/json.hpp>
#include <fcntl.h>
#include <unistd.h>

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

void check(const ClassicImage& image) {
  const std::size_t layers = image.manifest.layers.size(), diff_ids = image.config.diff_ids.size();
  if (layers != diff_ids)
    throw Error(Errc::malformed, "the image config names " + std::to_string(diff_ids) +
                                     " layers where the manifest has " + std::to_string(layers));
}

}  // namespace

Digest chain_id(const Digest& below, const Digest& diff_id) {
  return Digest::of(below.to_string() + " " + diff_id.to_string());
}

ClassicLayout::ClassicLayout(const std::vector<ClassicImage>& images) {
  if (images.empty()) throw Error(Errc::usage, "no image to put into the archive");
  json::array manifest_json;
  json::object repositories;
  std::map<std::string, std::string> configs;
  std::vector<Document> config_documents;
  for (const ClassicImage& image : images) {
    check(image);
    json::object entry;
    json::array paths;
    std::optional<Digest> chain;
    std::string parent;
    for (std::size_t i = 0; i < image.manifest.layers.size(); ++i) {
      const Digest& diff_id = image.config.diff_ids[i];
      const Descriptor& blob = image.manifest.layers[i];
      if (diff_ids.emplace(blob.digest, diff_id).first->second != diff_id)
        throw Error(Errc::malformed, "the image configs give layer " + blob.digest.short_string() + " two diff IDs");
      chain = chain ? chain_id(*chain, diff_id) : diff_id;
      auto same =
          std::find_if(layers.begin(), layers.end(), [&](const auto& other) { return other.diff_id == diff_id; });
      if (same == layers.end())
        same = layers.insert(same, {blob.digest, blob.size, blob.media_type, diff_id, chain->hex(), parent});
      parent = same->id;
      paths.push_back(json::value(same->layer_path()));
    }
    const std::string config_path = image.manifest.config.digest.hex() + ".json";
    if (configs.emplace(config_path, image.config_bytes).second)
      config_documents.push_back({config_path, image.config_bytes});
    entry["Config"] = config_path;
    entry["RepoTags"] = repo_tags(image.references);
    entry["Layers"] = std::move(paths);
    manifest_json.push_back(std::move(entry));
    if (!parent.empty()) add_repositories(repositories, image.references, parent);
  }
  documents.push_back({"manifest.json", json::serialize(manifest_json)});
  if (!repositories.empty()) documents.push_back({"repositories", json::serialize(repositories)});
  documents.insert(documents.end(), config_documents.begin(), config_documents.end());
}

std::string ClassicLayout::preamble(const ClassicLayer& layer) const {
  json::object v1;
  v1["id"] = layer.id;
  if (!layer.parent.empty()) v1["parent"] = layer.parent;
  v1["created"] = "1970-01-01T00:00:00Z";
  v1["container_config"] = json::object();
  return tar_directory_header(layer.id + "/") + tar_file(layer.id + "/VERSION", "1.0") +
         tar_file(layer.id + "/json", json::serialize(v1));
}

LayerInflater::Pipeline::Pipeline(LayerInflater& inflater)
    : taking(inflater.sink_),
      inflating([this, &decompressor = inflater.decompressor_](std::span<const std::byte> data) {
        decompressor.feed(data, out());
      }) {}

Decompressor::Sink LayerInflater::Pipeline::out() {
  return [this](std::span<const std::byte> data) { taking.push(data); };
}

LayerInflater::LayerInflater(media_type::Compression claimed, DecompressLimits limits, Decompressor::Sink sink,
                             std::binary_semaphore& threads)
    : claimed_(claimed), limits_(limits), decompressor_(claimed, limits), sink_(std::move(sink)), threads_(threads) {}

LayerInflater::~LayerInflater() {
  leave_pipeline();
}

void LayerInflater::feed(std::span<const std::byte> data) {
  bytes_in_ += data.size();
  if (!pipeline_ && decompressor_.bytes_out() >= long_layer && threads_.try_acquire()) pipeline_.emplace(*this);
  if (pipeline_)
    pipeline_->inflating.push(data);
  else
    decompressor_.feed(data, sink_);
}

void LayerInflater::finish() {
  if (!pipeline_) return decompressor_.finish(sink_);
  pipeline_->inflating.drain();
  decompressor_.finish(pipeline_->out());
  pipeline_->taking.drain();
  leave_pipeline();
}

void LayerInflater::restart() {
  leave_pipeline();
  decompressor_ = Decompressor(claimed_, limits_);
  bytes_in_ = 0;
}

/// What is still under way in it is dropped.
void LayerInflater::leave_pipeline() {
  if (!pipeline_) return;
  pipeline_.reset();
  threads_.release();
}

namespace fs = std::filesystem;
namespace {

constexpr std::size_t read_step = 1 << 20;
/// How much of a growing layer is left to the disk at a time: all of it at the end would be waited for.
constexpr std::uint64_t writeback_step = 8 << 20;

/// A file without a name in `directory`, gone with the process.
File unnamed_file(const fs::path& directory) {
  if (File file = File::unnamed(directory, directory / "(temporary file)")) return file;
  // Some file systems have no O_TMPFILE.
  const fs::path path = temporary_beside(directory / "layer");
  File file(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  ::unlink(path.c_str());
  return file;
}

/// A layer that is whole and waits for its turn.
struct Waiting {
  File file;
  std::uint64_t size = 0;
  Digest diff_id;  // SHA-256 of its tar
};

}  // namespace

/// The tar itself. `turn` is the layer that is written next, at `offset`; whoever holds the turn writes without the
/// lock, since nobody else may.
struct ClassicWriter::Impl {
  explicit Impl(DecompressLimits limits_) : limits(limits_) {}

  DecompressLimits limits;
  fs::path directory;
  std::optional<OutputFile> output;
  const File* stream = nullptr;
  std::mutex mutex;
  std::optional<ClassicLayout> layout;  // does not change once `arranged`
  std::atomic<bool> arranged = false;
  std::map<Digest, Waiting> early;  // by blob: layers that ended before that
  std::atomic<std::size_t> turn = 0;
  std::uint64_t offset = 0;  // where the next byte of the tar goes; guarded by having the turn
  std::map<std::size_t, Waiting> waiting;
  bool assembling = false;
  std::atomic<std::uint64_t> copied = 0;
  std::binary_semaphore inflating_threads{1};  // one layer at a time has some

  /// The blob's place among the layers; nothing where another blob has the same diff ID.
  std::optional<std::size_t> index_of(const Digest& blob) const {
    for (std::size_t i = 0; i < layout->layers.size(); ++i)
      if (layout->layers[i].blob == blob) return i;
    return std::nullopt;
  }

  /// Compares a layer's tar with what the image config says of it.
  void check(const Digest& blob, Digest found, const File& file, std::uint64_t base, std::uint64_t size) const {
    const auto expected = layout->diff_ids.find(blob);
    if (expected == layout->diff_ids.end()) throw Error(Errc::malformed, "no image has the layer " + blob.to_string());
    const Digest::Algorithm algorithm = expected->second.algorithm();
    if (algorithm != found.algorithm()) found = hash_of(file, algorithm, base, size);
    if (found != expected->second)
      throw Error(Errc::digest_mismatch, "layer " + blob.short_string() + " is " + found.to_string() +
                                             " when uncompressed, where the image config gives it the diff ID " +
                                             expected->second.to_string());
  }

  void arrange(ClassicLayout wanted) {
    if (layout) throw Error(Errc::malformed, "the tar is arranged already");
    layout.emplace(std::move(wanted));
    append_documents();  // without the lock, since a reader of a stream may be slow; nobody else writes before
    std::map<Digest, Waiting> ended;
    {
      const std::lock_guard lock(mutex);
      ended.swap(early);
      arranged = true;
    }
    for (auto& [blob, layer] : ended) add(blob, std::move(layer));
    assemble();
  }

  /// Takes a layer that is whole, in a file of its own.
  void add(const Digest& blob, Waiting layer) {
    check(blob, layer.diff_id, layer.file, 0, layer.size);
    const std::optional<std::size_t> index = index_of(blob);
    if (!index) return;
    const std::lock_guard lock(mutex);
    waiting.emplace(*index, std::move(layer));
  }

  /// Appends to the tar.
  void append(std::string_view text) {
    if (stream)
      write_stream(*stream, as_bytes(text));
    else
      output->file().write_at(offset, as_bytes(text));
    offset += text.size();
  }

  void append_documents() {
    for (const ClassicLayout::Document& document : layout->documents) {
      append(tar_file_header(document.path, document.text.size()));
      append(document.text);
      append(std::string(tar_padded(document.text.size()) - document.text.size(), '\0'));
    }
  }

  /// Where the data of the layer whose turn it is begins.
  std::uint64_t data_offset(std::size_t index) const {
    const ClassicLayer& layer = layout->layers[index];
    return offset + layout->preamble(layer).size() + tar_file_header(layer.layer_path(), 0).size();
  }

  /// Writes all around the layer's data, which is there already or (`from`) comes from a file.
  void place(std::size_t index, std::uint64_t size, const File* from) {
    const ClassicLayer& layer = layout->layers[index];
    append(layout->preamble(layer));
    append(tar_file_header(layer.layer_path(), size));
    if (from) copied += size;
    if (from && stream)
      copy_to_stream(*stream, *from, size);
    else if (from)
      output->file().copy_from(*from, 0, offset, size);
    if (output) output->file().start_writeback(offset, size);
    offset += size;
    append(std::string(tar_padded(size) - size, '\0'));
  }

  /// A layer's data lies in the tar: the turn passes on.
  void placed_directly(std::size_t index, std::uint64_t size) {
    place(index, size, nullptr);
    ++turn;
    assemble();
  }

  /// Places the waiting layers whose turn has come. One thread does it; others leave their layers to it.
  void assemble() {
    for (;;) {
      std::map<std::size_t, Waiting>::node_type next;
      {
        const std::lock_guard lock(mutex);
        if (assembling) return;
        next = waiting.extract(turn);
        if (!next) return;
        assembling = true;
      }
      const auto done = [&] {
        const std::lock_guard lock(mutex);
        assembling = false;
      };
      try {
        place(next.key(), next.mapped().size, &next.mapped().file);
      } catch (...) {
        done();
        throw;
      }
      ++turn;
      done();
    }
  }
};

struct ClassicWriter::Layer::Impl {
  Impl(ClassicWriter::Impl& writer_, const Digest& blob_, std::string_view media_type)
      : writer(writer_),
        blob(blob_),
        inflater(
            media_type::layer_compression(media_type), writer.limits,
            [this](std::span<const std::byte> data) { write(data); }, writer.inflating_threads) {}

  ClassicWriter::Impl& writer;
  Digest blob;
  Hasher hasher{Digest::Algorithm::sha256};
  std::optional<std::size_t> index;
  bool placed = false;  // `index` has been looked up
  File file;            // where the tar of the layer grows while it is not its turn
  bool direct = false;  // it grows in the archive, from `base` on
  std::uint64_t base = 0;
  std::uint64_t size = 0;     // bytes of tar so far
  std::uint64_t started = 0;  // those that are on their way to the disk
  bool finished = false;
  LayerInflater inflater;  // ends first, since it writes

  /// Moves into the archive if it is the layer's turn now.
  void take_turn() {
    if (direct || writer.stream || !writer.arranged) return;
    if (!placed) index = writer.index_of(blob);
    placed = true;
    if (!index || writer.turn != *index) return;
    base = writer.data_offset(*index);
    if (file) {
      writer.output->file().copy_from(file, 0, base, size);
      writer.copied += size;
      file.close();
    }
    direct = true;
  }

  void write(std::span<const std::byte> data) {
    take_turn();
    if (!direct && !file) file = unnamed_file(writer.directory);
    const File& target = direct ? writer.output->file() : file;
    target.write_at(base + size, data);
    hasher.update(data);
    size += data.size();
    if (direct && size - started >= writeback_step) {
      target.start_writeback(base + started, size - started);
      started = size;
    }
  }

  void feed(std::span<const std::byte> data) {
    try {
      inflater.feed(data);
    } catch (const Error& error) {
      throw named(error);
    }
  }

  void finish() {
    try {
      inflater.finish();
    } catch (const Error& error) {
      throw named(error);
    }
    take_turn();
    finished = true;
    const Digest found = hasher.finish();
    if (direct) {
      writer.check(blob, found, writer.output->file(), base, size);
      return writer.placed_directly(*index, size);
    }
    if (!file) file = unnamed_file(writer.directory);
    Waiting layer{std::move(file), size, found};
    {
      const std::lock_guard lock(writer.mutex);
      if (!writer.arranged) {
        writer.early.emplace(blob, std::move(layer));
        return;
      }
    }
    writer.add(blob, std::move(layer));
    writer.assemble();
  }

  void restart() {
    inflater.restart();
    hasher = Hasher(Digest::Algorithm::sha256);
    size = started = 0;
    if (direct) writer.output->file().truncate(base);
    if (file) file.truncate(0);
  }

  /// What is wrong with the layer's data says which layer it is; what is wrong with the disk does not need to.
  Error named(const Error& error) const {
    if (is_on_this_side(error.code())) return error;
    return error.in("layer " + blob.short_string());
  }
};

ClassicWriter::Layer::Layer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ClassicWriter::Layer::Layer(Layer&&) noexcept = default;
ClassicWriter::Layer::~Layer() = default;

void ClassicWriter::Layer::feed(std::span<const std::byte> data) {
  impl_->feed(data);
}

void ClassicWriter::Layer::feed_from(const File& source, std::uint64_t end) {
  std::vector<std::byte> buffer(
      static_cast<std::size_t>(std::min<std::uint64_t>(read_step, end - std::min(end, bytes_in()))));
  while (bytes_in() < end) {
    const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), end - bytes_in()));
    const std::size_t count = source.read_at(bytes_in(), std::span(buffer).first(wanted));
    if (count == 0) throw Error(Errc::size_mismatch, source.path().native() + " is shorter than expected");
    feed(std::span(buffer).first(count));
  }
}

void ClassicWriter::Layer::finish() {
  if (impl_->finished) throw Error(Errc::malformed, "layer " + impl_->blob.short_string() + " ended twice");
  impl_->finish();
}

void ClassicWriter::Layer::restart() {
  if (impl_->finished) throw Error(Errc::malformed, "layer " + impl_->blob.short_string() + " is written already");
  impl_->restart();
}

std::uint64_t ClassicWriter::Layer::bytes_in() const {
  return impl_->inflater.bytes_in();
}

ClassicWriter::ClassicWriter(fs::path path, DecompressLimits limits) : impl_(std::make_unique<Impl>(limits)) {
  impl_->output.emplace(std::move(path));
  impl_->directory = directory_of(impl_->output->path());
}

ClassicWriter::ClassicWriter(const File& stream, fs::path directory, DecompressLimits limits)
    : impl_(std::make_unique<Impl>(limits)) {
  impl_->directory = std::move(directory);
  impl_->stream = &stream;
}

ClassicWriter::~ClassicWriter() = default;

void ClassicWriter::arrange(ClassicLayout layout) {
  impl_->arrange(std::move(layout));
}

ClassicWriter::Layer ClassicWriter::open(const Digest& blob, std::string_view media_type) {
  return Layer(std::make_unique<Layer::Impl>(*impl_, blob, media_type));
}

void ClassicWriter::finish() {
  if (!impl_->arranged) throw Error(Errc::malformed, "the tar is not complete: an image config is missing");
  if (impl_->turn < impl_->layout->layers.size())
    throw Error(Errc::malformed, "the tar is not complete: layer " +
                                     impl_->layout->layers[impl_->turn].blob.short_string() + " is missing");
  impl_->append(std::string(tar_trailer_size, '\0'));
  if (impl_->output) impl_->output->commit();
}

std::uint64_t ClassicWriter::bytes_copied() const {
  return impl_->copied;
}

}  // namespace hawser
