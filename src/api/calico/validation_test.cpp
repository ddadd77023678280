// What projectcalico.org/v3 accepts, and the errors for what it does not.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/validation_case.h"

namespace margay::api {
namespace {

using testing::ElementsAreArray;

void check(const char* kind_name, const std::vector<ValidationCase>& cases) {
  const Kind* kind = find_kind("projectcalico.org/v3", kind_name);
  ASSERT_NE(kind, nullptr);
  for (const auto& one : cases) {
    SCOPED_TRACE(one.name);
    EXPECT_THAT(errors_of(*kind, one.manifest), ElementsAreArray(one.errors));
  }
}

// One ingress rule of a NetworkPolicy; errors are told from the rule on.
struct RuleCase {
  std::string name;
  std::string rule;
  std::vector<std::string> errors;
};

const std::string k_needs_protocol =
    "Forbidden: rules that match ports must set protocol to TCP, UDP or SCTP";
const std::string k_bad_net = "must be a CIDR such as 10.0.0.0/8 or 2001:db8::/32";
const std::string k_bad_port =
    "must be a port number (1-65535), a range such as 8080:8090, or a name";

const std::string k_bad_policy_name =
    "must be lower case letters, digits or '-', starting and ending with a letter or digit; only "
    "after knp.default. or ossg.default. also '.'";

TEST(RuleValidation, EachRule) {
  const std::vector<RuleCase> cases{
      {"only an action", "action: Allow", {}},
      {"no action", "protocol: TCP", {"action: Required value"}},
      {"unknown action",
       "action: allow",
       {R"(action: Unsupported value: "allow": supported values: "Allow", "Deny", "Log", "Pass")"}},
      {"protocol by name", "{action: Log, protocol: UDPLite}", {}},
      {"protocol by number", "{action: Pass, protocol: 255}", {}},
      {"protocol by number as text",
       "{action: Pass, protocol: '17', destination: {ports: [53]}}",
       {}},
      {"protocol in another case",
       "{action: Allow, protocol: tcp}",
       {R"(protocol: Unsupported value: "tcp": supported values: "TCP", "UDP", "ICMP", "ICMPv6", "SCTP", "UDPLite")"}},
      {"protocol zero",
       "{action: Allow, protocol: 0}",
       {"protocol: Invalid value: 0: must be between 1 and 255, inclusive"}},
      {"protocol too large",
       "{action: Allow, notProtocol: 256}",
       {"notProtocol: Invalid value: 256: must be between 1 and 255, inclusive"}},
      {"ports of each form",
       "{action: Allow, protocol: SCTP, destination: {ports: [1, 65535, '8080:8090', http, '80']}}",
       {}},
      {"port zero",
       "{action: Allow, protocol: TCP, destination: {ports: [0]}}",
       {"destination.ports[0]: Invalid value: 0: must be between 1 and 65535, inclusive"}},
      {"port too large",
       "{action: Allow, protocol: TCP, source: {notPorts: [65536]}}",
       {"source.notPorts[0]: Invalid value: 65536: must be between 1 and 65535, inclusive"}},
      {"port range upside down",
       "{action: Allow, protocol: TCP, destination: {ports: ['90:80']}}",
       {R"(destination.ports[0]: Invalid value: "90:80": the first port of a range must not be above the last)"}},
      {"port name too odd",
       "{action: Allow, protocol: TCP, destination: {ports: ['web_1']}}",
       {"destination.ports[0]: Invalid value: \"web_1\": " + k_bad_port}},
      {"ports without protocol",
       "{action: Allow, destination: {ports: [80]}}",
       {"destination.ports: " + k_needs_protocol}},
      {"ports with a protocol that has none",
       "{action: Allow, protocol: ICMP, source: {ports: [80]}, destination: {notPorts: [80]}}",
       {"source.ports: " + k_needs_protocol, "destination.notPorts: " + k_needs_protocol}},
      {"protocols that are empty",
       "{action: Allow, protocol: '', notProtocol: ''}",
       {R"(protocol: Unsupported value: "": supported values: "TCP", "UDP", "ICMP", "ICMPv6", "SCTP", "UDPLite")",
        R"(notProtocol: Unsupported value: "": supported values: "TCP", "UDP", "ICMP", "ICMPv6", "SCTP", "UDPLite")"}},
      {"empty text where a list, a number or an object belongs",
       "{action: Allow, ipVersion: '', icmp: '', source: {nets: '', ports: ''}}",
       {"ipVersion: Invalid value: \"\": must be a whole number",
        "icmp: Invalid value: \"\": must be an object",
        "source.nets: Invalid value: \"\": must be a list",
        "source.ports: Invalid value: \"\": must be a list"}},
      {"empty text where text belongs", "{action: Allow, source: {selector: ''}}", {}},
      {"nets", "{action: Allow, source: {nets: [10.0.0.0/8, 192.0.2.1/32]}}", {}},
      {"nets with host bits",
       "{action: Allow, source: {nets: [198.51.100.7/8]}}",
       {R"(source.nets[0]: Invalid value: "198.51.100.7/8": has bits set after its length; its network is 198.0.0.0/8)"}},
      {"an address without a length",
       "{action: Allow, source: {notNets: [192.0.2.1]}}",
       {"source.notNets[0]: Invalid value: \"192.0.2.1\": " + k_bad_net}},
      {"net that is none",
       "{action: Allow, source: {nets: [10.0.0/8]}}",
       {"source.nets[0]: Invalid value: \"10.0.0/8\": " + k_bad_net}},
      {"both families",
       "{action: Allow, source: {nets: [10.0.0.0/8]}, destination: {notNets: ['2001:db8::/32']}}",
       {R"(destination.notNets[0]: Invalid value: "2001:db8::/32": one rule cannot have both IPv4 and IPv6 nets)"}},
      {"net of another version than ipVersion",
       "{action: Allow, ipVersion: 6, source: {nets: [10.0.0.0/8]}}",
       {R"(source.nets[0]: Invalid value: "10.0.0.0/8": must have the IP version that ipVersion says)"}},
      {"ipVersion that is none",
       "{action: Allow, ipVersion: 5}",
       {"ipVersion: Invalid value: 5: must be 4 or 6"}},
      {"icmp", "{action: Allow, protocol: ICMP, icmp: {type: 8, code: 0}}", {}},
      {"icmp bounds",
       "{action: Allow, protocol: ICMPv6, icmp: {type: 255, code: 256}}",
       {"icmp.type: Invalid value: 255: must be between 0 and 254, inclusive",
        "icmp.code: Invalid value: 256: must be between 0 and 255, inclusive"}},
      {"icmp code without type",
       "{action: Allow, protocol: ICMP, icmp: {code: 1}}",
       {"icmp.type: Required value: a code needs a type"}},
      {"icmp without protocol",
       "{action: Allow, icmp: {type: 8}, notICMP: {type: 9}}",
       {"icmp: Forbidden: needs protocol ICMP or ICMPv6 in the same rule",
        "notICMP: Forbidden: needs protocol ICMP or ICMPv6 in the same rule"}},
      {"icmp of the other version",
       "{action: Allow, protocol: ICMP, ipVersion: 6}",
       {"ipVersion: Invalid value: 6: must be 4 with protocol ICMP"}},
      {"icmpv6 of the other version",
       "{action: Allow, notProtocol: ICMPv6, ipVersion: 4}",
       {"ipVersion: Invalid value: 4: must be 6 with protocol ICMPv6"}},
      {"selectors",
       R"~({action: Allow, source: {selector: "a == 'b' && has(c)", notSelector: "!has(d)", namespaceSelector: "global()"}})~",
       {}},
      {"global() outside of namespaceSelector",
       "{action: Allow, source: {selector: global()}}",
       {"source.selector: Invalid value: \"global()\": global() can only be used in the "
        "namespaceSelector of a rule"}},
      {"global() with other terms",
       "{action: Allow, source: {namespaceSelector: 'global() || has(a)'}}",
       {R"~(source.namespaceSelector: Invalid value: "global() || has(a)": global() cannot be combined with other terms)~"}},
      {"service accounts",
       "{action: Allow, source: {serviceAccounts: {names: [a], selector: has(b)}}}",
       {}},
      {"icmp by number",
       "{action: Allow, protocol: 1, icmp: {type: 8}}",
       {"icmp: Forbidden: needs protocol ICMP or ICMPv6 in the same rule"}},
      {"http methods of any token", "{action: Allow, http: {methods: [PROPFIND, '*', get]}}", {}},
      {"http methods that are no tokens",
       "{action: Allow, http: {methods: ['GET POST']}}",
       {"http.methods[0]: Invalid value: \"GET POST\": must be an HTTP method such as GET, or *: "
        "letters, digits, and no space"}},
      {"annotations with keys that are no names",
       "{action: Allow, metadata: {annotations: {'a b': c, d: null}}}",
       {"metadata.annotations: Invalid value: \"a b\": a name must be 1 to 63 letters, digits, "
        "'-', "
        "'_' or '.', and start and end with a letter or digit, optionally after a DNS subdomain "
        "and "
        "'/'"}},
      {"http",
       "{action: Allow, protocol: TCP, http: {methods: [GET, PUT], paths: [{exact: /a}, {prefix: "
       "/b}]}}",
       {}},
      {"http that is wrong",
       "{action: Deny, protocol: UDP, http: {methods: [GET, GET], paths: [{exact: /a, prefix: /b}, "
       "{exact: '/a?b'}, {prefix: '/a b'}]}}",
       {"http.methods[1]: Duplicate value: \"GET\"",
        "http.paths[0]: Required value: exactly one of exact and prefix must be set",
        "http.paths[1].exact: Invalid value: \"/a?b\": must start with '/' and contain no space, "
        "query "
        "('?') or fragment ('#')",
        "http.paths[2].prefix: Invalid value: \"/a b\": must start with '/' and contain no space, "
        "query ('?') or fragment ('#')",
        "http: Forbidden: needs protocol TCP, or none",
        "http: Forbidden: only rules that Allow can match HTTP"}},
      {"a field of the wrong type",
       "{action: Allow, source: {nets: 10.0.0.0/8}}",
       {"source.nets: Invalid value: \"10.0.0.0/8\": must be a list"}},
      {"an unknown field", "{action: Allow, sauce: {}}", {"sauce: Unknown field"}}};
  const Kind& kind = *find_kind("projectcalico.org/v3", "NetworkPolicy");
  for (const auto& one : cases) {
    SCOPED_TRACE(one.name);
    std::vector<std::string> expected;
    for (const auto& error : one.errors) expected.push_back("spec.ingress[0]." + error);
    std::string rule = one.rule;
    if (rule.front() != '{') rule = "{" + rule + "}";
    EXPECT_THAT(errors_of(kind, "spec: {ingress: [" + rule + "]}"), ElementsAreArray(expected));
  }
}

TEST(PolicyValidation, NetworkPolicy) {
  check(
      "NetworkPolicy",
      {{"nothing but a name", "", {}},
       {"types", "spec: {types: [Ingress, Egress]}", {}},
       {"types twice",
        "spec: {types: [Ingress, Ingress]}",
        {"spec.types[1]: Duplicate value: \"Ingress\""}},
       {"http in egress",
        "spec: {egress: [{action: Allow, http: {methods: [GET]}}]}",
        {"spec.egress[0].http: Forbidden: egress rules cannot match HTTP"}},
       {"a name with capitals",
        "metadata: {name: Web}",
        {"metadata.name: Invalid value: \"Web\": " + k_bad_policy_name}},
       {"names of converted policies", "metadata: {name: knp.default.a.b}", {}},
       {"names of security groups", "metadata: {name: ossg.default.a}", {}},
       {"a name that would be stored as another's",
        "metadata: {name: default.web}",
        {"metadata.name: Invalid value: \"default.web\": " + k_bad_policy_name}},
       {"a name of another tier",
        "metadata: {name: knp.other.web}",
        {"metadata.name: Invalid value: \"knp.other.web\": " + k_bad_policy_name}},
       {"no name",
        "metadata: {}",
        {"metadata.name: Required value: name or generateName is required"}},
       {"order that is text",
        "spec: {order: first}",
        {"spec.order: Invalid value: \"first\": must be a number"}},
       {"all errors at once",
        "spec: {selector: 'a = b', ingress: [{action: Go}, {action: Allow, protocol: 300}]}",
        {"spec.ingress[0].action: Unsupported value: \"Go\": supported values: \"Allow\", "
         "\"Deny\", \"Log\", \"Pass\"",
         "spec.ingress[1].protocol: Invalid value: 300: must be between 1 and 255, inclusive",
         errors_of(*find_kind("projectcalico.org/v3", "NetworkPolicy"), "spec: {selector: 'a = b'}")
             .at(0)}}});
}

TEST(PolicyValidation, GlobalNetworkPolicy) {
  check(
      "GlobalNetworkPolicy",
      {{"untracked", "spec: {doNotTrack: true, applyOnForward: true}", {}},
       {"a name with a dot",
        "metadata: {name: knp.default.web}",
        {"metadata.name: Invalid value: \"knp.default.web\": must be lower case letters, digits or "
         "'-', starting and ending with a letter or digit"}},
       {"pre-DNAT", "spec: {preDNAT: true, applyOnForward: true, types: [Ingress]}", {}},
       {"both stages",
        "spec: {preDNAT: true, doNotTrack: true, applyOnForward: true}",
        {"spec.preDNAT: Forbidden: preDNAT and doNotTrack cannot both be true"}},
       {"not on forward",
        "spec: {doNotTrack: true}",
        {"spec.applyOnForward: Invalid value: false: must be true when preDNAT or doNotTrack "
         "is"}},
       {"pre-DNAT with egress rules",
        "spec: {preDNAT: true, applyOnForward: true, egress: [{action: Allow}]}",
        {"spec.egress: Forbidden: a preDNAT policy cannot have egress rules"}},
       {"pre-DNAT with type egress",
        "spec: {preDNAT: true, applyOnForward: true, types: [Egress]}",
        {"spec.types: Forbidden: a preDNAT policy cannot have type Egress"}}});
}

TEST(PolicyValidation, SetsClaimNoNamespace) {
  for (const char* kind : {"NetworkSet", "GlobalNetworkSet"})
    check(kind, {{"labels of a namespace's labels stay",
                  "metadata: {name: a, labels: {pcns.team: b}}\nspec: {nets: [192.0.2.1/8]}",
                  {}},
                 {"the label of a namespace",
                  "metadata: {name: a, labels: {projectcalico.org/namespace: b}}",
                  {"metadata.labels[projectcalico.org/namespace]: Forbidden: only the system sets "
                   "it"}}});
}

TEST(PolicyValidation, ProfileThatAlwaysExists) {
  check("Profile",
        {{"a namespace's", "metadata: {name: kns.default}", {}},
         {"the one that allows everything",
          "metadata: {name: projectcalico-default-allow}",
          {"metadata.name: Invalid value: \"projectcalico-default-allow\": is the profile "
           "that allows everything, which always exists"}}});
}

TEST(EndpointValidation, HostEndpoint) {
  check("HostEndpoint",
        {{"by name", "spec: {node: n1, interfaceName: eth0}", {}},
         {"all interfaces", "spec: {node: n1, interfaceName: '*'}", {}},
         {"by address", "spec: {node: n1, expectedIPs: [192.0.2.1, '2001:db8::1']}", {}},
         {"neither",
          "spec: {node: n1}",
          {"spec.interfaceName: Required value: interfaceName or expectedIPs must be set"}},
         {"no node", "spec: {interfaceName: eth0}", {"spec.node: Required value"}},
         {"a long name",
          "spec: {node: n1, interfaceName: abcdefghijklmnop}",
          {"spec.interfaceName: Invalid value: \"abcdefghijklmnop\": must be an interface "
           "name: 1 "
           "to 15 letters, digits, '_', '.' or '-'"}},
         {"an address that is none",
          "spec: {node: n1, expectedIPs: [192.0.2.1/24]}",
          {"spec.expectedIPs[0]: Invalid value: \"192.0.2.1/24\": must be an IPv4 or IPv6 "
           "address"}},
         {"a port of a protocol without ports",
          "spec: {node: n1, interfaceName: e, ports: [{name: a, protocol: ICMP, port: 1}]}",
          {"spec.ports[0].protocol: Unsupported value: \"ICMP\": supported values: \"TCP\", "
           "\"UDP\", \"SCTP\""}}});
}

TEST(EndpointValidation, WorkloadEndpoint) {
  const std::string name = "metadata: {name: node--1-k8s-web-eth0, namespace: default}\n";
  const std::string who =
      "spec: {node: node-1, orchestrator: k8s, pod: web, endpoint: eth0, interfaceName: cali1";
  check("WorkloadEndpoint",
        {{"a pod's", name + who + ", ipNetworks: [10.0.0.1/32, 'fd00::1']}", {}},
         {"a name that is not made of its parts",
          "metadata: {name: web}\n" + who + "}",
          {"metadata.name: Invalid value: \"web\": must be node--1-k8s-web-eth0, from node, "
           "orchestrator, workload and endpoint"}},
         {"more than one address",
          name + who + ", ipNetworks: [10.0.0.0/24]}",
          {"spec.ipNetworks[0]: Invalid value: \"10.0.0.0/24\": must be one address: without a "
           "length, or with /32 (IPv4), /128 (IPv6)"}},
         {"a gateway without addresses", name + who + ", ipv4Gateway: 169.254.1.1}", {}},
         {"without the parts of its name",
          "metadata: {generateName: web}\nspec: {interfaceName: cali1}",
          {"spec.node: Required value: the name is made of it",
           "spec.orchestrator: Required value: the name is made of it",
           "spec.workload: Required value: the name is made of it",
           "spec.endpoint: Required value: the name is made of it"}},
         {"of an orchestrator of one's own",
          "metadata: {name: n-vmm-db-eth0}\nspec: {node: n, orchestrator: vmm, workload: db, "
          "endpoint: eth0, interfaceName: tap1}",
          {}},
         {"without an interface",
          name + "spec: {node: node-1, orchestrator: k8s, pod: web, endpoint: eth0}",
          {"spec.interfaceName: Required value"}},
         {"a NAT of another's address",
          name + who +
              ", ipNetworks: [10.0.0.1/32], ipNATs: [{internalIP: 10.0.0.2, externalIP: '::1'}]}",
          {"spec.ipNATs[0].externalIP: Invalid value: \"::1\": must have the IP version of "
           "internalIP",
           "spec.ipNATs[0].internalIP: Invalid value: \"10.0.0.2\": must be one of "
           "ipNetworks"}}});
}

TEST(NetworkingValidation, IPPool) {
  check("IPPool",
        {{"IPv4", "spec: {cidr: 10.0.0.0/16}", {}},
         {"IPv6 in full", "spec: {cidr: '2001:0db8:0000:0000:0000:0000:0000:0000/64'}", {}},
         {"no cidr", "spec: {}", {"spec.cidr: Required value"}},
         {"an address",
          "spec: {cidr: 10.0.0.1}",
          {"spec.cidr: Invalid value: \"10.0.0.1\": must be a CIDR such as 10.0.0.0/8 or "
           "2001:db8::/32"}},
         {"smallest block", "spec: {cidr: 10.0.0.0/16, blockSize: 32}", {}},
         {"block too small",
          "spec: {cidr: 10.0.0.0/16, blockSize: 33}",
          {"spec.blockSize: Invalid value: 33: must be between 20 and 32 for an IPv4 pool"}},
         {"block too large",
          "spec: {cidr: 'fd00::/64', blockSize: 115}",
          {"spec.blockSize: Invalid value: 115: must be between 116 and 128 for an IPv6 pool"}},
         {"pool smaller than a block",
          "spec: {cidr: 10.0.0.0/27}",
          {"spec.cidr: Invalid value: \"10.0.0.0/27\": must be at least as large as a block "
           "(/26)"}},
         {"such a pool, disabled", "spec: {cidr: 10.0.0.0/27, disabled: true}", {}},
         {"tunnels that are not said",
          "spec: {cidr: 10.0.0.0/16, ipipMode: '', vxlanMode: null}",
          {}},
         {"fields of old",
          "spec: {cidr: 10.0.0.0/16, nat-outgoing: true, ipip: {}}",
          {"spec.nat-outgoing: Forbidden: use natOutgoing", "spec.ipip: Forbidden: use ipipMode"}},
         {"two tunnels",
          "spec: {cidr: 10.0.0.0/16, ipipMode: Always, vxlanMode: CrossSubnet}",
          {"spec.ipipMode: Invalid value: \"Always\": ipipMode and vxlanMode cannot both be on"}},
         {"IPIP for IPv6",
          "spec: {cidr: 'fd00::/64', ipipMode: Always}",
          {"spec.ipipMode: Invalid value: \"Always\": IPIP is for IPv4 pools only"}},
         {"link-local",
          "spec: {cidr: 169.254.0.0/20}",
          {"spec.cidr: Invalid value: \"169.254.0.0/20\": overlaps link-local 169.254.0.0/16"}},
         {"a tunnel mode that is none",
          "spec: {cidr: 10.0.0.0/16, vxlanMode: always}",
          {"spec.vxlanMode: Unsupported value: \"always\": supported values: \"Never\", "
           "\"Always\", \"CrossSubnet\""}}});
}

TEST(NetworkingValidation, Node) {
  check("Node",
        {{"a router", "spec: {bgp: {ipv4Address: 192.0.2.1/24, asNumber: '1.10'}}", {}},
         {"a router without address", "spec: {bgp: {asNumber: 64512}}", {}},
         {"a route reflector", "spec: {bgp: {routeReflectorClusterID: 224.0.0.1}}", {}},
         {"a router of which nothing is said",
          "spec: {bgp: {}}",
          {"spec.bgp: Required value: must not be empty"}},
         {"addresses of each type",
          "spec: {addresses: [{address: 192.0.2.1/24, type: CalicoNodeIP}, {address: 192.0.2.1, "
          "type: "
          "InternalIP}, {address: '2001:db8::1', type: ExternalIP}]}",
          {}},
         {"an address of no type",
          "spec: {addresses: [{address: 192.0.2.1, type: Hostname}]}",
          {"spec.addresses[0].type: Unsupported value: \"Hostname\": supported values: "
           "\"InternalIP\", \"ExternalIP\", \"CalicoNodeIP\""}},
         {"a key that is none",
          "status: {wireguardPublicKey: abc}",
          {"status.wireguardPublicKey: Invalid value: \"abc\": must be 32 bytes in base64"}},
         {"an AS number that is none",
          "spec: {bgp: {ipv4Address: 192.0.2.1, asNumber: '1.70000'}}",
          {"spec.bgp.asNumber: Invalid value: \"1.70000\": must be an AS number such as 64512 or "
           "0.64512"}},
         {"the other family",
          "spec: {bgp: {ipv4Address: '2001:db8::1'}}",
          {"spec.bgp.ipv4Address: Invalid value: \"2001:db8::1\": must be an IPv4 address, with "
           "or "
           "without the length of its subnet"}}});
}

TEST(ConfigurationValidation, FelixConfiguration) {
  check(
      "FelixConfiguration",
      {{"plain settings",
        "spec: {bpfEnabled: true, routeRefreshInterval: 1m30s, healthPort: 9099, "
        "chainInsertMode: append, kubeNodePortRanges: ['30000:32767', 80]}",
        {}},
       {"durations as Go reads them",
        "spec: {reportingTTL: '+1h.5m', routeRefreshInterval: .5s, reportingInterval: '+0'}",
        {}},
       {"patterns as RE2 has them",
        R"(spec: {bpfDataIfacePattern: '^eth\d+', mtuIfacePattern: '(?i)eth0|\beth'})",
        {}},
       {"a pattern that is none",
        "spec: {mtuIfacePattern: '(?=eth)'}",
        {"spec.mtuIfacePattern: Invalid value: \"(?=eth)\": must be a regular expression: invalid "
         "perl operator: (?="}},
       {"a pattern that is too long",
        "spec: {mtuIfacePattern: '" + std::string(1'025, 'x') + "'}",
        {"spec.mtuIfacePattern: Too long: \"" + std::string(1'023, 'x') +
         "...: may not be longer than 1024"}},
       {"features", "spec: {featureDetectOverride: 'SNATFullyRandom=true,,MASQFullyRandom='}", {}},
       {"a feature without a value",
        "spec: {featureDetectOverride: SNATFullyRandom}",
        {"spec.featureDetectOverride: Invalid value: \"SNATFullyRandom\": must be name=value, by "
         "commas"}},
       {"names of node ports, and too many",
        "spec: {kubeNodePortRanges: [http, 1, 2, 3, 4, 5, 6, 7]}",
        {"spec.kubeNodePortRanges: Invalid value: 8: may not have more than 7 entries",
         "spec.kubeNodePortRanges[0]: Invalid value: \"http\": must be a port number or a range "
         "such "
         "as 30000:32767, no name"}},
       {"nodes of IPv6 outside",
        "spec: {externalNodesList: [192.0.2.1, 10.0.0.0/8, '2001:db8::1']}",
        {"spec.externalNodesList[2]: Invalid value: \"2001:db8::1\": must be an IPv4 address or "
         "CIDR"}},
       {"a region whose namespace would have too long a name",
        "spec: {openstackRegion: " + std::string(47, 'a') + "}",
        {"spec.openstackRegion: Too long: \"" + std::string(47, 'a') +
         "\": may not be longer than 46"}},
       {"priorities that no rule of ours can have",
        "spec: {wireguardRoutingRulePriority: 32766}",
        {"spec.wireguardRoutingRulePriority: Invalid value: 32766: must be between 1 and 32765, "
         "inclusive"}},
       {"one interface that is several",
        "spec: {wireguardInterfaceName: wg+, iptablesNATOutgoingInterfaceFilter: eth+}",
        {"spec.wireguardInterfaceName: Invalid value: \"wg+\": must be an interface name: 1 to 15 "
         "letters, digits, '_', '.' or '-'"}},
       {"prefixes that are no beginnings of names, filters that are no names",
        "spec: {interfacePrefix: 'cali,tap+', iptablesNATOutgoingInterfaceFilter: 'eth0:1'}",
        {"spec.interfacePrefix: Invalid value: \"cali,tap+\": must be prefixes, by commas, of 1 to "
         "14 letters, digits, '_', '.' or '-', not beginning with '-'",
         "spec.iptablesNATOutgoingInterfaceFilter: Invalid value: \"eth0:1\": must be an interface "
         "name, or the beginning of some and '+'"}},
       {"a prefix that fills the whole name",
        "spec: {interfacePrefix: abcdefghijklmno}",
        {"spec.interfacePrefix: Invalid value: \"abcdefghijklmno\": must be prefixes, by commas, "
         "of "
         "1 to 14 letters, digits, '_', '.' or '-', not beginning with '-'"}},
       {"words in another case",
        "spec: {logSeverityScreen: info, awsSrcDstCheck: ''}",
        {"spec.logSeverityScreen: Unsupported value: \"info\": supported values: \"Debug\", "
         "\"Info\", \"Warning\", \"Error\", \"Fatal\"",
         "spec.awsSrcDstCheck: Unsupported value: \"\": supported values: \"DoNothing\", "
         "\"Enable\", \"Disable\""}},
       {"an empty duration",
        "spec: {routeRefreshInterval: ''}",
        {"spec.routeRefreshInterval: Invalid value: \"\": must be a duration such as 90s or "
         "1m30s"}},
       {"a prefix of two lines",
        "spec: {logPrefix: \"a\\nb\"}",
        {"spec.logPrefix: Invalid value: \"a\\nb\": must be one line, without control characters"}},
       {"a boolean that is text",
        "spec: {bpfEnabled: 'true'}",
        {"spec.bpfEnabled: Invalid value: \"true\": must be true or false"}},
       {"a duration without unit",
        "spec: {routeRefreshInterval: '90'}",
        {"spec.routeRefreshInterval: Invalid value: \"90\": must be a duration such as 90s or "
         "1m30s"}},
       {"a duration that is no number",
        "spec: {reportingTTL: nans}",
        {"spec.reportingTTL: Invalid value: \"nans\": must be a duration such as 90s or 1m30s"}},
       {"a duration of two signs",
        "spec: {reportingTTL: '+-0s'}",
        {"spec.reportingTTL: Invalid value: \"+-0s\": must be a duration such as 90s or 1m30s"}},
       {"one whose second number has a sign",
        "spec: {reportingTTL: 1m-0s}",
        {"spec.reportingTTL: Invalid value: \"1m-0s\": must be a duration such as 90s or 1m30s"}},
       {"one of an infinite number",
        "spec: {reportingTTL: infs}",
        {"spec.reportingTTL: Invalid value: \"infs\": must be a duration such as 90s or 1m30s"}},
       {"a port out of bounds",
        "spec: {healthPort: 65536}",
        {"spec.healthPort: Invalid value: 65536: must be between 0 and 65535, inclusive"}},
       {"a failsafe of an empty protocol; typed clients send an empty net",
        "spec: {failsafeInboundHostPorts: [{port: 22, net: ''}, {protocol: '', port: 22, net: "
        "''}]}",
        {"spec.failsafeInboundHostPorts[1].protocol: Unsupported value: \"\": supported values: "
         "\"TCP\", \"UDP\", \"SCTP\""}},
       {"a failsafe of no transport protocol",
        "spec: {failsafeInboundHostPorts: [{protocol: ICMP, port: 1}]}",
        {"spec.failsafeInboundHostPorts[0].protocol: Unsupported value: \"ICMP\": supported "
         "values: \"TCP\", \"UDP\", \"SCTP\""}},
       {"tables upside down",
        "spec: {routeTableRange: {min: 9, max: 8}}",
        {"spec.routeTableRange.min: Invalid value: 9: must not be above max"}},
       {"a setting that does not exist",
        "spec: {bpfEnable: true}",
        {"spec.bpfEnable: Unknown field"}}});
}

TEST(ConfigurationValidation, ClusterInformationHasOneName) {
  check("ClusterInformation", {{"default", "", {}},
                               {"another",
                                "metadata: {name: other}",
                                {"metadata.name: Invalid value: \"other\": must be \"default\""}}});
}

}  // namespace
}  // namespace margay::api
