// The whole data plane against the kernel of a namespace of its own, with both backends.

#include "dataplane/iptables/iptables_dataplane.h"

#include <gmock/gmock.h>

#include "dataplane/iptables/kernel_fixture.h"
#include "dataplane/iptables/names.h"

namespace margay::dataplane::iptables {
namespace {

using policy::Action;
using policy::Direction;
using policy::PolicyKey;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// Passes on to the installed programs, and remembers what was written.
class RecordingCommands final : public Commands {
 public:
  RecordingCommands(std::unique_ptr<Commands> real, std::vector<std::string>& written)
      : real_(std::move(real)), written_(written) {}
  base::Result<std::string> save(policy::IPFamily family, const std::string& table) override {
    return real_->save(family, table);
  }
  base::Result<> restore(policy::IPFamily family, const std::string& input) override {
    written_.push_back(input);
    return real_->restore(family, input);
  }
  base::Result<std::string> save_sets() override { return real_->save_sets(); }
  base::Result<> restore_sets(const std::string& input) override {
    written_.push_back(input);
    return real_->restore_sets(input);
  }

 private:
  std::unique_ptr<Commands> real_;
  std::vector<std::string>& written_;
};

PolicyKey policy_named(const std::string& name) { return {"default", "", name}; }

policy::Delta policy_allowing(const std::string& name, uint16_t port) {
  policy::ProgramRules rules;
  rules.ingress.push_back({.action = Action::allow,
                           .protocol = policy::k_tcp,
                           .source = {.sets = {"s:clients"}},
                           .destination = {.ports = {{port, port}}}});
  return policy::PolicyUpdate{policy_named(name),
                              std::make_shared<const policy::ProgramRules>(std::move(rules))};
}

std::vector<policy::Delta> program() {
  std::vector<policy::Delta> deltas;
  deltas.emplace_back(policy::SetUpdate{
      "s:clients", policy::SetType::nets, {{.net = *policy::Prefix::parse("10.65.0.0/24")}}});
  deltas.push_back(policy_allowing("web", 80));
  deltas.push_back(policy_allowing("db", 5432));
  deltas.emplace_back(policy::ProfileUpdate{
      "kns.default", std::make_shared<const policy::ProgramRules>(
                         policy::ProgramRules{.ingress = {{}}, .egress = {{}}})});
  policy::ProgramWorkload workload;
  workload.endpoint = {.key = {"node", "k8s", "default/pod", "eth0"},
                       .interface_name = "cali1",
                       .addresses = {*policy::IPAddress::parse("10.65.0.2")},
                       .profiles = {"kns.default"}};
  workload.tiers = {{"default", {policy_named("web"), policy_named("db")}, {}}};
  deltas.emplace_back(policy::WorkloadUpdate{workload});
  deltas.emplace_back(policy::PoolUpdate{
      {.name = "pool", .cidr = *policy::Prefix::parse("10.65.0.0/16"), .nat_outgoing = true}});
  return deltas;
}

class IptablesDataPlaneTest : public KernelTest, public testing::WithParamInterface<Backend> {
 protected:
  std::unique_ptr<DataPlane> make() {
    auto real = system_commands(GetParam(), std::chrono::seconds(10));
    EXPECT_TRUE(real);
    auto made = IptablesDataPlane::create(
        {.node = "node", .backend = GetParam()},
        std::make_unique<RecordingCommands>(std::move(*real), written_), false);
    EXPECT_TRUE(made);
    return std::move(*made);
  }

  void give(DataPlane& plane, const std::vector<policy::Delta>& deltas, bool in_sync = true) {
    for (const auto& delta : deltas) plane.on_delta(delta);
    if (in_sync) plane.on_delta(policy::InSync{});
    const auto applied = plane.apply();
    ASSERT_TRUE(applied) << applied.error().message;
  }

  std::string program_of(const char* family, const char* verb) const {
    return std::string(family) + (GetParam() == Backend::nft ? "-nft" : "-legacy") + verb;
  }
  // Both families' rules and all sets.
  std::string state() const {
    return output({program_of("iptables", "-save")}) + output({program_of("ip6tables", "-save")}) +
           output({"ipset", "list", "-n"});
  }

