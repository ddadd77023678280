// The agent's core from objects in a store to what a data plane is given, with a store in a file, a
// data plane without a kernel and interfaces as the test wants them.

#include "node/agent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "dataplane/testing/fake_interface_source.h"
#include "dataplane/testing/recording_dataplane.h"
#include "node/data_plane_reports.h"
#include "store/sqlite/sqlite_store.h"

namespace margay::node {
namespace {

using dataplane::testing::FakeInterfaceSource;
using dataplane::testing::Recorded;
using dataplane::testing::RecordingDataPlane;
using testing::ElementsAre;

dataplane::Interface link(const char* name, const char* address) {
  return {.name = name, .up = true, .addresses = {{*base::IPAddress::parse(address), 24}}};
}

template <typename Condition>
bool soon(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

struct AgentTest : testing::Test {
  std::filesystem::path directory =
      std::filesystem::temp_directory_path() / ("margay-agent-" + std::to_string(getpid()));
  std::unique_ptr<store::Store> store;
  base::SystemClock clock;
  Health health{clock};
  AgentMetrics metrics{"node-a"};
  DataPlaneReports reports{{}, metrics};
  Recorded recorded;
  std::unique_ptr<Enforcer> enforcer;
  base::EventLoop loop;
  std::unique_ptr<Agent> agent;
  FakeInterfaceSource interfaces{{link("eth0", "192.0.2.1"), link("cali1", "198.51.100.1")}};
  std::thread thread;

  AgentTest() {
    std::filesystem::create_directories(directory);
    store = *store::sqlite::SqliteStore::open({.path = (directory / "db").string()});
  }
  ~AgentTest() override {
    loop.stop();
    if (thread.joinable()) thread.join();
    agent.reset();
    enforcer.reset();
    store.reset();
    std::filesystem::remove_all(directory);
  }

  std::atomic<int> settings_changed = 0;

  void start(std::vector<Settings> stored_settings = {}) {
    enforcer = std::make_unique<Enforcer>(std::make_unique<RecordingDataPlane>(recorded, reports),
                                          Enforcer::Options{}, reports, health, metrics);
    enforcer->start();
    agent = std::make_unique<Agent>(
        loop, *store, *enforcer, health, metrics,
        Agent::Options{.node = "node-a",
                       .on_settings_changed = [this] { ++settings_changed; },
                       .on_pools_changed = [] {},
                       .stored_settings = std::move(stored_settings)});
    ASSERT_TRUE(interfaces.start(*agent));
    ASSERT_TRUE(agent->start());
    thread = std::thread([this] { loop.run(); });
    ASSERT_TRUE(recorded.eventually([&] { return recorded.programmed.in_sync; }));
  }
  void create_host_endpoint(const std::string& name, const std::string& spec) {
    const auto made = store->create(
        {"hostendpoints.projectcalico.org", "", name},
        R"({"apiVersion":"projectcalico.org/v3","kind":"HostEndpoint","metadata":{"name":")" +
            name + R"("},"spec":{"node":"node-a",)" + spec + "}}");
    ASSERT_TRUE(made) << made.error().message;
  }
  // What the host endpoint governs; "-" when it is not programmed.
  std::vector<std::string> governed_by(const std::string& name) {
    const auto found = recorded.programmed.host_endpoints.find({"node-a", name});
    if (found == recorded.programmed.host_endpoints.end()) return {"-"};
    return found->second.interfaces;
  }
};

TEST_F(AgentTest, TheFirstCompleteStateKnowsTheHostsInterfaces) {
  create_host_endpoint("by-address", R"("expectedIPs":["192.0.2.1"])");
  start();
  EXPECT_THAT(recorded.read([&] { return governed_by("by-address"); }), ElementsAre("eth0"));
}

