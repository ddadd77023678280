// Every delta to a message and back: those that the graph makes of generated models, and one of
// each kind with every field set.

#include "dataplane/wire/messages.h"

#include <gmock/gmock.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "policy/generate.h"
#include "policy/graph.h"
#include "policy/program_state.h"

namespace margay::dataplane::wire {
namespace {

using namespace policy;
using testing::HasSubstr;

IPAddress ip(const char* text) { return *IPAddress::parse(text); }
Prefix net(const char* text) { return *Prefix::parse(text); }

Delta through_a_message(const Delta& delta) {
  proto::Delta read;
  EXPECT_TRUE(read.ParseFromString(to_message(delta).SerializeAsString()));
  auto back = from_message(read);
  EXPECT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->index(), delta.index());
  return *std::move(back);
}

std::vector<Delta> examples() {
  const auto rules = std::make_shared<const ProgramRules>(
      ProgramRules{.ingress = {{.action = Action::log,
                                .family = IPFamily::v6,
                                .protocol = 0,
                                .not_protocol = k_sctp,
                                .icmp = ICMPMatch{.type = 8, .code = 0},
                                .not_icmp = ICMPMatch{.type = 0, .code = {}},
                                .source = {.nets = {net("10.0.0.0/8"), net("::/1")},
                                           .not_nets = {net("192.0.2.1/32")},
                                           .sets = {"s:a", "s:b"},
                                           .not_sets = {"s:c"},
                                           .ports = {{0, 65535}},
                                           .not_ports = {{1, 1}},
                                           .port_sets = {"n:a"},
                                           .not_port_sets = {"n:b"}},
                                .never_matches = true,
                                .id = "abc"}},
                   .egress = {{.action = Action::pass}, {.action = Action::deny}, {}}});
  const std::vector<ProgramTier> tiers{
      {"security", {{"security", "", "a"}}, {{"security", "ns", "b"}}, Action::pass},
      {"default", {}, {}, Action::deny}};
  const WorkloadKey workload{"node-a", "k8s", "ns/web", "eth0"};
  const HostEndpointKey host{"node-a", "uplink"};
  const ServiceKey service{"ns", "web"};
  const ProgramBackend backend{ip("10.65.0.2"), 8080, true};
  return {
      SetUpdate{"s:a", SetType::nets, {{.net = net("0.0.0.0/1")}, {.net = net("fd65::/64")}}},
      SetUpdate{"n:a", SetType::named_ports, {{net("10.65.0.2/32"), k_udp, 53}}},
      SetUpdate{"s:empty", SetType::nets, {}},
      SetDelta{"s:a", {{.net = net("10.0.0.0/8")}}, {{.net = net("11.0.0.0/8")}}},
      SetRemove{"s:a"},
      PolicyUpdate{{"default", "ns", "p"}, rules},
      PolicyRemove{{"default", "ns", "p"}},
      ProfileUpdate{"kns.ns", rules},
      ProfileUpdate{"empty", std::make_shared<const ProgramRules>()},
      ProfileRemove{"kns.ns"},
      WorkloadUpdate{{.endpoint = {.key = workload,
                                   .ns = "ns",
                                   .interface_name = "cali1",
                                   .mac = "66:00:00:00:00:01",
                                   .addresses = {ip("10.65.0.2"), ip("fd65::2")},
                                   .labels = {{"app", "web"}, {"", "empty key"}},
                                   .profiles = {"kns.ns", "ksa.ns.default"},
                                   .ports = {{"http", k_tcp, 80}},
                                   .floating_ips = {{ip("10.65.0.2"), ip("192.0.2.2")}},
                                   .admin_up = false},
                      .tiers = tiers}},
      WorkloadUpdate{{.endpoint = {.key = workload}}},
      WorkloadRemove{workload},
      HostEndpointUpdate{{.endpoint = {.key = host,
                                       .interface_name = "*",
                                       .expected_addresses = {ip("192.0.2.1")},
                                       .labels = {{"role", "edge"}},
                                       .profiles = {"p"},
                                       .ports = {{"ssh", k_tcp, 22}}},
                          .interfaces = {"eth0", "eth1"},
                          .every_other_interface = true,
                          .untracked = {tiers[0]},
                          .pre_dnat = {tiers[1]},
                          .forward = tiers,
                          .normal = {tiers[1], tiers[0]}}},
      HostEndpointRemove{host},
      RouteUpdate{{.destination = net("10.65.1.0/26"),
                   .kind = ProgramRoute::Kind::remote_workload,
                   .node = "node-b",
                   .next_hop = ip("192.0.2.2"),
                   .same_subnet = true,
                   .vxlan = Encapsulation::cross_subnet,
                   .ipip = Encapsulation::always,
                   .nat_outgoing = true,
                   .interface_name = "eth0"}},
      RouteUpdate{{.destination = net("::/0"), .kind = ProgramRoute::Kind::pool}},
      RouteRemove{net("10.65.1.0/26")},
      TunnelUpdate{{"node-b", ip("192.0.2.2"), ip("10.65.1.1"), "66:00:00:00:00:02"}},
      TunnelRemove{"node-b", IPFamily::v6},
      PoolUpdate{{.name = "p",
                  .cidr = net("10.65.0.0/16"),
                  .nat_outgoing = true,
                  .disabled = true,
                  .vxlan = Encapsulation::always,
                  .ipip = Encapsulation::cross_subnet}},
      PoolRemove{"p"},
      HostUpdate{{.name = "node-b",
                  .v4 = ip("192.0.2.2"),
                  .v6 = ip("2001:db8::2"),
                  .v4_subnet = net("192.0.2.0/24"),
                  .v6_subnet = net("2001:db8::/64"),
                  .vxlan_v4 = ip("10.65.1.1"),
                  .vxlan_v6 = ip("fd65::1"),
                  .vxlan_mac = "66:00:00:00:00:02",
                  .vxlan_mac_v6 = "66:00:00:00:00:03",
                  .zone = "z1"}},
      HostUpdate{{.name = "bare"}},
      HostRemove{"node-b"},
      ServiceUpdate{
          {.key = service,
           .ports = {{.name = "http",
                      .family = IPFamily::v6,
                      .protocol = k_tcp,
                      .frontends = {{ProgramFrontend::Kind::cluster_ip, ip("fd10::1"), 80, false},
                                    {ProgramFrontend::Kind::node_port, std::nullopt, 30080, true}},
                      .backends = {backend},
                      .local_backends = {backend, {ip("fd65::9"), 1, false}}}},
           .client_affinity = std::chrono::seconds(10800),
           .source_ranges = {net("203.0.113.0/24")}}},
      ServiceUpdate{{.key = service}},
      ServiceRemove{service},
      UnprogrammedUpdate{{.key = workload, .partly = true, .reason = "another's"}},
      UnprogrammedUpdate{{.key = service}},
      UnprogrammedUpdate{{.key = PolicyKey{"default", "shop", "web"}, .reason = "too many"}},
      UnprogrammedRemove{host},
      InSync{},
  };
}

// Deltas have no equality of their own: what they hold is written out.
std::string text_of(const Delta& delta) {
  std::string out;
  // Maps come in any order otherwise.
  google::protobuf::io::StringOutputStream stream(&out);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  to_message(delta).SerializeToCodedStream(&coded);
  coded.Trim();
  return out;
}

bool holds_the_same(const Delta& one, const Delta& other) {
  return std::visit(
      [&]<typename T>(const T& value) {
        const T& back = std::get<T>(other);
        if constexpr (requires { value.members; })
          return value.id == back.id && value.type == back.type && value.members == back.members;
        else if constexpr (requires { value.added; })
          return value.id == back.id && value.added == back.added && value.removed == back.removed;
        else if constexpr (requires { value.rules; })
          return *value.rules == *back.rules;
        else if constexpr (requires { value.workload; })
          return value.workload == back.workload;
        else if constexpr (requires { value.endpoint; })
          return value.endpoint == back.endpoint;
        else if constexpr (requires { value.route; })
          return value.route == back.route;
        else if constexpr (requires { value.tunnel; })
          return value.tunnel == back.tunnel;
        else if constexpr (requires { value.pool; })
          return value.pool == back.pool;
        else if constexpr (requires { value.host; })
          return value.host == back.host;
        else if constexpr (requires { value.service; })
          return value.service == back.service;
        else if constexpr (requires { value.unprogrammed; })
          return value.unprogrammed == back.unprogrammed;
        else if constexpr (requires { value.key; })
          return value.key == back.key;
        else if constexpr (requires { value.destination; })
          return value.destination == back.destination;
        else
          return text_of(value) == text_of(back);
      },
      one);
}

TEST(DeltaMessages, HoldEveryFieldOfEveryKind) {
  std::set<size_t> kinds;
  for (const Delta& delta : examples()) {
    kinds.insert(delta.index());
    const Delta back = through_a_message(delta);
    EXPECT_TRUE(holds_the_same(delta, back)) << "kind " << delta.index();
    EXPECT_EQ(text_of(delta), text_of(back));
  }
  EXPECT_EQ(kinds.size(), std::variant_size_v<Delta>) << "an example of each";
}

TEST(DeltaMessages, AddUpToTheSameProgram) {
  std::set<size_t> kinds;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Generator generator(seed);
    Model model = generator.model();
    Graph graph("node-a");
    ProgramState sent, received;
    const auto flush = [&] {
      for (const Delta& delta : graph.flush()) {
        kinds.insert(delta.index());
        ASSERT_TRUE(sent.apply(delta));
        ASSERT_TRUE(received.apply(through_a_message(delta))) << "seed " << seed;
      }
    };
    for (const auto& change : model.changes()) graph.on_change(change);
    graph.on_change(
        Change<std::string, HostInterface>{"eth0", HostInterface{"eth0", {ip("192.0.2.1")}}});
    graph.on_in_sync();
    flush();
    for (int step = 0; step < 40; ++step) {
      const ModelChange change = generator.change(model);
      model.apply(change);
      graph.on_change(change);
      flush();
      ASSERT_EQ(sent, received) << "seed " << seed << ", step " << step;
    }
    EXPECT_TRUE(received.in_sync);
  }
  EXPECT_EQ(kinds.size(), std::variant_size_v<Delta>) << "services and host endpoints among them";
}