  std::vector<std::string> written_;
};

INSTANTIATE_TEST_SUITE_P(Backends, IptablesDataPlaneTest,
                         testing::Values(Backend::nft, Backend::legacy), [](const auto& backend) {
                           return backend.param == Backend::nft ? "nft" : "legacy";
                         });

TEST_P(IptablesDataPlaneTest, ProgramsThePolicyOfAnEndpoint) {
  const auto plane = make();
  give(*plane, program());
  const std::string web = policy_chain(Direction::ingress, policy_named("web"));
  EXPECT_THAT(state(), HasSubstr("-A " + web + " -p tcp"));
  EXPECT_THAT(state(), HasSubstr("-j " + web));
  EXPECT_THAT(state(), HasSubstr("cali40s:clients"));
  EXPECT_THAT(state(), HasSubstr("cali40masq-ipam-pools"));
}

TEST_P(IptablesDataPlaneTest, StartsClosedWhereNothingWasBefore) {
  const auto plane = make();
  give(*plane, {}, false);
  const std::string forward = output({program_of("iptables", ""), "-S", "cali-from-wl-dispatch"});
  EXPECT_THAT(forward, HasSubstr("\"Unknown interface\" -j DROP"));
  EXPECT_THAT(output({program_of("iptables", ""), "-S", "FORWARD"}), HasSubstr("-j cali-FORWARD"));
}

TEST_P(IptablesDataPlaneTest, RemovesNothingBeforeTheFirstCompleteState) {
  give(*make(), program());
  const auto restarted = make();
  written_.clear();
  give(*restarted, {}, false);
  EXPECT_THAT(written_, IsEmpty());
  EXPECT_THAT(state(), HasSubstr("cali-tw-cali1"));
}

TEST_P(IptablesDataPlaneTest, StartsOverItsOwnStateWithoutAWrite) {
  give(*make(), program());
  written_.clear();
  give(*make(), program());
  EXPECT_THAT(written_, IsEmpty());
}

TEST_P(IptablesDataPlaneTest, SweepsAfterTheFirstCompleteStateWhatIsNoLongerWanted) {
  give(*make(), program());
  give(*make(), {});
  EXPECT_THAT(state(), Not(HasSubstr("cali-tw-cali1")));
  EXPECT_THAT(state(), HasSubstr("cali-FORWARD"));
}

TEST_P(IptablesDataPlaneTest, AChangedPolicyTouchesItsOwnChainsAlone) {
  const auto plane = make();
  give(*plane, program());
  written_.clear();
  give(*plane, {policy_allowing("web", 8080)});
  ASSERT_EQ(written_.size(), 2U);  // IPv4 and IPv6
  for (const auto& input : written_) {
    EXPECT_THAT(input, HasSubstr(policy_chain(Direction::ingress, policy_named("web"))));
    EXPECT_THAT(input, HasSubstr("8080"));
    EXPECT_THAT(input, Not(HasSubstr(policy_chain(Direction::egress, policy_named("web")))));
    EXPECT_THAT(input, Not(HasSubstr(policy_chain(Direction::ingress, policy_named("db")))));
    EXPECT_THAT(input, Not(HasSubstr("cali-tw-")));
    EXPECT_THAT(input, Not(HasSubstr("dispatch")));
  }
}

TEST_P(IptablesDataPlaneTest, RepairsWhatOthersBrokeAfterAResync) {
  const auto plane = make();
  give(*plane, program());
  const std::string good = state();
  output({program_of("iptables", ""), "-F", "cali-tw-cali1"});
  output({program_of("iptables", ""), "-D", "FORWARD", "1"});
  output({"ipset", "flush", "cali40s:clients"});
  plane->resync();
  ASSERT_TRUE(plane->apply());
  EXPECT_THAT(output({program_of("iptables", ""), "-S", "FORWARD"}), HasSubstr("-j cali-FORWARD"));
  EXPECT_THAT(output({program_of("iptables", ""), "-S", "cali-tw-cali1"}),
              HasSubstr("kns.default"));
  EXPECT_THAT(output({"ipset", "save", "cali40s:clients"}), HasSubstr("10.65.0.0/24"));
}

TEST_P(IptablesDataPlaneTest, LeavesOthersRulesInPlace) {
  output({program_of("iptables", ""), "-A", "FORWARD", "-i", "docker0", "-j", "ACCEPT"});
  output({program_of("iptables", ""), "-N", "MINE"});
  const auto plane = make();
  give(*plane, program());
  ASSERT_TRUE(plane->clean_up());
  EXPECT_THAT(output({program_of("iptables", ""), "-S"}),
              HasSubstr("-A FORWARD -i docker0 -j ACCEPT"));
  EXPECT_THAT(output({program_of("iptables", ""), "-S"}), HasSubstr("-N MINE"));
}

TEST_P(IptablesDataPlaneTest, CleansUpEverything) {
  const auto plane = make();
  give(*plane, program());
  const auto cleaned = plane->clean_up();
  ASSERT_TRUE(cleaned) << cleaned.error().message;
  EXPECT_THAT(state(), Not(HasSubstr("cali")));
}

TEST(IptablesDataPlaneConfig, SaysWhatIsWrongWithIt) {
  const auto made = IptablesDataPlane::create({.mark_mask = 0x1}, nullptr, false);
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, HasSubstr("iptablesMarkMask 0x1: must have at least two bits"));
}

}  // namespace
}  // namespace margay::dataplane::iptables
