#include "api/computed_columns.h"

#include <fmt/format.h>

#include <algorithm>

namespace margay::api {

namespace {

constexpr const char* k_none = "<none>";

json::array list_at(const auto& object, std::string_view path) {
  json::value value = value_at(object, path);
  auto* array = value.if_array();
  return array == nullptr ? json::array() : std::move(*array);
}

std::string text_at(const auto& object, std::string_view path) {
  const json::value value = value_at(object, path);
  if (value.is_null()) return {};
  return value.is_string() ? std::string(value.get_string()) : json::serialize(value);
}

void append(std::string& list, std::string_view word) {
  if (!list.empty()) list += ',';
  list += word;
}

json::value or_none(const std::string& text) { return json::value(text.empty() ? k_none : text); }

json::value count_data(const json::object& object) {
  const json::value values = value_at(object, ".data");
  return values.is_object() ? static_cast<int64_t>(values.get_object().size()) : 0;
}

// ---- pods -----------------------------------------------------------------------------------

json::value pod_ready(const json::object& pod) {
  const auto statuses = list_at(pod, ".status.containerStatuses");
  const auto ready = std::ranges::count_if(
      statuses, [](const auto& one) { return value_at(one, ".ready") == json::value(true); });
  return json::value(fmt::format("{}/{}", ready, list_at(pod, ".spec.containers").size()));
}

json::value pod_restarts(const json::object& pod) {
  int64_t restarts = 0;
  for (const auto& status : list_at(pod, ".status.containerStatuses")) {
    const json::value count = value_at(status, ".restartCount");
    if (count.is_int64()) restarts += count.get_int64();
  }
  return restarts;
}

// Why an init container that has not succeeded holds the pod up; empty when none does.
std::string init_reason(const json::object& pod) {
  const auto statuses = list_at(pod, ".status.initContainerStatuses");
  for (size_t i = 0; i < statuses.size(); ++i) {
    const json::value terminated = value_at(statuses[i], ".state.terminated");
    if (terminated.is_object()) {
      if (value_at(terminated, ".exitCode") == json::value(0)) continue;
      const auto reason = text_at(terminated, ".reason");
      return "Init:" + (reason.empty() ? "ExitCode:" + text_at(terminated, ".exitCode") : reason);
    }
    const auto waiting = text_at(statuses[i], ".state.waiting.reason");
    if (!waiting.empty() && waiting != "PodInitializing") return "Init:" + waiting;
    return fmt::format("Init:{}/{}", i, list_at(pod, ".spec.initContainers").size());
  }
  return {};
}

// What the first container that waits or ended says; empty when all run.
std::string container_reason(const json::object& pod) {
  for (const auto& status : list_at(pod, ".status.containerStatuses")) {
    for (const char* path : {".state.waiting.reason", ".state.terminated.reason"})
      if (auto reason = text_at(status, path); !reason.empty()) return reason;
    if (const auto code = text_at(status, ".state.terminated.exitCode"); !code.empty())
      return "ExitCode:" + code;
  }
  return {};
}

json::value pod_status(const json::object& pod) {
  std::string status = text_at(pod, ".status.reason");
  if (status.empty()) status = text_at(pod, ".status.phase");
  if (const auto reason = init_reason(pod); !reason.empty())
    status = reason;
  else if (const auto containers = container_reason(pod); !containers.empty())
    status = containers;
  if (!text_at(pod, ".metadata.deletionTimestamp").empty()) status = "Terminating";
  return or_none(status);
}

// ---- nodes ------------------------------------------------------------------------------------

json::value node_status(const json::object& node) {
  std::string status = "Unknown";
  for (const auto& condition : list_at(node, ".status.conditions"))
    if (text_at(condition, ".type") == "Ready")
      status = text_at(condition, ".status") == "True" ? "Ready" : "NotReady";
  if (value_at(node, ".spec.unschedulable") == json::value(true))
    append(status, "SchedulingDisabled");
  return json::value(status);
}

json::value node_roles(const json::object& node) {
  constexpr std::string_view k_prefix = "node-role.kubernetes.io/";
  std::string roles;
  const json::value labels = value_at(node, ".metadata.labels");
  if (const auto* object = labels.if_object())
    for (const auto& [key, value] : *object) {
      if (std::string_view(key).starts_with(k_prefix))
        append(roles, std::string_view(key).substr(k_prefix.size()));
      else if (key == "kubernetes.io/role" && value.is_string())
        append(roles, value.get_string());
    }
  return or_none(roles);
}

json::value node_internal_ip(const json::object& node) {
  for (const auto& address : list_at(node, ".status.addresses"))
    if (text_at(address, ".type") == "InternalIP") return value_at(address, ".address");
  return json::value(k_none);
}

// ---- services -----------------------------------------------------------------------------------

json::value service_external_ip(const json::object& service) {
  std::string addresses;
  const bool load_balancer = text_at(service, ".spec.type") == "LoadBalancer";
  for (const auto& way : list_at(service, ".status.loadBalancer.ingress")) {
    const auto ip = text_at(way, ".ip");
    append(addresses, ip.empty() ? text_at(way, ".hostname") : ip);
  }
  for (const auto& ip : list_at(service, ".spec.externalIPs"))
    if (ip.is_string()) append(addresses, ip.get_string());
  if (text_at(service, ".spec.type") == "ExternalName")
    return value_at(service, ".spec.externalName");
  if (addresses.empty() && load_balancer) return json::value("<pending>");
  return or_none(addresses);
}

json::value service_ports(const json::object& service) {
  std::string ports;
  for (const auto& port : list_at(service, ".spec.ports")) {
    const auto node_port = text_at(port, ".nodePort");
    append(ports, text_at(port, ".port") +
                      (node_port.empty() || node_port == "0" ? "" : ":" + node_port) + "/" +
                      text_at(port, ".protocol"));
  }
  return or_none(ports);
}

// As kubectl's own server writes it: the first three, and how many there are beside them.
class FirstOf {
 public:
  // `make` is called for what is shown only.
  void add(const auto& make) {
    if (++count_ <= k_shown) append(list_, make());
  }
  void add_more(size_t count) { count_ += count; }
  bool is_full() const { return count_ >= k_shown; }
  json::value cell() const {
    if (count_ <= k_shown) return or_none(list_);
    return json::value(fmt::format("{} + {} more...", list_, count_ - k_shown));
  }

