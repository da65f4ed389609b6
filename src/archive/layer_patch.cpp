#include "archive/layer_patch.hpp"

#include "archive/tar_header.hpp"
#include "image/hasher.hpp"
#include "util/byte_text.hpp"
#include "util/decompressor.hpp"
#include "util/gzip_recipe.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include <archive.h>
#include <archive_entry.h>
#include <zlib.h>
#include <zstd.h>

namespace hawser {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::string_view magic = "HWSRPTC1";
constexpr std::size_t longest_segment = 64 * 1024 * 1024;    // bytes of what is new that are compressed together
constexpr std::size_t longest_reference = 64 * 1024 * 1024;  // bytes of old layers beside them
constexpr std::size_t free_references = 256 * 1024 * 1024;   // of all segments, whatever there is that is new,
constexpr std::size_t references_each = 16;                  // and beside each new byte
constexpr std::size_t most_pieces = 500'000;                 // of a tar; what follows is one
constexpr std::size_t good_segment = 8 * 1024 * 1024;
constexpr std::size_t longest_script = 4 * 1024 * 1024;
constexpr std::size_t most_olds = 1024;
constexpr std::size_t least_copy = 64;  // bytes that are worth a copy of their own
constexpr int level = 19;

[[noreturn]] void refuse() {
  throw Error(Errc::malformed, "the patch makes no sense");
}

// ---- What tars consist of

/// A name without its numbers: versions change.
std::string numberless(std::string_view name) {
  std::string result;
  for (const char c : name)
    if (c < '0' || c > '9')
      result += c;
    else if (result.empty() || result.back() != '#')
      result += '#';
  return result;
}

/// A piece of a tar: the headers of an entry, or its data.
struct Piece {
  std::size_t name = 0, numberless_name = 0;  ///< hashes of the entry's: which pieces look alike need not be sure
  bool data = false;
  std::size_t begin = 0, size = 0;
};

/// Where the data of the entry begins whose headers, of extensions too, begin at `at`.
std::size_t data_begin(Bytes plain, std::size_t at) {
  constexpr std::size_t block = 512, type_at = 156, size_at = 124, size_digits = 11;
  while (at + block <= plain.size()) {
    const auto type = std::to_integer<char>(plain[at + type_at]);
    if (std::string_view("xgLK").find(type) == std::string_view::npos) return at + block;
    std::size_t size = 0;
    for (const std::byte digit : plain.subspan(at + size_at, size_digits))
      size = size * 8 + (std::to_integer<std::size_t>(digit) & 7);
    at += block + static_cast<std::size_t>(tar_padded(size));
  }
  return plain.size();
}

/// What libarchive has in the locale's characters, or where these lack some, in UTF-8; null: it has neither.
const char* text_in(archive_entry* entry, const char* (*in_locale)(archive_entry*),
                    const char* (*utf8)(archive_entry*)) {
  const char* const text = in_locale(entry);
  return text ? text : utf8(entry);
}

/// The pieces of a tar, without gaps; of what is no tar, one.
std::vector<Piece> pieces_of(Bytes plain) {
  const std::unique_ptr<archive, decltype(&archive_read_free)> reader(archive_read_new(), archive_read_free);
  archive_read_support_format_tar(reader.get());
  std::vector<Piece> pieces;
  std::size_t done = 0;
  const auto add = [&](const char* name, bool data, std::size_t end) {
    end = std::min(end, plain.size());
    const std::string kind = data ? "d" : "h", text = name ? name : "";
    const std::hash<std::string> hash;
    if (end > done) pieces.push_back({hash(kind + text), hash(kind + "#" + numberless(text)), data, done, end - done});
    done = std::max(done, end);
  };
  archive_entry* entry = nullptr;
  // It warns of each name that the locale can't write, and goes on.
  const auto next = [&] {
    const int result = archive_read_next_header(reader.get(), &entry);
    return result == ARCHIVE_OK || result == ARCHIVE_WARN;
  };
  if (archive_read_open_memory(reader.get(), plain.data(), plain.size()) == ARCHIVE_OK)
    while (pieces.size() + 3 <= most_pieces && next()) {
      const auto at = static_cast<std::size_t>(archive_read_header_position(reader.get()));
      if (at >= plain.size() || at < done) break;
      const char* const name = text_in(entry, archive_entry_pathname, archive_entry_pathname_utf8);
      add(name, false, data_begin(plain, at));
      const la_int64_t size = archive_entry_filetype(entry) == AE_IFREG ? archive_entry_size(entry) : 0;
      const bool is_link = text_in(entry, archive_entry_hardlink, archive_entry_hardlink_utf8);
      if (size > 0 && !is_link && static_cast<std::uint64_t>(size) < plain.size())
        add(name, true, done + static_cast<std::size_t>(tar_padded(static_cast<std::uint64_t>(size))));
    }
  add("", true, plain.size());
  return pieces;
}

/// A piece of one of the old layers.
struct OldPiece {
  std::size_t layer = 0, begin = 0, size = 0;
};

}  // namespace

