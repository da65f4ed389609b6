#include "archive/tar_header.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>

namespace hawser {
namespace {

/// The block, its fields in order.
struct Header {
  char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[8];
  char owner[32], group[32], device[16], prefix[155], rest[12];
};
static_assert(sizeof(Header) == tar_block_size);

/// Zero-padded octal digits and a NUL; base 256, marked by the top bit, where the digits do not suffice.
void put_number(std::span<char> field, std::uint64_t value) {
  const std::size_t digits = field.size() - 1;
  if (value >> (3 * digits) == 0) {
    for (std::size_t i = 0; i < digits; ++i) field[digits - 1 - i] = static_cast<char>('0' + ((value >> (3 * i)) & 7));
    return;
  }
  for (std::size_t i = 0; i < sizeof(value); ++i)
    field[field.size() - 1 - i] = static_cast<char>((value >> (8 * i)) & 0xff);
  field[0] = static_cast<char>(0x80);
}

/// The sum of all bytes with the checksum field as spaces: six octal digits, NUL, space.
void put_checksum(Header& header) {
  std::ranges::fill(header.checksum, ' ');
  std::uint64_t sum = 0;
  for (const std::byte byte : std::as_bytes(std::span(&header, 1))) sum += std::to_integer<unsigned>(byte);
  put_number(std::span(header.checksum).first(7), sum);
  header.checksum[6] = '\0';
}

std::string header_block(std::string_view prefix, std::string_view name, char type, std::uint64_t mode,
                         std::uint64_t size) {
  Header header{};
  std::ranges::copy(name, header.name);
  put_number(header.mode, mode);
  put_number(header.uid, 0);
  put_number(header.gid, 0);
  put_number(header.size, size);
  put_number(header.mtime, 0);
  header.type = type;
  std::ranges::copy(std::string_view("ustar\0"
                                     "00",
                                     sizeof(header.magic)),
                    header.magic);
  std::ranges::copy(prefix, header.prefix);
  put_checksum(header);
  return {reinterpret_cast<const char*>(&header), sizeof(header)};
}

/// One pax record: its own length in decimal, a space, key=value, a newline.
std::string pax_record(std::string_view key, std::string_view value) {
  const std::size_t rest = 1 + key.size() + 1 + value.size() + 1;
  std::size_t length = rest + std::to_string(rest).size();
  length = rest + std::to_string(length).size();
  return std::to_string(length).append(" ").append(key).append("=").append(value).append("\n");
}

/// A pax record of `length` bytes, 100 at least, that readers ignore.
std::string pax_filler(std::size_t length) {
  const std::size_t around = std::to_string(length).size() + std::strlen(" comment=\n");
  return pax_record("comment", std::string(length - around, ' '));
}

/// A pax header with `records` and so much filler that it is `length` bytes long.
std::string pax_header(std::string records, std::size_t length) {
  const std::size_t room = length - tar_block_size;
  if (room - records.size() >= tar_block_size) records += pax_filler(room - records.size());
  std::string result = header_block("PaxHeaders", "path", 'x', 0644, records.size()) + records;
  result.resize(length, '\0');
  return result;
}

/// `padding`: bytes to be added to its least length; whole blocks, and more than one.
std::string header(std::string_view path, char type, std::uint64_t mode, std::uint64_t size, std::size_t padding = 0) {
  const bool fits = path.size() <= sizeof(Header::name);
  const std::string own = header_block("", path.substr(0, sizeof(Header::name)), type, mode, size);
  if (fits && padding == 0) return own;
  const std::string records = fits ? std::string() : pax_record("path", path);
  const std::size_t least = fits ? 0 : tar_block_size + tar_padded(records.size());
  return pax_header(records, least + padding) + own;
}

}  // namespace

std::string tar_file_header(std::string_view path, std::uint64_t size, std::uint64_t offset, std::uint64_t alignment) {
  const std::size_t least = header(path, '0', 0644, size).size();
  std::uint64_t padding = (alignment - (offset + least) % alignment) % alignment;
  if (padding == tar_block_size) padding += alignment;  // a pax header has two blocks
  return header(path, '0', 0644, size, static_cast<std::size_t>(padding));
}

std::string tar_directory_header(std::string_view path) {
  return header(path, '5', 0755, 0);
}

}  // namespace hawser
