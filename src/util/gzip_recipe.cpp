#include "util/gzip_recipe.hpp"

#include "util/byte_text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include <zlib.h>

namespace hawser {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::size_t window_size = 32768;
constexpr std::size_t longest_match = 258;
constexpr std::size_t most_tokens = 16 * 1024 * 1024;  // of a block
constexpr std::size_t most_members = 1'000'000;
constexpr std::size_t literal_codes = 286, distance_codes = 30, end_of_block = 256;
constexpr std::size_t sampled_tokens = 60'000;  // by which a model is chosen

constexpr std::array<std::uint16_t, 29> length_base{3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                                    31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
constexpr std::array<std::uint8_t, 29> length_extra{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                                    2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
constexpr std::array<std::uint16_t, 30> distance_base{1,    2,    3,    4,    5,    7,    9,    13,    17,    25,
                                                      33,   49,   65,   97,   129,  193,  257,  385,   513,   769,
                                                      1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
constexpr std::array<std::uint8_t, 30> distance_extra{0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
                                                      6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13};
constexpr std::array<std::uint8_t, 19> code_length_order{16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                         11, 4,  12, 3, 13, 2, 14, 1, 15};

[[noreturn]] void damaged(const char* what) {
  throw Error(Errc::malformed, std::string("the gzip stream is damaged: ") + what);
}

[[noreturn]] void uncommon(const char* what) {
  throw Error(Errc::unsupported, std::string("it is compressed in an uncommon way: ") + what);
}

/// A literal, or a copy of what came before.
struct Token {
  std::uint16_t length = 0;  ///< 0: a literal
  std::uint16_t distance = 0;
  friend bool operator==(const Token&, const Token&) = default;
  std::size_t bytes() const { return length == 0 ? 1 : length; }
};

std::size_t length_code(std::size_t length) {
  if (length == longest_match) return 28;
  return static_cast<std::size_t>(std::ranges::upper_bound(length_base, length) - length_base.begin()) - 1;
}

std::size_t distance_code(std::size_t distance) {
  return static_cast<std::size_t>(std::ranges::upper_bound(distance_base, distance) - distance_base.begin()) - 1;
}

// ---- Bits

class BitReader {
 public:
  BitReader(Bytes data, std::size_t at) : data_(data), at_(at * 8) {}

  /// Up to 16 bits, of which those behind the end are 0.
  std::uint32_t peek() const {
    const std::size_t byte = at_ / 8;
    std::uint32_t word = 0;
    for (std::size_t i = 0; i < 3 && byte + i < data_.size(); ++i)
      word |= std::to_integer<std::uint32_t>(data_[byte + i]) << (8 * i);
    return word >> (at_ % 8) & 0xffff;
  }
  void skip(std::size_t bits) {
    at_ += bits;
    if (at_ > data_.size() * 8) damaged("it is cut short");
  }
  std::uint32_t take(std::size_t bits) {
    const std::uint32_t value = peek() & ((1U << bits) - 1);
    skip(bits);
    return value;
  }
  /// Goes to the next byte; bits in between are 0 by all compressors.
  void align() {
    if (take((8 - at_ % 8) % 8) != 0) uncommon("bits that mean nothing are set");
  }
  std::size_t byte() const { return at_ / 8; }
  std::size_t bit() const { return at_; }
  Bytes bytes(std::size_t count) {
    if (count > data_.size() - byte()) damaged("it is cut short");
    const Bytes result = data_.subspan(byte(), count);
    at_ += count * 8;
    return result;
  }

 private:
  Bytes data_;
  std::size_t at_;  // in bits
};

class BitWriter {
 public:
  explicit BitWriter(const std::function<void(Bytes)>& sink) : sink_(sink) { buffer_.reserve(piece + 8); }

  void put(std::uint64_t bits, std::size_t count) {
    word_ |= bits << filled_;
    filled_ += count;
    for (; filled_ >= 8; filled_ -= 8, word_ >>= 8) buffer_.push_back(static_cast<std::byte>(word_));
    if (buffer_.size() >= piece) flush();
  }
  void align() { put(0, (8 - filled_ % 8) % 8); }
  void bytes(Bytes data) {
    flush();
    sink_(data);
  }
  void flush() {
    if (!buffer_.empty()) sink_(buffer_);
    buffer_.clear();
  }

 private:
  static constexpr std::size_t piece = 64 * 1024;
  const std::function<void(Bytes)>& sink_;
  std::vector<std::byte> buffer_;
  std::uint64_t word_ = 0;
  std::size_t filled_ = 0;
};

// ---- Huffman codes

using Lengths = std::vector<std::uint8_t>;

/// The codes of the lengths, their first bit lowest (RFC 1951, 3.2.2).
std::vector<std::uint16_t> codes_of(const Lengths& lengths) {
  std::array<std::uint32_t, 17> next{}, count{};
  for (const std::uint8_t length : lengths) ++count[length];
  count[0] = 0;
  for (std::size_t bits = 1; bits <= 16; ++bits) next[bits] = (next[bits - 1] + count[bits - 1]) << 1;
  std::vector<std::uint16_t> codes(lengths.size());
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    if (lengths[i] == 0) continue;
    std::uint32_t code = next[lengths[i]]++, reversed = 0;
    for (std::uint8_t bit = 0; bit < lengths[i]; ++bit, code >>= 1) reversed = reversed << 1 | (code & 1);
    codes[i] = static_cast<std::uint16_t>(reversed);
  }
  return codes;
}

/// Codes to read by: what as many bits as the longest one has begin with.
class DecodeTable {
 public:
  explicit DecodeTable(const Lengths& lengths) : entries_(std::size_t{1} << std::ranges::max(lengths)) {
    std::uint32_t used = 0;
    for (const std::uint8_t length : lengths)
      if (length > 0) used += 1U << (15 - length);
    if (used > 1U << 15) damaged("its codes overlap");
    const std::vector<std::uint16_t> codes = codes_of(lengths);
    for (std::size_t i = 0; i < lengths.size(); ++i)
      if (lengths[i] > 0)
        for (std::size_t at = codes[i]; at < entries_.size(); at += std::size_t{1} << lengths[i])
          entries_[at] = static_cast<std::uint16_t>(i << 4 | lengths[i]);
  }
  std::size_t read(BitReader& bits) const {
    const std::uint16_t entry = entries_[bits.peek() & (entries_.size() - 1)];
    if (entry == 0) damaged("there is no such code");
    bits.skip(entry & 15);
    return entry >> 4;
  }

 private:
  std::vector<std::uint16_t> entries_;
};

/// The lengths of an optimal code of at most `limit` bits, by merging packages, on ties packages first, and of equally
/// frequent symbols the first with the longest code: as Go's compress/flate has them.
Lengths optimal_lengths(const std::vector<std::uint32_t>& frequencies, std::size_t limit) {
  Lengths lengths(frequencies.size());
  std::vector<std::size_t> symbols;
  for (std::size_t i = 0; i < frequencies.size(); ++i)
    if (frequencies[i] > 0) symbols.push_back(i);
  if (symbols.size() <= 2) {
    for (const std::size_t symbol : symbols) lengths[symbol] = 1;
    return lengths;
  }
  std::ranges::stable_sort(symbols, {}, [&](std::size_t symbol) { return frequencies[symbol]; });
  limit = std::min(limit, symbols.size() - 1);
  // A row for each bit: of leaves and of pairs out of the row before, the least first.
  struct Item {
    std::uint64_t weight;
    bool leaf;
  };
  std::vector<std::vector<Item>> rows(limit);
  for (std::size_t level = 0; level < limit; ++level) {
    const std::vector<Item>* const below = level > 0 ? &rows[level - 1] : nullptr;
    std::size_t leaf = 0, pair = 0;
    const std::size_t pairs = below ? below->size() / 2 : 0;
    while (leaf < symbols.size() || pair < pairs) {
      const std::uint64_t packed = pair < pairs ? (*below)[2 * pair].weight + (*below)[2 * pair + 1].weight : 0;
      const bool is_leaf = pair == pairs || (leaf < symbols.size() && frequencies[symbols[leaf]] < packed);
      rows[level].push_back(is_leaf ? Item{frequencies[symbols[leaf++]], true} : Item{packed, false});
      if (!is_leaf) ++pair;
    }
  }
  std::size_t wanted = 2 * symbols.size() - 2;
  for (std::size_t level = limit; level-- > 0;) {
    const auto items = std::span(rows[level]).first(wanted);
    const auto leaves = static_cast<std::size_t>(std::ranges::count_if(items, &Item::leaf));
    for (std::size_t i = 0; i < leaves; ++i) ++lengths[symbols[i]];
    wanted = 2 * (wanted - leaves);
  }
  return lengths;
}

/// What zlib gives the same symbols: a tree by a heap, in which of equal weights the shallower comes first, and codes
/// that are too long put right in the end.
Lengths heap_lengths(std::vector<std::uint32_t> frequencies, std::size_t limit) {
  struct Node {
    std::uint32_t weight = 0;
    std::uint16_t depth = 0;
    std::size_t parent = 0;
  };
  const std::size_t symbols = frequencies.size();
  std::vector<Node> nodes(symbols);
  std::vector<std::size_t> heap{0}, order;  // the heap from 1 on; nodes as they leave it
  for (std::size_t i = 0; i < symbols; ++i)
    if (frequencies[i] > 0) heap.push_back(i);
  while (heap.size() < 3) {  // there are two codes at least
    const std::size_t last = heap.size() == 1 ? 0 : heap.back() + 1;
    const std::size_t added = last < 3 ? last : 0;
    frequencies[added] = 1;
    heap.push_back(added);
  }
  for (std::size_t i = 0; i < symbols; ++i) nodes[i].weight = frequencies[i];
  const auto before = [&](std::size_t a, std::size_t b) {
    return nodes[a].weight < nodes[b].weight ||
           (nodes[a].weight == nodes[b].weight && nodes[a].depth <= nodes[b].depth);
  };
  const auto sink = [&](std::size_t at) {
    const std::size_t node = heap[at];
    for (std::size_t child = at * 2; child < heap.size(); child *= 2) {
      if (child + 1 < heap.size() && before(heap[child + 1], heap[child])) ++child;
      if (before(node, heap[child])) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = node;
  };
  for (std::size_t at = (heap.size() - 1) / 2; at >= 1; --at) sink(at);
  while (heap.size() > 2) {
    const std::size_t least = heap[1];
    heap[1] = heap.back();
    heap.pop_back();
    sink(1);
    const std::size_t next = heap[1];
    order.insert(order.end(), {least, next});
    const std::size_t made = nodes.size();
    nodes.push_back({nodes[least].weight + nodes[next].weight,
                     static_cast<std::uint16_t>(std::max(nodes[least].depth, nodes[next].depth) + 1)});
    nodes[least].parent = nodes[next].parent = made;
    heap[1] = made;
    sink(1);
  }
  // From the root down, in which order the nodes last left the heap.
  std::vector<std::size_t> bits(nodes.size());
  std::vector<std::size_t> count(limit + 1);
  std::ptrdiff_t overflow = 0;
  for (std::size_t i = order.size(); i-- > 0;) {
    const std::size_t node = order[i];
    bits[node] = bits[nodes[node].parent] + 1;
    if (bits[node] > limit) {
      bits[node] = limit;
      ++overflow;
    }
    if (node < symbols) ++count[bits[node]];
  }
  Lengths lengths(symbols);
  for (std::size_t i = 0; i < symbols; ++i) lengths[i] = static_cast<std::uint8_t>(bits[i]);
  if (overflow == 0) return lengths;
  for (; overflow > 0; overflow -= 2) {
    std::size_t shorter = limit - 1;
    while (count[shorter] == 0) --shorter;
    --count[shorter];
    count[shorter + 1] += 2;
    --count[limit];
  }
  std::vector<std::size_t> leaves;
  for (const std::size_t node : order)
    if (node < symbols) leaves.push_back(node);
  std::size_t leaf = 0;
  for (std::size_t length = limit; length > 0; --length)
    for (std::size_t i = 0; i < count[length]; ++i) lengths[leaves[leaf++]] = static_cast<std::uint8_t>(length);
  return lengths;
}

// ---- Which copies a compressor finds

/// The compressors that models follow.
enum class Family : std::uint8_t { go, zlib };

struct Parameters {
  Family family = Family::go;
  std::uint8_t level = 6;
  std::size_t good = 8, lazy = 16, nice = 128, chain = 128;
  std::size_t most_inserted = longest_match;  ///< a longer copy leaves but its first byte in the chains
  bool looks_ahead = true;                    ///< whether the next byte's copy may be the better one
  std::size_t shortest() const { return family == Family::go ? 4 : 3; }
};

/// Both have nearly the same table.
Parameters parameters_of(Family family, std::uint8_t level) {
  struct Row {
    std::size_t good, lazy, nice, chain;
  };
  constexpr std::array<Row, 10> rows{{{0, 0, 0, 0},
                                      {4, 4, 8, 4},
                                      {4, 5, 16, 8},
                                      {4, 6, 32, 32},
                                      {4, 4, 16, 16},
                                      {8, 16, 32, 32},
                                      {8, 16, 128, 128},
                                      {8, 32, 128, 256},
                                      {32, 128, 258, 1024},
                                      {32, 258, 258, 4096}}};
  const Row& row = rows.at(level);
  Parameters result{family, level, row.good, row.lazy, row.nice, row.chain};
  result.looks_ahead = level > 3;
  if (!result.looks_ahead) result.most_inserted = row.lazy;
  return result;
}

/// How many bytes are the same, of `most`.
std::size_t same_bytes(const std::byte* a, const std::byte* b, std::size_t most) {
  std::size_t same = 0;
  for (; same + 8 <= most; same += 8) {
    std::uint64_t first, second;
    std::memcpy(&first, a + same, 8);
    std::memcpy(&second, b + same, 8);
    if (first != second) break;
  }
  while (same < most && a[same] == b[same]) ++same;
  return same;
}

/// Where bytes were seen before, for all members of a stream one after the other: places in all of it, counted from 1.
/// Those of earlier members lie before the one at hand, so that nobody has to forget them.
struct Chains {
  std::vector<std::uint32_t> heads, previous;

  /// Most members of a hostile stream never come so far.
  void make() {
    if (!heads.empty()) return;
    heads.resize(1 << 17);
    previous.resize(window_size);
  }
};

/// Says at each place what a compressor would take next, given what was really taken before.
class Predictor {
 public:
  /// `plain` from the member's first byte on, which is at `origin`; what came before has used the same `chains`.
  Predictor(Parameters parameters, Bytes plain, std::size_t origin, Chains& chains)
      : is_(parameters), plain_(plain), origin_(origin), chains_(chains) {}

  std::size_t position() const { return at_; }

  Token predict() {
    if (!pending_) pending_ = search(at_, is_.shortest() - 1);
    ahead_.reset();
    const Token here = *pending_;
    if (here.length == 0 || !is_.looks_ahead || here.length >= is_.lazy) return here;
    if (at_ + 1 + here.length >= plain_.size()) return here;  // nothing longer is left
    ahead_ = search(at_ + 1, here.length);
    return ahead_->length > here.length ? Token{} : here;
  }

  /// What was taken. After predict().
  void accept(Token token) {
    pending_.reset();
    if (token.length == 0) pending_ = std::exchange(ahead_, std::nullopt);
    if (pending_ && pending_->length == 0) pending_.reset();
    if (token.length > is_.most_inserted) inserted_ = std::max(inserted_, at_ + token.length);
    at_ += token.bytes();
  }

  /// Passes over bytes of a stored block.
  void pass(std::size_t count) {
    pending_.reset();
    at_ += count;
  }

 private:
  std::size_t hash(std::size_t at) const {
    const auto byte = [&](std::size_t i) { return std::to_integer<std::uint32_t>(plain_[at + i]); };
    if (is_.family == Family::zlib) return (byte(0) << 10 ^ byte(1) << 5 ^ byte(2)) & 0x7fff;
    return ((byte(0) << 24 | byte(1) << 16 | byte(2) << 8 | byte(3)) * 0x1e35a7bdU) >> 15;
  }

  void insert_to(std::size_t at) {
    for (; inserted_ <= at && inserted_ + is_.shortest() <= plain_.size(); ++inserted_) {
      std::uint32_t& head = chains_.heads[hash(inserted_)];
      chains_.previous[inserted_ % window_size] =
          std::exchange(head, static_cast<std::uint32_t>(origin_ + inserted_ + 1));
    }
  }

  /// The place before it in its chain, counted from 1 in this member; 0: there is none.
  std::size_t before(std::size_t at) const {
    const std::size_t place = chains_.previous[at % window_size];
    return place > origin_ ? place - origin_ : 0;
  }

  /// The first place that a copy at `at` may come from.
  std::size_t reach(std::size_t at) {
    if (is_.family == Family::zlib) return std::max<std::size_t>(at > 32506 ? at - 32506 : 0, 1);
    // Go's window of twice 32 KiB moves on by half of it.
    if (at - base_ > 65274 && plain_.size() > base_ + 65536) base_ += window_size;
    return std::max(at > window_size ? at - window_size : 0, base_);
  }

  /// The longest copy at `at` that is longer than `length`.
  Token search(std::size_t at, std::size_t length) {
    chains_.make();
    insert_to(at);
    const std::size_t left = std::min(plain_.size() - std::min(at, plain_.size()), longest_match);
    const std::size_t first = reach(at);
    if (left < is_.shortest() || inserted_ <= at) return {};
    const std::size_t nice = std::min(is_.nice, left);
    std::size_t tries = is_.family == Family::zlib && length >= is_.good ? is_.chain / 4 : is_.chain;
    Token best;
    std::size_t longest = is_.family == Family::go ? is_.shortest() - 1 : length;
    const std::byte* const here = plain_.data() + at;
    for (std::size_t from = before(at); from > first && tries > 0; --tries) {
      const std::byte* const there = plain_.data() + from - 1;
      if (longest < left && there[longest] == here[longest]) {
        const std::size_t same = same_bytes(there, here, left);
        const std::size_t distance = at - (from - 1);
        if (same > longest && (is_.family == Family::zlib || same > 4 || distance <= 4096)) {
          longest = same;
          best = {static_cast<std::uint16_t>(same), static_cast<std::uint16_t>(distance)};
          if (same >= nice) break;
        }
      }
      const std::size_t next = before(from - 1);
      if (next >= from) break;  // it has been overwritten
      from = next;
    }
    if (is_.family == Family::zlib && is_.looks_ahead && best.length == 3 && best.distance > 4096) return {};
    return best.length > length ? best : Token{};
  }

  const Parameters is_;
  const Bytes plain_;
  const std::size_t origin_;
  Chains& chains_;
  std::size_t at_ = 0, inserted_ = 0, base_ = 0;
  std::optional<Token> pending_;  // what was found for the place already
  std::optional<Token> ahead_;    // and for the one after it
};

// ---- Blocks

/// The header of a block with codes of its own, and these codes.
struct DynamicHeader {
  std::vector<std::pair<std::uint32_t, std::uint8_t>> bits;  // values, and how many bits each has
  Lengths literals, distances;
};

/// How lengths of codes are written: pairs of a code for them and the extra bits' value.
using RunLengths = std::vector<std::pair<std::uint8_t, std::uint8_t>>;

void add_runs(RunLengths& runs, std::uint8_t value, std::size_t count) {
  const auto add = [&](std::uint8_t code, std::size_t extra) {
    runs.emplace_back(code, static_cast<std::uint8_t>(extra));
  };
  if (value != 0) {
    add(value, 0);
    --count;
    for (; count >= 3; count -= std::min<std::size_t>(count, 6)) add(16, std::min<std::size_t>(count, 6) - 3);
  } else {
    for (; count >= 11; count -= std::min<std::size_t>(count, 138)) add(18, std::min<std::size_t>(count, 138) - 11);
    if (count >= 3) add(17, std::exchange(count, 0) - 3);
  }
  for (; count > 0; --count) add(value, 0);
}

RunLengths run_lengths(const Lengths& literals, const Lengths& distances, Family family) {
  RunLengths runs;
  Lengths all = literals;
  all.insert(all.end(), distances.begin(), distances.end());
  for (std::size_t begin = 0, end = 0; begin < all.size(); begin = end) {
    // zlib's runs end with a table.
    const std::size_t last = family == Family::zlib && begin < literals.size() ? literals.size() : all.size();
    for (end = begin; end < last && all[end] == all[begin]; ++end) continue;
    add_runs(runs, all[begin], end - begin);
  }
  return runs;
}

struct Frequencies {
  std::vector<std::uint32_t> literals = std::vector<std::uint32_t>(literal_codes);
  std::vector<std::uint32_t> distances = std::vector<std::uint32_t>(distance_codes);

  void count(Token token, std::byte literal) {
    if (token.length == 0) {
      ++literals[std::to_integer<std::size_t>(literal)];
      return;
    }
    ++literals[257 + length_code(token.length)];
    ++distances[distance_code(token.distance)];
  }
};

Lengths cut(Lengths lengths, std::size_t least) {
  while (lengths.size() > least && lengths.back() == 0) lengths.pop_back();
  return lengths;
}

/// The header that a compressor writes for such a block.
DynamicHeader header_of(Frequencies frequencies, Family family) {
  const auto lengths_of = [&](const std::vector<std::uint32_t>& counts, std::size_t limit) {
    return family == Family::go ? optimal_lengths(counts, limit) : heap_lengths(counts, limit);
  };
  frequencies.literals[end_of_block] = 1;
  if (family == Family::go && std::ranges::all_of(frequencies.distances, [](auto count) { return count == 0; }))
    frequencies.distances[0] = 1;
  DynamicHeader header;
  header.literals = cut(lengths_of(frequencies.literals, 15), 257);
  header.distances = cut(lengths_of(frequencies.distances, 15), 1);
  const RunLengths runs = run_lengths(header.literals, header.distances, family);
  std::vector<std::uint32_t> counts(19);
  for (const auto& [code, extra] : runs) ++counts[code];
  const Lengths lengths = lengths_of(counts, 7);
  std::size_t shown = 19;
  while (shown > 4 && lengths[code_length_order[shown - 1]] == 0) --shown;
  header.bits = {{static_cast<std::uint32_t>(header.literals.size() - 257), 5},
                 {static_cast<std::uint32_t>(header.distances.size() - 1), 5},
                 {static_cast<std::uint32_t>(shown - 4), 4}};
  for (std::size_t i = 0; i < shown; ++i) header.bits.emplace_back(lengths[code_length_order[i]], 3);
  const std::vector<std::uint16_t> codes = codes_of(lengths);
  for (const auto& [code, extra] : runs) {
    header.bits.emplace_back(codes[code], lengths[code]);
    if (code >= 16) header.bits.emplace_back(extra, code == 16 ? 2 : code == 17 ? 3 : 7);
  }
  return header;
}

/// Reads such a header, whoever has written it.
DynamicHeader read_header(BitReader& bits) {
  DynamicHeader header;
  const auto take = [&](std::size_t count) {
    header.bits.emplace_back(bits.take(count), static_cast<std::uint8_t>(count));
    return header.bits.back().first;
  };
  const std::size_t literals = take(5) + 257, distances = take(5) + 1, shown = take(4) + 4;
  if (literals > literal_codes || distances > distance_codes) damaged("it has too many codes");
  Lengths lengths(19);
  for (std::size_t i = 0; i < shown; ++i) lengths[code_length_order[i]] = static_cast<std::uint8_t>(take(3));
  const DecodeTable table(lengths);
  Lengths all;
  while (all.size() < literals + distances) {
    const std::size_t begin = bits.bit();
    BitReader copy = bits;
    const std::size_t code = table.read(bits);
    header.bits.emplace_back(copy.take(bits.bit() - begin), static_cast<std::uint8_t>(bits.bit() - begin));
    std::size_t count = 1;
    std::uint8_t value = static_cast<std::uint8_t>(code);
    if (code == 16) {
      if (all.empty()) damaged("it repeats nothing");
      value = all.back();
      count = 3 + take(2);
    } else if (code > 16) {
      value = 0;
      count = code == 17 ? 3 + take(3) : 11 + take(7);
    }
    if (all.size() + count > literals + distances) damaged("it has too many codes");
    all.insert(all.end(), count, value);
  }
  header.literals.assign(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(literals));
  header.distances.assign(all.begin() + static_cast<std::ptrdiff_t>(literals), all.end());
  if (header.literals[end_of_block] == 0) damaged("its blocks have no end");
  return header;
}

DynamicHeader fixed_header() {
  DynamicHeader header;
  header.literals.assign(288, 8);
  std::fill(header.literals.begin() + 144, header.literals.begin() + 256, std::uint8_t{9});
  std::fill(header.literals.begin() + 256, header.literals.begin() + 280, std::uint8_t{7});
  header.distances.assign(distance_codes, 5);
  return header;
}

/// The kinds of blocks as a recipe and deflate number them.
enum : std::uint8_t { stored = 0, fixed = 1, dynamic = 2, last_block = 4, foreign_header = 8 };

/// Reads a token; nothing at the end of the block.
std::optional<std::pair<Token, std::byte>> read_token(BitReader& bits, const DecodeTable& literals,
                                                      const DecodeTable& distances) {
  const std::size_t code = literals.read(bits);
  if (code < end_of_block) return std::pair(Token{}, static_cast<std::byte>(code));
  if (code == end_of_block) return std::nullopt;
  if (code >= literal_codes) damaged("there is no such code");
  Token token;
  token.length = static_cast<std::uint16_t>(length_base[code - 257] + bits.take(length_extra[code - 257]));
  if (token.length == longest_match && code != 285) uncommon("a length is written in the longer way");
  const std::size_t distance = distances.read(bits);
  if (distance >= distance_codes) damaged("there is no such code");
  token.distance = static_cast<std::uint16_t>(distance_base[distance] + bits.take(distance_extra[distance]));
  return std::pair(token, std::byte{});
}

// ---- Recipes

/// One stream of deflate, read beside what a model expects.
class Describer {
 public:
  /// `plain` from the member's first byte on, which is at `origin`, and its bits; what it says has at most `longest`
  /// bytes.
  Describer(Parameters parameters, Bytes plain, std::size_t origin, BitReader bits, Chains& chains, std::size_t longest)
      : parameters_(parameters),
        plain_(plain),
        bits_(bits),
        predictor_(parameters, plain, origin, chains),
        longest_(longest) {}

  /// Reads to the end, or no more than about so many tokens, or until it is too long.
  void run(std::size_t most = static_cast<std::size_t>(-1)) {
    for (bool last = false; !last && tokens_ < most && !too_long();) {
      last = bits_.take(1) == 1;
      const auto kind = static_cast<std::uint8_t>(bits_.take(2));
      if (kind == stored)
        store(last);
      else if (kind == fixed || kind == dynamic)
        read_block(kind, last);
      else
        damaged("there is no such kind of block");
    }
  }

  const std::string& text() const { return text_; }
  bool too_long() const { return text_.size() > longest_; }
  std::size_t tokens() const { return tokens_; }
  const BitReader& bits() const { return bits_; }
  std::size_t inflated() const { return predictor_.position(); }

 private:
  void store(bool last) {
    bits_.align();
    const std::size_t size = bits_.take(16), check = bits_.take(16);
    if ((size ^ check) != 0xffff) damaged("a block's length is wrong");
    if (size > plain_.size() - inflated()) damaged("it inflates to something else");
    const Bytes bytes = bits_.bytes(size);
    if (!std::ranges::equal(bytes, plain_.subspan(inflated(), size))) damaged("it inflates to something else");
    predictor_.pass(size);
    text_ += static_cast<char>(stored | (last ? last_block : 0));
    put_number(text_, size);
    ++tokens_;
  }

  void read_block(std::uint8_t kind, bool last) {
    const DynamicHeader header = kind == fixed ? fixed_header() : read_header(bits_);
    const DecodeTable literals(header.literals), distances(header.distances);
    Frequencies frequencies;
    std::string corrections;
    std::size_t count = 0, right = 0;
    while (const auto read = read_token(bits_, literals, distances)) {
      const auto [token, literal] = *read;
      check(token, literal);
      frequencies.count(token, literal);
      if (++count > most_tokens) uncommon("a block is too long");
      if (predictor_.predict() == token) {
        ++right;
      } else {
        put_number(corrections, std::exchange(right, 0));
        put_number(corrections, token.length);
        if (token.length > 0) put_number(corrections, token.distance);
        if (text_.size() + corrections.size() > longest_) break;
      }
      predictor_.accept(token);
    }
    tokens_ += count;
    const bool foreign = kind == dynamic && header_of(frequencies, parameters_.family).bits != header.bits;
    text_ += static_cast<char>(kind | (last ? last_block : 0) | (foreign ? foreign_header : 0));
    put_number(text_, count);
    if (foreign) put_header(header);
    text_ += corrections;
    put_number(text_, right);
  }

  void check(Token token, std::byte literal) const {
    const std::size_t at = inflated();
    if (token.bytes() > plain_.size() - at || token.distance > at) damaged("it inflates to something else");
    if (token.length == 0 ? plain_[at] != literal
                          : std::memcmp(&plain_[at], &plain_[at - token.distance], token.length) != 0)
      damaged("it inflates to something else");
  }

  /// A header that the model does not write: its bits, eight a byte.
  void put_header(const DynamicHeader& header) {
    std::string bytes;
    const std::function<void(Bytes)> sink = [&](Bytes data) {
      bytes.append(reinterpret_cast<const char*>(data.data()), data.size());
    };
    BitWriter writer(sink);
    for (const auto& [value, count] : header.bits) writer.put(value, count);
    writer.align();
    writer.flush();
    text_ += bytes;
  }

  const Parameters parameters_;
  const Bytes plain_;
  BitReader bits_;
  Predictor predictor_;
  const std::size_t longest_;
  std::string text_;
  std::size_t tokens_ = 0;
};

/// The model that says least about the beginning of the stream, if less than `least`.
Parameters model_of(Bytes plain, const BitReader& bits, std::size_t least) {
  Parameters best;
  for (const auto& [family, level] : {std::pair(Family::go, 6),
                                      {Family::zlib, 6},
                                      {Family::zlib, 9},
                                      {Family::go, 9},
                                      {Family::zlib, 1},
                                      {Family::zlib, 2},
                                      {Family::zlib, 3},
                                      {Family::zlib, 4},
                                      {Family::zlib, 5},
                                      {Family::zlib, 7},
                                      {Family::zlib, 8},
                                      {Family::go, 2},
                                      {Family::go, 3},
                                      {Family::go, 4},
                                      {Family::go, 5},
                                      {Family::go, 7},
                                      {Family::go, 8}}) {
    const Parameters model = parameters_of(family, static_cast<std::uint8_t>(level));
    Chains chains;
    Describer describer(model, plain, 0, bits, chains, least);
    describer.run(sampled_tokens);
    if (describer.text().size() >= least) continue;
    least = describer.text().size();
    best = model;
    if (least * 100 < describer.tokens()) break;  // no other one is as good
  }
  return best;
}

/// Passes over the header of a member (RFC 1952, 2.3); whether there is one.
bool pass_header(BitReader& bits, Bytes gzip) {
  if (bits.byte() == gzip.size()) return false;
  if (bits.take(8) != 0x1f || bits.take(8) != 0x8b || bits.take(8) != 8) uncommon("it is no gzip, or not all of it");
  const std::uint32_t flags = bits.take(8);
  bits.skip(6 * 8);
  if (flags & 4) {
    const std::size_t size = bits.take(16);
    bits.skip(size * 8);
  }
  for (const std::uint32_t text : {8U, 16U})
    if (flags & text)
      while (bits.take(8) != 0) continue;
  if (flags & 2) bits.skip(16);
  return true;
}

/// The end of a member that holds `plain`: its checksum and length.
std::array<std::byte, 8> trailer_of(Bytes plain) {
  const auto checksum =
      static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(plain.data()), plain.size()));
  std::array<std::byte, 8> bytes;
  for (std::size_t i = 0; i < 4; ++i) {
    bytes[i] = static_cast<std::byte>(checksum >> (8 * i));
    bytes[4 + i] = static_cast<std::byte>(plain.size() >> (8 * i));
  }
  return bytes;
}

/// What a recipe says of one member, carried out.
class Rebuilder {
 public:
  Rebuilder(Parameters parameters, Bytes plain, std::size_t origin, NumberReader& recipe, BitWriter& writer,
            Chains& chains)
      : family_(parameters.family),
        plain_(plain),
        recipe_(recipe),
        writer_(writer),
        predictor_(parameters, plain, origin, chains) {}

  /// Makes its blocks; how many bytes they hold.
  std::size_t run() {
    for (bool last = false; !last;) {
      const std::uint8_t what = recipe_.byte();
      last = what & last_block;
      writer_.put(last ? 1 : 0, 1);
      writer_.put(what & 3, 2);
      if ((what & 3) == stored)
        store();
      else if ((what & 3) == fixed || (what & 3) == dynamic)
        write_block(what);
      else
        recipe_.refuse();
    }
    writer_.align();
    return predictor_.position();
  }

 private:
  std::size_t left() const { return plain_.size() - predictor_.position(); }

  void store() {
    const std::size_t size = recipe_.number(std::min<std::size_t>(left(), 0xffff));
    writer_.align();
    writer_.put(size, 16);
    writer_.put(~size & 0xffff, 16);
    writer_.bytes(plain_.subspan(predictor_.position(), size));
    predictor_.pass(size);
  }

  void write_block(std::uint8_t what) {
    const std::size_t count = recipe_.number(std::min(left(), most_tokens));
    std::optional<DynamicHeader> header;
    if ((what & 3) == fixed)
      header = fixed_header();
    else if (what & foreign_header)
      header = taken_header();
    const std::size_t begin = predictor_.position();
    read_tokens(count);
    if (!header) header = header_of(frequencies_of(begin), family_);
    for (const auto& [value, bits] : header->bits) writer_.put(value, bits);
    write_tokens(*header, begin);
  }

  DynamicHeader taken_header() try {
    BitReader bits(recipe_.rest(), 0);
    DynamicHeader header = read_header(bits);
    recipe_.skip((bits.bit() + 7) / 8);
    return header;
  } catch (const Error&) {
    recipe_.refuse();
  }

  void read_tokens(std::size_t count) {
    tokens_.clear();
    while (tokens_.size() < count) {
      for (std::size_t right = recipe_.number(count - tokens_.size()); right > 0; --right) take(predictor_.predict());
      if (tokens_.size() == count) return;
      Token token;
      token.length = static_cast<std::uint16_t>(recipe_.number(longest_match));
      if (token.length > 0) token.distance = static_cast<std::uint16_t>(recipe_.number(window_size));
      if ((token.length > 0 && token.length < 3) || (token.length > 0 && token.distance == 0)) recipe_.refuse();
      (void)predictor_.predict();
      take(token);
    }
    if (recipe_.number(0) != 0) recipe_.refuse();
  }

  void take(Token token) {
    if (token.bytes() > left()) recipe_.refuse();
    tokens_.push_back(token);
    predictor_.accept(token);
  }

  Frequencies frequencies_of(std::size_t at) const {
    Frequencies frequencies;
    for (const Token& token : tokens_) {
      frequencies.count(token, plain_[at]);
      at += token.bytes();
    }
    return frequencies;
  }

  void write_tokens(const DynamicHeader& header, std::size_t at) {
    const std::vector<std::uint16_t> literals = codes_of(header.literals), distances = codes_of(header.distances);
    const auto put = [&](const std::vector<std::uint16_t>& codes, const Lengths& lengths, std::size_t code) {
      if (code >= lengths.size() || lengths[code] == 0) recipe_.refuse();
      writer_.put(codes[code], lengths[code]);
    };
    for (const Token& token : tokens_) {
      if (token.length == 0) {
        put(literals, header.literals, std::to_integer<std::size_t>(plain_[at]));
      } else {
        const std::size_t length = length_code(token.length), distance = distance_code(token.distance);
        put(literals, header.literals, 257 + length);
        writer_.put(token.length - length_base[length], length_extra[length]);
        put(distances, header.distances, distance);
        writer_.put(token.distance - distance_base[distance], distance_extra[distance]);
      }
      at += token.bytes();
    }
    put(literals, header.literals, end_of_block);
  }

  const Family family_;
  const Bytes plain_;
  NumberReader& recipe_;
  BitWriter& writer_;
  Predictor predictor_;
  std::vector<Token> tokens_;
};

}  // namespace

std::string gzip_recipe(Bytes gzip, Bytes plain) {
  const std::size_t longest = std::min(longest_recipe, gzip.size() + 1024 * 1024);
  std::string recipe;
  BitReader bits(gzip, 0);
  std::optional<Parameters> model;
  Chains chains;
  std::size_t done = 0, members = 0;
  for (std::size_t begin = 0; pass_header(bits, gzip); begin = bits.byte()) {
    if (++members > most_members) uncommon("it has too many members");
    const Bytes header = gzip.subspan(begin, bits.byte() - begin), left = plain.subspan(done);
    put_number(recipe, header.size());
    recipe.append(reinterpret_cast<const char*>(header.data()), header.size());
    if (!model) model = model_of(left, bits, longest);
    recipe += static_cast<char>(model->family);
    recipe += static_cast<char>(model->level);
    if (recipe.size() > longest) uncommon("it would take too long a recipe");
    Describer describer(*model, left, done, bits, chains, longest - recipe.size());
    describer.run();
    if (describer.too_long()) uncommon("it would take too long a recipe");
    recipe += describer.text();
    bits = describer.bits();
    bits.align();
    const Bytes held = left.first(describer.inflated());
    if (!std::ranges::equal(bits.bytes(8), trailer_of(held))) damaged("its checksum is wrong");
    done += held.size();
  }
  if (done < plain.size()) damaged("it inflates to something else");
  put_number(recipe, 0);
  return recipe;
}

void gzip_by_recipe(std::string_view recipe, Bytes plain, const std::function<void(Bytes)>& sink) {
  NumberReader reader(recipe, "the recipe of a gzip stream");
  BitWriter writer(sink);
  constexpr std::size_t longest_header = 1024 * 1024;
  Chains chains;
  std::size_t done = 0, members = 0;
  while (const std::size_t size = reader.number(longest_header)) {
    if (++members > most_members) reader.refuse();
    writer.bytes(reader.take(size));
    const std::uint8_t family = reader.byte(), level = reader.byte();
    if (family > static_cast<std::uint8_t>(Family::zlib) || level == 0 || level > 9) reader.refuse();
    const Parameters model = parameters_of(static_cast<Family>(family), level);
    const Bytes left = plain.subspan(done);
    const std::size_t held = Rebuilder(model, left, done, reader, writer, chains).run();
    writer.bytes(trailer_of(left.first(held)));
    done += held;
  }
  writer.flush();
  if (done < plain.size() || !reader.rest().empty()) reader.refuse();
}

}  // namespace hawser
