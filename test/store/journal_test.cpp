#include "store/journal.hpp"

#include "util/platform/file.hpp"

#include <gtest/gtest.h>

namespace hawser {
namespace {

const Digest& digest() {
  static const Digest value = Digest::of("blob");
  return value;
}

BootId boot(std::uint8_t number) {
  BootId result{};
  result.fill(number);
  return result;
}

JournalEncoder encoder() {
  return JournalEncoder({digest(), 1000, boot(7)});
}

std::optional<JournalContent> parse(std::string_view bytes) {
  return parse_journal(as_bytes(bytes));
}

TEST(Journal, SaysBackWhatWasWritten) {
  const std::string bytes = encoder().header() + encoder().record(JournalRecord::written, 0, 100) +
                            encoder().record(JournalRecord::durable, 50, 60) +
                            encoder().record(JournalRecord::written, 100, 200);
  const auto content = parse(bytes);
  ASSERT_TRUE(content);
  EXPECT_EQ(content->header.digest, digest());
  EXPECT_EQ(content->header.size, 1000U);
  EXPECT_EQ(content->header.boot, boot(7));
  EXPECT_EQ(content->written.intervals(), (std::vector<Interval>{{0, 200}}));
  EXPECT_EQ(content->durable.intervals(), (std::vector<Interval>{{50, 60}}));
  EXPECT_EQ(content->valid_size, bytes.size());
}

TEST(Journal, HasTheDocumentedLayout) {
  const std::string header = encoder().header();
  ASSERT_EQ(header.size(), journal_header_size);
  EXPECT_EQ(header.substr(0, 12), std::string("HWSRJRNL\1\0\0\0", 12));
  EXPECT_EQ(header.substr(16, 8), std::string("\xE8\3\0\0\0\0\0\0", 8));
  EXPECT_EQ(header.substr(24, 71), digest().to_string());
  EXPECT_EQ(header.substr(160, 16), std::string(16, '\7'));
  const std::string record = encoder().record(JournalRecord::durable, 1, 0x0203);
  ASSERT_EQ(record.size(), journal_record_size);
  EXPECT_EQ(record.substr(0, 24), std::string("\2\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\3\2\0\0\0\0\0\0", 24));
}

TEST(Journal, TakesSha512) {
  const Digest long_digest = Digest::of("blob", Digest::Algorithm::sha512);
  const auto content = parse(JournalEncoder({long_digest, 1, boot(1)}).header());
  ASSERT_TRUE(content);
  EXPECT_EQ(content->header.digest, long_digest);
}

TEST(Journal, EveryTornLengthGivesTheRecordsBeforeTheTear) {
  std::string bytes = encoder().header();
  for (std::uint64_t i = 0; i < 5; ++i) bytes += encoder().record(JournalRecord::written, 10 * i, 10 * i + 1);
  for (std::size_t length = 0; length <= bytes.size(); ++length) {
    const auto content = parse(bytes.substr(0, length));
    ASSERT_EQ(content.has_value(), length >= journal_header_size) << length;
    if (!content) continue;
    const std::size_t records = (length - journal_header_size) / journal_record_size;
    EXPECT_EQ(content->written.size(), records) << length;
    EXPECT_EQ(content->valid_size, journal_header_size + records * journal_record_size) << length;
  }
}

TEST(Journal, EveryFlippedBitIsSeen) {
  const std::string bytes = encoder().header() + encoder().record(JournalRecord::written, 0, 10);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    const auto content = parse(damaged);
    EXPECT_EQ(content.has_value(), bit >= journal_header_size * 8) << bit;
    if (content) {
      EXPECT_EQ(content->written.size(), 0U) << bit;
    }
  }
}

TEST(Journal, ReadingStopsAtARecordOutOfBounds) {
  for (const auto& [begin, end] :
       {Interval{0, 1001}, Interval{5, 5}, Interval{6, 5}, Interval{1000, 1001}, Interval{0, ~std::uint64_t{0}}}) {
    const auto content = parse(encoder().header() + encoder().record(JournalRecord::written, begin, end) +
                               encoder().record(JournalRecord::written, 0, 10));
    ASSERT_TRUE(content);
    EXPECT_EQ(content->written.size(), 0U);
    EXPECT_EQ(content->valid_size, journal_header_size);
  }
}

TEST(Journal, ReadingStopsAtARecordOfAnUnknownKind) {
  const auto content = parse(encoder().header() + encoder().record(static_cast<JournalRecord>(3), 0, 10));
  ASSERT_TRUE(content);
  EXPECT_EQ(content->valid_size, journal_header_size);
}

TEST(Journal, ARecordOfAnotherJournalDoesNotCount) {
  const JournalEncoder other({Digest::of("other"), 1000, boot(7)});
  const auto content = parse(encoder().header() + other.record(JournalRecord::durable, 0, 10));
  ASSERT_TRUE(content);
  EXPECT_EQ(content->durable.size(), 0U);
}

TEST(Journal, ZerosAndGarbageAreNoJournal) {
  EXPECT_FALSE(parse(""));
  EXPECT_FALSE(parse(std::string(1000, '\0')));
  EXPECT_FALSE(parse(std::string(1000, 'x')));
}

TEST(Journal, WrittenBytesAreBelievedUnderTheirBootAlone) {
  const auto content = parse(encoder().header() + encoder().record(JournalRecord::written, 0, 100) +
                             encoder().record(JournalRecord::durable, 200, 300));
  ASSERT_TRUE(content);
  EXPECT_EQ(content->believed(boot(7), 1000).size(), 200U);
  EXPECT_EQ(content->believed(boot(8), 1000).intervals(), (std::vector<Interval>{{200, 300}}));
  EXPECT_EQ(content->believed(boot(7), 250).intervals(), (std::vector<Interval>{{0, 100}, {200, 250}}));
  EXPECT_EQ(content->believed(boot(7), 0).size(), 0U);
}

TEST(Journal, WithoutABootIdOnlyDurableBytesAreBelieved) {
  const JournalEncoder nameless({digest(), 1000, unknown_boot});
  const auto content = parse(nameless.header() + nameless.record(JournalRecord::written, 0, 100));
  ASSERT_TRUE(content);
  EXPECT_EQ(content->believed(unknown_boot, 1000).size(), 0U);
}

TEST(BootIdTest, ReadsTheBootId) {
  EXPECT_NE(current_boot(), unknown_boot);
  EXPECT_EQ(parse_boot_id("01234567-89ab-cdef-0123-456789abcdef"),
            (BootId{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}));
}

TEST(BootIdTest, WhatIsNoUuidIsNoBoot) {
  for (const char* text : {"", "x", "01234567-89ab-cdef-0123-456789abcdeg", "0123456789abcdef0123456789abcdef0123",
                           "01234567-89ab-cdef-0123-456789abcdef0"})
    EXPECT_EQ(parse_boot_id(text), unknown_boot) << text;
}

}  // namespace
}  // namespace hawser
