#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "policy/generate.h"
#include "policy/graph_fixture.h"
#include "policy/graph_reference.h"
#include "policy/interpret.h"
#include "policy/program_state.h"
#include "policy/service_program.h"

namespace margay::policy {
namespace {

// ---- named states -----------------------------------------------------------------------------

struct State {
  const char* name;
  Model model;
};

// Each step of this list is a state of its own, told as what is added to or changed in the one
// before.
class StateList {
 public:
  Model& then(const char* name) {
    states_.push_back({name, states_.empty() ? Model() : states_.back().model});
    return states_.back().model;
  }
  std::vector<State> take() { return std::move(states_); }

 private:
  std::vector<State> states_;
};

void put(Model& model, const WorkloadEndpoint& endpoint) {
  model.workloads[endpoint.key] = endpoint;
}
void put(Model& model, const Policy& policy) { model.policies[policy.key] = policy; }

void policy_states(StateList& list) {
  list.then("empty");
  put(list.then("a pod without policy"), pod("web", k_node, "10.65.0.2", {{"app", "web"}}));
  list.then("its profile").profiles["kns.shop"] = {.name = "kns.shop",
                                                   .labels_to_apply = {{"pcns.team", "a"}},
                                                   .ingress = {Rule{}},
                                                   .egress = {Rule{}}};
  put(list.then("a remote pod"), pod("db", "node-b", "10.65.1.2", {{"app", "db"}}));
  put(list.then("a policy that names the remote pod"),
      allow_from("one", "app == 'web'", "app == 'db'"));
  put(list.then("a second policy with the same set"), allow_from("two", "all()", "app == 'db'"));
  list.then("the first policy moves behind the second").policies.at({.name = "one"}).order = 20;
  list.then("the first policy needs another set").policies.at({.name = "one"}).ingress = {
      {.protocol = k_tcp,
       .destination = {.selector = selector("app == 'web'"), .named_ports = {"http"}}}};
  list.then("the remote pod changes its label")
      .workloads.at({"node-b", "k8s", "shop/db", "eth0"})
      .labels = {{"app", "web"}};
  list.then("the namespace changes its label").profiles.at("kns.shop").labels_to_apply = {
      {"pcns.team", "b"}};
  put(list.then("a policy by namespace label"),
      allow_from("three", "pcns.team == 'b'", "pcns.team == 'b'"));
  list.then("a set that overlaps the remote pod").network_sets[{"", "net"}] = {
      .key = {"", "net"},
      .labels = {{"pcns.team", "b"}},
      .nets = {*Prefix::parse("10.65.1.2/32"), *Prefix::parse("0.0.0.0/0")}};
  list.then("the remote pod has gone").workloads.erase({"node-b", "k8s", "shop/db", "eth0"});
  list.then("a tier before").tiers["first"] = {"first", 1};
  Policy early = allow_from("early", "all()", "all()");
  early.key.tier = "first";
  put(list.then("a policy in it"), early);
  list.then("the tier moves behind").tiers["first"].order = 1e6;
  list.then("the tier passes").tiers["first"].default_action = Action::pass;
  Policy missing = allow_from("missing", "all()", "app == 'db'");
  missing.key.tier = "not-there";
  put(list.then("a policy of a tier that is not there"), missing);
  list.then("the tier has gone, its policy not").tiers.erase("first");
  list.then("the pod is down").workloads.begin()->second.admin_up = false;
  list.then("a host endpoint").host_endpoints[{k_node, "eth"}] = {
      .key = {k_node, "eth"},
      .interface_name = "eth0",
      .expected_addresses = {*IPAddress::parse("192.0.2.1")},
      .labels = {{"pcns.team", "b"}},
      .profiles = {std::string(k_default_allow_profile)}};
  Policy& forward = list.then("untracked policy").policies.at({.name = "three"});
  forward.do_not_track = forward.apply_on_forward = true;
  list.then("every policy has gone").policies.clear();
}

Host host(const char* name, const char* address, const char* subnet) {
  return {.name = name, .v4 = *IPAddress::parse(address), .v4_subnet = *Prefix::parse(subnet)};
}

void routing_states(StateList& list) {
  const Prefix block = *Prefix::parse("10.65.1.0/26");
  list.then("nothing") = {};
  list.then("a pool").pools["pool"] = {
      .name = "pool", .cidr = *Prefix::parse("10.65.0.0/16"), .nat_outgoing = true};
  list.then("a block of an unknown node").blocks[block] = {.cidr = block, .node = "node-b"};
  list.then("the node").hosts["node-b"] = host("node-b", "192.0.2.2", "192.0.2.0/24");
  list.then("ourselves, in the same subnet").hosts[k_node] =
      host(k_node, "192.0.2.1", "192.0.2.0/24");
  list.then("ourselves, elsewhere").hosts[k_node] = host(k_node, "198.51.100.1", "198.51.100.0/24");
  list.then("an address of the block lent to us").blocks[block].borrowed = {
      {*IPAddress::parse("10.65.1.7"), k_node}};
  put(list.then("the pod that has it"), pod("web", k_node, "10.65.1.7", {}));
  list.then("an address of the block lent to a third").blocks[block].borrowed = {
      {*IPAddress::parse("10.65.1.7"), "node-c"}};
  list.then("the third node").hosts["node-c"] = host("node-c", "192.0.2.3", "192.0.2.0/24");
  list.then("the pod has gone").workloads.clear();
  list.then("the block is ours").blocks[block].node = k_node;
  list.then("the pool is encapsulated").pools["pool"].vxlan = Encapsulation::cross_subnet;
  Host& tunnelled = list.then("a tunnel's end").hosts["node-b"];
  tunnelled.vxlan_v4 = *IPAddress::parse("10.65.9.9");
  tunnelled.vxlan_mac = "66:00:00:00:00:01";
  list.then("a block of a single address").blocks[*Prefix::parse("10.65.2.2/32")] = {
      .cidr = *Prefix::parse("10.65.2.2/32"), .node = k_node};
  put(list.then("with a pod in it"), pod("one", k_node, "10.65.2.2", {}));
  put(list.then("and another pod of that address"), pod("a-twin", k_node, "10.65.2.2", {}));
  list.then("a pool within the pool").pools["inner"] = {.name = "inner",
                                                        .cidr = *Prefix::parse("10.65.1.0/24")};
  list.then("the node has gone").hosts.erase("node-b");
  list.then("the pools have gone").pools.clear();
}

template <typename K, typename V>
void append_difference(std::vector<ModelChange>& changes, const std::map<K, V>& from,
                       const std::map<K, V>& to) {
  for (const auto& [key, value] : from)
    if (!to.contains(key)) changes.push_back(Change<K, V>{key, std::nullopt});
  for (const auto& [key, value] : to)
    if (const auto old = from.find(key); old == from.end() || !(old->second == value))
      changes.push_back(Change<K, V>{key, value});
}

std::vector<ModelChange> difference(const Model& from, const Model& to) {
  std::vector<ModelChange> changes;
  append_difference(changes, from.tiers, to.tiers);
  append_difference(changes, from.policies, to.policies);
  append_difference(changes, from.profiles, to.profiles);
  append_difference(changes, from.workloads, to.workloads);
  append_difference(changes, from.interfaces, to.interfaces);
  append_difference(changes, from.services, to.services);
  append_difference(changes, from.endpoint_slices, to.endpoint_slices);
  append_difference(changes, from.host_endpoints, to.host_endpoints);
  append_difference(changes, from.network_sets, to.network_sets);
  append_difference(changes, from.pools, to.pools);
  append_difference(changes, from.hosts, to.hosts);
  append_difference(changes, from.blocks, to.blocks);
  return changes;
}

// Makes the changes in a random order, flushing now and then.
std::string move_to(Observed& observed, const Model& target, Random& random) {
  std::vector<ModelChange> changes = difference(observed.model(), target);
  while (!changes.empty()) {
    const auto next = changes.begin() + static_cast<ptrdiff_t>(random.below(changes.size()));
    observed.change(*next);
    changes.erase(next);
    if (random.chance(30))
      if (std::string fault = observed.flush(); !fault.empty()) return fault;
  }
  return observed.flush();
}

void expect_every_move_works(const std::vector<State>& states) {
  Random random(1);
  for (const State& first : states)
    for (const State& second : states) {
      Observed observed;
      for (const ModelChange& change : first.model.changes()) observed.change(change);
      observed.in_sync();
      ASSERT_EQ(observed.flush(), "") << "from nothing to: " << first.name;
      ASSERT_EQ(move_to(observed, second.model, random), "")
          << "from: " << first.name << ", to: " << second.name;
      ASSERT_EQ(move_to(observed, first.model, random), "")
          << "from: " << second.name << ", back to: " << first.name;
    }
}

TEST(GraphStates, PolicyFollowsEveryMove) {
  StateList list;
  policy_states(list);
  expect_every_move_works(list.take());
}

// An unknown tier is last and denies, whatever it was before.
TEST(GraphStates, ATierThatHasGoneKeepsItsPoliciesAndDenies) {
  Observed observed;
  observed.change(Change<std::string, Tier>{"first", Tier{"first", 1, Action::pass}});
  observed.change(Change<std::string, Tier>{"default", Tier{"default", 1e6}});
  Model model;
  put(model, pod("web", k_node, "10.65.0.2", {{"app", "web"}}));
  put(model, allow_from("late", "all()", "all()"));
  Policy early = allow_from("early", "all()", "has(nobody)");
  early.key.tier = "first";
  put(model, early);
  for (const ModelChange& change : model.changes()) observed.change(change);
  observed.in_sync();
  ASSERT_EQ(observed.flush(), "");
  const auto tiers = [&] { return observed.program().workloads.begin()->second.tiers; };
  ASSERT_EQ(tiers().size(), 2u);
  EXPECT_EQ(tiers()[0].name, "first");
  EXPECT_EQ(tiers()[0].default_action, Action::pass);
  observed.change(Change<std::string, Tier>{"first", std::nullopt});
  ASSERT_EQ(observed.flush(), "");
  ASSERT_EQ(tiers().size(), 2u);
  EXPECT_EQ(tiers()[1].name, "first");
  EXPECT_EQ(tiers()[1].default_action, Action::deny);
  EXPECT_EQ(tiers()[1].ingress, std::vector{early.key});
}

TEST(Graph, NoDataPlaneSeesWhatIsStaged) {
  Graph graph(k_node);
  graph.on_change(Change<WorkloadKey, WorkloadEndpoint>{pod("web", k_node, "10.65.0.2", {}).key,
                                                        pod("web", k_node, "10.65.0.2", {})});
  graph.on_in_sync();
  ASSERT_FALSE(graph.flush().empty());
  const Policy policy = allow_from("one", "all()", "has(x)");
  graph.on_change(Change<PolicyKey, StagedPolicy>{policy.key, StagedPolicy{policy.key, policy}});
  EXPECT_TRUE(graph.flush().empty());
  graph.on_change(Change<PolicyKey, Policy>{policy.key, policy});
  EXPECT_FALSE(graph.flush().empty());
  graph.on_change(Change<PolicyKey, StagedPolicy>{policy.key, StagedPolicy{policy.key, {}}});
  EXPECT_TRUE(graph.flush().empty()) << "a deletion that is only staged deletes nothing";
}

TEST(GraphStates, RoutesFollowEveryMove) {
  StateList list;
  routing_states(list);
  expect_every_move_works(list.take());
}

// Routes to blocks and workloads of others, as "destination node".
std::vector<std::string> remote_routes(Graph& graph) {
  std::vector<std::string> routes;
  for (const Delta& delta : graph.flush())
    if (const auto* update = std::get_if<RouteUpdate>(&delta);
        update && update->route.kind == ProgramRoute::Kind::remote_workload)
      routes.push_back(update->route.destination.to_string() + " " + update->route.node);
  return routes;
}

TEST(GraphRoutes, LeadToBlocksOrToEachWorkloadAsIsAskedFor) {
  using Routes = std::vector<std::string>;
  for (const auto& [source, expected] :
       {std::pair(RouteSource::blocks, Routes{"10.65.1.0/26 node-b"}),
        {RouteSource::workloads, Routes{"10.65.1.2/32 node-b", "10.65.9.9/32 node-b"}}}) {
    Graph graph(k_node, {}, k_rules_budget, source);
    const auto add = [&](const WorkloadEndpoint& endpoint) {
      graph.on_change(Change<WorkloadKey, WorkloadEndpoint>{endpoint.key, endpoint});
    };
    graph.on_change(Change<std::string, Host>{
        "node-b", Host{.name = "node-b", .v4 = *IPAddress::parse("192.0.2.2")}});
    const IPPool pool{.name = "pool", .cidr = *Prefix::parse("10.65.0.0/16")};
    graph.on_change(Change<std::string, IPPool>{pool.name, pool});
    const Block block{.cidr = *Prefix::parse("10.65.1.0/26"), .node = "node-b"};
    graph.on_change(Change<Prefix, Block>{block.cidr, block});
    add(pod("one", "node-b", "10.65.1.2", {}));
    add(pod("two", "node-b", "10.65.9.9", {}));
    add(pod("of-no-pool", "node-b", "10.66.0.1", {}));
    add(pod("ours", k_node, "10.65.2.1", {}));
    graph.on_in_sync();
    EXPECT_EQ(remote_routes(graph), expected);
  }
}

TEST(GraphRoutes, ToEachWorkloadGoWithIt) {
  Graph graph(k_node, {}, k_rules_budget, RouteSource::workloads);
  const auto one = pod("one", "node-b", "10.65.1.2", {});
  auto moved = pod("one", "node-c", "10.65.1.2", {});
  const IPPool pool{.name = "pool", .cidr = *Prefix::parse("10.65.0.0/16")};
  graph.on_change(Change<std::string, IPPool>{pool.name, pool});
  for (const char* name : {"node-b", "node-c"})
    graph.on_change(
        Change<std::string, Host>{name, Host{.name = name, .v4 = *IPAddress::parse("192.0.2.2")}});
  graph.on_change(Change<WorkloadKey, WorkloadEndpoint>{one.key, one});
  graph.on_in_sync();
  graph.flush();
  graph.on_change(Change<WorkloadKey, WorkloadEndpoint>{moved.key, moved});
  graph.on_change(Change<WorkloadKey, WorkloadEndpoint>{one.key, std::nullopt});
  EXPECT_EQ(remote_routes(graph), std::vector<std::string>{"10.65.1.2/32 node-c"});
  graph.on_change(Change<std::string, IPPool>{pool.name, std::nullopt});
  EXPECT_TRUE(std::ranges::any_of(graph.flush(), [](const Delta& delta) {
    return std::holds_alternative<RouteRemove>(delta);
  })) << "what no pool contains is led by whoever gave it";
  graph.on_change(Change<std::string, IPPool>{pool.name, pool});
  EXPECT_EQ(remote_routes(graph), std::vector<std::string>{"10.65.1.2/32 node-c"});
  graph.on_change(Change<WorkloadKey, WorkloadEndpoint>{moved.key, std::nullopt});
  const auto deltas = graph.flush();
  EXPECT_TRUE(std::ranges::any_of(
      deltas, [](const Delta& delta) { return std::holds_alternative<RouteRemove>(delta); }));
}

// ---- random ways ------------------------------------------------------------------------------

// Each step makes the change its number stands for; every third is followed by a flush. RapidCheck
// leaves steps out to find the shortest way that fails.
void go_any_way(Observed& observed, uint8_t start, const std::vector<uint32_t>& steps) {
  if (start > 0)
    for (const ModelChange& change : Generator(start, {.workloads = 6}).model().changes())
      observed.change(change);
  observed.in_sync();
  RC_ASSERT(observed.flush() == "");
  for (const uint32_t step : steps) {
    observed.change(Generator(step).change(observed.model()));
    if (step % 3 == 0) RC_ASSERT(observed.flush() == "");
  }
  RC_ASSERT(observed.flush() == "");
  RC_ASSERT(observed.graph().flush().empty());
}

RC_GTEST_PROP(GraphProperty, AnyWayLeadsToTheProgramOfTheModel,
              (uint8_t start, const std::vector<uint32_t>& steps)) {
  Observed observed;
  go_any_way(observed, start, steps);
}

RC_GTEST_PROP(GraphProperty, AnyWayLeadsThereWhereNamespacesHaveSmallShares,
              (uint8_t start, const std::vector<uint32_t>& steps)) {
  Observed observed({.of_a_namespace = {.rules = 40, .sets = 8, .members = start % 16U},
                     .of_a_node = {.rules = 60U + start % 64U, .sets = start % 12U}});
  go_any_way(observed, start, steps);
}

RC_GTEST_PROP(GraphProperty, ChangesThatCancelOutEmitNothing,
              (uint16_t start, const std::vector<uint32_t>& steps)) {
  Observed observed;
  for (const ModelChange& change : Generator(start, {.workloads = 6}).model().changes())
    observed.change(change);
  observed.in_sync();
  RC_ASSERT(observed.flush() == "");
  const Model before = observed.model();
  for (const uint32_t step : steps) observed.change(Generator(step).change(observed.model()));
  for (const ModelChange& change : difference(observed.model(), before)) observed.change(change);
  RC_ASSERT(observed.graph().flush().empty());
}

// ---- the meaning of programs ------------------------------------------------------------------

TEST(Compiler, ProgramsMeanWhatTheModelMeans) {
  std::map<Decision::By, size_t> decided_by;
  std::map<Verdict, size_t> verdicts;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    Generator generator(seed);
    const Model model = generator.model();
    ProgramState program = reference_program(model, k_node);
    const Evaluator evaluator(model);
    for (const auto& [key, workload] : program.workloads) {
      if (workload.endpoint.addresses.empty()) continue;
      const WorkloadEndpoint& endpoint = model.workloads.at(key);
      for (int i = 0; i < 100; ++i) {
        const Direction direction = i % 2 == 0 ? Direction::ingress : Direction::egress;
        const Packet packet = generator.packet(model, endpoint, direction);
        const Decision decision = evaluator.evaluate(endpoint, direction, packet);
        ASSERT_EQ(interpret(program, key, direction, packet), decision.verdict)
            << "seed " << seed << ", " << key.id() << ": " << to_string(packet);
        ++decided_by[decision.by];
        ++verdicts[decision.verdict];
      }
    }
  }
  EXPECT_EQ(decided_by.size(), 5u) << "some kind of decision was never made";
  for (const Verdict verdict : {Verdict::allow, Verdict::deny})
    EXPECT_GT(verdicts[verdict], 5000u) << "the cases say too little";
}

// The generator has few policies of the rarer stages: here every stage gets its share of the global
// ones.
void spread_over_stages(Model& model) {
  size_t nth = 0;
  for (auto& [key, policy] : model.policies) {
    if (!key.ns.empty()) continue;
    const auto stage = static_cast<Stage>(nth++ % 4);
    policy.apply_on_forward = stage != Stage::normal;
    policy.do_not_track = stage == Stage::untracked;
    policy.pre_dnat = stage == Stage::pre_dnat;
    if (policy.pre_dnat) policy.applies_ingress = !(policy.applies_egress = false);
  }
}

// What a host endpoint decides at each stage, in each direction.
TEST(Compiler, ProgramsOfHostEndpointsMeanWhatTheModelMeans) {
  std::map<std::pair<Stage, std::optional<Verdict>>, size_t> decided;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    Generator generator(seed, {.workloads = 6, .policies = 20});
    Model model = generator.model();
    spread_over_stages(model);
    const ProgramState program = reference_program(model, k_node);
    const Evaluator evaluator(model);
    for (const auto& [key, programmed] : program.host_endpoints) {
      const HostEndpoint& endpoint = model.host_endpoints.at(key);
      // The generator's packets are to or from somebody with an address.
      const WorkloadEndpoint addressed{.addresses = endpoint.expected_addresses};
      if (addressed.addresses.empty()) continue;
      for (int i = 0; i < 100; ++i) {
        const Direction direction = i % 2 == 0 ? Direction::ingress : Direction::egress;
        const Packet packet = generator.packet(model, addressed, direction);
        for (const Stage stage :
             {Stage::untracked, Stage::pre_dnat, Stage::forward, Stage::normal}) {
          // `*` takes no part in doNotTrack, whatever the model's policies say of it.
          if (stage == Stage::untracked && programmed.every_other_interface) continue;
          const auto decision = evaluator.evaluate(endpoint, stage, direction, packet);
          const auto verdict = decision ? std::optional(decision->verdict) : std::nullopt;
          ASSERT_EQ(interpret(program, key, stage, direction, packet), verdict)
              << "seed " << seed << ", " << key.id() << " at stage " << static_cast<int>(stage)
              << ": " << to_string(packet);
          ++decided[{stage, verdict}];
        }
      }
    }
  }
  for (const Stage stage : {Stage::untracked, Stage::pre_dnat, Stage::forward, Stage::normal}) {
    const auto count = [&](std::optional<Verdict> verdict) { return decided[{stage, verdict}]; };
    EXPECT_GT(count(Verdict::allow), 100u) << "too few at stage " << static_cast<int>(stage);
    EXPECT_GT(count(Verdict::deny), 100u) << "too few at stage " << static_cast<int>(stage);
    // The normal stage always decides.
    EXPECT_EQ(count(std::nullopt) > 100u, stage != Stage::normal);
  }
}

