// HostEndpoint and WorkloadEndpoint.

#include <re2/re2.h>

#include <algorithm>
#include <set>

#include "api/calico/common.h"
#include "api/calico/kinds.h"
#include "base/address.h"

namespace margay::api {

namespace {

Described<std::string> host_interface() {
  return string().check([](const std::string& text, const Report& report) {
    if (text != "*") formats::interface_name(text, report);
  });
}

Described<HostEndpointSpec> host_endpoint_spec() {
  using Spec = HostEndpointSpec;
  return object<Spec>(
             "projectcalico.org.v3.HostEndpointSpec",
             "Which interface of which node it stands for, by name or by address.",
             {field("node", &Spec::node, string().check(formats::dns_subdomain),
                    "The node that has the interface.")
                  .required(),
              field("interfaceName", &Spec::interface_name, host_interface(),
                    "The interface's name, or * for all host interfaces of the node."),
              field("expectedIPs", &Spec::expected_ips, list(string().check(formats::ip_address)),
                    "Addresses of the interface. Without a name they say which interface it is."),
              field("profiles", &Spec::profiles, list(string().check(formats::dns_subdomain)),
                    "Profiles whose rules follow the policies, in this order."),
              field("ports", &Spec::ports, list(calico::endpoint_port()),
                    "Ports that rules can call by name.")})
      .check([](const Spec& spec, const Report& report) {
        if (spec.interface_name.empty() && spec.expected_ips.empty())
          report.field("interfaceName").required("interfaceName or expectedIPs must be set");
      });
}

// ---- workload endpoints -------------------------------------------------------------------------

std::string double_dashes(const std::string& part) {
  std::string escaped;
  for (const char c : part) escaped.append(c == '-' ? 2 : 1, c);
  return escaped;
}

struct NamePart {
  const char* field;
  const std::string* text;
};

// The part that says which workload of the orchestrator it is.
NamePart workload_part(const WorkloadEndpointSpec& spec) {
  if (spec.orchestrator == "k8s") return {"pod", &spec.pod};
  if (spec.orchestrator == "cni") return {"containerID", &spec.container_id};
  if (spec.orchestrator == "libnetwork") return {"orchestrator", &spec.orchestrator};
  return {"workload", &spec.workload};
}

// Calico's name for an endpoint: "<node>-<orchestrator>-<workload>-<endpoint>", each with its
// dashes doubled.
void check_conventional_name(const WorkloadEndpoint& endpoint, const Report& report) {
  const auto& spec = endpoint.spec;
  std::string name;
  bool complete = true;
  for (const NamePart& part :
       {NamePart{"node", &spec.node}, NamePart{"orchestrator", &spec.orchestrator},
        workload_part(spec), NamePart{"endpoint", &spec.endpoint}}) {
    if (part.text->empty())
      report.field("spec").field(part.field).required("the name is made of it");
    complete &= !part.text->empty();
    name += (name.empty() ? "" : "-") + double_dashes(*part.text);
  }
  if (!complete || endpoint.metadata.name.empty() || name == endpoint.metadata.name) return;
  report.field("metadata")
      .field("name")
      .invalid(endpoint.metadata.name,
               "must be " + name + ", from node, orchestrator, workload and endpoint");
}

void check_nats(const WorkloadEndpointSpec& spec, const Report& report) {
  std::set<base::IPAddress> own;  // ipNetworks are single addresses: another check
  for (const auto& network : spec.ip_networks)
    if (const auto prefix = base::Prefix::parse(network)) own.insert(prefix->address());
  for (size_t i = 0; i < spec.ip_nats.size(); ++i) {
    const auto& nat = spec.ip_nats[i];
    const auto at = report.field("ipNATs").item(i);
    const auto internal = base::IPAddress::parse(nat.internal_ip);
    const auto external = base::IPAddress::parse(nat.external_ip);
    if (!internal || !external) continue;
    if (internal->family() != external->family())
      at.field("externalIP").invalid(nat.external_ip, "must have the IP version of internalIP");
    if (!own.contains(*internal))
      at.field("internalIP").invalid(nat.internal_ip, "must be one of ipNetworks");
  }
}

void container_id(const std::string& text, const Report& report) {
  static const RE2 k_id("[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?");
  if (!RE2::FullMatch(text, k_id))
    report.invalid(text,
                   "must be letters, digits or '-', starting and ending with a letter or digit");
}

void single_address(const std::string& text, const Report& report) {
  const auto prefix = base::Prefix::parse(text);
  if (!prefix || !prefix->is_single())
    report.invalid(text, "must be one address: without a length, or with /32 (IPv4), /128 (IPv6)");
}

Described<IPNAT> ip_nat() {
  return object<IPNAT>("projectcalico.org.v3.IPNAT", "A floating address.",
                       {field("internalIP", &IPNAT::internal_ip,
                              string().check(formats::ip_address), "The workload's own address.")
                            .required(),
                        field("externalIP", &IPNAT::external_ip,
                              string().check(formats::ip_address), "The address others use.")
                            .required()});
}

Described<WorkloadEndpointSpec> workload_endpoint_spec() {
  using Spec = WorkloadEndpointSpec;
  return object<Spec>(
             "projectcalico.org.v3.WorkloadEndpointSpec",
             "One interface of a pod, virtual machine or container.",
             {field("orchestrator", &Spec::orchestrator, string().check(formats::dns_subdomain),
                    "Who runs it: k8s, cni, ..."),
              field("workload", &Spec::workload, string().check(formats::dns_subdomain),
                    "The orchestrator's name for it."),
              field("node", &Spec::node, string().check(formats::dns_subdomain), "Where it runs."),
              field("containerID", &Spec::container_id, string().check(container_id),
                    "The container it is for."),
              field("pod", &Spec::pod, string().check(formats::dns_subdomain),
                    "The Kubernetes pod it is for."),
              field("endpoint", &Spec::endpoint, string().check(formats::dns_subdomain),
                    "The interface within: eth0."),
              field("serviceAccountName", &Spec::service_account_name, string(),
                    "The service account it runs as.")
                  .beyond_v3_19(),
              field("ipNetworks", &Spec::ip_networks, list(string().check(single_address)),
                    "Its addresses, as /32 or /128."),
              field("ipNATs", &Spec::ip_nats, list(ip_nat()), "Its floating addresses."),
              field("ipv4Gateway", &Spec::ipv4_gateway, string().check(formats::ipv4_address),
                    "The gateway it is given for IPv4."),
              field("ipv6Gateway", &Spec::ipv6_gateway, string().check(formats::ipv6_address),
                    "The gateway it is given for IPv6."),
              field("profiles", &Spec::profiles, list(string().check(formats::dns_subdomain)),
                    "Profiles whose labels it inherits and whose rules follow the policies."),
              field("interfaceName", &Spec::interface_name, string().check(formats::interface_name),
                    "The host's end of its link.")
                  .required(),
              field("mac", &Spec::mac, string().check(formats::mac_address), "Its MAC address."),
              field("ports", &Spec::ports, list(calico::endpoint_port()),
                    "Ports that rules can call by name.")})
      .check(check_nats);
}

}  // namespace

template <>
const Resource<HostEndpoint>& resource<HostEndpoint>() {
  static const auto described = describe_kind<HostEndpoint>(
      calico::kind("HostEndpoint", "hostendpoints", {"hep", "heps"}, false,
                   "An interface of a node, so that policy applies to the host itself.",
                   {{"Node", "string", ".spec.node", "The node."},
                    {"Interface", "string", ".spec.interfaceName", "The interface."},
                    {"IPs", "string", ".spec.expectedIPs", "Its expected addresses.", 1},
                    {"Profiles", "string", ".spec.profiles", "Its profiles.", 1}}),
      formats::dns_subdomain,
      {field("spec", &HostEndpoint::spec, host_endpoint_spec(), "The endpoint.").required()});
  return described;
}

template <>
const Resource<WorkloadEndpoint>& resource<WorkloadEndpoint>() {
  static const auto described = [] {
    auto made = describe_kind<WorkloadEndpoint>(
        calico::kind("WorkloadEndpoint", "workloadendpoints", {"wep", "weps"}, true,
                     "One interface of a workload.",
                     {{"Workload", "string", ".spec.pod", "What it belongs to."},
                      {"Node", "string", ".spec.node", "Where it runs."},
                      {"Networks", "string", ".spec.ipNetworks", "Its addresses."},
                      {"Interface", "string", ".spec.interfaceName", "The host's end."},
                      {"Profiles", "string", ".spec.profiles", "Its profiles.", 1}}),
        formats::dns_subdomain,
        {field("spec", &WorkloadEndpoint::spec, workload_endpoint_spec(), "The endpoint.")
             .required()});
    made.type = std::move(made.type).check(check_conventional_name);
    return made;
  }();
  return described;
}

namespace calico {

std::vector<Kind> endpoint_kinds() {
  return {resource<HostEndpoint>().kind, resource<WorkloadEndpoint>().kind};
}

}  // namespace calico

}  // namespace margay::api

MARGAY_INSTANTIATE_CODEC(margay::api::HostEndpoint);
MARGAY_INSTANTIATE_CODEC(margay::api::WorkloadEndpoint);
