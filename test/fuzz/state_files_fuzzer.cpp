// The store's own files, and lists of parts, as a power cut or another program may leave them: what is taken is within
// bounds, and what is written is taken again.
#include "archive/parts.hpp"
#include "check.hpp"
#include "image/image_layout.hpp"
#include "store/journal.hpp"

#include <hawser/util/error.hpp>

#include <cstdint>

namespace {

using namespace hawser;

// The blob that the records of seeded_journal() are about.
JournalHeader sample_header() {
  JournalHeader header{Digest::of("sample"), 1'000'000, {}};
  header.boot.fill(7);
  return header;
}

// Checksums are more than a fuzzer guesses: each 17 bytes of the input become a sealed record.
std::string sealed_journal(std::string_view bytes) {
  const JournalEncoder encoder(sample_header());
  std::string journal = encoder.header();
  const auto number = [&](std::size_t at) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 8; ++i) value |= std::uint64_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
    return value;
  };
  for (; bytes.size() >= 17; bytes.remove_prefix(17))
    journal += encoder.record(static_cast<JournalRecord>(bytes[0]), number(1), number(9));
  return journal + std::string(bytes);
}

void parse_one(std::string_view bytes) {
  const auto content = parse_journal(as_bytes(bytes));
  if (!content) return;
  const std::uint64_t size = content->header.size;
  HAWSER_CHECK(content->valid_size <= bytes.size() && content->valid_size >= journal_header_size);
  for (const std::uint64_t file_size : {std::uint64_t{0}, size / 2, size}) {
    const IntervalSet believed = content->believed(content->header.boot, file_size);
    HAWSER_CHECK(believed.size() <= file_size && believed.contiguous_end(0) <= file_size);
    const IntervalSet later = content->believed(unknown_boot, file_size);
    HAWSER_CHECK(later.size() <= believed.size());
  }
  const auto again = parse_journal(as_bytes(bytes.substr(0, content->valid_size)));
  HAWSER_CHECK(again && again->valid_size == content->valid_size);
}

void edit_index(std::string_view text) {
  Descriptor image{"application/vnd.oci.image.manifest.v1+json", Digest::of("image")};
  image.annotations = {{annotation::image_name, "docker.io/library/sample:1"}, {annotation::ref_name, "1"}};
  auto index = LayoutIndex::parse(text);
  if (!index) return;
  index->put_newest(image, {});
  const auto once = index->text();
  if (!once) return;
  index = LayoutIndex::parse(*once);
  HAWSER_CHECK(index.has_value());
  index->put_newest(image, {});
  HAWSER_CHECK(index->text() == once);
  index->remove({image.digest});
  for (const LayoutIndex::Entry& entry : index->entries()) HAWSER_CHECK(entry.digest != image.digest);
}

void read_part_list(std::string_view text) {
  try {
    const PartList list = PartList::parse(text);
    HAWSER_CHECK(list.digests.size() == PartList::count(list.size, list.part_size));
    std::uint64_t size = 0;
    for (std::size_t part = 0; part < list.digests.size(); ++part) size += list.size_of(part);
    HAWSER_CHECK(size == list.size);
    HAWSER_CHECK(list.name_of(0).find('/') == std::string::npos);
    HAWSER_CHECK(PartList::parse(list.text()) == list);
  } catch (const Error& error) {
    HAWSER_CHECK(error.code() == Errc::malformed);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 5) {
    case 0:
      parse_one(text);
      break;
    case 1:
      parse_one(sealed_journal(text));
      break;
    case 2:
      edit_index(text);
      break;
    case 3:
      read_part_list(text);
      break;
    default:
      (void)parse_boot_id(text);
      break;
  }
  return 0;
}