// ---- single properties ------------------------------------------------------------------------

TEST(Graph, EmitsNothingBeforeInSync) {
  Graph graph(k_node);
  for (const ModelChange& change : Generator(1).model().changes()) graph.on_change(change);
  EXPECT_TRUE(graph.flush().empty());
  graph.on_in_sync();
  const std::vector<Delta> deltas = graph.flush();
  ASSERT_FALSE(deltas.empty());
  EXPECT_TRUE(std::holds_alternative<InSync>(deltas.back()));
  EXPECT_TRUE(graph.flush().empty());
}

TEST(Graph, OnlyWhatLocalEndpointsNeedIsActive) {
  Observed observed;
  for (const WorkloadEndpoint& endpoint : {pod("web", k_node, "10.65.0.2", {{"app", "web"}}),
                                           pod("db", "node-b", "10.65.1.2", {{"app", "db"}})})
    observed.change(Change<WorkloadKey, WorkloadEndpoint>{endpoint.key, endpoint});
  for (const Policy& policy : {allow_from("for-web", "app == 'web'", "app == 'db'"),
                               allow_from("for-db", "app == 'db'", "app == 'web'")})
    observed.change(Change<PolicyKey, Policy>{policy.key, policy});
  observed.in_sync();
  ASSERT_EQ(observed.flush(), "");

  EXPECT_EQ(observed.program().policies.size(), 1u);
  EXPECT_TRUE(observed.program().policies.contains({.name = "for-web"}));
  ASSERT_EQ(observed.program().sets.size(), 1u);
  const std::set<SetMember> members = {{.net = *Prefix::parse("10.65.1.2/32")}};
  EXPECT_EQ(observed.program().sets.begin()->second.members, members);

  const Graph::Counts counts = observed.graph().counts();
  EXPECT_EQ(counts.local_endpoints, 1u);
  EXPECT_EQ(counts.workloads, 2u);
  EXPECT_EQ(counts.policies, 2u);
  EXPECT_EQ(counts.active_policies, 1u);
  EXPECT_EQ(counts.active_sets, 1u);
}

