#include <hawser/app/table.hpp>

#include <gtest/gtest.h>

namespace hawser {
namespace {

TEST(Table, ColumnsAreAsWideAsTheyNeedToBe) {
  Table table({"NAME", ">SIZE", "TYPE"});
  table.add({"a", "5", "x"});
  table.add({"longer name", "12345", "y"});
  EXPECT_EQ(table.to_string(),
            "NAME          SIZE  TYPE\n"
            "a                5  x\n"
            "longer name  12345  y\n");
}

TEST(Table, CellsArePrintableAndMissingOnesEmpty) {
  Table table({"A", "B"});
  table.add({"\x1b"});
  EXPECT_EQ(table.to_string(), "A  B\n?\n");
}

}  // namespace
}  // namespace hawser
