#include "apiserver/open_connections.h"

#include <gtest/gtest.h>

#include "apiserver/connection.h"

namespace margay::apiserver {
namespace {

// A connection's identity, which is all that is looked at once it has ended.
class Ending {
 public:
  std::shared_ptr<Connection> begin() {
    life_ = std::make_shared<int>();
    return {life_, reinterpret_cast<Connection*>(place_)};
  }
  void end() { life_.reset(); }
  const Connection& identity() const { return *reinterpret_cast<const Connection*>(place_); }

 private:
  alignas(Connection) char place_[sizeof(Connection)];
  std::shared_ptr<int> life_;
};

TEST(OpenConnections, OneThatEndsWhileItGivesWayTakesNobodysPlace) {
  OpenConnections open(10, 1);
  Ending first;
  Ending second;
  Ending third;
  ASSERT_TRUE(open.add(first.begin()));
  first.end();
  ASSERT_TRUE(open.add(second.begin())) << "the first gives way";
  open.remove(first.identity());
  second.end();
  ASSERT_TRUE(open.add(third.begin())) << "the second gives way";
  EXPECT_EQ(open.all().size(), 1U);
  open.remove(second.identity());
  open.set_known(third.identity());
  open.remove(third.identity());
  EXPECT_TRUE(open.wait_until_empty(std::chrono::milliseconds(0)));
}

}  // namespace
}  // namespace margay::apiserver