TEST(Graph, ASharedMemberStaysUntilItsLastOwnerGoes) {
  Observed observed;
  const auto set_of = [](const char* name) {
    return Change<NetworkSetKey, NetworkSet>{{"", name},
                                             NetworkSet{.key = {"", name},
                                                        .labels = {{"zone", "a"}},
                                                        .nets = {*Prefix::parse("192.0.2.0/24")}}};
  };
  const WorkloadEndpoint web = pod("web", k_node, "10.65.0.2", {});
  const Policy policy = allow_from("p", "all()", "zone == 'a'");
  observed.change(Change<WorkloadKey, WorkloadEndpoint>{web.key, web});
  observed.change(Change<PolicyKey, Policy>{policy.key, policy});
  observed.change(set_of("one"));
  observed.change(set_of("two"));
  observed.in_sync();
  ASSERT_EQ(observed.flush(), "");

  observed.change(Change<NetworkSetKey, NetworkSet>{{"", "one"}, std::nullopt});
  EXPECT_TRUE(observed.graph().flush().empty());
  observed.change(Change<NetworkSetKey, NetworkSet>{{"", "two"}, std::nullopt});
  const std::vector<Delta> deltas = observed.graph().flush();
  ASSERT_EQ(deltas.size(), 1u);
  EXPECT_EQ(std::get<SetDelta>(deltas[0]).removed.size(), 1u);
}

}  // namespace
}  // namespace margay::policy
