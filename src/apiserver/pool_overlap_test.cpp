#include "apiserver/pool_overlap.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "apiserver/router_fixture.h"
#include "store/testing/forwarding_store.h"

namespace margay::apiserver {
namespace {

using testing::HasSubstr;

// Counts what is read of it.
class CountingStore final : public store::ForwardingStore {
 public:
  explicit CountingStore(store::Store& store) : ForwardingStore(store) {}

  base::Result<store::List> list(const store::Scope& scope,
                                 const store::ListOptions& options) override {
    auto list = store_.list(scope, options);
    if (list) read += list->entries.size();
    return list;
  }
  base::Result<store::Changes> changes(const store::Scope& scope, store::Revision from,
                                       size_t bytes) override {
    auto changes = store_.changes(scope, from, bytes);
    if (changes) read += changes->events.size();
    return changes;
  }

  size_t read = 0;
};

class PoolOverlapTest : public RouterFixture {
 protected:
  static json::object pool(const std::string& cidr) {
    return {{"spec", json::object{{"cidr", cidr}}}};
  }
  void make(const std::string& name, const std::string& cidr) {
    ASSERT_TRUE(
        store_->create({"ippools.projectcalico.org", {}, name}, json::serialize(pool(cidr))));
  }
  std::string refusal(const std::string& name, const std::string& cidr) {
    const auto checked = known_.check(name, pool(cidr));
    return checked ? "" : checked.error().fields.at(0).detail;
  }

  CountingStore counting_{*store_};
  KnownPools known_{counting_, room_};
};

TEST_F(PoolOverlapTest, IsOfAnyOther) {
  make("a", "10.0.0.0/16");
  make("b", "2001:db8::/64");
  EXPECT_EQ(refusal("c", "10.1.0.0/16"), "");
  EXPECT_THAT(refusal("c", "10.0.1.0/24"), HasSubstr("overlaps 10.0.0.0/16 of IPPool a"));
  EXPECT_THAT(refusal("c", "2001:db8::/32"), HasSubstr("of IPPool b"));
  EXPECT_EQ(refusal("a", "10.0.0.0/8"), "") << "itself";
}

TEST_F(PoolOverlapTest, FollowsWhatOthersWrite) {
  make("a", "10.0.0.0/16");
  EXPECT_NE(refusal("c", "10.0.0.0/16"), "");
  ASSERT_TRUE(store_->remove({"ippools.projectcalico.org", {}, "a"}, {}));
  EXPECT_EQ(refusal("c", "10.0.0.0/16"), "");
  make("b", "10.0.0.0/17");
  EXPECT_THAT(refusal("c", "10.0.0.0/16"), HasSubstr("IPPool b"));
  ASSERT_TRUE(store_->remove({"ippools.projectcalico.org", {}, "b"}, {}));
  make("d", "10.0.0.0/18");
  // Watches are told on a thread of the store's, and compaction waits for that.
  while (store_->changes({}, 1, 1)) ASSERT_TRUE(store_->compact(store_->head().value()));
  EXPECT_THAT(refusal("c", "10.0.0.0/16"), HasSubstr("IPPool d")) << "history is gone";
  EXPECT_EQ(refusal("c", "10.0.64.0/18"), "");
}

TEST_F(PoolOverlapTest, CostsNoLookAtAllPools) {
  for (int i = 0; i < 200; ++i) make(fmt::format("p{}", i), fmt::format("10.{}.0.0/16", i));
  EXPECT_EQ(refusal("c", "11.0.0.0/16"), "");
  EXPECT_EQ(counting_.read, 200u);
  counting_.read = 0;
  make("more", "10.200.0.0/16");
  EXPECT_NE(refusal("c", "10.200.0.0/16"), "");
  EXPECT_EQ(counting_.read, 1u);
}

}  // namespace
}  // namespace margay::apiserver