TEST_F(AgentTest, AnInterfaceIsGovernedByTheHostEndpointThatItsAddressesFit) {
  create_host_endpoint("by-address", R"("expectedIPs":["192.0.2.9"])");
  start();
  EXPECT_THAT(recorded.read([&] { return governed_by("by-address"); }), ElementsAre("-"));
  interfaces.listener().on_interface(link("eth1", "192.0.2.9"));
  ASSERT_TRUE(recorded.eventually(
      [&] { return governed_by("by-address") == std::vector<std::string>{"eth1"}; }));
  interfaces.listener().on_interface_removed("eth1");
  ASSERT_TRUE(recorded.eventually(
      [&] { return governed_by("by-address") == std::vector<std::string>{"-"}; }));
  interfaces.listener().on_interfaces({link("eth2", "192.0.2.9")});
  EXPECT_TRUE(recorded.eventually(
      [&] { return governed_by("by-address") == std::vector<std::string>{"eth2"}; }));
}

TEST_F(AgentTest, ADataPlaneThatIsBusyIsGivenWhatDiffersInTheEnd) {
  create_host_endpoint("h", R"("expectedIPs":["192.0.2.1"])");
  start();
  constexpr int k_changes = 100;
  const auto updates = [&] { return metrics.graph_update_seconds.Collect().summary.sample_count; };
  const auto before = updates();
  size_t deltas_before = 0;
  {
    const std::scoped_lock busy(recorded.mutex);
    deltas_before = recorded.deltas.size();
    const store::Key key{"hostendpoints.projectcalico.org", "", "h"};
    const auto value = store->get(key)->value;
    for (int i = 0; i < k_changes; ++i) {
      auto changed = value;
      changed.replace(changed.find("192.0.2.1"), 9, "192.0.2." + std::to_string(i % 2 ? 1 : 7));
      ASSERT_TRUE(store->update(key, changed, {}));
    }
    ASSERT_TRUE(soon([&] { return updates() >= before + k_changes; }));
  }
  ASSERT_TRUE(
      recorded.eventually([&] { return governed_by("h") == std::vector<std::string>{"eth0"}; }));
  EXPECT_LT(recorded.read([&] { return recorded.deltas.size(); }), deltas_before + 10);
}

TEST_F(AgentTest, SettingsDeletedBetweenTheirReadingAndTheSyncerAreNoticed) {
  start({{}, {{"defaultEndpointToHostAction", "Accept"}}});
  EXPECT_EQ(settings_changed, 1);
}

TEST_F(AgentTest, SettingsThatNobodyStoredHaveNotChanged) {
  start({{}, {}});
  EXPECT_EQ(settings_changed, 0);
}

TEST_F(AgentTest, WorkloadsInterfacesAreNotTheHosts) {
  create_host_endpoint("by-address", R"("expectedIPs":["198.51.100.1"])");
  start();
  EXPECT_THAT(recorded.read([&] { return governed_by("by-address"); }), ElementsAre("-"));
}

// What it isolated must not be open after a restart, when nothing is known of it.
TEST_F(AgentTest, APolicyThatCouldNeverBeReadIsolatesWhatItMayBeFor) {
  const auto put = [&](const std::string& resource, const std::string& ns, const std::string& kind,
                       const std::string& selector) {
    const std::string of_ns = ns.empty() ? "" : R"(,"namespace":")" + ns + "\"";
    const store::Key key{resource, ns, "bad"};
    const auto value = R"({"apiVersion":"projectcalico.org/v3","kind":")" + kind +
                       R"(","metadata":{"name":"bad")" + of_ns + R"(},"spec":{"selector":")" +
                       selector + R"(","types":["Egress"],"egress":[{"action":"Allow"}]}})";
    if (const auto there = store->get(key))
      ASSERT_TRUE(store->update(key, value, there->revision));
    else
      ASSERT_TRUE(store->create(key, value));
  };
  const auto tiers_of = [&](const std::string& workload) {
    const auto& workloads = recorded.programmed.workloads;
    const auto found = workloads.find({"node-a", "k8s", workload, "eth0"});
    return found == workloads.end() ? size_t{0} : found->second.tiers.size();
  };
  for (const auto* ns : {"shop", "other"})
    ASSERT_TRUE(store->create(
        {"pods", ns, "web"},
        std::string(R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":")") +
            ns + R"("},"spec":{"nodeName":"node-a"},"status":{"podIP":"10.65.0.2"}})"));
  put("networkpolicies.projectcalico.org", "shop", "NetworkPolicy", "a ==");
  start();
  recorded.read([&] {
    EXPECT_EQ(tiers_of("shop/web"), 1U);
    EXPECT_EQ(tiers_of("other/web"), 0U);
    return true;
  });
  put("networkpolicies.projectcalico.org", "shop", "NetworkPolicy", "a == 'b'");
  EXPECT_TRUE(recorded.eventually([&] { return tiers_of("shop/web") == 0; })) << "mended";
  put("networkpolicies.projectcalico.org", "other", "NetworkPolicy", "a ==");
  put("networkpolicies.projectcalico.org", "shop", "NetworkPolicy", "all()");
  EXPECT_TRUE(recorded.eventually([&] { return tiers_of("shop/web") == 1; }));
  EXPECT_EQ(recorded.read([&] { return tiers_of("other/web"); }), 0U)
      << "what was never in effect takes nothing away";
}

