#include "vector/control/configuration.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/codec.h"
#include "api/fields.h"
#include "base/file.h"
#include "vector/control/configuration_check.h"
#include "vector/control/policy_settings.h"

namespace margay::vector {
namespace {

namespace json = boost::json;
using api::Fields;
using base::ErrorCode;
using base::fail;
using base::FieldError;
using base::FieldPath;
using base::IPAddress;
using base::Prefix;
using base::Result;
using Type = FieldError::Type;

constexpr std::string_view k_mac_rule = "must be a MAC address: 02:00:00:00:00:01";
constexpr int64_t k_least_mtu = 576, k_most_mtu = 1900;  // a packet is one buffer of 2 KiB

class Reader {
 public:
  Result<Configuration> read(const json::value& document);

 private:
  void read_interface(const json::value& value, const FieldPath& at);
  void read_route(const json::value& value, const FieldPath& at);
  void read_workload(const json::value& value, const FieldPath& at);
  void read_policy_of(const json::value& value, const FieldPath& at);
  void read_service(const json::value& value, const FieldPath& at);
  Frontend read_frontend(const json::value& value, const FieldPath& at);
  Backend read_backend(const json::value& value, const FieldPath& at);
  // Puts the value under its name, which must be new.
  template <typename Value>
  void put(std::map<std::string, Value>& values, Fields& fields,
           const std::optional<std::string>& name, Value value) {
    if (name && !values.emplace(*name, std::move(value)).second)
      fields.error(Type::duplicate, "name", "must not be there twice");
  }

