#include "vector/control/configured.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rte_dev.h>

#include <cstring>

#include "vector/control/ports.h"
#include "vector/eal.h"

namespace margay::vector {
namespace {

constexpr const char* k_interfaces = R"(
interfaces:
- {name: up, device: net_null0, mac: "02:00:00:00:00:01"}
- {name: cali1, device: net_null1, workload: true}
)";

// What each use of 10.65.0.1 looks like, and what the routes then lead to.
struct Use {
  const char* name;
  const char* text;
  Adjacency::Kind kind;
};
constexpr Use k_uses[] = {
    {"nothing", "", Adjacency::Kind::none},
    {"route", R"(
routes: [{destination: 10.65.0.1/32, via: {interface: up, mac: "02:00:00:00:00:02"}}]
)",
     Adjacency::Kind::transit},
    {"unreachable", "routes: [{destination: 10.65.0.1/32, unreachable: true}]",
     Adjacency::Kind::unreachable},
    {"node", "nodeAddresses: [10.65.0.1]", Adjacency::Kind::local},
    {"workload", R"(
workloads: [{name: a, interface: cali1, mac: "02:00:00:00:00:03", addresses: [10.65.0.1]}]
)",
     Adjacency::Kind::workload},
    {"service", R"(
services:
- {name: web, frontends: [{address: 10.65.0.1, port: 80}], backends: [{address: 10.65.0.9, port: 80}]}
)",
     Adjacency::Kind::service},
    {"the service, with other backends", R"(
services:
- {name: web, frontends: [{address: 10.65.0.1, port: 80}]}
)",
     Adjacency::Kind::service},
    {"the service, elsewhere", R"(
services:
- {name: web, frontends: [{address: 10.65.0.2, port: 80}]}
)",
     Adjacency::Kind::none},
    {"the service, elsewhere, and a workload here", R"(
workloads: [{name: a, interface: cali1, mac: "02:00:00:00:00:03", addresses: [10.65.0.1]}]
services:
- {name: web, frontends: [{address: 10.65.0.2, port: 80}]}
)",
     Adjacency::Kind::workload},
};

class ConfiguredTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!eal_is_started()) {
      ASSERT_TRUE(start_eal({.memory_mib = 512}));
    }
    ASSERT_EQ(rte_eal_hotplug_add("vdev", "net_null0", ""), 0);
    ASSERT_EQ(rte_eal_hotplug_add("vdev", "net_null1", ""), 0);
    auto engine = Engine::create({.buffers = 4095});
    ASSERT_TRUE(engine) << engine.error().message;
    engine_ = std::move(*engine);
    configured_ = std::make_unique<Configured>(*engine_);
    const auto started = configured_->start(read(""));
    ASSERT_TRUE(started) << started.error().message;
  }
  void TearDown() override {
    stop_ports();
    configured_.reset();
    engine_.reset();
    rte_eal_hotplug_remove("vdev", "net_null0");
    rte_eal_hotplug_remove("vdev", "net_null1");
  }
  static Configuration read(const std::string& text) {
    auto configuration = parse_configuration(k_interfaces + text);
    EXPECT_TRUE(configuration) << configuration.error().message;
    return *configuration;
  }
  Adjacency::Kind kind_of(const char* address) const {
    uint32_t bytes = 0;
    std::memcpy(&bytes, base::IPAddress::parse(address)->bytes().data(), sizeof(bytes));
    const Tables& tables = engine_->worker(0).tables;
    return tables.adjacencies[tables.routes4.lookup(__builtin_bswap32(bytes))]->kind;
  }

  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Configured> configured_;
};

TEST_F(ConfiguredTest, AnAddressGoesFromAnyUseToAnyOther) {
  for (const auto& from : k_uses)
    for (const auto& to : k_uses) {
      SCOPED_TRACE(fmt::format("from {} to {}", from.name, to.name));
      for (const auto& use : {from, to}) {
        ASSERT_TRUE(configured_->change_to(read(use.text)));
        EXPECT_EQ(kind_of("10.65.0.1"), use.kind);
      }
    }
}

TEST_F(ConfiguredTest, InterfacesStay) {
  auto next = read("nodeAddresses: [10.65.0.1]");
  next.interfaces[0].mtu = 1400;
  const auto changed = configured_->change_to(next);
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().code, base::ErrorCode::unsupported);
  EXPECT_EQ(kind_of("10.65.0.1"), Adjacency::Kind::none);
}

TEST_F(ConfiguredTest, AWorkloadsPoliciesComeInTheirOrder) {
  ASSERT_TRUE(configured_->change_to(read(R"(
workloads: [{name: a, interface: cali1, mac: "02:00:00:00:00:03", policies: [second, first]}]
policies:
- {name: first, ingress: [{action: Deny}]}
- {name: second, ingress: [{action: Allow, protocol: TCP}]}
)")));
  const auto ingress =
      engine_->classifier().rules_of(workload_key("a"), policy::Direction::ingress);
  ASSERT_GE(ingress.size(), 2U);
  EXPECT_EQ(ingress[0].action, policy::Action::allow);
  EXPECT_EQ(ingress[1].action, policy::Action::deny);
  // No policy says anything about egress.
  const auto egress = engine_->classifier().rules_of(workload_key("a"), policy::Direction::egress);
  ASSERT_FALSE(egress.empty());
  EXPECT_EQ(egress[0].action, policy::Action::allow);
  EXPECT_EQ(egress[0].by, DecidedBy::profile_rule);
}

}  // namespace
}  // namespace margay::vector
