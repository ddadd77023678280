#include "base/symbol_table.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <string>
#include <utility>

namespace margay::base {
namespace {

TEST(SymbolTable, AStringHasOneNumberWhileItIsUsed) {
  SymbolTable table;
  const Symbol a = table.acquire("a");
  const Symbol b = table.acquire("b");
  EXPECT_NE(a, b);
  EXPECT_EQ(table.acquire("a"), a);
  EXPECT_EQ(table.text(a), "a");
  table.release(a);
  EXPECT_TRUE(table.in_use(a)) << "used twice, released once";
  table.release(a);
  EXPECT_FALSE(table.in_use(a));
  EXPECT_EQ(table.find("a"), std::nullopt);
  EXPECT_EQ(table.find("b"), b);
}

TEST(SymbolTable, NumbersAreUsedAgain) {
  SymbolTable table;
  for (int i = 0; i < 1'000; ++i) table.release(table.acquire("name-" + std::to_string(i)));
  EXPECT_EQ(table.end(), 1);
  EXPECT_EQ(table.size(), 0);
}

TEST(SymbolTable, KeepsItsNumbersWhenItMoves) {
  SymbolTable before;
  const Symbol a = before.acquire("a");
  SymbolTable table = std::move(before);
  EXPECT_EQ(table.acquire("a"), a);
  EXPECT_NE(table.acquire("b"), a);
}

TEST(SymbolTable, AnyBytesAreAString) {
  using namespace std::string_view_literals;
  SymbolTable table;
  const Symbol empty = table.acquire("");
  const Symbol nul = table.acquire("\0"sv);
  const Symbol nuls = table.acquire("\0\0"sv);
  EXPECT_NE(empty, nul);
  EXPECT_NE(nul, nuls);
  EXPECT_EQ(table.text(nuls), "\0\0"sv);
  EXPECT_EQ(table.find(""), empty);
}

RC_GTEST_PROP(SymbolTable, CountsAsAMapDoes, ()) {
  SymbolTable table;
  std::map<std::string, int> uses;
  for (const int step : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 60))) {
    const std::string text = "name-" + std::to_string(step / 2);
    if (step % 2 == 0) {
      table.acquire(text);
      ++uses[text];
    } else if (const auto symbol = table.find(text)) {
      table.release(*symbol);
      if (--uses[text] == 0) uses.erase(text);
    }
  }
  RC_ASSERT(table.size() == uses.size());
  for (const auto& [text, count] : uses) {
    const auto symbol = table.find(text);
    RC_ASSERT(symbol && table.in_use(*symbol) && table.text(*symbol) == text);
    for (int i = 0; i < count; ++i) table.release(*symbol);
    RC_ASSERT(!table.find(text));
  }
}

}  // namespace
}  // namespace margay::base
