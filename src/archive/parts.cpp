#include "archive/parts.hpp"

#include "archive/output_file.hpp"
#include "image/hasher.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <limits>
#include <utility>

namespace hawser {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view list_ending = ".parts";
constexpr std::string_view opening = "# hawser: parts of ", middle = " bytes, ", closing = " bytes in all";
constexpr std::string_view gap = "  ";  // between digest and name
constexpr std::size_t longest_list = 1 << 20;
constexpr std::size_t read_step = 1 << 20;

std::string number_of(std::size_t part) {
  const std::string digits = std::to_string(part + 1);
  return std::string(3 - std::min<std::size_t>(digits.size(), 3), '0') + digits;
}

/// The part, from 0, that a file's name stands for: "app.tar.002".
std::optional<std::size_t> part_named(std::string_view name) {
  if (name.size() < 5 || name[name.size() - 4] != '.') return std::nullopt;
  const auto number = parse_whole<std::size_t>(name.substr(name.size() - 3));
  return number && *number > 0 ? std::optional(*number - 1) : std::nullopt;
}

fs::path part_path(const fs::path& archive, std::size_t part) {
  return archive.string() + "." + number_of(part);
}

/// sha256sum would write such a name in another way.
bool can_be_listed(std::string_view name) {
  return !name.empty() && printable(name, name.size()) == name && name.find_first_of("\\/") == std::string_view::npos;
}

[[noreturn]] void refuse_list(const std::string& why) {
  throw Error(Errc::malformed, "it is no list of parts: " + why);
}

/// Takes what stands before `end` off `text`, a number.
std::uint64_t take_number(std::string_view& text, std::string_view end) {
  const std::size_t at = text.find(end);
  const auto number = parse_whole<std::uint64_t>(text.substr(0, at));
  if (at == std::string_view::npos || !number) refuse_list("its first line does not say the sizes");
  text.remove_prefix(at + end.size());
  return *number;
}

}  // namespace

std::size_t PartList::count(std::uint64_t size, std::uint64_t part_size) {
  const std::uint64_t parts = size / part_size + (size % part_size != 0 ? 1 : 0);
  if (parts > most)
    throw Error(Errc::usage, "the archive would have more than " + std::to_string(most) + " parts",
                "choose a larger --split");
  return static_cast<std::size_t>(parts);
}

std::string PartList::name_of(std::size_t part) const {
  return archive + "." + number_of(part);
}

std::uint64_t PartList::size_of(std::size_t part) const {
  return std::min(part_size, size - part * part_size);
}

std::string PartList::text() const {
  std::string text = std::string(opening) + std::to_string(part_size) + std::string(middle) + std::to_string(size) +
                     std::string(closing) + "\n";
  for (std::size_t i = 0; i < digests.size(); ++i) text += digests[i].hex() + std::string(gap) + name_of(i) + "\n";
  return text;
}

PartList PartList::parse(std::string_view text) {
  std::string_view first = take_line(text);
  if (!first.starts_with(opening)) refuse_list("it does not begin as one");
  first.remove_prefix(opening.size());
  PartList list;
  list.part_size = take_number(first, middle);
  list.size = take_number(first, closing);
  if (!first.empty() || list.part_size == 0 || list.size == 0 || (list.size - 1) / list.part_size >= most)
    refuse_list("its first line does not say the sizes");
  const std::size_t parts = count(list.size, list.part_size);
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    const std::size_t end = std::min(line.find(gap), line.size());
    const std::string_view name = line.substr(std::min(end + gap.size(), line.size()));
    if (list.digests.empty() && name.ends_with(".001")) list.archive = name.substr(0, name.size() - 4);
    if (list.digests.size() == parts || !can_be_listed(list.archive) || name != list.name_of(list.digests.size()))
      refuse_list("it names other parts than its first line says");
    list.digests.push_back(Digest::parse("sha256:" + std::string(line.substr(0, end))));
  }
  if (list.digests.size() < parts) refuse_list("it is cut short");
  return list;
}

fs::path part_list_path(const fs::path& archive) {
  return archive.string() + std::string(list_ending);
}

fs::path check_archive_output(const fs::path& path, std::uint64_t part_size) {
  check_output(path);
  if (part_size == 0) return path;
  if (!can_be_listed(path.filename().string()))
    throw Error(Errc::usage, "an archive in parts can't be called " + printable(path.filename().string()),
                "its list is a text: name it without control characters and backslashes");
  check_output(part_path(path, 0));
  check_output(part_list_path(path));
  return path;
}

