// Service, EndpointSlice and Endpoints.

#include <algorithm>
#include <set>

#include "api/kubernetes/common.h"
#include "api/kubernetes/kinds.h"

namespace margay::api {

namespace {

using namespace kubernetes;

// ---- ports --------------------------------------------------------------------------------------

// Typed clients cannot leave a target port out: 0 and "" are their way to say so.
bool is_unset(const IntOrString& target) {
  return target == IntOrString(int64_t{0}) || target == IntOrString(std::string());
}

void check_target_port(const IntOrString& port, const Report& report) {
  if (is_unset(port)) return;
  if (const auto* name = std::get_if<std::string>(&port))
    formats::port_name(*name, report);
  else if (std::get<int64_t>(port) < 1 || std::get<int64_t>(port) > 65535)
    report.invalid(std::get<int64_t>(port), "must be between 1 and 65535, inclusive");
}

void default_target_port(json::value& value) {
  auto& port = value.get_object();
  const json::value* target = port.if_contains("targetPort");
  if (target != nullptr && *target != 0 && *target != "") return;
  const json::value number = port.at("port");
  port["targetPort"] = number;
}

Described<ServicePort> service_port() {
  using Port = ServicePort;
  return object<Port>(
             "io.k8s.api.core.v1.ServicePort", "A port of the service.",
             {field("name", &Port::name, string().check(formats::dns_label),
                    "Needed when there are several."),
              field("protocol", &Port::protocol, transport_protocol(), "TCP, UDP or SCTP.")
                  .default_to("TCP"),
              keep("appProtocol", string(), "The protocol above it."),
              field("port", &Port::port, integer().between(1, 65535), "The port.").required(),
              field("targetPort", &Port::target_port, int_or_string().check(check_target_port),
                    "The pods' port or its name; by default the same as port."),
              field("nodePort", &Port::node_port, integer().between(0, 65535),
                    "The port of every node that leads here.")})
      .normalize(default_target_port);
}

void check_ports(const std::vector<ServicePort>& ports, const Report& report) {
  std::set<std::string> names;
  std::set<std::pair<std::string, int64_t>> numbers;
  for (size_t i = 0; i < ports.size(); ++i) {
    const auto& port = ports[i];
    if (ports.size() > 1 && port.name.empty()) report.item(i).field("name").required();
    if (!port.name.empty() && !names.insert(port.name).second)
      report.item(i).field("name").duplicate(port.name);
    if (!numbers.emplace(port.protocol, port.port).second)
      report.item(i).duplicate(json::object{{"protocol", port.protocol}, {"port", port.port}});
  }
}

// ---- services -----------------------------------------------------------------------------------

void cluster_ip(const std::string& text, const Report& report) {
  if (text != "None") formats::ip_address(text, report);
}

Described<Service> session_affinity_config() {
  const auto client =
      object<Service>("io.k8s.api.core.v1.ClientIPConfig", "For session affinity ClientIP.",
                      {field("timeoutSeconds", &Service::session_affinity_timeout_seconds,
                             integer().between(1, 86400), "How long a client keeps its pod.")});
  return object<Service>("io.k8s.api.core.v1.SessionAffinityConfig", "How clients keep their pod.",
                         {embed("clientIP", client, "For session affinity ClientIP.")});
}

// clusterIP is the first of clusterIPs; either alone gives the other.
void complete_cluster_ips(json::object& spec) {
  const json::value* ip = spec.if_contains("clusterIP");
  const json::value* ips = spec.if_contains("clusterIPs");
  if (ip != nullptr && ips == nullptr) {
    const json::value first = *ip;
    spec["clusterIPs"] = json::array{first};
  } else if (ip == nullptr && ips != nullptr && !ips->get_array().empty()) {
    const json::value first = ips->get_array()[0];
    spec["clusterIP"] = first;
  }
}

void default_service(json::value& value) {
  auto& spec = value.get_object();
  const auto is = [&](std::string_view name, std::string_view text) {
    const json::value* field = spec.if_contains(name);
    return field != nullptr && field->is_string() && field->get_string() == text;
  };
  complete_cluster_ips(spec);
  if (!is("type", "ExternalName") && !spec.contains("internalTrafficPolicy"))
    spec["internalTrafficPolicy"] = "Cluster";
  const bool external = is("type", "NodePort") || is("type", "LoadBalancer");
  if (external && !spec.contains("externalTrafficPolicy"))
    spec["externalTrafficPolicy"] = "Cluster";
  if (is("sessionAffinity", "ClientIP") && !spec.contains("sessionAffinityConfig"))
    spec["sessionAffinityConfig"] = json::object{{"clientIP", {{"timeoutSeconds", 10800}}}};
}

void check_service(const Service& service, const Report& report) {
  const bool headless = service.cluster_ip == "None";
  const bool external_name = service.type == "ExternalName";
  if (service.ports.empty() && !headless && !external_name) report.field("ports").required();
  if (headless && service.type != "ClusterIP")
    report.field("clusterIP")
        .invalid(service.cluster_ip, "may not be None for services of type " + service.type);
  if (!service.cluster_ips.empty() && service.cluster_ips.front() != service.cluster_ip)
    report.field("clusterIPs")
        .item(0)
        .invalid(service.cluster_ips.front(), "must be the same as clusterIP");
  for (size_t i = 0; i < service.ports.size(); ++i)
    if (service.ports[i].node_port != 0 && service.type == "ClusterIP")
      report.field("ports")
          .item(i)
          .field("nodePort")
          .forbidden("may not be used when type is ClusterIP");
}

Described<Service> service_spec() {
  return object<Service>(
             "io.k8s.api.core.v1.ServiceSpec", "Which pods serve, and how they are reached.",
             {field("ports", &Service::ports, list(service_port()).check(check_ports),
                    "The ports it listens on.")
                  .merges("port"),
              field("selector", &Service::selector, wanted_labels().check(formats::labels),
                    "Labels of the pods that serve."),
              field("clusterIP", &Service::cluster_ip, string().check(cluster_ip),
                    "Its address; None: headless."),
              field("clusterIPs", &Service::cluster_ips, list(string().check(cluster_ip)),
                    "Its addresses, at most one of each IP version."),
              field("type", &Service::type,
                    string().one_of({"ClusterIP", "NodePort", "LoadBalancer", "ExternalName"}),
                    "How it is reached.")
                  .default_to("ClusterIP"),
              field("externalIPs", &Service::external_ips,
                    list(string().check(formats::ip_address)), "More addresses it is reached by."),
              field("sessionAffinity", &Service::session_affinity,
                    string().one_of({"None", "ClientIP"}), "Whether clients keep their pod.")
                  .default_to("None"),
              keep("loadBalancerIP", string(), "Deprecated: the load balancer's address."),
              field("loadBalancerSourceRanges", &Service::load_balancer_source_ranges,
                    list(string().check(formats::cidr)), "Who may use the load balancer."),
              keep("externalName", string(), "The name that type ExternalName is an alias of."),
              field("externalTrafficPolicy", &Service::external_traffic_policy,
                    string().one_of({"Cluster", "Local"}),
                    "Local: traffic from outside goes to pods of the node it reached."),
              keep("healthCheckNodePort", integer().between(0, 65535),
                   "For load balancers, with Local."),
              keep("publishNotReadyAddresses", boolean(), "Whether pods not ready are listed."),
              embed("sessionAffinityConfig", session_affinity_config(),
                    "How clients keep their pod."),
              keep("ipFamilies", list(string().one_of({"IPv4", "IPv6"})), "Its IP versions."),
              keep("ipFamilyPolicy",
                   string().one_of({"SingleStack", "PreferDualStack", "RequireDualStack"}),
                   "How many IP versions it has."),
              keep("allocateLoadBalancerNodePorts", boolean(),
                   "Whether a load balancer needs node ports."),
              keep("loadBalancerClass", string(), "Who makes the load balancer."),
              field("internalTrafficPolicy", &Service::internal_traffic_policy,
                    string().one_of({"Cluster", "Local"}),
                    "Local: traffic from a node goes to pods of that node."),
              keep("topologyKeys", list(string()), "Deprecated."),
              keep("ipFamily", string(), "Deprecated."),
              field("trafficDistribution", &Service::traffic_distribution, string(),
                    "Which pods are preferred.")})
      .normalize(default_service)
      .check(check_service);
}

// status.loadBalancer.ingress: entries with a host name only have no address to tell.
BoundField<Service> load_balancer_ingress() {
  auto bound = BoundField<Service>(
      keep("ingress",
           list(object(
               "io.k8s.api.core.v1.LoadBalancerIngress", "A way in.",
               {keep("ip", string().check(formats::ip_address), "Its address."),
                keep("hostname", string(), "Its name."), keep("ipMode", string(), "VIP or Proxy."),
                keep("ports", any_list(), "Its ports.")})),
           "The ways in."));
  bound.read = [](const json::value& value, Service& into) -> base::Result<> {
    if (!value.is_array()) return wrong_type(value, "a list");
    for (const auto& entry : value.get_array()) {
      const json::object* way = entry.if_object();
      if (way == nullptr) return wrong_type(entry, "an object");
      const json::value* ip = way->if_contains("ip");
      if (ip != nullptr && ip->is_string()) into.load_balancer_ips.emplace_back(ip->get_string());
    }
    return {};
  };
  bound.write = [](const Service& from, bool, json::object& object) {
    json::array ways;
    for (const auto& ip : from.load_balancer_ips) ways.push_back(json::object{{"ip", ip}});
    if (!ways.empty()) object["ingress"] = std::move(ways);
  };
  return bound;
}

Described<Service> service_status() {
  const auto load_balancer =
      object<Service>("io.k8s.api.core.v1.LoadBalancerStatus", "The load balancer's state.",
                      {load_balancer_ingress()});
  return object<Service>(
      "io.k8s.api.core.v1.ServiceStatus", "Where the service stands.",
      {embed("loadBalancer", load_balancer, "The load balancer's state.")
           .default_to(json::object()),
       keep("conditions", conditions(), "Aspects of its state.").merges("type")});
}

Kind service_kind() {
  Kind kind = core_kind("Service", "services", {"svc"}, true, "A name and address for pods.",
                        {{"Type", "string", ".spec.type", "How it is reached."},
                         {"Cluster-IP", "string", ".spec.clusterIP", "Its address."},
                         {"External-IP", "string", "", "Its addresses from outside."},
                         {"Port(s)", "string", "", "Its ports."}});
  kind.columns.push_back({"Selector", "string", ".spec.selector", "The pods that serve.", 1});
  kind.categories = {"all"};
  kind.has_status = true;
  return kind;
}

// ---- endpoint slices ----------------------------------------------------------------------------

Described<EndpointConditions> endpoint_conditions() {
  using Conditions = EndpointConditions;
  return object<Conditions>(
      "io.k8s.api.discovery.v1.EndpointConditions", "The endpoint's state.",
      {field("ready", &Conditions::ready, boolean(), "Takes traffic. Unset: true."),
       field("serving", &Conditions::serving, boolean(), "Ready, whether or not it is ending."),
       field("terminating", &Conditions::terminating, boolean(), "It is ending.")});
}

Described<EndpointHints> endpoint_hints() {
  const auto zone =
      object<ZoneHint>("io.k8s.api.discovery.v1.ForZone", "A zone.",
                       {field("name", &ZoneHint::name, string(), "Its name.").required()});
  return object<EndpointHints>(
      "io.k8s.api.discovery.v1.EndpointHints", "Who should use the endpoint.",
      {field("forZones", &EndpointHints::for_zones, list(zone), "The zones that should."),
       keep("forNodes", any_list(), "The nodes that should.")});
}

Described<SliceEndpoint> slice_endpoint() {
  using Endpoint = SliceEndpoint;
  return object<Endpoint>(
      "io.k8s.api.discovery.v1.Endpoint", "One pod behind a service.",
      {field("addresses", &Endpoint::addresses, list(string()), "Its addresses; the first is used.")
           .required(),
       field("conditions", &Endpoint::conditions, endpoint_conditions(), "Its state."),
       keep("hostname", string(), "Its host name."),
       keep("targetRef", object_reference(), "The pod."),
       keep("deprecatedTopology", string_map(), "Deprecated."),
       field("nodeName", &Endpoint::node_name, string(), "The node it is on."),
       keep("zone", string(), "The zone it is in."),
       field("hints", &Endpoint::hints, endpoint_hints(), "Which zones should use it.")});
}

Described<SlicePort> slice_port() {
  using Port = SlicePort;
  return object<Port>(
      "io.k8s.api.discovery.v1.EndpointPort", "A port of every endpoint.",
      {field("name", &Port::name, string(), "The service's name for it."),
       field("protocol", &Port::protocol, transport_protocol().keeps_empty(), "Its protocol.")
           .default_to("TCP"),
       field("port", &Port::port, integer().between(1, 65535), "The port."),
       keep("appProtocol", string(), "The protocol above it.")});
}

void check_addresses(const EndpointSlice& slice, const Report& report) {
  for (size_t i = 0; i < slice.endpoints.size(); ++i) {
    const auto at = report.field("endpoints").item(i).field("addresses");
    const auto& addresses = slice.endpoints[i].addresses;
    if (addresses.empty()) at.required("must have at least one address");
    for (size_t j = 0; j < addresses.size(); ++j) {
      if (slice.address_type == "IPv4") formats::ipv4_address(addresses[j], at.item(j));
      if (slice.address_type == "IPv6") formats::ipv6_address(addresses[j], at.item(j));
      if (slice.address_type == "FQDN") formats::dns_subdomain(addresses[j], at.item(j));
    }
  }
}

Kind slice_kind() {
  return group_kind(
      "discovery.k8s.io", "v1",
      core_kind("EndpointSlice", "endpointslices", {}, true, "Some of the pods behind a service.",
                {{"AddressType", "string", ".addressType", "What its addresses are."},
                 {"Ports", "string", "", "Its ports."},
                 {"Endpoints", "string", "", "Its addresses."}}));
}

const Kind& endpoints_kind() {
  static const auto described = describe_kind<Unread>(
      core_kind("Endpoints", "endpoints", {"ep"}, true, "The addresses behind a service.",
                {{"Endpoints", "string", "", "Addresses and ports."}}),
      formats::dns_subdomain,
      {keep("subsets",
            list(object("io.k8s.api.core.v1.EndpointSubset", "Addresses with the same ports.",
                        {keep("addresses", any_list(), "Addresses that take traffic."),
                         keep("notReadyAddresses", any_list(), "Addresses that do not yet."),
                         keep("ports", any_list(), "Their ports.")})),
            "The addresses.")});
  return described.kind;
}

}  // namespace

template <>
const Resource<Service>& resource<Service>() {
  static const auto described = describe_kind<Service>(
      service_kind(), formats::service_name,
      {embed("spec", service_spec(), "Which pods serve, and how they are reached.").required(),
       embed("status", service_status(), "Where it stands.").default_to(json::object())});
  return described;
}

template <>
const Resource<EndpointSlice>& resource<EndpointSlice>() {
  static const auto described = [] {
    auto made = describe_kind<EndpointSlice>(
        slice_kind(), formats::dns_subdomain,
        {field("addressType", &EndpointSlice::address_type,
               string().one_of({"IPv4", "IPv6", "FQDN"}), "What its addresses are.")
             .required()
             .immutable(),
         field("endpoints", &EndpointSlice::endpoints, list(slice_endpoint()), "The pods.")
             .default_to(json::array()),
         field("ports", &EndpointSlice::ports, list(slice_port()), "Their ports.")});
    made.type = std::move(made.type).check(check_addresses);
    return made;
  }();
  return described;
}

namespace kubernetes {

std::vector<Kind> service_kinds() {
  return {resource<Service>().kind, endpoints_kind(), resource<EndpointSlice>().kind};
}

}  // namespace kubernetes

}  // namespace margay::api

MARGAY_INSTANTIATE_CODEC(margay::api::kubernetes::Service);
MARGAY_INSTANTIATE_CODEC(margay::api::kubernetes::EndpointSlice);