/// What the old layers have, by what it may be found.
class OldPieces {
 public:
  explicit OldPieces(std::vector<Bytes> olds) : olds_(std::move(olds)) {
    for (std::size_t layer = 0; layer < olds_.size(); ++layer)
      for (const Piece& piece : pieces_of(olds_[layer])) {
        const OldPiece old{layer, piece.begin, piece.size};
        by_name_.insert_or_assign(piece.name, old);
        by_name_.insert_or_assign(piece.numberless_name, old);
        if (piece.size >= least_copy) by_content_.emplace(key_of(olds_[layer].subspan(piece.begin, piece.size)), old);
      }
  }

  const std::vector<Bytes>& layers() const { return olds_; }

  /// The same bytes, of a `usable` layer, and of one that is `used` if some such has them.
  std::optional<OldPiece> same(Bytes bytes, const std::vector<bool>& usable, const std::set<std::size_t>& used) const {
    std::optional<OldPiece> same;
    const auto [begin, end] = by_content_.equal_range(key_of(bytes));
    std::size_t tries = 32;
    for (auto found = begin; found != end && tries > 0; ++found, --tries) {
      if (!usable[found->second.layer] || (same && !used.contains(found->second.layer)) ||
          !std::ranges::equal(bytes, this->bytes(found->second)))
        continue;
      same = found->second;
      if (used.contains(same->layer)) break;
    }
    return same;
  }
  /// What may resemble it, of a `usable` layer.
  std::optional<OldPiece> like(const Piece& piece, const std::vector<bool>& usable) const {
    auto found = by_name_.find(piece.name);
    if (found == by_name_.end()) found = by_name_.find(piece.numberless_name);
    return found == by_name_.end() || !usable[found->second.layer] ? std::nullopt : std::optional(found->second);
  }
  Bytes bytes(const OldPiece& old) const { return olds_[old.layer].subspan(old.begin, old.size); }

 private:
  static std::uint64_t key_of(Bytes bytes) {
    const auto sum = crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
    return static_cast<std::uint64_t>(bytes.size()) << 32 ^ sum;
  }

  const std::vector<Bytes> olds_;
  std::unordered_map<std::size_t, OldPiece> by_name_;
  std::unordered_multimap<std::uint64_t, OldPiece> by_content_;
};

