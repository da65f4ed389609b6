#include "archive/tar_header.hpp"

#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace hawser {
namespace {

/// A field of the header block: where it begins and how long it is.
struct Field {
  std::size_t offset;
  std::size_t length;
};
constexpr Field name_field{0, 100};
constexpr Field mode_field{100, 8};
constexpr Field uid_field{108, 8};
constexpr Field gid_field{116, 8};
constexpr Field size_field{124, 12};
constexpr Field mtime_field{136, 12};
constexpr Field checksum_field{148, 8};
constexpr std::size_t type_offset = 156;
constexpr std::size_t magic_offset = 257;
constexpr Field prefix_field{345, 155};

constexpr std::size_t max_path = 4096;

void put_text(std::string& block, Field field, std::string_view text) {
  std::copy(text.begin(), text.end(), block.begin() + static_cast<std::ptrdiff_t>(field.offset));
}

/// Zero-padded octal digits and a NUL; base 256, marked by the top bit, where the digits do not suffice.
void put_number(std::string& block, Field field, std::uint64_t value) {
  const std::size_t digits = field.length - 1;
  if (value >> (3 * digits) == 0) {
    for (std::size_t i = 0; i < digits; ++i)
      block[field.offset + digits - 1 - i] = static_cast<char>('0' + ((value >> (3 * i)) & 7));
    return;
  }
  for (std::size_t i = 0; i < sizeof(value); ++i)
    block[field.offset + field.length - 1 - i] = static_cast<char>((value >> (8 * i)) & 0xff);
  block[field.offset] = static_cast<char>(0x80);
}

/// The sum of all bytes with the checksum field as spaces: six octal digits, NUL, space.
void put_checksum(std::string& block) {
  put_text(block, checksum_field, "        ");
  std::uint64_t sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  put_number(block, {checksum_field.offset, checksum_field.length - 1}, sum);
  block[checksum_field.offset + 6] = '\0';
}

/// A path as ustar's two fields: prefix and name, joined by a slash.
struct SplitPath {
  std::string_view prefix;
  std::string_view name;
};

/// The split with the shortest prefix; false where there is none. A directory's last slash stays with its name.
bool split_path(std::string_view path, SplitPath& split) {
  split = {{}, path};
  if (path.size() <= name_field.length) return true;
  for (std::size_t slash = path.size() - name_field.length - 1; slash <= prefix_field.length; ++slash) {
    if (slash + 1 >= path.size()) return false;
    if (slash > 0 && path[slash] == '/') {
      split = {path.substr(0, slash), path.substr(slash + 1)};
      return true;
    }
  }
  return false;
}

std::string header_block(SplitPath path, char type, std::uint64_t mode, std::uint64_t size) {
  std::string block(tar_block_size, '\0');
  put_text(block, name_field, path.name);
  put_number(block, mode_field, mode);
  put_number(block, uid_field, 0);
  put_number(block, gid_field, 0);
  put_number(block, size_field, size);
  put_number(block, mtime_field, 0);
  block[type_offset] = type;
  std::memcpy(block.data() + magic_offset,
              "ustar\0"
              "00",
              8);
  put_text(block, prefix_field, path.prefix);
  put_checksum(block);
  return block;
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
  std::string result = header_block({"PaxHeaders", "path"}, 'x', 0644, records.size()) + records;
  result.resize(length, '\0');
  return result;
}

/// `padding`: bytes to be added to its least length; whole blocks, and more than one.
std::string header(std::string_view path, char type, std::uint64_t mode, std::uint64_t size, std::size_t padding = 0) {
  if (path.empty() || path.front() == '/' || path.size() > max_path || path.find('\0') != std::string_view::npos)
    throw Error(Errc::malformed, "not a path for a tar entry: \"" + printable(path) + "\"");
  SplitPath split;
  const bool fits = split_path(path, split);
  if (!fits) split = {{}, path.substr(0, name_field.length)};
  const std::string own = header_block(split, type, mode, size);
  if (fits && padding == 0) return own;
  const std::string records = fits ? std::string() : pax_record("path", path);
  const std::size_t least = fits ? 0 : tar_block_size + tar_padded(records.size());
  return pax_header(records, least + padding) + own;
}

}  // namespace

std::string tar_file_header(std::string_view path, std::uint64_t size) {
  return header(path, '0', 0644, size);
}

std::string tar_file_header(std::string_view path, std::uint64_t size, std::uint64_t offset, std::uint64_t alignment) {
  const std::size_t least = tar_file_header(path, size).size();
  std::uint64_t padding = (alignment - (offset + least) % alignment) % alignment;
  if (padding == tar_block_size) padding += alignment;  // a pax header has two blocks
  return header(path, '0', 0644, size, static_cast<std::size_t>(padding));
}

std::string tar_directory_header(std::string_view path) {
  return header(path, '5', 0755, 0);
}

}  // namespace hawser
