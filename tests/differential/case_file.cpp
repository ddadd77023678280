#include "differential/case_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <type_traits>

#include "differential/subject.h"

namespace margay::differential {
namespace {

namespace json = boost::json;
using base::Result;
using namespace policy;

// Each type's members, said once for both directions.
template <typename Archive>
void members(Archive& archive, PortRange& range) {
  archive("first", range.first);
  archive("last", range.last);
}
template <typename Archive>
void members(Archive& archive, ICMPMatch& icmp) {
  archive("type", icmp.type);
  archive("code", icmp.code);
}
template <typename Archive>
void members(Archive& archive, EntityMatch& entity) {
  archive("nets", entity.nets);
  archive("notNets", entity.not_nets);
  archive("selector", entity.selector);
  archive("notSelector", entity.not_selector);
  archive("ports", entity.ports);
  archive("namedPorts", entity.named_ports);
  archive("notPorts", entity.not_ports);
  archive("notNamedPorts", entity.not_named_ports);
}
template <typename Archive>
void members(Archive& archive, Rule& rule) {
  archive("action", rule.action);
  archive("family", rule.family);
  archive("protocol", rule.protocol);
  archive("notProtocol", rule.not_protocol);
  archive("icmp", rule.icmp);
  archive("notICMP", rule.not_icmp);
  archive("source", rule.source);
  archive("destination", rule.destination);
  archive("http", rule.has_http);
  archive("neverMatches", rule.never_matches);
}
template <typename Archive>
void members(Archive& archive, Tier& tier) {
  archive("name", tier.name);
  archive("order", tier.order);
  archive("defaultAction", tier.default_action);
}
template <typename Archive>
void members(Archive& archive, PolicyKey& key) {
  archive("tier", key.tier);
  archive("namespace", key.ns);
  archive("name", key.name);
}
template <typename Archive>
void members(Archive& archive, Policy& policy) {
  archive("key", policy.key);
  archive("order", policy.order);
  archive("selector", policy.selector);
  archive("appliesIngress", policy.applies_ingress);
  archive("appliesEgress", policy.applies_egress);
  archive("ingress", policy.ingress);
  archive("egress", policy.egress);
  archive("doNotTrack", policy.do_not_track);
  archive("preDNAT", policy.pre_dnat);
  archive("applyOnForward", policy.apply_on_forward);
}
template <typename Archive>
void members(Archive& archive, Profile& profile) {
  archive("name", profile.name);
  archive("labelsToApply", profile.labels_to_apply);
  archive("ingress", profile.ingress);
  archive("egress", profile.egress);
}
template <typename Archive>
void members(Archive& archive, NamedPort& port) {
  archive("name", port.name);
  archive("protocol", port.protocol);
  archive("port", port.port);
}
template <typename Archive>
void members(Archive& archive, WorkloadKey& key) {
  archive("node", key.node);
  archive("orchestrator", key.orchestrator);
  archive("workload", key.workload);
  archive("endpoint", key.endpoint);
}
template <typename Archive>
void members(Archive& archive, WorkloadEndpoint& endpoint) {
  archive("key", endpoint.key);
  archive("namespace", endpoint.ns);
  archive("interfaceName", endpoint.interface_name);
  archive("mac", endpoint.mac);
  archive("addresses", endpoint.addresses);
  archive("labels", endpoint.labels);
  archive("profiles", endpoint.profiles);
  archive("ports", endpoint.ports);
  archive("adminUp", endpoint.admin_up);
}
template <typename Archive>
void members(Archive& archive, HostEndpointKey& key) {
  archive("node", key.node);
  archive("name", key.name);
}
template <typename Archive>
void members(Archive& archive, HostEndpoint& endpoint) {
  archive("key", endpoint.key);
  archive("interfaceName", endpoint.interface_name);
  archive("expectedAddresses", endpoint.expected_addresses);
  archive("labels", endpoint.labels);
  archive("profiles", endpoint.profiles);
  archive("ports", endpoint.ports);
}
template <typename Archive>
void members(Archive& archive, NetworkSetKey& key) {
  archive("namespace", key.ns);
  archive("name", key.name);
}
template <typename Archive>
void members(Archive& archive, NetworkSet& set) {
  archive("key", set.key);
  archive("labels", set.labels);
  archive("profiles", set.profiles);
  archive("nets", set.nets);
}
template <typename Archive>
void members(Archive& archive, IPPool& pool) {
  archive("name", pool.name);
  archive("cidr", pool.cidr);
  archive("natOutgoing", pool.nat_outgoing);
  archive("disabled", pool.disabled);
  archive("vxlan", pool.vxlan);
  archive("ipip", pool.ipip);
}
template <typename Archive>
void members(Archive& archive, HostInterface& interface) {
  archive("name", interface.name);
  archive("addresses", interface.addresses);
}
// Hosts and blocks are left out: no verdict depends on them.
template <typename Archive>
void members(Archive& archive, Model& model) {
  archive("tiers", model.tiers);
  archive("policies", model.policies);
  archive("profiles", model.profiles);
  archive("workloads", model.workloads);
  archive("hostEndpoints", model.host_endpoints);
  archive("networkSets", model.network_sets);
  archive("pools", model.pools);
  archive("interfaces", model.interfaces);
}
template <typename Archive>
void members(Archive& archive, Failsafe& failsafe) {
  archive("protocol", failsafe.protocol);
  archive("net", failsafe.net);
  archive("port", failsafe.port);
}
template <typename Archive>
void members(Archive& archive, HostTrafficSettings& settings) {
  archive("failsafesInbound", settings.failsafes.inbound);
  archive("failsafesOutbound", settings.failsafes.outbound);
  archive("fromWorkload", settings.from_workload);
}
template <typename Archive>
void members(Archive& archive, Packet& packet) {
  archive("source", packet.source);
  archive("destination", packet.destination);
  archive("protocol", packet.protocol);
  archive("sourcePort", packet.source_port);
  archive("destinationPort", packet.destination_port);
  archive("icmpType", packet.icmp_type);
  archive("icmpCode", packet.icmp_code);
}
template <typename Archive>
void members(Archive& archive, Mismatch& mismatch) {
  archive("description", mismatch.description);
  archive("packet", mismatch.packet);
  archive("answers", mismatch.answers);
  archive("expected", mismatch.expected);
  archive("settings", mismatch.settings);
  archive("model", mismatch.model);
}

const auto& key_of(const auto& value) {
  if constexpr (requires { value.key; })
    return value.key;
  else
    return value.name;
}

template <typename T>
constexpr bool is_text = std::is_same_v<T, std::string> || std::is_same_v<T, IPAddress> ||
                         std::is_same_v<T, Prefix> || std::is_same_v<T, Selector>;
template <typename T>
constexpr bool is_table = false;
template <typename K, typename V>
constexpr bool is_table<std::map<K, V>> = true;

class Writer {
 public:
  template <typename T>
  void operator()(const char* name, T& value) {
    json::value written = write(value);
    const bool empty = written.is_null() || (written.is_array() && written.get_array().empty()) ||
                       (written.is_object() && written.get_object().empty());
    if (!empty) object_[name] = std::move(written);
  }