namespace {

// ---- Scripts

/// Bytes of the tar: copied from an old layer, or the next ones of what is new.
struct Step {
  bool copy = false;
  OldPiece from = {};
  std::size_t size = 0;
};

/// A part of what is new, and what of the old layers it is compressed with.
struct Segment {
  std::size_t size = 0;
  std::vector<OldPiece> references = {};
};

/// How many bytes the references of all segments may have, where these have so many.
std::uint64_t most_references(std::uint64_t fresh) {
  return free_references + references_each * fresh;
}

struct Script {
  std::vector<Step> steps;
  std::vector<Segment> segments;
};

/// Adds a piece behind those that are there, made one with the last where it goes on.
void add_piece(std::vector<OldPiece>& pieces, const OldPiece& piece) {
  if (!pieces.empty() && pieces.back().layer == piece.layer && pieces.back().begin + pieces.back().size == piece.begin)
    pieces.back().size += piece.size;
  else
    pieces.push_back(piece);
}

/// Decides what is copied and what is compressed with what.
class Planner {
 public:
  Planner(Bytes plain, const OldPieces& olds, const std::vector<bool>& usable)
      : plain_(plain), olds_(olds), usable_(usable) {
    for (const Piece& piece : pieces_of(plain)) add(piece);
  }
  Script take() { return std::move(script_); }

 private:
  void add(const Piece& piece) {
    const Bytes bytes = plain_.subspan(piece.begin, piece.size);
    if (piece.size >= least_copy) {
      if (const auto same = olds_.same(bytes, usable_, used_)) return copy(*same);
    }
    const std::optional<OldPiece> like = olds_.like(piece, usable_);
    for (std::size_t done = 0; done < piece.size;) {
      const std::size_t size = std::min(piece.size - done, longest_segment / 2);
      add_new(size, like ? std::optional(window(*like, done, size, piece.size)) : std::nullopt);
      done += size;
    }
  }

  /// Of a long old piece what is about where the new one's part is, and not much longer.
  static OldPiece window(const OldPiece& old, std::size_t at, std::size_t size, std::size_t whole) {
    constexpr std::size_t least = 1024 * 1024;
    const std::size_t longest = std::clamp(size * references_each, least, longest_reference);
    if (old.size <= longest) return old;
    const auto middle = static_cast<std::size_t>(static_cast<double>(at + size / 2) / static_cast<double>(whole) *
                                                 static_cast<double>(old.size));
    const std::size_t begin = std::min(middle > longest / 2 ? middle - longest / 2 : 0, old.size - longest);
    return {old.layer, old.begin + begin, longest};
  }

  void copy(const OldPiece& from) {
    used_.insert(from.layer);
    Step* const last = script_.steps.empty() ? nullptr : &script_.steps.back();
    if (last && last->copy && last->from.layer == from.layer && last->from.begin + last->size == from.begin)
      last->size += from.size;
    else
      script_.steps.push_back({true, from, from.size});
  }

  void add_new(std::size_t size, std::optional<OldPiece> like) {
    if (!script_.steps.empty() && !script_.steps.back().copy)
      script_.steps.back().size += size;
    else
      script_.steps.push_back({false, {}, size});
    fresh_ += size;
    if (like && referenced_ + like->size > most_references(fresh_)) like.reset();
    bool known = like && beside_.contains({like->layer, like->begin});
    const std::size_t beside = like && !known ? like->size : 0;
    Segment* segment = script_.segments.empty() ? nullptr : &script_.segments.back();
    if (!segment || segment->size + size > good_segment || beside_size_ + beside > 2 * good_segment) {
      segment = &script_.segments.emplace_back();
      beside_.clear();
      beside_size_ = 0;
      known = false;
    }
    segment->size += size;
    if (!like || known) return;
    add_piece(segment->references, *like);
    used_.insert(like->layer);
    beside_.insert({like->layer, like->begin});
    beside_size_ += like->size;
    referenced_ += like->size;
  }

