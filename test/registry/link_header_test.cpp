#include "registry/link_header.hpp"

#include <gtest/gtest.h>

namespace hawser {
namespace {

TEST(LinkHeader, FindsTheNextPage) {
  EXPECT_EQ(find_next_link({R"(</v2/a/tags/list?last=x&n=2>; rel="next")"}), "/v2/a/tags/list?last=x&n=2");
  EXPECT_EQ(find_next_link({"<a>;rel=next"}), "a");
  EXPECT_EQ(find_next_link({R"(<a>; title="x, y; rel=prev"; REL="prev NEXT")"}), "a");
  EXPECT_EQ(find_next_link({R"(<a>; rel="prev", <b,c>; rel="next")"}), "b,c");
  EXPECT_EQ(find_next_link({"<a>; rel=first", "<b>; rel=next"}), "b");
}

TEST(LinkHeader, NothingWhereThereIsNone) {
  for (const char* value : {"", "a; rel=next", "<a", "<a>", "<a>; rel=prev", "<a>; rel=prev; rel=next",
                            "<a>; title=\"rel=next", "<a>; relation=next"})
    EXPECT_EQ(find_next_link({value}), std::nullopt) << value;
}

}  // namespace
}  // namespace hawser
