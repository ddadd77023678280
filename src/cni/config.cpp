#include "cni/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "api/codec.h"

namespace margay::cni {
namespace {

using base::FieldError;
using base::Prefix;

constexpr const char* k_default_kubeconfig = "/etc/cni/net.d/calico-kubeconfig";
constexpr const char* k_default_node_name_file = "/var/lib/calico/nodename";
constexpr int64_t k_most_mtu = 65535;

// Reads fields of one object, and remembers all that is wrong.
class Fields {
 public:
  Fields(const json::object& object, std::string path, std::vector<FieldError>& errors)
      : object_(object), path_(std::move(path)), errors_(errors) {}

  void read(const char* name, std::string& into) {
    const json::value* value = find(name);
    if (value == nullptr) return;
    if (!value->is_string()) return wrong(name, *value, "must be a string");
    into = value->get_string();
  }
  void read(const char* name, bool& into) {
    const json::value* value = find(name);
    if (value == nullptr) return;
    // Calico's assign_ipv4 and assign_ipv6 are strings.
    if (value->is_bool()) {
      into = value->get_bool();
    } else if (*value == json::value("true") || *value == json::value("false")) {
      into = value->get_string() == "true";
    } else {
      wrong(name, *value, "must be true or false");
    }
  }
  void read(const char* name, uint32_t& into) {
    const json::value* value = find(name);
    if (value == nullptr) return;
    if (!value->is_int64() || value->get_int64() < 0 || value->get_int64() > k_most_mtu) {
      return wrong(name, *value, "must be a number of bytes");
    }
    into = static_cast<uint32_t>(value->get_int64());
  }
  void read(const char* name, std::vector<std::string>& into) {
    const json::value* value = find(name);
    if (value == nullptr) return;
    if (!value->is_array()) return wrong(name, *value, "must be a list of strings");
    for (const auto& element : value->get_array()) {
      if (!element.is_string()) return wrong(name, *value, "must be a list of strings");
      into.emplace_back(element.get_string());
    }
  }
  // An empty object when there is none.
  const json::object& object(const char* name) {
    static const json::object k_none;
    const json::value* value = find(name);
    if (value == nullptr) return k_none;
    if (value->is_object()) return value->get_object();
    wrong(name, *value, "must be an object");
    return k_none;
  }
  void wrong(const char* name, const json::value& value, std::string rule) {
    errors_.push_back(
        {FieldError::Type::invalid, path_ + name, json::serialize(value), std::move(rule)});
  }
  void missing(const char* name) {
    errors_.push_back({FieldError::Type::required, path_ + name, {}, {}});
  }

 private:
  const json::value* find(const char* name) const {
    const json::value* value = object_.if_contains(name);
    return value == nullptr || value->is_null() ? nullptr : value;
  }

  const json::object& object_;
  std::string path_;
  std::vector<FieldError>& errors_;
};

void read_routes(Fields& fields, const json::object& ipam, std::vector<Prefix>& routes) {
  const json::value* list = ipam.if_contains("routes");
  if (list == nullptr) return;
  if (!list->is_array()) return fields.wrong("routes", *list, "must be a list of routes");
  for (const auto& route : list->get_array()) {
    const json::value* destination =
        route.is_object() ? route.get_object().if_contains("dst") : nullptr;
    if (destination == nullptr || !destination->is_string()) {
      return fields.wrong("routes", route, "must have a dst");
    }
    const auto prefix = Prefix::parse(std::string_view(destination->get_string()));
    if (!prefix) return fields.wrong("routes", *destination, "must be a CIDR");
    routes.push_back(*prefix);
  }
}

void read_ipam(Fields& fields, const json::object& ipam, IpamConfig& config) {
  fields.read("type", config.type);
  fields.read("assign_ipv4", config.assign_ipv4);
  fields.read("assign_ipv6", config.assign_ipv6);
  fields.read("ipv4_pools", config.ipv4_pools);
  fields.read("ipv6_pools", config.ipv6_pools);
  read_routes(fields, ipam, config.routes);
  if (config.type.empty()) fields.missing("type");
}

void read_all(const json::object& document, NetworkConfig& config,
              std::vector<FieldError>& errors) {
  Fields fields(document, "", errors);
  fields.read("name", config.name);
  fields.read("type", config.type);
  fields.read("mtu", config.mtu);
  fields.read("nodename", config.node_name);
  fields.read("nodename_file", config.node_name_file);
  fields.read("datastore_type", config.datastore_type);
  fields.read("include_default_routes", config.include_default_routes);
  fields.read("log_level", config.log_level);
  fields.read("log_file_path", config.log_file_path);
  if (config.name.empty()) fields.missing("name");
  if (config.datastore_type != "kubernetes") {
    fields.wrong("datastore_type", json::value(config.datastore_type), "must be \"kubernetes\"");
  }

  std::string policy_type;
  Fields(fields.object("policy"), "policy.", errors).read("type", policy_type);
  config.kubernetes_policy = policy_type == "k8s";
  Fields(fields.object("kubernetes"), "kubernetes.", errors).read("kubeconfig", config.kubeconfig);
  Fields(fields.object("container_settings"), "container_settings.", errors)
      .read("allow_ip_forwarding", config.allow_ip_forwarding);
  Fields features(fields.object("feature_control"), "feature_control.", errors);
  features.read("ip_addrs_no_ipam", config.feature_ip_addrs_no_ipam);
  features.read("floating_ips", config.feature_floating_ips);
  const json::object& ipam = fields.object("ipam");
  Fields ipam_fields(ipam, "ipam.", errors);
  read_ipam(ipam_fields, ipam, config.ipam);
}

}  // namespace

bool is_supported(std::string_view version) {
  return std::ranges::find(k_versions, version) != std::end(k_versions);
}

CniResult<NetworkConfig> parse_config(std::string_view text) {
  const auto document = api::parse_json(text);
  if (!document) return fail(Code::decoding_failure, document.error().message);
  if (!document->is_object()) {
    return fail(Code::decoding_failure, "the network configuration is not an object");
  }
  NetworkConfig config{.version = version_of(text),
                       .datastore_type = "kubernetes",
                       .kubeconfig = k_default_kubeconfig,
                       .node_name_file = k_default_node_name_file,
                       .document = document->get_object()};
  if (!is_supported(config.version)) {
    return fail(Code::incompatible_version,
                fmt::format("cniVersion \"{}\" is not supported, but {}", config.version,
                            fmt::join(k_versions, ", ")));
  }
  std::vector<FieldError> errors;
  read_all(config.document, config, errors);
  if (!errors.empty()) {
    return fail(Code::invalid_configuration, base::fail(std::move(errors)).error().message);
  }
  return config;
}

std::string version_of(std::string_view text) {
  const auto document = api::parse_json(text);
  if (!document || !document->is_object()) return std::string(k_newest_version);
  const json::value* version = document->get_object().if_contains("cniVersion");
  if (version == nullptr || !version->is_string()) return std::string(k_newest_version);
  return std::string(version->get_string());
}

}  // namespace margay::cni
