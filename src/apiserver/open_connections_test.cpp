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

TEST(OpenConnections, TheOneIdleForLongestGivesWayAndNoneThatIsServed) {
  OpenConnections open(3, 3);
  Ending served, first, second, third, fourth;
  for (auto* one : {&served, &first, &second}) {
    ASSERT_TRUE(open.add(one->begin()));
    one->end();
    open.set_known(one->identity());
  }
  EXPECT_FALSE(open.add(third.begin())) << "none is idle";
  open.set_idle(second.identity(), true);
  open.set_idle(first.identity(), true);
  ASSERT_TRUE(open.add(third.begin())) << "the second has been idle for longest";
  third.end();
  open.set_known(third.identity());
  open.set_idle(second.identity(), true);  // too late
  open.set_idle(first.identity(), false);
  EXPECT_FALSE(open.add(fourth.begin())) << "the first is served again";
  open.remove(second.identity());
  EXPECT_FALSE(open.add(fourth.begin())) << "its place was given away already";
  open.remove(first.identity());
  EXPECT_TRUE(open.add(fourth.begin()));
}

}  // namespace
}  // namespace margay::apiserver
