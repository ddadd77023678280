#include "apiserver/read_once.h"

#include <gtest/gtest.h>

namespace margay::apiserver {
namespace {

TEST(ReadOnce, ALargeObjectIsParsedOnceForEachRevision) {
  ParsingRoom room;
  ReadOnce<store::Revision> known;
  int parsed = 0;
  const std::function<store::Revision(const store::Entry&)> read = [&](const store::Entry& entry) {
    ++parsed;
    return entry.revision;
  };
  store::Entry large{{"things", "", "a"}, "[" + std::string(1 << 20, ' ') + "]", 7};
  for (size_t i = 0; i < 1 << 19; ++i) large.value[2 * i + 1] = '0', large.value[2 * i + 2] = ',';
  for (int i = 0; i < 3; ++i) EXPECT_EQ(known.get(large, room, read), 7);
  EXPECT_EQ(parsed, 1);
  large.revision = 8;
  EXPECT_EQ(known.get(large, room, read), 8) << "it has changed";
  large.key.name = "b";
  EXPECT_EQ(known.get(large, room, read), 8);
  EXPECT_EQ(parsed, 3);
  EXPECT_EQ(known.get({{"things", "", "c"}, "{}", 9}, room, read), 9);
}

}  // namespace
}  // namespace margay::apiserver
