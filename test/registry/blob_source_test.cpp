#include "registry/blob_source.hpp"

#include <gtest/gtest.h>

namespace hawser {
namespace {

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