  template <typename T>
  static json::value write(T& value) {
    if constexpr (std::is_same_v<T, std::string>) {
      return json::value(value);
    } else if constexpr (std::is_same_v<T, Selector>) {
      return json::value(value.text());
    } else if constexpr (is_text<T>) {
      return json::value(value.to_string());
    } else if constexpr (std::is_same_v<T, Labels>) {
      json::object labels;
      for (const auto& [key, text] : value) labels[key] = text;
      return labels;
    } else if constexpr (std::is_enum_v<T>) {
      return json::value(static_cast<int64_t>(value));
    } else if constexpr (std::is_arithmetic_v<T>) {
      return json::value(value);
    } else if constexpr (is_table<T>) {
      json::array rows;
      for (auto& [key, row] : value) rows.push_back(write(row));
      return rows;
    } else if constexpr (requires { value.has_value(); }) {
      return value ? write(*value) : json::value(nullptr);
    } else if constexpr (requires { value.push_back(value.front()); }) {
      json::array items;
      for (auto& item : value) items.push_back(write(item));
      return items;
    } else {
      Writer inner;
      members(inner, value);
      return std::move(inner.object_);
    }
  }

 private:
  json::object object_;
};

// What is malformed throws (boost::system::system_error, or what the parsers below throw); the file
// is ours, and from_json tells what was wrong.
class Reader {
 public:
  explicit Reader(const json::object& object) : object_(object) {}

  template <typename T>
  void operator()(const char* name, T& value) {
    if (const auto* found = object_.if_contains(name)) read(*found, value);
  }

  template <typename T>
  static void read(const json::value& from, T& value) {
    if constexpr (is_text<T>) {
      read_text(std::string(from.as_string()), value);
    } else if constexpr (std::is_same_v<T, Labels>) {
      for (const auto& [key, text] : from.as_object())
        value.emplace(std::string(key), std::string(text.as_string()));
    } else if constexpr (std::is_enum_v<T>) {
      value = static_cast<T>(from.as_int64());
    } else if constexpr (std::is_same_v<T, bool>) {
      value = from.as_bool();
    } else if constexpr (std::is_arithmetic_v<T>) {
      value = from.to_number<T>();
    } else if constexpr (is_table<T>) {
      for (const auto& row : from.as_array()) {
        typename T::mapped_type item;
        read(row, item);
        value.emplace(key_of(item), item);
      }
    } else if constexpr (requires { value.has_value(); }) {
      read(from, value.emplace());
    } else if constexpr (requires { value.push_back(value.front()); }) {
      for (const auto& item : from.as_array()) read(item, value.emplace_back());
    } else {
      Reader inner(from.as_object());
      members(inner, value);
    }
  }

 private:
  template <typename T>
  static void read_text(const std::string& text, T& value) {
    if constexpr (std::is_same_v<T, std::string>) {
      value = text;
    } else {
      auto parsed = T::parse(text);
      if (!parsed) throw std::runtime_error(parsed.error().message);
      value = *parsed;
    }
  }

  const json::object& object_;
};

}  // namespace

std::string to_json(const Mismatch& mismatch) {
  Mismatch copy = mismatch;
  return json::serialize(Writer::write(copy)) + "\n";
}

Result<Mismatch> from_json(std::string_view text) try {
  Mismatch mismatch;
  Reader::read(json::parse(text), mismatch);
  return mismatch;
} catch (const std::exception& error) {
  return base::fail(base::ErrorCode::invalid, error.what());
}

Result<> write_case(const std::string& path, const Mismatch& mismatch) {
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  std::ofstream file(path);
  file << to_json(mismatch);
  file.close();
  if (!file) return base::fail(base::ErrorCode::unavailable, "cannot write " + path);
  return {};
}

Result<std::vector<std::pair<std::string, Mismatch>>> read_cases(const std::string& folder) {
  std::vector<std::pair<std::string, Mismatch>> cases;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() != ".json") continue;
    std::ifstream file(entry.path());
    std::ostringstream text;
    text << file.rdbuf();
    auto read = from_json(text.str());
    if (!read) return base::fail(std::move(read).error().wrap(entry.path().string()));
    cases.emplace_back(entry.path().filename(), std::move(*read));
  }
  std::ranges::sort(cases, {}, [](const auto& each) { return each.first; });
  return cases;
}

}  // namespace margay::differential
