#include "values.h"

#include <boost/json/object.hpp>
#include <map>
#include <optional>
#include <tuple>

namespace margay::peers {

namespace {

using List = std::vector<json::value>;

// `times` times `c`, between two texts.
json::value repeat(char c, size_t times, std::string_view before = {},
                   std::string_view behind = {}) {
  return json::value(std::string(before) + std::string(times, c) + std::string(behind));
}

const std::map<std::string, Values, std::less<>>& by_rule() {
  static const std::map<std::string, Values, std::less<>> k_values{
      {"name",
       {{"a", "node-1", "a.b", "0"},
        {"A", "-a", "a-", "a..b", ".a", "a_b", "a b", repeat('a', 63), repeat('a', 64),
         repeat('a', 254), "knp.default.x", "a.-b", "\u00e9"}}},
      {"policyName",
       {{"a", "web-1", "0"},
        {"a.b", "default.web", "knp.default.web", "knp.default.a.b", "knp.web", "ossg.default.x",
         "ossg.x", "knp.default.", "A", "-a", "a-", repeat('a', 64), repeat('a', 253),
         repeat('a', 254), repeat('a', 241, "knp.default."), repeat('a', 242, "knp.default.")}}},
      {"selector",
       {{"all()", "has(a)", "a == 'b' && !has(c)", "a in {'x', 'y'} || b not in {'z'}"},
        {"a = 'b'",
         "has( a\n)",
         "a == \"b'",
         "global()",
         "!global()",
         "has(a) && global()",
         "global() || has(a)",
         "a == 'global()'",
         "(",
         "a",
         "all",
         "a contains 'x'",
         "a starts\twith ''",
         " ",
         "\t",
         "\n",
         "a ==\n'b'",
         "((((has(a)))))",
         "has(a))",
         "!!has(a)",
         repeat('k', 512, "has(", ")"),
         repeat('k', 513, "has(", ")")}}},
      {"interface",
       {{"eth0", "cali1234", "e"},
        {"*", "eth0:1", "eth+", "a b", "abcdefghijklmno", "abcdefghijklmnop", "eth_0.1-a", "a/b",
         "\u00e9", "**"}}},
      {"ifaceFilter", {{"eth0", "eth+"}, {"*", "a:b", "abcdefghijklmnop", "a b", "a/b"}}},
      {"mac",
       {{"66:2d:5f:00:00:01"},
        {"66-2D-5f-00-00-01", "662d.5f00.0001", "66:2d:5f:00:00", "66:2d:5f:00:00:01:02:03",
         "66:2d-5f:00:00:01", "66:2d:5f:00:00:0g", "x"}}},
      {"portName",
       {{"http", "a1", "x-y"},
        {"-a", "a-", "a--b", "HTTP", "80", "abcdefghijklmnop", "a_b", "a.b"}}},
      {"policyType", {{"Ingress", "Egress"}, {"ingress", "Both"}}},
      {"action", {{"Allow", "Deny", "Log", "Pass"}, {"allow", "Drop", "Allow "}}},
      {"logLevel", {{"Debug", "Info", "Warning", "Error", "Fatal"}, {"debug", "INFO", "None"}}},
      {"bpfLogLevel", {{"Debug", "Info", "Off"}, {"debug", "off", "None"}}},
      {"bpfServiceMode", {{"Tunnel", "DSR"}, {"tunnel", "dsr", "x"}}},
      {"dropAcceptReturn", {{"Drop", "Accept", "Return"}, {"drop", "DROP", "x"}}},
      {"acceptReturn", {{"Accept", "Return"}, {"accept", "Drop", "x"}}},
      {"regexp",
       {{"^eth", "^(en|eth).*"},
        {"^eth\\d+", "(?i)eth0", "\\beth", "(", "[", "*", "a**", "(?=a)", "(?P<n>a)", "\\p{L}",
         "a{1000}", "a{1001}", "[[:alpha:]]", "\\1", "x{2,1}", "(?i:a)", "\\Qa.b\\E", "[^a]"}}},
      {"containerID",
       {{"abc123", "A-1"}, {"-a", "a-", "pod_12ab", "a.b", "a b", repeat('f', 300)}}},
      {"keyValueList",
       {{"a=true", "a=true,b=false"},
        {"a", ",", "a=,", "=b", "a=b,c", " ", " a = b", "!a=b", "a =b", "a=b=c", ",a=b,"}}},
      {"prometheusHost",
       {{"localhost", "192.0.2.1", "::1"},
        {"a_b", "a b", "-", "[::1]", repeat('a', 64), repeat('a', 65), "a/b", "1.2.3.4.5"}}},
      {"ipType", {{"CalicoNodeIP", "InternalIP", "ExternalIP"}, {"internalip", "x"}}},
      {"wireguardPublicKey",
       {{repeat('A', 43, {}, "=")},
        {repeat('A', 44), repeat('A', 42, {}, "=="), "x", repeat('-', 43, {}, "=")}}},
      {"ipIpMode", {{"Always", "CrossSubnet", "Never"}, {"always", "Off"}}},
      {"vxlanMode", {{"Always", "CrossSubnet", "Never"}, {"always", "Off"}}},
      {"iptablesBackend", {{"Legacy", "NFT"}, {"Auto", "legacy", "nft", "x"}}},
      {"sourceAddress", {{"UseNodeIP", "None"}, {"none", "usenodeip", "x"}}},
      {"IP:port",
       {{"192.0.2.1", "192.0.2.1:179", "2001:db8::1", "[2001:db8::1]:179"},
        {"192.0.2.1:0",
         "192.0.2.1:65535",
         "192.0.2.1:65536",
         "192.0.2.1:",
         "192.0.2.1:0179",
         "192.0.2.1:+5",
         "192.0.2.1:-5",
         "192.0.2.1:bgp",
         "[2001:db8::1]",
         "[2001:db8::1]:0",
         "[2001:db8::1]:",
         "[192.0.2.1]:179",
         "[::]:1",
         "[a]:1",
         "[fe80::1%eth0]:1",
         "fe80::1%eth0",
         "2001:db8::1:179",
         "192.0.2.1:1:2",
         "256.0.0.1:1",
         "192x0x2x1:179",
         "192.0.2.1/32",
         "::ffff:192.0.2.1",
         "[::ffff:192.0.2.1]:9",
         ":179",
         "a",
         " 192.0.2.1"}}},
      {"routeSource", {{"WorkloadIPs", "CalicoIPAM"}, {"workloadips", "x", "("}}},
  };
  return k_values;
}

const std::map<std::string, Values, std::less<>>& by_type() {
  static const std::map<std::string, Values, std::less<>> k_values{
      {"bool", {{true, false}, {"true", 0}}},
      {"int", {{1, 100}, {-1,    0,     3,     4,          5,          6,          7,
                          249,   250,   251,   254,        255,        256,        20,
                          26,    32,    33,    116,        128,        129,        32765,
                          32766, 65535, 65536, 2147483647, 4294967295, 4294967296, 9007199254740993,
                          "1",   1.5}}},
      {"int64", {{1}, {-1, 0, INT64_MAX, UINT64_MAX, "1", 1.5}}},
      {"uint16", {{80, 65535}, {0, 1, -1, 65536, "80", 1.5}}},
      {"uint32", {{1, 4294967295}, {0, -1, 4294967296, "1", 1.5}}},
      {"float64", {{0, 1, -5, 1000.5}, {"1", 1e300, -0.0}}},
      {"Port",
       {{80, "80:90", "http", 65535},
        {0,
         -1,
         1,
         65536,
         "0",
         "80",
         "80:80",
         "90:80",
         "0:5",
         "1:65535",
         "1:65536",
         "80:",
         ":80",
         ":",
         "web_1",
         "a.b",
         " 80",
         "+80",
         "080",
         "-80",
         "HTTP",
         "a--b",
         "abcdefghijklmnop",
         "1:2:3",
         "80-90",
         1.5,
         repeat('0', 30, {}, "80")}}},
      {"Protocol",
       {{"TCP", "UDP", "SCTP", 6, 17},
        {"ICMP", "ICMPv6", "UDPLite", "tcp", "Tcp", 0,    1,    58,   132,  255,    256,
         -1,     "6",      "06",      "0",   "256", "+6", "-1", " 6", "6 ", "http", 1.5}}},
      {"ASNumber",
       {{64512, "1.10"},
        {-1, 0, 4294967295, 4294967296, "64512", "0.0", "1.70000", "70000.1", "1.2.3", "a", ".",
         "1.", "4294967295", "4294967296", 1.5}}},
      {"Duration",
       {{"90s", "1m30s", "0s"},
        {"0", "90", "1.5h", ".5s", "1.s", "-5s", "+5s", "1e3s", "5 s", "s", "5ms5", "1us",
         "1\u00b5s", "1\u03bcs", "5S", 5, "1h1h", ".", "9999999h"}}},
      {"Time", {{"2021-04-30T12:00:00Z"}, {"2021-02-30T12:00:00Z", "2021-04-30", "x"}}},
  };
  return k_values;
}

// Text without a rule, by the field's name.
const std::map<std::string, Values, std::less<>>& by_name() {
  static const std::map<std::string, Values, std::less<>> k_values{
      {"exact", {{"/a", "/"}, {"a", "/a?b", "/a#b", "/a b", "/\u00e9", "/a\tb"}}},
      {"prefix", {{"/a", "/"}, {"a", "/a?b", "/a#b", "/a b"}}},
      {"methods", {{"GET", "PUT"}, {"get", "PROPFIND", "*", "a b", "G\u00c9T", "GET,PUT"}}},
      {"names", {{"a", "default"}, {"A", "a b", "a'b", "a.b"}}},
      {"openstackRegion",
       {{"one", "region-1"},
        {"A", "a.b", repeat('a', 46), repeat('a', 47), repeat('a', 64), "-a"}}},
      {"externalNodesList",
       {{"192.0.2.1", "10.0.0.0/8"}, {"10.0.0.1/8", "2001:db8::1", "::/0", "a", "10.0.0.0/33"}}},
      {"natOutgoingAddress", {{"192.0.2.1"}, {"2001:db8::1", "192.0.2.1/32", "a"}}},
      {"deviceRouteSourceAddress", {{"192.0.2.1"}, {"2001:db8::1", "192.0.2.1/32", "a"}}},
      {"podCIDRs", {{"10.0.0.0/24"}, {"10.0.0.1", "a", "fd00::/64"}}},
      {"value",
       {{"64512:100", "64512:100:1", "0:0"},
        {"65535:65535", "65536:1", "1:65536", "4294967295:4294967295:4294967295", "1:2:4294967296",
         "1:2:3:4", "64512", "a:b", ":1", "1:", "-1:1", "1: 2", "00064512:0001",
         "000000000000064512:1", "1:2:99999999999999999999999", "+1:2"}}},
      {"communities",
       {{"a", "64512:100", "64512:100:1"},
        {"node-1", "A", "b", "65536:1", "1:2:4294967296", "1:2:3:4", "1:", "0001:2", "64512"}}},
      {"key", {{"password"}, {"A", "a b"}}},
      {"chainInsertMode", {{"Insert", "Append"}, {"append", "x"}}},
      {"protocol", {{"TCP", "UDP", "SCTP"}, {"tcp", "ICMP", "x"}}},
      {"net", {{"10.0.0.0/8", "192.0.2.1"}, {"10.0.0.1/8", "a", "fd00::/8"}}},
      {"interfacePrefix", {{"cali", "cali,tap"}, {"a b", "cali,", "abcdefghijklmnop", "/"}}},
      {"healthHost", {{"localhost", "192.0.2.1"}, {"a b", "a_b", "/"}}},
  };
  return k_values;
}

std::vector<std::string> tags_of(const std::string& rule) {
  std::vector<std::string> tags;
  for (size_t start = 0; start <= rule.size();) {
    const size_t end = std::min(rule.find(',', start), rule.size());
    tags.push_back(rule.substr(start, end - start));
    start = end + 1;
  }
  return tags;
}

Values words(std::string_view list) {
  Values values{{}, {"x"}};
  while (!list.empty()) {
    const std::string_view word = list.substr(0, list.find(' '));
    values.usual.emplace_back(word);
    std::string lower(word);
    for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    values.odd.emplace_back(lower);
    list.remove_prefix(std::min(list.size(), word.size() + 1));
  }
  return values;
}

Values bounded(const std::vector<std::string>& tags) {
  Values values = by_type().at("int");
  values.usual.clear();
  for (const auto& tag : tags) {
    if (tag == "ipVersion") values.usual = {4, 6};
    const size_t equals = tag.find('=');
    if (equals == std::string::npos) continue;
    const int64_t bound = std::stoll(tag.substr(equals + 1));
    for (int64_t near = bound - 1; near <= bound + 1; ++near) values.odd.emplace_back(near);
    if (tag.starts_with("gt")) values.usual.emplace_back(bound + 1);
    if (tag.starts_with("lt")) values.usual.emplace_back(bound - 1);
  }
  if (values.usual.empty()) values.usual = {1, 100};
  return values;
}

// Addresses and prefixes are tried with each other's values.
std::optional<Values> addresses(std::string_view tag) {
  static const std::map<std::string, List, std::less<>> k_usual{
      {"net", {"10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32", "0.0.0.0/0"}},
      {"cidr", {"10.0.0.1/8", "192.0.2.1", "2001:db8::/32"}},
      {"cidrv4", {"192.0.2.1/24", "192.0.2.1"}},
      {"cidrv6", {"2001:db8::1/64", "2001:db8::1"}},
      {"ip", {"192.0.2.1", "2001:db8::1"}},
      {"ipv4", {"192.0.2.1"}},
      {"ipv6", {"2001:db8::1"}}};
  const auto usual = k_usual.find(tag);
  if (usual == k_usual.end()) return {};
  return Values{usual->second,
                {"192.0.2.1",
                 "2001:db8::1",
                 "10.0.0.1/8",
                 "2001:db8::1/32",
                 "10.0.0/8",
                 "10.0.0.0/33",
                 "10.0.0.0/",
                 "::/129",
                 "::/0",
                 "/8",
                 "10.0.0.0/-1",
                 " 10.0.0.0/8",
                 "a",
                 "10.0.0.0/8/8",
                 "fe80::1%eth0",
                 "1.2.3.4.5",
                 "256.0.0.1",
                 "::1",
                 "10.0.0.0/0",
                 "10.0.0.0/08",
                 "010.0.0.1",
                 "::ffff:192.0.2.1",
                 "::ffff:10.0.0.0/104",
                 "10.0.0.0/8",
                 "2001:db8::/32",
                 "169.254.0.0/20",
                 "fe80::/64",
                 "2001:db8::/120",
                 "10.0.0.0/27"}};
}

Values make_values(const GoField& field) {
  const auto tags = tags_of(field.rule);
  if (field.type == "int") return bounded(tags);
  if (const auto known = by_type().find(field.type); known != by_type().end()) return known->second;
  for (const auto& tag : tags) {
    if (tag.starts_with("oneof=")) return words(std::string_view(tag).substr(6));
    if (auto values = addresses(tag)) return std::move(*values);
    if (const auto known = by_rule().find(tag); known != by_rule().end()) return known->second;
  }
  if (const auto known = by_name().find(field.name); known != by_name().end()) return known->second;
  return {{"x", "some text"}, {repeat('x', 5000), "line\nline", "\u00e9\U0001F600", "'\"\\"}};
}

}  // namespace

const Values& values_for(const GoField& field) {
  static std::map<std::tuple<std::string, std::string, std::string>, Values> made;
  const auto key = std::tuple(field.name, field.type, field.rule);
  const auto found = made.find(key);
  if (found != made.end()) return found->second;
  return made.emplace(key, make_values(field)).first->second;
}

const std::vector<json::value>& any_type() {
  static const std::vector<json::value> k_values{nullptr,
                                                 "",
                                                 0,
                                                 1,
                                                 -1,
                                                 true,
                                                 false,
                                                 json::array{},
                                                 json::object{},
                                                 json::array{nullptr},
                                                 json::array{""},
                                                 json::array{json::object{}},
                                                 "text",
                                                 json::object{{"a", nullptr}}};
  return k_values;
}

}  // namespace margay::peers