namespace {

/// The regular file at `path`; nothing where there is none that can be read.
std::optional<File> open_if_there(const fs::path& path) {
  try {
    if (!fs::is_regular_file(path)) return std::nullopt;
    return File(path);
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

/// The list that is at `path`; nothing where there is none.
std::optional<PartList> list_at(const fs::path& path) {
  try {
    return PartList::parse(read_file(path, longest_list));
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

std::optional<ArchiveReader> ArchiveReader::open(const fs::path& path, std::uint64_t part_size) {
  std::vector<File> files;
  if (part_size == 0) {
    std::optional<File> file = open_if_there(path);
    if (!file) return std::nullopt;
    const std::uint64_t size = file->size();
    files.push_back(std::move(*file));
    return ArchiveReader(std::move(files), part_size, size);
  }
  const std::optional<PartList> list = list_at(part_list_path(path));
  if (!list || list->part_size != part_size || list->archive != path.filename().string()) return std::nullopt;
  for (std::size_t i = 0; i < list->digests.size(); ++i) {
    std::optional<File> file = open_if_there(part_path(path, i));
    if (!file || file->size() != list->size_of(i)) return std::nullopt;
    files.push_back(std::move(*file));
  }
  return ArchiveReader(std::move(files), part_size, list->size);
}

std::size_t parts_of_archive(const fs::path& path, std::uint64_t part_size) {
  const std::optional<ArchiveReader> archive = ArchiveReader::open(path, part_size);
  return archive ? archive->part_count() : 0;
}

std::string ArchiveReader::read_text(std::size_t length, std::uint64_t offset) const {
  if (part_size_ == 0) return files_.front().read_text(length, offset);
  std::string text;
  while (text.size() < length && offset + text.size() < size_) {
    const std::uint64_t at = offset + text.size(), within = at % part_size_;
    const std::uint64_t step = std::min<std::uint64_t>(length - text.size(), part_size_ - within);
    const std::string more =
        files_[static_cast<std::size_t>(at / part_size_)].read_text(static_cast<std::size_t>(step), within);
    if (more.empty()) break;
    text += more;
  }
  return text;
}

ArchiveFile::ArchiveFile(const fs::path& path, std::uint64_t part_size)
    : path_(check_archive_output(path, part_size)), part_size_(part_size) {
  (void)part(0);
}

const File* ArchiveFile::whole() const {
  return part_size_ == 0 ? &parts_.front()->file() : nullptr;
}

std::size_t ArchiveFile::part_count() const {
  const std::lock_guard lock(mutex_);
  return part_size_ == 0 ? 0 : parts_.size();
}

/// The part, which is made where it is not there yet, with those before it.
const File& ArchiveFile::part(std::size_t index) {
  const std::lock_guard lock(mutex_);
  while (parts_.size() <= index)
    parts_.push_back(
        std::make_unique<AtomicFile>(part_size_ == 0 ? path_ : check_output(part_path(path_, parts_.size()))));
  return parts_[index]->file();
}

/// Calls act(file, offset in it, bytes of the range before it, bytes) for each file that the range touches.
template <typename Do>
void ArchiveFile::for_each_piece(std::uint64_t offset, std::uint64_t length, Do act) {
  const std::uint64_t room = part_size_ == 0 ? std::numeric_limits<std::uint64_t>::max() : part_size_;
  if (part_size_ > 0) (void)PartList::count(offset + length, part_size_);
  for (std::uint64_t done = 0; done < length;) {
    const std::uint64_t at = (offset + done) % room;
    const std::uint64_t step = std::min(length - done, room - at);
    act(part(static_cast<std::size_t>((offset + done) / room)), at, done, step);
    done += step;
  }
}

void ArchiveFile::write_at(std::uint64_t offset, std::span<const std::byte> data) {
  for_each_piece(offset, data.size(), [&](const File& file, std::uint64_t at, std::uint64_t done, std::uint64_t count) {
    file.write_at(at, data.subspan(static_cast<std::size_t>(done), static_cast<std::size_t>(count)));
  });
}

void ArchiveFile::copy_from(const File& source, std::uint64_t source_offset, std::uint64_t offset,
                            std::uint64_t length) {
  for_each_piece(offset, length, [&](const File& file, std::uint64_t at, std::uint64_t done, std::uint64_t count) {
    file.copy_from(source, source_offset + done, at, count);
  });
}

void ArchiveFile::start_writeback(std::uint64_t offset, std::uint64_t length) {
  for_each_piece(offset, length, [](const File& file, std::uint64_t at, std::uint64_t, std::uint64_t count) {
    file.start_writeback(at, count);
  });
}

Digest ArchiveFile::hash(Digest::Algorithm algorithm, std::uint64_t offset, std::uint64_t length) {
  Hasher hasher(algorithm);
  std::vector<std::byte> buffer(read_step);
  for_each_piece(offset, length, [&](const File& file, std::uint64_t at, std::uint64_t, std::uint64_t count) {
    for (std::uint64_t done = 0; done < count;) {
      const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), count - done));
      const std::size_t got = file.read_at(at + done, std::span(buffer).first(wanted));
      if (got == 0) throw Error(Errc::size_mismatch, file.path().string() + " has become shorter");
      hasher.update(std::span(buffer).first(got));
      done += got;
    }
  });
  return hasher.finish();
}

void ArchiveFile::truncate(std::uint64_t size) {
  if (part_size_ == 0) return parts_.front()->file().truncate(size);
  const std::size_t count = std::max<std::size_t>(PartList::count(size, part_size_), 1);
  (void)part(count - 1);
  const std::lock_guard lock(mutex_);
  parts_.resize(count);
  for (std::size_t i = 0; i + 1 < count; ++i) parts_[i]->file().truncate(part_size_);
  parts_.back()->file().truncate(size - (count - 1) * part_size_);
}

void ArchiveFile::commit() {
  if (part_size_ == 0)
    parts_.front()->commit();
  else
    commit_parts();
}

/// The list of the parts as they are, on the disk.
PartList ArchiveFile::list() {
  const std::uint64_t size = (parts_.size() - 1) * part_size_ + parts_.back()->file().size();
  truncate(size);  // a hole at the end of a part that is not the last
  PartList list{path_.filename().string(), size, part_size_, {}};
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    parts_[i]->file().sync();
    list.digests.push_back(hash(Digest::Algorithm::sha256, i * part_size_, list.size_of(i)));
  }
  return list;
}

/// All that may take room or time comes before the first name. A list that is there vouches for all of its parts: the
/// older one goes first, and the new one comes last.
void ArchiveFile::commit_parts() {
  const PartList now = list();
  const fs::path list_path = part_list_path(path_);
  AtomicFile list_file(check_output(list_path));
  list_file.file().write(as_bytes(now.text()));
  list_file.file().sync();
  std::error_code ignored;
  if (const auto before = list_at(list_path); before && before->archive == now.archive)
    for (std::size_t i = now.digests.size(); i < before->digests.size(); ++i) fs::remove(part_path(path_, i), ignored);
  fs::remove(list_file.path(), ignored);
  std::size_t named = 0;
  try {
    for (const auto& part : parts_) {
      part->commit(Durable::no);
      ++named;
    }
    Directory(directory_of(path_)).sync();
    list_file.commit();
  } catch (...) {
    for (std::size_t i = 0; i < named; ++i) fs::remove(parts_[i]->path(), ignored);
    throw;
  }
}

namespace {

bool is_list(const fs::path& file) {
  return file.string().ends_with(list_ending);
}

PartList read_list(const fs::path& file) {
  try {
    return PartList::parse(read_file(file, longest_list));
  } catch (const Error& error) {
    if (is_on_this_side(error.code())) throw;
    throw error.in(printable(file.string(), 4096));
  }
}

/// The lists that lie beside parts.
std::vector<fs::path> lists_beside(const std::vector<fs::path>& files) {
  std::vector<fs::path> lists;
  std::error_code ignored;
  for (const fs::path& file : files) {
    if (!part_named(file.filename().string())) continue;
    fs::path list = file;
    list.replace_extension(list_ending);
    if (fs::exists(list, ignored) && std::ranges::find(lists, list) == lists.end()) lists.push_back(list);
  }
  return lists;
}

}  // namespace

GivenParts find_parts(const std::vector<fs::path>& files) {
  GivenParts given;
  std::vector<fs::path> lists;
  for (const fs::path& file : files) (is_list(file) ? lists : given.files).push_back(file);
  if (lists.empty()) lists = lists_beside(given.files);
  if (lists.empty())
    throw Error(Errc::disk, "there is no list of these parts (NAME.parts)",
                "it was written beside them: name it, or copy it to them");
  given.list_file = lists.front();
  given.list = read_list(given.list_file);
  for (const fs::path& other : lists)
    if (read_list(other) != given.list)
      throw Error(Errc::usage,
                  printable(given.list_file.string(), 4096) + " and " + printable(other.string(), 4096) +
                      " list the parts of different archives",
                  "name the one that is meant");
  std::error_code ignored;
  given.by_list = given.files.empty();
  if (given.by_list)
    for (const fs::path& list : lists)
      for (std::size_t i = 0; i < given.list.digests.size(); ++i)
        if (fs::path file = list.parent_path() / given.list.name_of(i); fs::exists(file, ignored))
          given.files.push_back(std::move(file));
  return given;
}

bool PartsReport::is_whole() const {
  return std::ranges::find(there, false) == there.end();
}

namespace {

/// A file that can't be read, unlike an output that can't be written.
struct Unreadable {
  std::string why;
};

/// Looks at one file after the other.
class PartReader {
 public:
  /// `output` takes the bytes of the parts; null: nobody does.
  PartReader(const PartList& list, const File* output) : list_(list), output_(output) {
    report_.there.resize(list.digests.size());
  }

