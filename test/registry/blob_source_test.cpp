#include "registry/blob_source.hpp"

#include <gtest/gtest.h>

namespace hawser {
namespace {

std::optional<std::int64_t> end_of(const std::string& query) {
  const auto end = signature_end(Url::parse("https://storage.example/blob?" + query));
  if (!end) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::seconds>(end->time_since_epoch()).count();
}

TEST(SignatureEnd, IsReadFromTheQueriesOfTheLargeClouds) {
  constexpr std::int64_t noon = 1'769'860'800;  // 2026-01-31T12:00:00Z
  EXPECT_EQ(end_of("X-Amz-Date=20260131T120000Z&X-Amz-Expires=1200&X-Amz-Signature=x"), noon + 1200);
  EXPECT_EQ(end_of("X-Goog-Date=20260131T120000Z&X-Goog-Expires=60"), noon + 60);
  EXPECT_EQ(end_of("Expires=1769860800&Signature=x&Key-Pair-Id=y"), noon);
  EXPECT_EQ(end_of("sv=2020&se=2026-01-31T12%3A00%3A00Z&sig=x"), noon);
}

TEST(SignatureEnd, IsUnknownWhereTheQueryDoesNotSay) {
  for (const char* query : {"", "X-Amz-Date=20260131T120000Z", "X-Amz-Date=2026&X-Amz-Expires=5", "Expires=never",
                            "se=tomorrow", "X-Amz-Date=20261331T120000Z&X-Amz-Expires=5"})
    EXPECT_EQ(end_of(query), std::nullopt) << query;
}

HttpHead head_with(std::string content_range, std::string length = {}) {
  HttpHead head;
  head.status = 206;
  if (!content_range.empty()) head.headers.emplace_back("Content-Range", std::move(content_range));
  if (!length.empty()) head.headers.emplace_back("Content-Length", std::move(length));
  return head;
}

TEST(ContentRange, RefusesWhatIsNoSatisfiedRange) {
  for (const char* text : {"bytes", "bytes */1234", "bytes 5-4/10", "bytes 0-9/9", "bytes 0-9", "bytes -9/10",
                           "bytes 0-/10", "items 0-9/10", "bytes=0-9/10", "bytes 0-9/ten", "bytes 0-9/",
                           "bytes 0-99999999999999999999/*", "bytes 0-9/10 junk", "bytes +0-9/10"})
    EXPECT_NE(find_range_fault(head_with(text), {0, 10}), "") << text;
}

TEST(ContentRange, RangeHeaderIsClosed) {
  EXPECT_EQ(range_header({0, 1}), "bytes=0-0");
  EXPECT_EQ(range_header({100, 300}), "bytes=100-299");
}

TEST(ContentRange, OnlyTheRangeAskedForIsGood) {
  EXPECT_EQ(find_range_fault(head_with("bytes 10-19/100", "10"), {10, 20}), "");
  EXPECT_EQ(find_range_fault(head_with("Bytes 10-19/*"), {10, 20}), "");
  EXPECT_EQ(find_range_fault(head_with("bytes 10-19/20"), {10, 20}), "");
  EXPECT_NE(find_range_fault(head_with("bytes 0-9/100", "10"), {10, 20}), "");
  EXPECT_NE(find_range_fault(head_with("bytes 10-18/100", "9"), {10, 20}), "");
  EXPECT_NE(find_range_fault(head_with("bytes 10-20/100", "11"), {10, 20}), "");
}

TEST(ContentRange, FaultsAreNamed) {
  EXPECT_EQ(find_range_fault(head_with(""), {0, 10}), "206 without Content-Range");
  EXPECT_EQ(find_range_fault(head_with("\x1b[2J"), {0, 10}), "bytes=0-9 answered with \"?[2J\"");
  EXPECT_EQ(find_range_fault(head_with("bytes 0-9/10", "11"), {0, 10}), "bytes=0-9 answered with 11 bytes");
}

}  // namespace
}  // namespace hawser