TEST_F(AgentTest, PoliciesFollowTheirTierAndWhatIsStagedIsNotSeen) {
  const auto put = [&](const std::string& kind, const std::string& plural, const std::string& name,
                       const std::string& spec) {
    const store::Key key{plural + ".projectcalico.org", "", name};
    const auto value = R"({"apiVersion":"projectcalico.org/v3","kind":")" + kind +
                       R"(","metadata":{"name":")" + name + R"("},"spec":)" + spec + "}";
    if (store->get(key))
      ASSERT_TRUE(store->update(key, value, {}));
    else
      ASSERT_TRUE(store->create(key, value));
  };
  // "ops:pass default:deny" of the pod.
  const auto tiers = [&] {
    std::string text;
    const auto& workloads = recorded.programmed.workloads;
    const auto found = workloads.find({"node-a", "k8s", "shop/web", "eth0"});
    if (found == workloads.end()) return text;
    for (const auto& tier : found->second.tiers) {
      const bool passes = tier.default_action == policy::Action::pass;
      text += (text.empty() ? "" : " ") + tier.name + (passes ? ":pass" : ":deny");
    }
    return text;
  };
  ASSERT_TRUE(store->create({"pods", "shop", "web"},
                            R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"web",)"
                            R"("namespace":"shop"},"spec":{"nodeName":"node-a"},)"
                            R"("status":{"podIP":"10.65.0.2"}})"));
  put("Tier", "tiers", "ops", R"({"order":5,"defaultAction":"Pass"})");
  put("GlobalNetworkPolicy", "globalnetworkpolicies", "ops.web", R"({"tier":"ops"})");
  put("GlobalNetworkPolicy", "globalnetworkpolicies", "web", "{}");
  put("GlobalNetworkPolicy", "globalnetworkpolicies", "kube-admin.web", R"({"tier":"kube-admin"})");
  put("StagedGlobalNetworkPolicy", "stagedglobalnetworkpolicies", "dev.web", R"({"tier":"dev"})");
  start();
  EXPECT_EQ(recorded.read(tiers), "ops:pass kube-admin:pass default:deny");
  put("Tier", "tiers", "ops", R"({"order":2000000,"defaultAction":"Deny"})");
  EXPECT_TRUE(
      recorded.eventually([&] { return tiers() == "kube-admin:pass default:deny ops:deny"; }));
  put("Tier", "tiers", "ops", R"({"order":5,"defaultAction":"Pass"})");
  EXPECT_TRUE(
      recorded.eventually([&] { return tiers() == "ops:pass kube-admin:pass default:deny"; }));
  ASSERT_TRUE(store->remove({"tiers.projectcalico.org", "", "ops"}, {}));
  EXPECT_TRUE(recorded.eventually([&] {
    return tiers() == "kube-admin:pass default:deny ops:deny";
  })) << "kept, and closed";
}

}  // namespace
}  // namespace margay::node
