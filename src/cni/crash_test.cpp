// The datastore goes away, or the plugin dies, in the middle of its work.

#include <gtest/gtest.h>

#include "cni/testing/plugin_fixture.h"

namespace margay::cni {
namespace {

using ipam::testing::Crash;
using ipam::testing::Fault;
using ipam::testing::FaultyStore;
using ipam::testing::NthWrite;
using testing::conf;
using testing::PluginTest;

TEST_F(PluginTest, AStoreThatCannotBeReachedIsCodeEleven) {
  FaultyStore broken(store_.get(), [] { return Fault::unavailable; });
  const auto answer = call("ADD", {}, conf(), broken);
  EXPECT_EQ(answer.status, 1);
  EXPECT_NE(answer.output.find(R"("code":11,)"), std::string::npos) << answer.output;
  EXPECT_FALSE(host_has_interface());
}

// An ADD whose nth write took effect though it heard of a failure, and for which the datastore is
// then there again or gone for good.
TEST_F(PluginTest, AFailedAddNeverFreesAnAddressThatThePodStillClaims) {
  add();  // from here on the node has its blocks, and each ADD makes the same writes
  EXPECT_EQ(call("DEL").status, 0);
  for (const bool returns : {true, false}) {
    int nth = 1;
    for (bool failed = true; failed && !HasFailure(); ++nth) {
      int writes = 0;
      FaultyStore unsure(store_.get(), [&] {
        ++writes;
        if (writes < nth || (writes > nth && returns)) return Fault::none;
        return writes == nth ? Fault::lost_answer : Fault::unavailable;
      });
      failed = call("ADD", {}, conf(), unsure).status != 0;
      const std::string where = fmt::format("write {}, returns: {}", nth, returns);
      const std::string claimed = annotation("podIP");
      if (!claimed.empty() && claimed != "(none)") {
        EXPECT_NE(assigned(), 0U) << where << ": the pod says that it has what others may get";
      }
      EXPECT_EQ(call("DEL").status, 0) << where;
      EXPECT_EQ(assigned(), 0U) << where;
    }
    EXPECT_GT(nth, 3) << "ADD writes that often at least";
  }
}

// The plugin dies at its nth write, in ADD or in DEL. What the runtime does next works, and when
// the pod is gone nothing is left of it.
TEST_F(PluginTest, ACrashAtAnyWriteIsRepairedByTheNextCall) {
  for (const Fault fault : {Fault::crash_before, Fault::crash_after}) {
    for (const std::string command : {"ADD", "DEL"}) {
      int nth = 1;
      for (bool crashed = true; crashed && !HasFailure(); ++nth) {
        if (command == "DEL") add();
        FaultyStore deadly(store_.get(), NthWrite(nth, fault));
        crashed = false;
        try {
          EXPECT_EQ(call(command.c_str(), {}, conf(), deadly).status, 0);
        } catch (const Crash&) {
          crashed = true;
        }
        const std::string where = fmt::format("{} died at write {}", command, nth);
        if (crashed && command == "DEL" && !annotation("podIP").empty()) {
          EXPECT_NE(assigned(), 0U) << where << ": the pod says that it has what others may get";
        }
        if (nth % 2 == 0) {  // a runtime that tries the same container again ...
          for (const auto& address : add().addresses) EXPECT_TRUE(host_reaches(address)) << where;
        }
        EXPECT_EQ(call("DEL").status, 0) << where;  // ... and one that gives it up
        EXPECT_EQ(assigned(), 0U) << where;
        EXPECT_FALSE(host_has_interface()) << where;
        EXPECT_EQ(ipam::check(store_.get()).value().handles, 0U) << where;
        EXPECT_TRUE(ipam::check(store_.get()).value().sound()) << where;
      }
      EXPECT_GT(nth, 3) << command << " writes more than that";
    }
  }
}

}  // namespace
}  // namespace margay::cni
