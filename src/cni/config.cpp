#include "cni/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "api/codec.h"
#include "api/fields.h"

namespace margay::cni {
namespace {

using api::Fields;
using base::FieldError;
using base::FieldPath;
using base::Prefix;

constexpr const char* k_kubernetes = "kubernetes";
constexpr const char* k_default_kubeconfig = "/etc/cni/net.d/calico-kubeconfig";
constexpr const char* k_default_node_name_file = "/var/lib/calico/nodename";
constexpr int64_t k_most_mtu = 65535;

std::string version_in(const json::object& document) {
  const json::value* version = document.if_contains("cniVersion");
  if (version == nullptr || !version->is_string()) return std::string(k_newest_version);
  return std::string(version->get_string());
}

// Calico's assign_ipv4 and assign_ipv6 are strings.
bool flag_in_text(Fields& fields, const char* name, bool otherwise) {
  const json::value* value = fields.value(name);
  if (value == nullptr || !value->is_string()) return fields.flag(name, otherwise);
  if (value->get_string() != "true" && value->get_string() != "false")
    fields.invalid(name, "must be true or false");
  return value->get_string() == "true";
}

std::vector<Prefix> read_routes(Fields& ipam, std::vector<FieldError>& errors) {
  std::vector<Prefix> routes;
  ipam.each("routes", [&](const json::value& element, const FieldPath& at) {
    Fields route(element, at, errors);
    if (const auto to = route.parsed("dst", Prefix::parse, "must be a CIDR", true))
      routes.push_back(*to);
  });
  return routes;
}

IpamConfig read_ipam(Fields ipam, std::vector<FieldError>& errors) {
  IpamConfig config;
  config.type = ipam.text("type", true).value_or("");
  config.assign_ipv4 = flag_in_text(ipam, "assign_ipv4", config.assign_ipv4);
  config.assign_ipv6 = flag_in_text(ipam, "assign_ipv6", config.assign_ipv6);
  config.ipv4_pools = ipam.texts("ipv4_pools");
  config.ipv6_pools = ipam.texts("ipv6_pools");
  config.routes = read_routes(ipam, errors);
  return config;
}

void read_all(const json::object& document, NetworkConfig& config,
              std::vector<FieldError>& errors) {
  Fields fields(document, {}, errors);
  config.name = fields.text("name", true).value_or("");
  config.type = fields.text("type").value_or("");
  config.mtu = static_cast<uint32_t>(fields.number("mtu", 0, k_most_mtu).value_or(0));
  config.node_name = fields.text("nodename").value_or("");
  config.node_name_file = fields.text("nodename_file").value_or(k_default_node_name_file);
  config.datastore_type = fields.text("datastore_type").value_or(k_kubernetes);
  config.include_default_routes = fields.flag("include_default_routes");
  config.log_level = fields.text("log_level").value_or("");
  config.log_file_path = fields.text("log_file_path").value_or("");
  if (const auto size = fields.number("log_file_max_size", 1, 1 << 20))
    config.log_file_bytes = static_cast<size_t>(*size) << 20;
  if (const auto count = fields.number("log_file_max_count", 1, 1'000))
    config.log_files = static_cast<size_t>(*count);
  if (config.datastore_type != k_kubernetes)
    fields.invalid("datastore_type", "must be \"kubernetes\"");
  config.kubernetes_policy = fields.object("policy").text("type") == "k8s";
  config.kubeconfig = fields.object("kubernetes").text("kubeconfig").value_or(k_default_kubeconfig);
  config.allow_ip_forwarding = fields.object("container_settings").flag("allow_ip_forwarding");
  Fields features = fields.object("feature_control");
  config.feature_ip_addrs_no_ipam = features.flag("ip_addrs_no_ipam");
  config.feature_floating_ips = features.flag("floating_ips");
  config.ipam = read_ipam(fields.object("ipam"), errors);
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
  NetworkConfig config{.version = version_in(document->get_object()),
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
  return version_in(document->get_object());
}

}  // namespace margay::cni