  const Bytes plain_;
  const OldPieces& olds_;
  const std::vector<bool>& usable_;
  Script script_;
  std::set<std::size_t> used_;                            // old layers
  std::uint64_t fresh_ = 0, referenced_ = 0;              // bytes of all segments, and of their references
  std::set<std::pair<std::size_t, std::size_t>> beside_;  // the last segment's references: layers and places
  std::size_t beside_size_ = 0;                           // bytes of these
};

/// How many bytes of each old layer a script takes.
std::vector<std::uint64_t> taken_of_each(const Script& script, std::size_t layers) {
  std::vector<std::uint64_t> taken(layers);
  for (const Step& step : script.steps)
    if (step.copy) taken[step.from.layer] += step.size;
  for (const Segment& segment : script.segments)
    for (const OldPiece& piece : segment.references) taken[piece.layer] += piece.size;
  return taken;
}

/// A script of those layers alone that give enough to be worth needing and inflating them. It has them by new numbers;
/// `used` tells their places.
Script frugal_script(Bytes plain, const OldPieces& olds, std::vector<std::size_t>& used) {
  constexpr std::uint64_t least = 4096;
  std::vector<bool> usable(olds.layers().size(), true);
  Script script = Planner(plain, olds, usable).take();
  std::vector<std::uint64_t> taken = taken_of_each(script, usable.size());
  const auto too_little = [](std::uint64_t bytes) { return bytes > 0 && bytes < least; };
  for (int tries = 0; tries < 3 && std::ranges::any_of(taken, too_little); ++tries) {
    for (std::size_t layer = 0; layer < usable.size(); ++layer) usable[layer] = taken[layer] >= least;
    script = Planner(plain, olds, usable).take();
    taken = taken_of_each(script, usable.size());
  }
  std::vector<std::size_t> numbers(usable.size());
  used.clear();
  for (std::size_t layer = 0; layer < usable.size(); ++layer) {
    numbers[layer] = used.size();
    if (taken[layer] > 0) used.push_back(layer);
  }
  for (Step& step : script.steps)
    if (step.copy) step.from.layer = numbers[step.from.layer];
  for (Segment& segment : script.segments)
    for (OldPiece& piece : segment.references) piece.layer = numbers[piece.layer];
  return script;
}

void put_pieces(std::string& text, const OldPiece& piece, std::vector<std::size_t>& places) {
  // Where the one before it in that layer ended, most begin.
  const auto behind = static_cast<std::int64_t>(piece.begin) - static_cast<std::int64_t>(places[piece.layer]);
  put_number(text, piece.layer);
  put_number(text, static_cast<std::uint64_t>(behind) << 1 ^ static_cast<std::uint64_t>(behind >> 63));
  places[piece.layer] = piece.begin + piece.size;
}

std::string text_of(const Script& script, std::size_t layers) {
  std::string text;
  std::vector<std::size_t> places(layers);
  put_number(text, script.steps.size());
  for (const Step& step : script.steps) {
    put_number(text, step.size << 1 | (step.copy ? 1 : 0));
    if (step.copy) put_pieces(text, {step.from.layer, step.from.begin, step.size}, places);
  }
  places.assign(layers, 0);
  put_number(text, script.segments.size());
  for (const Segment& segment : script.segments) {
    put_number(text, segment.size);
    put_number(text, segment.references.size());
    for (const OldPiece& piece : segment.references) {
      put_number(text, piece.size);
      put_pieces(text, piece, places);
    }
  }
  return text;
}

/// Reads a script back, of which nothing lies outside of the layers, or is longer than the tar.
class ScriptReader {
 public:
  ScriptReader(std::string_view text, const std::vector<Bytes>& olds, std::size_t tar_size)
      : reader_(text, "the patch"), olds_(olds), tar_size_(tar_size) {}