  void read(const fs::path& path, const PartTold& told) {
    const std::string name = printable(path.string(), 4096) + ": ";
    const auto named = part_named(path.filename().string());
    std::string why;
    try {
      const File file = open(path);
      const auto part = take(file, named);
      if (part)
        return told(
            name + "part " + std::to_string(*part + 1) + " of " + std::to_string(list_.digests.size()) + ", sound",
            true);
      why = why_not(file, named);
    } catch (const Unreadable& unreadable) {
      why = unreadable.why;
    }
    report_.refused.push_back({path, why});
    told(name + why, false);
  }
  const PartsReport& report() const { return report_; }

 private:
  static File open(const fs::path& path) {
    try {
      if (!fs::is_regular_file(path)) throw Unreadable{"no regular file"};
      return File(path);
    } catch (const fs::filesystem_error& error) {
      throw Unreadable{error.code().message()};
    } catch (const Error& error) {
      throw Unreadable{error.what()};
    }
  }

  bool fits(std::size_t part, std::uint64_t size) const {
    return part < list_.digests.size() && list_.size_of(part) == size;
  }

  /// Which part the file is; where the same bytes are several parts, it stands for all of them.
  std::optional<std::size_t> take(const File& file, std::optional<std::size_t> named) {
    const std::uint64_t size = file.size();
    if (size != list_.size_of(0) && size != list_.size_of(list_.digests.size() - 1)) return std::nullopt;
    // Most files are what their names say: these are read but once.
    if (named && (!fits(*named, size) || report_.there[*named])) named.reset();
    const Digest digest = pass(file, named);
    std::optional<std::size_t> first;
    for (std::size_t part = 0; part < list_.digests.size(); ++part) {
      if (list_.digests[part] != digest || !fits(part, size)) continue;
      if (!first) first = part;
      if (report_.there[part]) continue;
      if (output_ != nullptr && part != named && pass(file, part) != digest)
        throw Unreadable{"it has changed while it was read"};
      report_.there[part] = true;
    }
    return first;
  }

