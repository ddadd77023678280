#include "node/data_planes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace margay::node {
namespace {

using namespace std::chrono_literals;
using dataplane::linux_host::AllowAction;
using dataplane::linux_host::Config;
using dataplane::linux_host::InsertMode;
using testing::ElementsAre;
using testing::IsEmpty;

Config config_of(const Settings& settings) {
  const auto resolved = resolve({settings});
  EXPECT_TRUE(resolved);
  EXPECT_THAT(resolved->warnings, IsEmpty());
  return kernel_config("node-a", resolved->parameters);
}

TEST(KernelConfig, HasWhatTheSettingsSay) {
  const auto config = config_of({{"ChainInsertMode", "append"},
                                 {"IptablesMangleAllowAction", "Return"},
                                 {"IptablesLockTimeoutSecs", "5"},
                                 {"IptablesLockProbeIntervalMillis", "20"},
                                 {"IptablesLockFilePath", "/run/other.lock"},
                                 {"IptablesPostWriteCheckIntervalSecs", "3"},
                                 {"MaxIpsetSize", "1000"},
                                 {"FeatureDetectOverride", "SNATFullyRandom=false"},
                                 {"ExternalNodesCIDRList", "198.51.100.0/24"},
                                 {"DeviceRouteSourceAddress", "192.0.2.1"},
                                 {"RemoveExternalRoutes", "false"},
                                 {"NetlinkTimeoutSecs", "2"}});
  EXPECT_EQ(config.insert_mode, InsertMode::append);
  EXPECT_EQ(config.mangle_allow, AllowAction::pass_on);
  EXPECT_EQ(config.filter_allow, AllowAction::accept);
  EXPECT_EQ(config.lock.timeout, 5s);
  EXPECT_EQ(config.lock.probe_interval, 20ms);
  EXPECT_EQ(config.lock.file, "/run/other.lock");
  EXPECT_EQ(config.post_write_check, 3s);
  EXPECT_EQ(config.max_set_size, 1000U);
  EXPECT_FALSE(config.fully_random_snat);
  EXPECT_TRUE(config.fully_random_masquerade);
  EXPECT_THAT(config.external_nodes, ElementsAre(*base::Prefix::parse("198.51.100.0/24")));
  EXPECT_EQ(config.route_source, base::IPAddress::parse("192.0.2.1").value());
  EXPECT_FALSE(config.remove_external_routes);
  EXPECT_EQ(config.netlink_timeout, 2s);
}

TEST(KernelConfig, WithoutALockTimeoutIptablesWaitsAndTheAgentTakesNone) {
  EXPECT_EQ(config_of({}).lock.timeout, 10s);
  EXPECT_TRUE(config_of({}).lock.is_taken_by_program);
  const auto taken_here = config_of({{"FeatureDetectOverride", "RestoreSupportsLock=false"}}).lock;
  EXPECT_EQ(taken_here.timeout, 0s);
  EXPECT_FALSE(taken_here.is_taken_by_program);
}

TEST(ParametersWithout, AreThoseOfIptablesAloneInNftables) {
  const auto parameters =
      resolve({{{"ChainInsertMode", "append"}, {"MaxIpsetSize", "5"}, {"VXLANPort", "9"}}})
          ->parameters;
  EXPECT_THAT(parameters_without("nftables", parameters),
              ElementsAre("ChainInsertMode", "MaxIpsetSize"));
  EXPECT_THAT(parameters_without("nftables", Parameters{}), IsEmpty());
  EXPECT_THAT(parameters_without("iptables", parameters), IsEmpty());
}

}  // namespace
}  // namespace margay::node
