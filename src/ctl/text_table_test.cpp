#include "ctl/text_table.h"

#include <gtest/gtest.h>

#include "ctl/diff_command.h"
#include "ctl/go_text.h"

namespace margay::ctl {
namespace {

TEST(TextTable, ColumnsAreAlignedByTheirCharacters) {
  EXPECT_EQ(aligned_table({{"A", "NAME"}, {"é", ""}, {"", "x"}}),
            "A    NAME   \n"
            "é           \n"
            "     x      \n");
  EXPECT_EQ(aligned_table({}), "");
}

TEST(TextTable, AFrameHasNumbersToTheRight) {
  EXPECT_EQ(framed_table({"KEY", "LONG VALUE"}, {{"a", "5"}, {"b", "5 (1%)"}, {"c", "-1.5"}}),
            "+-----+------------+\n"
            "| KEY | LONG VALUE |\n"
            "+-----+------------+\n"
            "| a   |          5 |\n"
            "| b   | 5 (1%)     |\n"
            "| c   |       -1.5 |\n"
            "+-----+------------+\n");
}

TEST(GoText, ValuesAreWrittenAsGoWritesThem) {
  struct {
    json::value value;
    const char* text;
  } const cases[] = {{1e6, "1e+06"},
                     {100'000.0, "100000"},
                     {1234567.0, "1.234567e+06"},
                     {0.0001, "0.0001"},
                     {0.00001, "1e-05"},
                     {10.5, "10.5"},
                     {-0.5, "-0.5"},
                     {1'000'000, "1000000"},
                     {nullptr, "<nil>"},
                     {json::array{"a", 1}, "[a 1]"},
                     {json::object{{"b", 1}, {"a", "x"}}, "map[a:x b:1]"}};
  for (const auto& [value, text] : cases) EXPECT_EQ(go_text(value), text);
}

TEST(GoText, ListsAreJoinedAndCut) {
  const json::array list{"one", "two", "three"};
  EXPECT_EQ(go_join(list, ","), "one,two,three");
  EXPECT_EQ(go_join(list, ",", 10), "one,two...");
  EXPECT_EQ(go_join(list, ",", 13), "one,two,three");
  EXPECT_EQ(go_join(json::object{{"b", "2"}, {"a", "1"}}, ","), "a=1,b=2");
  EXPECT_EQ(go_join(nullptr, ","), "");
}

TEST(Diff, EveryValueThatDiffersIsALine) {
  const json::object before{
      {"spec", {{"order", 5}, {"nets", json::array{"a", "b"}}, {"gone", true}}}};
  const json::object after{{"spec", {{"order", 6}, {"nets", json::array{"a"}}, {"made", ""}}}};
  EXPECT_EQ(differences(before, after),
            (std::vector<std::string>{"spec.gone: true -> (none)", "spec.made: (none) -> \"\"",
                                      "spec.nets[1]: \"b\" -> (none)", "spec.order: 5 -> 6"}));
  EXPECT_TRUE(differences(before, before).empty());
}

}  // namespace
}  // namespace margay::ctl
