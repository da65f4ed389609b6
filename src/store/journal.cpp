// Fixed-size little-endian records, each with a CRC-32.
#include "store/journal.hpp"

#include "util/file.hpp"

#include <hawser/util/error.hpp>

#include <charconv>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

namespace hawser {
namespace {

constexpr std::string_view magic = "HWSRJRNL";
constexpr std::uint32_t version = 1;
constexpr std::size_t digest_offset = 24;
constexpr std::size_t digest_length = 136;
constexpr std::size_t boot_offset = 160;

template <typename Integer>
void put(std::string& bytes, std::size_t offset, Integer value) {
  for (std::size_t i = 0; i < sizeof(Integer); ++i) bytes[offset + i] = static_cast<char>((value >> (8 * i)) & 0xFF);
}

template <typename Integer>
Integer take(std::span<const std::byte> bytes, std::size_t offset) {
  Integer value = 0;
  for (std::size_t i = 0; i < sizeof(Integer); ++i)
    value |= static_cast<Integer>(std::to_integer<Integer>(bytes[offset + i]) << (8 * i));
  return value;
}

std::uint32_t checksum(std::uint32_t seed, const void* data, std::size_t length) {
  return static_cast<std::uint32_t>(::crc32(seed, static_cast<const Bytef*>(data), static_cast<uInt>(length)));
}

// The last four bytes of header and record are the checksum of what is before them.
void seal(std::string& bytes, std::uint32_t seed) {
  const std::size_t body = bytes.size() - sizeof(std::uint32_t);
  put(bytes, body, checksum(seed, bytes.data(), body));
}

bool is_intact(std::span<const std::byte> bytes, std::uint32_t seed) {
  const std::size_t body = bytes.size() - sizeof(std::uint32_t);
  return take<std::uint32_t>(bytes, body) == checksum(seed, bytes.data(), body);
}

std::optional<JournalHeader> parse_header(std::span<const std::byte> bytes) {
  if (bytes.size() < journal_header_size) return std::nullopt;
  bytes = bytes.first(journal_header_size);
  const bool ours = std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
  if (!ours || take<std::uint32_t>(bytes, 8) != version || !is_intact(bytes, 0)) return std::nullopt;
  const char* text = reinterpret_cast<const char*>(bytes.data() + digest_offset);
  try {
    JournalHeader header{
        Digest::parse(std::string_view(text, ::strnlen(text, digest_length))), take<std::uint64_t>(bytes, 16), {}};
    std::memcpy(header.boot.data(), bytes.data() + boot_offset, header.boot.size());
    return header;
  } catch (const Error&) {
    return std::nullopt;
  }
}

BootId read_boot_id() {
  try {
    std::string text = read_file("/proc/sys/kernel/random/boot_id", 64);
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return parse_boot_id(text);
  } catch (const Error&) {
    return unknown_boot;
  }
}

}  // namespace

const BootId& current_boot() {
  static const BootId boot = read_boot_id();
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

JournalEncoder::JournalEncoder(const JournalHeader& header) : header_(journal_header_size, '\0') {
  header_.replace(0, magic.size(), magic);
  put(header_, 8, version);
  put(header_, 16, header.size);
  const std::string digest = header.digest.to_string();
  header_.replace(digest_offset, digest.size(), digest);
  std::memcpy(header_.data() + boot_offset, header.boot.data(), header.boot.size());
  seal(header_, 0);
  seed_ = take<std::uint32_t>(as_bytes(header_), journal_header_size - sizeof(std::uint32_t));
}

std::string JournalEncoder::record(JournalRecord kind, std::uint64_t begin, std::uint64_t end) const {
  std::string record(journal_record_size, '\0');
  put(record, 0, static_cast<std::uint32_t>(kind));
  put(record, 8, begin);
  put(record, 16, end);
  seal(record, seed_);
  return record;
}

std::string JournalEncoder::records(JournalRecord kind, const std::vector<Interval>& intervals) const {
  std::string result;
  for (const auto& [begin, end] : intervals) result += record(kind, begin, end);
  return result;
}

std::optional<JournalContent> parse_journal(std::span<const std::byte> bytes) {
  auto header = parse_header(bytes);
  if (!header) return std::nullopt;
  JournalContent content{std::move(*header), {}, {}, journal_header_size};
  const auto seed = take<std::uint32_t>(bytes, journal_header_size - sizeof(std::uint32_t));
  while (bytes.size() - content.valid_size >= journal_record_size) {
    const auto record = bytes.subspan(content.valid_size, journal_record_size);
    if (!is_intact(record, seed)) break;
    const auto kind = static_cast<JournalRecord>(take<std::uint32_t>(record, 0));
    const auto begin = take<std::uint64_t>(record, 8);
    const auto end = take<std::uint64_t>(record, 16);
    if (begin >= end || end > content.header.size) break;
    if (kind == JournalRecord::written) {
      content.written.insert(begin, end);
    } else if (kind == JournalRecord::durable) {
      content.durable.insert(begin, end);
    } else {
      break;
    }
    content.valid_size += journal_record_size;
  }
  return content;
}

IntervalSet JournalContent::believed(const BootId& boot, std::uint64_t file_size) const {
  IntervalSet result = clipped(durable, file_size);
  if (boot == unknown_boot || boot != header.boot) return result;
  for (const auto& [begin, end] : clipped(written, file_size).intervals()) result.insert(begin, end);
  return result;
}

IntervalSet clipped(const IntervalSet& set, std::uint64_t limit) {
  IntervalSet result;
  for (const auto& [begin, end] : set.intervals())
    if (begin < limit) result.insert(begin, std::min(end, limit));
  return result;
}

JournalFile::JournalFile(const Directory& directory, const std::string& name, const JournalHeader& header,
                         const std::vector<Interval>& written, const IntervalSet& durable, Durable synced)
    : encoder_(header) {
  AtomicFile next = directory.replacement(name);
  const std::string bytes = encoder_.header() + encoder_.records(JournalRecord::durable, durable.intervals()) +
                            encoder_.records(JournalRecord::written, written);
  next.file().write_at(0, as_bytes(bytes));
  size_ = bytes.size();
  file_ = next.commit(synced);
}

JournalFile::JournalFile(File file, const JournalHeader& header)
    : file_(std::move(file)), encoder_(header), size_(file_.size()) {}

void JournalFile::append(JournalRecord kind, const std::vector<Interval>& intervals) {
  const std::string records = encoder_.records(kind, intervals);
  file_.write_at(size_, as_bytes(records));
  size_ += records.size();
}

std::optional<JournalContent> read_journal(const Directory& directory, const std::string& name, const Digest& digest,
                                           std::uint64_t size) {
  const auto found = directory.status(name);
  if (!found || !S_ISREG(found->st_mode)) return std::nullopt;
  const auto file = directory.open_file(name, O_RDONLY);
  if (!file) return std::nullopt;
  auto content = parse_journal(as_bytes(file->read_text(max_journal_size)));
  if (!content || content->header.digest != digest || content->header.size != size) return std::nullopt;
  return content;
}

}  // namespace hawser