struct BadMessage {
  const char* name;
  std::function<void(proto::Delta&)> make;
  const char* told;
};

TEST(DeltaMessages, SayWhatIsWrongInThem) {
  const BadMessage cases[] = {
      {"nothing in it", [](auto&) {}, "delta: it is of a kind that this version does not know"},
      {"an address of 5 bytes", [](auto& d) { d.mutable_route_remove()->set_address("12345"); },
       "delta: destination: an address has 4 or 16 bytes"},
      {"a prefix longer than its address",
       [](auto& d) {
         d.mutable_route_remove()->set_address("1234");
         d.mutable_route_remove()->set_length(33);
       },
       "delta: destination: a length of 33"},
      {"an action of tomorrow",
       [](auto& d) { d.mutable_policy_update()->mutable_rules()->add_ingress()->set_action(4); },
       "delta: action: 4 is none that this version knows"},
      {"a port too high",
       [](auto& d) {
         d.mutable_profile_update()
             ->mutable_rules()
             ->add_egress()
             ->mutable_source()
             ->add_ports()
             ->set_last(65536);
       },
       "delta: port: 65536 is too large"},
      {"a protocol too high",
       [](auto& d) {
         d.mutable_profile_update()->mutable_rules()->add_egress()->set_protocol(256);
       },
       "delta: protocol: 256 is too large"},
      {"a family of its own", [](auto& d) { d.mutable_tunnel_remove()->set_family(5); },
       "delta: family: 5 is neither 4 nor 6"},
      {"a key of nobody", [](auto& d) { d.mutable_unprogrammed_remove(); },
       "delta: key: none is named"},
      {"a set of another type", [](auto& d) { d.mutable_set_update()->set_type(2); },
       "delta: type: 2 is none that this version knows"},
  };
  for (const auto& [name, make, told] : cases) {
    proto::Delta message;
    make(message);
    const auto read = from_message(message);
    ASSERT_FALSE(read) << name;
    EXPECT_EQ(read.error().code, base::ErrorCode::invalid) << name;
    EXPECT_EQ(read.error().message, told) << name;
  }
}