  Configuration configuration_;
  std::vector<FieldError> errors_;
};

void Reader::read_interface(const json::value& value, const FieldPath& at) {
  Fields fields(value, at, errors_);
  InterfaceSettings settings;
  settings.name = fields.text("name", true).value_or("");
  settings.device = fields.text("device", true).value_or("");
  settings.mac = fields.parsed("mac", MacAddress::parse, k_mac_rule);
  settings.mtu =
      static_cast<uint16_t>(fields.number("mtu", k_least_mtu, k_most_mtu).value_or(1500));
  settings.is_workload = fields.flag("workload");
  fields.no_others();
  configuration_.interfaces.push_back(std::move(settings));
}

void Reader::read_route(const json::value& value, const FieldPath& at) {
  Fields fields(value, at, errors_);
  const auto destination =
      fields.parsed("destination", Prefix::parse_strict, "must be a CIDR", true);
  RouteSettings route;
  int ways = 0;
  if (fields.value("via")) {
    Fields hop = fields.object("via");
    route.interface = hop.text("interface", true).value_or("");
    route.mac = hop.parsed("mac", MacAddress::parse, k_mac_rule, true).value_or(MacAddress{});
    hop.no_others();
    ++ways;
  }
  if (fields.flag("local")) {
    route.kind = Adjacency::Kind::local;
    ++ways;
  }
  if (fields.flag("unreachable")) {
    route.kind = Adjacency::Kind::unreachable;
    ++ways;
  }
  fields.no_others();
  if (ways != 1)
    fields.invalid_at(at, value, "must have one of via, local: true, unreachable: true");
  if (destination && !configuration_.routes.emplace(*destination, route).second)
    fields.error(Type::duplicate, "destination", "must not be there twice");
}

void Reader::read_workload(const json::value& value, const FieldPath& at) {
  Fields fields(value, at, errors_);
  const auto name = fields.text("name", true);
  WorkloadSettings settings;
  settings.interface = fields.text("interface", true).value_or("");
  settings.mac = fields.parsed("mac", MacAddress::parse, k_mac_rule, true).value_or(MacAddress{});
  settings.addresses = fields.all_parsed("addresses", IPAddress::parse, "must be an IP address");
  settings.policies = fields.texts("policies");
  fields.no_others();
  put(configuration_.workloads, fields, name, std::move(settings));
}

void Reader::read_policy_of(const json::value& value, const FieldPath& at) {
  Fields fields(value, at, errors_);
  const auto name = fields.text("name", true);
  auto settings = read_policy(fields, name.value_or(""), errors_);
  fields.no_others();
  put(configuration_.policies, fields, name, std::move(settings));
}

Frontend Reader::read_frontend(const json::value& value, const FieldPath& at) {
  Fields fields(value, at, errors_);
  Frontend frontend;
  frontend.address = fields.parsed("address", IPAddress::parse, "must be an IP address", true)
                         .value_or(IPAddress());
  frontend.port = static_cast<uint16_t>(fields.number("port", 1, 65535, true).value_or(0));
  const auto* protocol = fields.value("protocol");
  const auto number = protocol ? protocol_of(*protocol) : policy::k_tcp;
  if (number == policy::k_tcp || number == policy::k_udp || number == policy::k_sctp)
    frontend.protocol = *number;
  else
    fields.error(Type::not_supported, "protocol", "must be TCP, UDP or SCTP");
  frontend.masquerade = fields.flag("masquerade");
  frontend.local_only = fields.flag("localOnly");
  fields.no_others();
  return frontend;
}

Backend Reader::read_backend(const json::value& value, const FieldPath& at) {
  Fields fields(value, at, errors_);
  Backend backend{.ready = true};
  backend.identity.address =
      fields.parsed("address", IPAddress::parse, "must be an IP address", true)
          .value_or(IPAddress());
  backend.identity.port = static_cast<uint16_t>(fields.number("port", 1, 65535, true).value_or(0));
  backend.local = fields.flag("local");
  backend.draining = fields.flag("draining");
  backend.ready = !backend.draining;
  fields.no_others();
  return backend;
}

void Reader::read_service(const json::value& value, const FieldPath& at) {
  Fields fields(value, at, errors_);
  const auto name = fields.text("name", true);
  ServiceConfig service{.name = name.value_or("")};
  fields.each("frontends", [&](const json::value& element, const FieldPath& where) {
    service.frontends.push_back(read_frontend(element, where));
  });
  fields.each("backends", [&](const json::value& element, const FieldPath& where) {
    service.backends.push_back(read_backend(element, where));
  });
  service.affinity_seconds =
      static_cast<uint32_t>(fields.number("affinitySeconds", 0, 86'400).value_or(0));
  service.source_ranges = fields.all_parsed("sourceRanges", Prefix::parse_strict, "must be a CIDR");
  for (auto& frontend : service.frontends) frontend.restricted = !service.source_ranges.empty();
  fields.no_others();
  put(configuration_.services, fields, name, std::move(service));
}

Result<Configuration> Reader::read(const json::value& document) {
  Fields fields(document, {}, errors_);
  const auto each = [&](std::string_view name, auto read_one) {
    fields.each(name, [&](const json::value& element, const FieldPath& at) {
      (this->*read_one)(element, at);
    });
  };
  each("interfaces", &Reader::read_interface);
  each("routes", &Reader::read_route);
  configuration_.node_addresses =
      fields.all_parsed("nodeAddresses", IPAddress::parse, "must be an IP address");
  each("workloads", &Reader::read_workload);
  each("policies", &Reader::read_policy_of);
  each("services", &Reader::read_service);
  fields.no_others();
  // What one part needs of another makes sense only of parts that are right.
  if (errors_.empty()) errors_ = check(configuration_);
  if (!errors_.empty()) return fail(std::move(errors_));
  return std::move(configuration_);
}

}  // namespace

Result<Configuration> parse_configuration(std::string_view text) {
  MARGAY_TRY(const auto documents, api::parse_yaml(text));
  if (documents.size() != 1)
    return fail(ErrorCode::invalid,
                fmt::format("must be one YAML document, and there are {}", documents.size()));
  return Reader().read(documents.front());
}

Result<Configuration> read_configuration(const std::string& path) {
  MARGAY_TRY(const auto text, base::read_file(path));
  auto configuration = parse_configuration(text);
  if (!configuration) return fail(configuration.error().wrap(path));
  return configuration;
}

}  // namespace margay::vector