  /// Hashes the file, and writes it into the output where that part of the archive is.
  Digest pass(const File& file, std::optional<std::size_t> part) {
    Hasher hasher(Digest::Algorithm::sha256);
    for (std::uint64_t done = 0;;) {
      std::size_t got = 0;
      try {
        got = file.read_at(done, buffer_);
      } catch (const Error& error) {
        throw Unreadable{error.what()};
      }
      if (got == 0) return hasher.finish();
      const auto bytes = std::span(buffer_).first(got);
      hasher.update(bytes);
      // A file that has grown must not reach into the next part.
      if (output_ != nullptr && part && done + got <= list_.size_of(*part))
        output_->write_at(*part * list_.part_size + done, bytes);
      done += got;
    }
  }

  std::string why_not(const File& file, std::optional<std::size_t> named) const {
    if (!named || *named >= list_.digests.size()) return "no part of " + printable(list_.archive);
    const std::uint64_t size = file.size(), wanted = list_.size_of(*named);
    if (size < wanted) return "cut short: " + std::to_string(size) + " of " + std::to_string(wanted) + " bytes";
    return "damaged, or of another pull";
  }

  const PartList& list_;
  const File* output_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(read_step);
  PartsReport report_;
};

PartsReport read_parts(const GivenParts& given, const File* output, const PartTold& told) {
  PartReader reader(given.list, output);
  for (const fs::path& file : given.files) reader.read(file, told);
  return reader.report();
}

}  // namespace

PartsReport check_parts(const GivenParts& given, const PartTold& told) {
  return read_parts(given, nullptr, told);
}

PartsReport join_parts(const GivenParts& given, const fs::path& output, const PartTold& told) {
  AtomicFile archive(check_output(output));
  require_space(directory_of(archive.path()), given.list.size);
  PartsReport report = read_parts(given, &archive.file(), told);
  if (report.is_whole()) archive.commit();
  return report;
}

}  // namespace hawser