TEST(Messages, HoldWhatElseCrossesTheSeam) {
  const Interface interface{.name = "eth0",
                            .index = 7,
                            .up = true,
                            .mtu = 9001,
                            .addresses = {{ip("192.0.2.1"), 24}, {ip("fe80::1"), 64}}};
  EXPECT_EQ(*from_message(to_message(interface)), interface);

  const Capabilities capabilities{.name = "toy",
                                  .host_endpoints = true,
                                  .log_action = false,
                                  .vxlan = false,
                                  .wireguard = true,
                                  .established_flows_survive_policy_change = false};
  EXPECT_EQ(missing(from_message(to_message(capabilities))), missing(capabilities));
  EXPECT_FALSE(from_message(to_message(capabilities)).established_flows_survive_policy_change);

  const ApplyReport report{
      base::fail(base::ErrorCode::unavailable, "busy"),
      {{WorkloadKey{"n", "k8s", "ns/web", "eth0"}, {{EndpointState::error, "refused"}}},
       {HostEndpointKey{"n", "uplink"}, std::nullopt}},
      std::chrono::milliseconds(250)};
  const auto back = from_message(to_message(report));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->outcome.error().code, base::ErrorCode::unavailable);
  EXPECT_EQ(back->outcome.error().message, "busy");
  EXPECT_EQ(back->endpoints, report.endpoints);
  EXPECT_EQ(back->again_in, report.again_in);
  EXPECT_EQ(from_message(to_message(ApplyReport{}))->again_in, std::nullopt);
  EXPECT_TRUE(from_message(to_message(ApplyReport{}))->outcome);

  const FlowRecord flow{.endpoint = WorkloadKey{"n", "k8s", "ns/web", "eth0"},
                        .direction = Direction::egress,
                        .action = Action::deny,
                        .rule = "abc",
                        .source = ip("10.65.0.2"),
                        .destination = ip("fd65::2"),
                        .protocol = k_udp,
                        .source_port = 5000,
                        .destination_port = 53,
                        .packets = 1,
                        .bytes = 2,
                        .first = std::chrono::system_clock::time_point(std::chrono::seconds(3)),
                        .last = std::chrono::system_clock::time_point(std::chrono::seconds(4)),
                        .ended = true};
  const auto flow_back = from_message(to_message(flow));
  ASSERT_TRUE(flow_back);
  EXPECT_EQ(to_message(*flow_back).SerializeAsString(), to_message(flow).SerializeAsString());
  EXPECT_EQ(flow_back->endpoint, flow.endpoint);
  EXPECT_EQ(flow_back->last, flow.last);
}

}  // namespace
}  // namespace margay::dataplane::wire