  Script read() {
    Script script;
    std::size_t made = 0, taken = 0, given = 0;
    std::uint64_t referenced = 0;
    places_.assign(olds_.size(), 0);
    for (std::uint64_t count = reader_.number(longest_script); count > 0; --count) {
      const std::uint64_t what = reader_.number(std::uint64_t{tar_size_} << 1 | 1);
      Step step{(what & 1) == 1, {}, static_cast<std::size_t>(what >> 1)};
      if (step.size == 0 || step.size > tar_size_ - made) reader_.refuse();
      made += step.size;
      if (step.copy)
        step.from = piece(step.size);
      else
        taken += step.size;
      script.steps.push_back(step);
    }
    places_.assign(olds_.size(), 0);
    for (std::uint64_t count = reader_.number(longest_script); count > 0; --count) {
      Segment segment{reader_.number(longest_segment)};
      if (segment.size == 0 || segment.size > taken - given) reader_.refuse();
      given += segment.size;
      std::size_t left = longest_reference;
      for (std::uint64_t pieces = reader_.number(longest_script); pieces > 0; --pieces) {
        segment.references.push_back(piece(reader_.number(left)));
        left -= segment.references.back().size;
      }
      referenced += longest_reference - left;
      if (referenced > most_references(taken)) reader_.refuse();
      script.segments.push_back(std::move(segment));
    }
    if (made != tar_size_ || taken != given || !reader_.rest().empty()) reader_.refuse();
    return script;
  }

 private:
  OldPiece piece(std::size_t size) {
    if (olds_.empty()) reader_.refuse();
    OldPiece piece{reader_.number(olds_.size() - 1), 0, size};
    const std::uint64_t behind = reader_.number(std::uint64_t{longest_patched} * 2);
    piece.begin = places_[piece.layer] + static_cast<std::size_t>(behind >> 1 ^ (~(behind & 1) + 1));
    if (piece.begin > olds_[piece.layer].size() || size > olds_[piece.layer].size() - piece.begin) reader_.refuse();
    places_[piece.layer] = piece.begin + size;
    return piece;
  }

  NumberReader reader_;
  const std::vector<Bytes>& olds_;
  const std::size_t tar_size_;
  std::vector<std::size_t> places_;
};

// ---- zstd

std::vector<std::byte> joined(const std::vector<OldPiece>& pieces, const std::vector<Bytes>& olds) {
  std::vector<std::byte> bytes;
  for (const OldPiece& piece : pieces) {
    const Bytes part = olds[piece.layer].subspan(piece.begin, piece.size);
    bytes.insert(bytes.end(), part.begin(), part.end());
  }
  return bytes;
}

/// Compresses with `reference` as what came before.
std::string compressed(Bytes bytes, Bytes reference) {
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  const int window = std::clamp(static_cast<int>(std::bit_width(bytes.size() + reference.size())), 10, 27);
  const auto check = [](std::size_t code) {
    if (ZSTD_isError(code)) throw Error(Errc::unsupported, std::string("zstd failed: ") + ZSTD_getErrorName(code));
    return code;
  };
  check(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level));
  check(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_windowLog, window));
  if (bytes.size() + reference.size() > good_segment)
    check(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_enableLongDistanceMatching, 1));
  check(ZSTD_CCtx_refPrefix(context.get(), reference.data(), reference.size()));
  std::string result(ZSTD_compressBound(bytes.size()), '\0');
  result.resize(check(ZSTD_compress2(context.get(), result.data(), result.size(), bytes.data(), bytes.size())));
  return result;
}

/// Inflates a frame into all of `into`.
void inflate(Bytes frame, Bytes reference, std::span<std::byte> into) {
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  if (ZSTD_isError(ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, 27)) ||
      ZSTD_isError(ZSTD_DCtx_refPrefix(context.get(), reference.data(), reference.size())))
    refuse();
  const std::size_t size = ZSTD_decompressDCtx(context.get(), into.data(), into.size(), frame.data(), frame.size());
  if (ZSTD_isError(size) || size != into.size()) refuse();
}

Bytes bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

/// A text, its length and that of its frame before it.
void put_text(std::string& patch, const std::string& text, std::size_t longest) {
  if (text.size() > longest) throw Error(Errc::unsupported, "its patch would be too long");
  const std::string frame = compressed(bytes_of(text), {});
  put_number(patch, text.size());
  put_number(patch, frame.size());
  patch += frame;
}