 private:
  static constexpr size_t k_shown = 3;
  std::string list_;
  size_t count_ = 0;
};

json::value slice_ports(const json::object& slice) {
  FirstOf ports;
  for (const auto& port : list_at(slice, ".ports"))
    ports.add([&] { return text_at(port, ".port"); });
  return ports.cell();
}

json::value slice_endpoints(const json::object& slice) {
  FirstOf addresses;
  for (const auto& endpoint : list_at(slice, ".endpoints"))
    for (const auto& address : list_at(endpoint, ".addresses"))
      if (address.is_string())
        addresses.add([&] { return std::string_view(address.get_string()); });
  return addresses.cell();
}

json::value endpoints_of(const json::object& endpoints) {
  FirstOf all;
  for (const auto& subset : list_at(endpoints, ".subsets")) {
    const auto ports = list_at(subset, ".ports");
    for (const auto& address : list_at(subset, ".addresses")) {
      if (all.is_full()) {
        all.add_more(ports.size());
        continue;
      }
      for (const auto& port : ports)
        all.add([&] { return text_at(address, ".ip") + ":" + text_at(port, ".port"); });
    }
  }
  return all.cell();
}

// ---- policies and events ------------------------------------------------------------------------

json::value pod_selector(const json::object& policy) {
  std::string terms;
  const json::value labels = value_at(policy, ".spec.podSelector.matchLabels");
  if (const auto* object = labels.if_object())
    for (const auto& [key, value] : *object)
      append(terms, fmt::format("{}={}", std::string_view(key),
                                value.is_string() ? std::string_view(value.get_string()) : ""));
  for (const auto& test : list_at(policy, ".spec.podSelector.matchExpressions")) {
    const auto op = text_at(test, ".operator");
    std::string values;
    for (const auto& value : list_at(test, ".values"))
      if (value.is_string()) append(values, value.get_string());
    const auto key = text_at(test, ".key");
    if (op == "Exists")
      append(terms, key);
    else if (op == "DoesNotExist")
      append(terms, "!" + key);
    else
      append(terms, fmt::format("{} {} ({})", key, op == "In" ? "in" : "notin", values));
  }
  return or_none(terms);
}

json::value event_object(const json::object& event) {
  std::string kind = text_at(event, ".involvedObject.kind");
  std::ranges::transform(kind, kind.begin(), [](unsigned char c) { return std::tolower(c); });
  return json::value(kind + "/" + text_at(event, ".involvedObject.name"));
}

json::value workload(const json::object& endpoint) {
  const auto pod = text_at(endpoint, ".spec.pod");
  return or_none(pod.empty() ? text_at(endpoint, ".spec.workload") : pod);
}

struct ComputedColumn {
  std::string_view resource;
  std::string_view column;
  ComputeCell compute;
};

constexpr ComputedColumn k_computed_columns[] = {
    {"pods", "Ready", pod_ready},
    {"pods", "Status", pod_status},
    {"pods", "Restarts", pod_restarts},
    {"nodes", "Status", node_status},
    {"nodes", "Roles", node_roles},
    {"nodes", "Internal-IP", node_internal_ip},
    {"services", "External-IP", service_external_ip},
    {"services", "Port(s)", service_ports},
    {"endpoints", "Endpoints", endpoints_of},
    {"endpointslices.discovery.k8s.io", "Ports", slice_ports},
    {"endpointslices.discovery.k8s.io", "Endpoints", slice_endpoints},
    {"networkpolicies.networking.k8s.io", "Pod-Selector", pod_selector},
    {"configmaps", "Data", count_data},
    {"secrets", "Data", count_data},
    {"events", "Object", event_object},
    {"workloadendpoints.projectcalico.org", "Workload", workload},
};

}  // namespace

const ComputeCell* find_computed_column(const Kind& kind, std::string_view column) {
  const auto resource = kind.resource();
  const auto* found = std::ranges::find_if(k_computed_columns, [&](const ComputedColumn& one) {
    return one.resource == resource && one.column == column;
  });
  return found == std::end(k_computed_columns) ? nullptr : &found->compute;
}

json::value value_at(const json::object& object, std::string_view path) {
  const json::object* fields = &object;
  while (fields != nullptr && path.starts_with('.')) {
    path.remove_prefix(1);
    const std::string_view name = path.substr(0, path.find('.'));
    path.remove_prefix(name.size());
    const json::value* found = fields->if_contains(name);
    if (found == nullptr || path.empty()) return found == nullptr ? json::value() : *found;
    fields = found->if_object();
  }
  return {};
}

json::value value_at(const json::value& value, std::string_view path) {
  const auto* object = value.if_object();
  return object == nullptr ? json::value() : value_at(*object, path);
}

}  // namespace margay::api
