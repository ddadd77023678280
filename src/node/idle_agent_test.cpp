// An agent with nothing to do applies nothing: what its data plane writes comes back from the
// kernel as events, and these must not lead to another write. With a real kernel, real rtnetlink
// events and the iptables data plane.

#include <atomic>
#include <thread>

#include "dataplane/iptables/iptables_dataplane.h"
#include "dataplane/linux/interface_monitor.h"
#include "dataplane/testing/kernel_fixture.h"
#include "net/interface_address.h"
#include "node/data_plane_reports.h"
#include "node/enforcer.h"

namespace margay::node {
namespace {

using namespace std::chrono_literals;
using policy::Encapsulation;
using policy::IPAddress;
using policy::Prefix;
using policy::ProgramRoute;

constexpr auto k_quiet = 500ms;   // an agent that spins applies hundreds of times in that
constexpr auto k_deadline = 60s;  // for the first complete state, on a busy machine
constexpr int k_most_applies = 20;

IPAddress ip(const char* text) { return *IPAddress::parse(text); }
Prefix net_of(const char* text) { return *Prefix::parse(text); }

class CountingDataPlane final : public dataplane::DataPlane {
 public:
  CountingDataPlane(std::unique_ptr<dataplane::DataPlane> real, std::atomic<int>& applies)
      : real_(std::move(real)), applies_(applies) {}
  dataplane::Capabilities capabilities() const override { return real_->capabilities(); }
  void on_delta(const policy::Delta& delta) override { real_->on_delta(delta); }
  void on_interface(const dataplane::Interface& interface) override {
    real_->on_interface(interface);
  }
  void on_interface_removed(const std::string& name) override { real_->on_interface_removed(name); }
  dataplane::ApplyReport apply() override {
    ++applies_;
    return real_->apply();
  }
  void resync(dataplane::StateKind kind) override { real_->resync(kind); }
  base::Result<> clean_up() override { return real_->clean_up(); }

 private:
  std::unique_ptr<dataplane::DataPlane> real_;
  std::atomic<int>& applies_;
};

struct PoolCase {
  const char* name;
  std::optional<Encapsulation> vxlan;  // of a pool; nothing: there is none
  bool same_subnet;                    // of us and the other node
};

class IdleAgentTest : public dataplane::KernelTest, public testing::WithParamInterface<PoolCase> {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (IsSkipped()) return;
    for (const char* name : {"uplink", "cali1"}) add_interface(name);
    ASSERT_TRUE(net::add_address(*socket_, {.link = net::get_link(*socket_, "uplink")->index,
                                            .address = ip("192.0.2.1"),
                                            .prefix_length = 24}));
    auto plane = dataplane::iptables::IptablesDataPlane::create({.node = "node"});
    ASSERT_TRUE(plane) << plane.error().message;
    enforcer_ =
        std::make_unique<Enforcer>(std::make_unique<CountingDataPlane>(std::move(*plane), applies_),
                                   Enforcer::Options{}, reports_, health_, metrics_);
    enforcer_->start();
    ASSERT_TRUE(monitor_.emplace().start(*enforcer_));
    enforcer_->deliver(program());
  }
  void TearDown() override { monitor_.reset(); }

  static std::vector<policy::Delta> program() {
    const char* other = GetParam().same_subnet ? "192.0.2.2" : "198.51.100.2";
    policy::ProgramWorkload workload;
    workload.endpoint = {.key = {"node", "k8s", "default/pod", "eth0"},
                         .interface_name = "cali1",
                         .mac = "02:00:00:00:00:01",
                         .addresses = {ip("10.65.0.2")}};
    std::vector<policy::Delta> deltas{
        policy::WorkloadUpdate{workload},
        policy::RouteUpdate{{.destination = net_of("10.65.0.2"),
                             .kind = ProgramRoute::Kind::local_workload,
                             .interface_name = "cali1"}},
        policy::HostUpdate{{.name = "node",
                            .v4 = ip("192.0.2.1"),
                            .vxlan_v4 = ip("10.65.0.1"),
                            .vxlan_mac = "66:00:00:00:00:01"}},
        policy::TunnelUpdate{{.node = "other",
                              .node_address = ip(other),
                              .tunnel_address = ip("10.65.1.1"),
                              .tunnel_mac = "66:00:00:00:00:02"}},
        policy::RouteUpdate{{.destination = net_of("10.65.1.0/26"),
                             .kind = ProgramRoute::Kind::remote_workload,
                             .node = "other",
                             .next_hop = ip(other),
                             .same_subnet = GetParam().same_subnet,
                             .vxlan = GetParam().vxlan.value_or(Encapsulation::never)}}};
    if (GetParam().vxlan)
      deltas.emplace_back(policy::PoolUpdate{
          {.name = "pool", .cidr = net_of("10.65.0.0/16"), .vxlan = *GetParam().vxlan}});
    deltas.emplace_back(policy::InSync{});
    return deltas;
  }

  // Whether there comes a time in which nothing is applied, once the state is complete.
  bool becomes_quiet() {
    const auto deadline = std::chrono::steady_clock::now() + k_deadline;
    for (int before = -1; std::chrono::steady_clock::now() < deadline;) {
      const int now = applies_;
      if (now == before && health_.ready().good) return true;
      before = now;
      std::this_thread::sleep_for(k_quiet);
    }
    return false;
  }

  base::SystemClock clock_;
  Health health_{clock_};
  AgentMetrics metrics_{"node"};
  DataPlaneReports reports_{{}, metrics_};
  std::atomic<int> applies_ = 0;
  std::unique_ptr<Enforcer> enforcer_;
  std::optional<dataplane::linux_host::InterfaceMonitor> monitor_;
};

TEST_P(IdleAgentTest, AppliesNothing) {
  ASSERT_TRUE(becomes_quiet()) << applies_ << " applies";
  EXPECT_LE(applies_, k_most_applies);
  EXPECT_EQ(net::get_link(*socket_, "vxlan.calico").has_value(),
            GetParam().vxlan.value_or(Encapsulation::never) != Encapsulation::never);
}

INSTANTIATE_TEST_SUITE_P(Pools, IdleAgentTest,
                         testing::Values(PoolCase{"None", {}, true},
                                         PoolCase{"NoEncapsulation", Encapsulation::never, true},
                                         PoolCase{"VxlanAlways", Encapsulation::always, true},
                                         PoolCase{"VxlanCrossSubnet", Encapsulation::cross_subnet,
                                                  false}),
                         [](const auto& given) { return given.param.name; });

}  // namespace
}  // namespace margay::node
