#include "dataplane/endpoint_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace margay::dataplane {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const EndpointKey k_web = policy::WorkloadKey{"n", "k8s", "ns/web", "eth0"};
const EndpointKey k_uplink = policy::HostEndpointKey{"n", "uplink"};
const EndpointStatus k_up;
const EndpointStatus k_waiting{EndpointState::down, "waiting for interface cali1"};

TEST(EndpointStatusTable, TellsEachChangeOnce) {
  EndpointStatusTable table;
  table.set(k_web, k_waiting);
  table.set(k_uplink, k_up);
  EXPECT_THAT(table.take_changes(),
              ElementsAre(EndpointReport{k_web, k_waiting}, EndpointReport{k_uplink, k_up}));
  EXPECT_THAT(table.take_changes(), IsEmpty());
  table.set(k_web, k_waiting);
  EXPECT_THAT(table.take_changes(), IsEmpty()) << "the same again is no news";
  table.set(k_web, k_up);
  EXPECT_THAT(table.take_changes(), ElementsAre(EndpointReport{k_web, k_up}));
}

TEST(EndpointStatusTable, ForgetsAnEndpointThatWasReportedAndOnlyThat) {
  EndpointStatusTable table;
  table.set(k_web, k_up);
  table.remove(k_web);
  EXPECT_THAT(table.take_changes(), IsEmpty()) << "it came and went unseen";
  table.set(k_web, k_up);
  table.take_changes();
  table.remove(k_web);
  EXPECT_THAT(table.take_changes(), ElementsAre(EndpointReport{k_web, std::nullopt}));
  table.set(k_web, k_up);
  EXPECT_THAT(table.take_changes(), ElementsAre(EndpointReport{k_web, k_up})) << "and back";
}

TEST(EndpointStatus, IsSaidInFelixsWords) {
  EXPECT_EQ(to_string(EndpointState::up), "up");
  EXPECT_EQ(to_string(EndpointState::down), "down");
  EXPECT_EQ(to_string(EndpointState::error), "error");
  EXPECT_EQ(to_string(k_web), "workload endpoint n/k8s/ns/web/eth0");
  EXPECT_EQ(to_string(k_uplink), "host endpoint n/uplink");
}

}  // namespace
}  // namespace margay::dataplane