std::string take_text(NumberReader& patch, std::size_t longest) {
  constexpr std::size_t highest_ratio = 65536;
  const std::size_t size = patch.number(longest);
  const Bytes frame = patch.take(patch.number(longest));
  if (size / highest_ratio > frame.size()) patch.refuse();
  std::string text(size, '\0');
  inflate(frame, {}, std::as_writable_bytes(std::span(text)));
  return text;
}

/// What a patch has for a layer that is a plain tar, or gzip.
enum : std::uint8_t { as_it_is = 0, by_recipe = 1 };

/// The bytes of the new parts one after the other, as segments give them.
class NewBytes {
 public:
  NewBytes(const Script& script, const std::vector<Bytes>& olds, NumberReader& patch)
      : script_(script), olds_(olds), patch_(patch) {}

  void read(std::span<std::byte> into) {
    while (!into.empty()) {
      if (at_ == buffer_.size()) next();
      const std::size_t count = std::min(into.size(), buffer_.size() - at_);
      std::memcpy(into.data(), buffer_.data() + at_, count);
      at_ += count;
      into = into.subspan(count);
    }
  }

 private:
  void next() {
    if (segment_ == script_.segments.size()) refuse();
    const Segment& segment = script_.segments[segment_++];
    buffer_.resize(segment.size);
    at_ = 0;
    inflate(patch_.take(patch_.number(2 * longest_segment)), joined(segment.references, olds_), buffer_);
  }

  const Script& script_;
  const std::vector<Bytes>& olds_;
  NumberReader& patch_;
  std::vector<std::byte> buffer_;
  std::size_t at_ = 0, segment_ = 0;
};

File nameless_file(const std::filesystem::path& directory) {
  return File::unnamed(directory, directory / "(temporary file)");
}

/// How the layer is made of its tar; nothing where it is that.
std::optional<std::string> recipe_of(Bytes layer, Bytes plain) {
  if (std::ranges::equal(layer, plain)) return std::nullopt;
  return gzip_recipe(layer, plain);
}

/// The patch that a script makes.
std::string written(const Script& script, Bytes layer, Bytes plain, const std::vector<Bytes>& olds,
                    const std::optional<std::string>& recipe) {
  std::string patch(magic);
  put_text(patch, text_of(script, olds.size()), longest_script);
  std::vector<std::byte> fresh;
  std::size_t segment = 0, at = 0;
  const auto finish_segment = [&] {
    const Segment& each = script.segments[segment++];
    const std::string frame = compressed(fresh, joined(each.references, olds));
    put_number(patch, frame.size());
    patch += frame;
    fresh.clear();
    if (patch.size() > layer.size() + 1024 * 1024)  // the end of it is still to come
      throw Error(Errc::unsupported, "a patch would save next to nothing");
    if (patch.size() > longest_patch) throw Error(Errc::unsupported, "its patch would be too long");
  };
  for (const Step& step : script.steps) {
    for (std::size_t done = 0; !step.copy && done < step.size;) {
      const std::size_t count = std::min(step.size - done, script.segments[segment].size - fresh.size());
      const Bytes part = plain.subspan(at + done, count);
      fresh.insert(fresh.end(), part.begin(), part.end());
      done += count;
      if (fresh.size() == script.segments[segment].size) finish_segment();
    }
    at += step.size;
  }
  patch += static_cast<char>(recipe ? by_recipe : as_it_is);
  if (recipe) put_text(patch, *recipe, longest_recipe);
  return patch;
}

}  // namespace

