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

}  // namespace
}  // namespace hawser
