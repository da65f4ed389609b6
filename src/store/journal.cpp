// Fixed-size little-endian records, each with a CRC-32.
#include "store/journal.hpp"

#include "util/platform/file.hpp"
#include "util/platform/machine.hpp"

#include <hawser/util/error.hpp>

#include <charconv>
#include <cstring>

#include <boost/endian/arithmetic.hpp>
#include <zlib.h>

namespace hawser {
namespace {

constexpr std::array<char, 8> magic{'H', 'W', 'S', 'R', 'J', 'R', 'N', 'L'};
constexpr std::uint32_t version = 1;

// As they are in the file: no padding but what is named, and a checksum of what stands before it at the end.
struct RawHeader {
  std::array<char, 8> magic{};
  boost::endian::little_uint32_t version{};
  std::array<char, 4> padding{};
  boost::endian::little_uint64_t size{};
  std::array<char, 136> digest{};
  BootId boot{};
  std::array<char, 12> more_padding{};
  boost::endian::little_uint32_t checksum{};
};
struct RawRecord {
  boost::endian::little_uint32_t kind{};
  std::array<char, 4> padding{};
  boost::endian::little_uint64_t begin{}, end{};
  std::array<char, 4> more_padding{};
  boost::endian::little_uint32_t checksum{};
};
static_assert(sizeof(RawHeader) == journal_header_size && sizeof(RawRecord) == journal_record_size);

template <typename Raw>
std::uint32_t checksum(const Raw& raw, std::uint32_t seed) {
  const auto* bytes = reinterpret_cast<const Bytef*>(&raw);
  return static_cast<std::uint32_t>(crc32(seed, bytes, static_cast<uInt>(sizeof(Raw) - sizeof(raw.checksum))));
}

template <typename Raw>
std::string bytes_of(const Raw& raw) {
  return std::string(reinterpret_cast<const char*>(&raw), sizeof(Raw));
}

/// Takes what `bytes` begins with; nothing where that is cut short or damaged.
template <typename Raw>
std::optional<Raw> take(std::span<const std::byte> bytes, std::uint32_t seed) {
  Raw raw;
  if (bytes.size() < sizeof(Raw)) return std::nullopt;
  std::memcpy(&raw, bytes.data(), sizeof(Raw));
  return raw.checksum == checksum(raw, seed) ? std::optional(raw) : std::nullopt;
}

std::optional<JournalHeader> header_of(const RawHeader& raw) {
  if (raw.magic != magic || raw.version != version) return std::nullopt;
  try {
    const std::string_view text(raw.digest.begin(), std::ranges::find(raw.digest, '\0'));
    return JournalHeader{Digest::parse(text), raw.size, raw.boot};
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

const BootId& current_boot() {
  static const BootId boot = parse_boot_id(boot_id());
  return boot;
}

BootId parse_boot_id(std::string_view text) {
  std::string digits(text);
  std::erase(digits, '-');
  BootId result{};
  if (text.size() != 36 || digits.size() != 2 * result.size()) return unknown_boot;
  for (std::size_t i = 0; i < result.size(); ++i) {
    const char* end = &digits[2 * i] + 2;
    if (std::from_chars(&digits[2 * i], end, result[i], 16).ptr != end) return unknown_boot;
  }
  return result;
}

JournalEncoder::JournalEncoder(const JournalHeader& header) {
  RawHeader raw{.magic = magic, .version = version, .size = header.size, .boot = header.boot};
  header.digest.to_string().copy(raw.digest.data(), raw.digest.size());
  seed_ = checksum(raw, 0);
  raw.checksum = seed_;
  header_ = bytes_of(raw);
}

std::string JournalEncoder::record(JournalRecord kind, std::uint64_t begin, std::uint64_t end) const {
  RawRecord raw{.kind = static_cast<std::uint32_t>(kind), .begin = begin, .end = end};
  raw.checksum = checksum(raw, seed_);
  return bytes_of(raw);
}

std::string JournalEncoder::records(JournalRecord kind, const IntervalSet& set) const {
  std::string result;
  for (const auto& [begin, end] : set.intervals()) result += record(kind, begin, end);
  return result;
}

std::optional<JournalContent> parse_journal(std::span<const std::byte> bytes) {
  const auto raw_header = take<RawHeader>(bytes, 0);
  auto header = raw_header ? header_of(*raw_header) : std::nullopt;
  if (!header) return std::nullopt;
  JournalContent content{std::move(*header), {}, {}, journal_header_size};
  while (const auto record = take<RawRecord>(bytes.subspan(content.valid_size), raw_header->checksum)) {
    const bool is_durable = record->kind == static_cast<std::uint32_t>(JournalRecord::durable);
    const bool is_written = record->kind == static_cast<std::uint32_t>(JournalRecord::written);
    if (record->begin >= record->end || record->end > content.header.size || !(is_durable || is_written)) break;
    (is_durable ? content.durable : content.written).insert(record->begin, record->end);
    content.valid_size += journal_record_size;
  }
  return content;
}

IntervalSet JournalContent::believed(const BootId& boot, std::uint64_t file_size) const {
  IntervalSet result = durable;
  if (boot != unknown_boot && boot == header.boot) result.insert(written);
  IntervalSet beyond;
  beyond.insert(file_size, header.size);
  return result.without(beyond);
}

JournalFile::JournalFile(const Directory& directory, const std::string& name, const JournalHeader& header,
                         const IntervalSet& written, const IntervalSet& durable, Durable synced)
    : encoder_(header) {
  AtomicFile next(directory, name);
  const std::string bytes = encoder_.header() + encoder_.records(JournalRecord::durable, durable) +
                            encoder_.records(JournalRecord::written, written);
  next.file().write_at(0, as_bytes(bytes));
  size_ = bytes.size();
  file_ = next.commit(synced);
}

JournalFile::JournalFile(File file, const JournalHeader& header)
    : file_(std::move(file)), encoder_(header), size_(file_.size()) {}

void JournalFile::append(JournalRecord kind, const IntervalSet& set) {
  const std::string records = encoder_.records(kind, set);
  file_.write_at(size_, as_bytes(records));
  size_ += records.size();
}

std::optional<JournalContent> read_journal(const Directory& directory, const std::string& name, const Digest& digest,
                                           std::uint64_t size) {
  const auto found = directory.status(name);
  if (!found || !found->is_regular()) return std::nullopt;
  const auto file = directory.open_file(name, OpenMode::read);
  if (!file) return std::nullopt;
  auto content = parse_journal(as_bytes(file->read_text(max_journal_size)));
  if (!content || content->header.digest != digest || content->header.size != size) return std::nullopt;
  return content;
}

}  // namespace hawser