PlainTar::PlainTar(const std::filesystem::path& directory, const Digest& diff_id,
                   const std::function<std::size_t(std::span<std::byte>)>& read) {
  const File file = nameless_file(directory);
  Hasher hasher(diff_id.algorithm());
  DecompressLimits limits;
  limits.max_output = longest_patched;
  std::uint64_t size = 0;
  Decompressor inflater(
      [&](Bytes piece) {
        hasher.update(piece);
        file.write_at(size, piece);
        size += piece.size();
      },
      limits);
  std::vector<std::byte> buffer(256 * 1024);
  while (const std::size_t count = read(buffer)) inflater.feed(std::span(buffer).first(count));
  inflater.finish();
  if (hasher.finish() != diff_id) throw Error(Errc::digest_mismatch, "it does not inflate to " + diff_id.to_string());
  mapping_ = Mapping(file, static_cast<std::size_t>(size));
}

PlainTar::PlainTar(const std::filesystem::path& directory, const Digest& diff_id, const File& file)
    : PlainTar(directory, diff_id, [&file, at = std::uint64_t{0}](std::span<std::byte> buffer) mutable {
        const std::size_t count = file.read_at(at, buffer);
        at += count;
        return count;
      }) {}

PlainTar::PlainTar(const std::filesystem::path& directory, std::uint64_t size) {
  if (size > longest_patched) throw Error(Errc::too_large, "a tar of more than 4 GB is not patched");
  require_space(directory, size);
  const File file = nameless_file(directory);
  // All of it is written once: where a mapped file has no room, writing to it kills.
  const std::vector<std::byte> zeros(1024 * 1024);
  for (std::uint64_t done = 0; done < size; done += zeros.size())
    file.write_at(done,
                  std::span(zeros).first(static_cast<std::size_t>(std::min<std::uint64_t>(zeros.size(), size - done))));
  mapping_ = Mapping(file, static_cast<std::size_t>(size));
}

OldLayers::OldLayers(const std::vector<Bytes>& layers) {
  if (layers.size() <= most_olds) pieces_ = std::make_unique<const OldPieces>(layers);
}

OldLayers::~OldLayers() = default;

const OldPieces& OldLayers::pieces() const {
  if (!pieces_) throw Error(Errc::unsupported, "there are too many layers to compare it with");
  return *pieces_;
}

std::string make_layer_patch(Bytes layer, Bytes plain, const std::vector<Bytes>& olds) {
  const OldLayers all(olds);
  const std::optional<std::string> recipe = recipe_of(layer, plain);
  return written(Planner(plain, all.pieces(), std::vector<bool>(olds.size(), true)).take(), layer, plain, olds, recipe);
}

std::string make_layer_patch(Bytes layer, Bytes plain, const OldLayers& all, std::vector<std::size_t>& used) {
  const OldPieces& pieces = all.pieces();
  const std::optional<std::string> recipe = recipe_of(layer, plain);
  const Script script = frugal_script(plain, pieces, used);
  std::vector<Bytes> olds;
  for (const std::size_t place : used) olds.push_back(pieces.layers()[place]);
  return written(script, layer, plain, olds, recipe);
}

void apply_layer_patch(std::string_view patch, const std::vector<Bytes>& olds, std::span<std::byte> plain,
                       const std::function<void(Bytes)>& sink) {
  if (!patch.starts_with(magic))
    throw Error(Errc::malformed, "it is no patch of a layer, or one of a newer version of hawser");
  NumberReader reader(patch.substr(magic.size()), "the patch");
  const Script script = ScriptReader(take_text(reader, longest_script), olds, plain.size()).read();
  NewBytes fresh(script, olds, reader);
  std::span<std::byte> left = plain;
  for (const Step& step : script.steps) {
    if (step.copy)
      std::ranges::copy(olds[step.from.layer].subspan(step.from.begin, step.size), left.begin());
    else
      fresh.read(left.first(step.size));
    left = left.subspan(step.size);
  }
  const std::uint8_t how = reader.byte();
  if (how > by_recipe) reader.refuse();
  const std::string recipe = how == by_recipe ? take_text(reader, longest_recipe) : std::string();
  if (!reader.rest().empty()) reader.refuse();
  if (how == as_it_is) return sink(plain);
  gzip_by_recipe(recipe, plain, sink);
}

}  // namespace hawser
