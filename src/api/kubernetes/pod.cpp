// Pod.

#include <algorithm>
#include <array>
#include <set>
#include <span>

#include "api/json_path.h"
#include "api/kubernetes/common.h"
#include "api/kubernetes/container.h"
#include "api/kubernetes/kinds.h"

namespace margay::api {

namespace {

using namespace kubernetes;

// ---- parts of the spec ----------------------------------------------------------------------

Described<std::vector<json::value>> volumes() {
  std::vector<KeptField> fields{
      keep("name", string().check(formats::dns_label), "Unique among the pod's volumes.")
          .required()};
  for (const char* source : {"hostPath",
                             "emptyDir",
                             "gcePersistentDisk",
                             "awsElasticBlockStore",
                             "gitRepo",
                             "secret",
                             "nfs",
                             "iscsi",
                             "glusterfs",
                             "persistentVolumeClaim",
                             "rbd",
                             "flexVolume",
                             "cinder",
                             "cephfs",
                             "flocker",
                             "downwardAPI",
                             "fc",
                             "azureFile",
                             "configMap",
                             "vsphereVolume",
                             "quobyte",
                             "azureDisk",
                             "photonPersistentDisk",
                             "projected",
                             "portworxVolume",
                             "scaleIO",
                             "storageos",
                             "csi",
                             "ephemeral",
                             "image"})
    fields.push_back(keep(source, any_object(), "A source of that kind."));
  return list(object("io.k8s.api.core.v1.Volume", "Files that containers may mount.",
                     std::move(fields))
                  .normalize([](json::value& volume) {
                    auto& source = volume.get_object();
                    if (source.size() == 1) source["emptyDir"] = json::object();
                  }))
      .check_json(
          [](const json::value& all, const Report& report) { unique_by("name", all, report); });
}

Described<std::vector<json::value>> tolerations() {
  return list(
      object("io.k8s.api.core.v1.Toleration", "A taint that does not keep the pod away.",
             {keep("key", string().check(formats::qualified_name), "The taint's key."),
              keep("operator", string().one_of({"Exists", "Equal"}), "How the value is compared."),
              keep("value", string(), "The taint's value."),
              keep("effect", string().one_of({"NoSchedule", "PreferNoSchedule", "NoExecute"}),
                   "The taint's effect; empty: any."),
              keep("tolerationSeconds", integer(), "How long it is tolerated.")}));
}

Described<std::vector<json::value>> host_aliases() {
  return list(
      object("io.k8s.api.core.v1.HostAlias", "A line of /etc/hosts.",
             {keep("ip", string().check(formats::ip_address), "The address.").required(),
              keep("hostnames", list(string().check(formats::dns_subdomain)), "Its names.")}));
}

Described<std::vector<json::value>> named(std::string doc) {
  return list(object("io.k8s.api.core.v1.LocalObjectReference", std::move(doc),
                     {keep("name", string(), "Its name.")}));
}

Described<json::value> dns_config() {
  return object("io.k8s.api.core.v1.PodDNSConfig", "Additions to the pod's resolver.",
                {keep("nameservers", list(string().check(formats::ip_address)), "Servers to ask."),
                 keep("searches", list(string()), "Domains to search."),
                 keep("options", any_list(), "Options of the resolver.")});
}

Described<std::vector<json::value>> topology_spread_constraints() {
  return list(
      object("io.k8s.api.core.v1.TopologySpreadConstraint", "How pods are spread.",
             {keep("maxSkew", integer().at_least(1), "The largest difference.").required(),
              keep("topologyKey", string(), "The node label that tells places apart.").required(),
              keep("whenUnsatisfiable", string().one_of({"DoNotSchedule", "ScheduleAnyway"}),
                   "What to do when it cannot hold.")
                  .required(),
              keep("labelSelector", label_selector(), "The pods counted."),
              keep("minDomains", integer(), "The least number of places."),
              keep("nodeAffinityPolicy", string(), "Whether affinity counts."),
              keep("nodeTaintsPolicy", string(), "Whether taints count."),
              keep("matchLabelKeys", list(string()), "Labels pods must share.")}));
}

// ---- what must hold across the fields of the spec -----------------------------------------------

void check_containers(const PodSpec& spec, const Report& report) {
  if (spec.containers.empty()) report.field("containers").required("a pod needs a container");
  std::set<std::string> seen;
  const auto check = [&](const std::vector<Container>& containers, const Report& at) {
    for (size_t i = 0; i < containers.size(); ++i)
      if (!seen.insert(containers[i].name).second)
        at.item(i).field("name").duplicate(containers[i].name);
  };
  check(spec.init_containers, report.field("initContainers"));
  check(spec.containers, report.field("containers"));
}

void check_host_ports(const PodSpec& spec, const Report& report) {
  if (!spec.host_network) return;
  for (size_t i = 0; i < spec.containers.size(); ++i) {
    const auto& ports = spec.containers[i].ports;
    for (size_t j = 0; j < ports.size(); ++j)
      if (ports[j].host_port != 0 && ports[j].host_port != ports[j].container_port)
        report.field("containers")
            .item(i)
            .field("ports")
            .item(j)
            .field("containerPort")
            .invalid(ports[j].container_port, "must match hostPort when hostNetwork is true");
  }
}

void check_mounts(const json::value& spec, const Report& report) {
  std::set<std::string_view> names;
  if (const auto* volumes = spec.get_object().if_contains("volumes"))
    for (const auto& volume : volumes->get_array()) names.insert(volume.at("name").get_string());
  for (const char* list : {"initContainers", "containers"}) {
    const auto* containers = spec.get_object().if_contains(list);
    if (containers == nullptr) continue;
    for (size_t i = 0; i < containers->get_array().size(); ++i) {
      const auto* mounts = containers->get_array()[i].get_object().if_contains("volumeMounts");
      if (mounts == nullptr) continue;
      const auto at = report.field(list).item(i).field("volumeMounts");
      for (size_t j = 0; j < mounts->get_array().size(); ++j) {
        const auto& name = mounts->get_array()[j].at("name");
        if (!names.contains(name.get_string()))
          at.item(j).field("name").invalid(name, "must be the name of a volume of the pod");
      }
    }
  }
}

// serviceAccount is the old name of serviceAccountName.
void default_service_account(json::value& value) {
  auto& spec = value.get_object();
  if (!spec.contains("serviceAccountName")) {
    const json::value* old = spec.if_contains("serviceAccount");
    const json::value name = old != nullptr ? *old : json::value("default");
    spec["serviceAccountName"] = name;
  }
  const json::value name = spec.at("serviceAccountName");
  spec["serviceAccount"] = name;
}

void default_host_ports(json::value& value) {
  auto& spec = value.get_object();
  const auto* host_network = spec.if_contains("hostNetwork");
  if (host_network == nullptr || !host_network->get_bool()) return;
  for (auto& container : spec.at("containers").get_array()) {
    auto* ports = container.get_object().if_contains("ports");
    if (ports == nullptr) continue;
    for (auto& port : ports->get_array()) {
      const json::value number = port.at("containerPort");
      if (!port.get_object().contains("hostPort")) port.get_object()["hostPort"] = number;
    }
  }
}

Described<PodSpec> pod_spec() {
  return object<PodSpec>(
             "io.k8s.api.core.v1.PodSpec", "What the pod runs, and where.",
             {keep("volumes", volumes(), "Files that containers may mount.")
                  .merges("name")
                  .retains_keys(),
              field("initContainers", &PodSpec::init_containers, containers(),
                    "Programs that end before the others start.")
                  .merges("name"),
              field("containers", &PodSpec::containers, containers(), "The pod's programs.")
                  .required()
                  .merges("name"),
              keep("ephemeralContainers", ephemeral_containers(), "Programs added for debugging.")
                  .merges("name"),
              keep("restartPolicy", string().one_of({"Always", "OnFailure", "Never"}),
                   "When containers that end are started again.")
                  .default_to("Always"),
              field("terminationGracePeriodSeconds", &PodSpec::termination_grace_period_seconds,
                    integer().at_least(0), "How long the pod may take to end.")
                  .default_to(30),
              keep("activeDeadlineSeconds", integer().at_least(1), "How long the pod may run."),
              keep("dnsPolicy",
                   string().one_of({"ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"}),
                   "Where names are looked up.")
                  .default_to("ClusterFirst"),
              keep("nodeSelector", wanted_labels(), "Labels its node must have."),
              field("serviceAccountName", &PodSpec::service_account_name,
                    string().check(formats::dns_subdomain), "The service account it runs as."),
              keep("serviceAccount", string(), "Deprecated: use serviceAccountName."),
              keep("automountServiceAccountToken", boolean(), "Whether a token is mounted."),
              field("nodeName", &PodSpec::node_name, string().check(formats::dns_subdomain),
                    "The node it runs on; set by the scheduler."),
              field("hostNetwork", &PodSpec::host_network, boolean(),
                    "Whether it has the node's network instead of its own."),
              keep("hostPID", boolean(), "Whether it sees the node's processes."),
              keep("hostIPC", boolean(), "Whether it has the node's IPC."),
              keep("hostUsers", boolean(), "Whether it has the node's users."),
              keep("shareProcessNamespace", boolean(),
                   "Whether its containers see each other's processes."),
              keep("securityContext", any_object(), "Privileges of all its containers.")
                  .default_to(json::object()),
              keep("imagePullSecrets", named("A secret for pulling images."),
                   "Secrets for pulling images.")
                  .merges("name"),
              keep("hostname", string().check(formats::dns_label), "Its host name."),
              keep("hostnameOverride", string(), "Its host name, whatever else is set."),
              keep("schedulingGroup", any_object(), "The pods it is scheduled with."),
              keep("evictionResponders", any_list(), "Who acts when it is evicted."),
              keep("subdomain", string().check(formats::dns_label), "Its domain."),
              keep("setHostnameAsFQDN", boolean(), "Whether its host name has the domain."),
              keep("affinity", any_object(), "Where it would rather run."),
              keep("schedulerName", string(), "Who finds its node.")
                  .default_to("default-scheduler"),
              keep("tolerations", tolerations(), "Taints that don't keep it away."),
              keep("hostAliases", host_aliases(), "Lines of /etc/hosts.").merges("ip"),
              keep("priorityClassName", string(), "Its priority, by name."),
              keep("priority", integer(), "Its priority."),
              keep("preemptionPolicy", string(), "Whether it may push others out."),
              keep("dnsConfig", dns_config(), "Additions to its resolver."),
              keep("readinessGates", any_list(), "What else must hold for it to be ready."),
              keep("runtimeClassName", string(), "The container runtime."),
              keep("enableServiceLinks", boolean(), "Whether it gets variables for services.")
                  .default_to(true),
              keep("overhead", any_object(), "What the runtime itself needs."),
              keep("topologySpreadConstraints", topology_spread_constraints(),
                   "How pods like it are spread.")
                  .merges("topologyKey"),
              keep("os", any_object(), "Its operating system.").retains_keys(),
              keep("schedulingGates", any_list(), "What keeps it from being scheduled.")
                  .merges("name"),
              keep("resourceClaims", any_list(), "Claims of dynamic resources.")
                  .merges("name")
                  .retains_keys(),
              keep("resources", resource_requirements(), "What all its containers share.")})
      .normalize(default_service_account)
      .normalize(default_host_ports)
      .check([](const PodSpec& spec, const Report& report) {
        check_containers(spec, report);
        check_host_ports(spec, report);
      })
      .check_json(check_mounts);
}

// ---- status -----------------------------------------------------------------------------------

// podIP is the first of podIPs; either alone gives the other.
void complete_pod_ips(json::value& value) {
  auto& status = value.get_object();
  const json::value* ip = status.if_contains("podIP");
  const json::value* ips = status.if_contains("podIPs");
  const bool has_ips = ips != nullptr && !ips->get_array().empty();
  if (ip != nullptr && !has_ips) {
    const json::value first = *ip;
    status["podIPs"] = json::array{json::object{{"ip", first}}};
  } else if (ip == nullptr && has_ips && ips->get_array()[0].get_object().contains("ip")) {
    const json::value first = ips->get_array()[0].at("ip");
    status["podIP"] = first;
  }
}

Described<PodStatus> pod_status() {
  return object<PodStatus>(
             "io.k8s.api.core.v1.PodStatus", "Where the pod stands.",
             {field("phase", &PodStatus::phase,
                    string().one_of({"Pending", "Running", "Succeeded", "Failed", "Unknown"}),
                    "Its phase.")
                  .default_to("Pending"),
              keep("conditions", conditions(), "Aspects of its state.").merges("type"),
              keep("message", string(), "Why, in a sentence."),
              keep("reason", string(), "Why, in one word."),
              keep("nominatedNodeName", string(), "The node being cleared for it."),
              field("hostIP", &PodStatus::host_ip, string().check(formats::ip_address),
                    "Its node's address."),
              keep("hostIPs", list(ip_in("", "An address.")), "Its node's addresses."),
              field("podIP", &PodStatus::pod_ip, string().check(formats::ip_address),
                    "Its first address."),
              field("podIPs", &PodStatus::pod_ips,
                    list(ip_in("io.k8s.api.core.v1.PodIP", "An address of the pod.")),
                    "Its addresses, at most one of each IP version.")
                  .merges("ip"),
              keep("startTime", time(), "When its node took it."),
              keep("initContainerStatuses", container_statuses(), "Its init containers."),
              keep("containerStatuses", container_statuses(), "Its containers."),
              keep("ephemeralContainerStatuses", container_statuses(), "Those for debugging."),
              keep("qosClass", string(), "How it fares when memory runs out."),
              keep("resize", string(), "How far a change of resources is."),
              keep("resourceClaimStatuses", any_list(), "Its claims."),
              keep("extendedResourceClaimStatus", any_object(), "Its claim of extended resources."),
              keep("nodeAllocatableResourceClaimStatuses", any_list(),
                   "Its claims of what nodes share out."),
              keep("allocatedResources", any_object(), "What is set aside."),
              keep("resources", resource_requirements(), "What it has."),
              keep("volumeHealth", any_list(), "The health of its volumes."),
              keep("observedGeneration", integer(), "The generation the status is of.")})
      .normalize(complete_pod_ips);
}

// ---- updates ----------------------------------------------------------------------------------

// What of a pod's spec may change: these, of its containers the others, and the node once. Compared
// where it stands: a spec may be of any size.
constexpr auto k_changeable =
    std::to_array<std::string_view>({"activeDeadlineSeconds", "tolerations", "ephemeralContainers",
                                     "terminationGracePeriodSeconds", "schedulingGates"});
constexpr auto k_changeable_of_container =
    std::to_array<std::string_view>({"image", "imagePullPolicy", "resources"});

// Whether each member of `a` that is not in `passed_over` is `same` in `b`.
template <typename Same>
bool is_covered(const json::object& a, const json::object& b,
                std::span<const std::string_view> passed_over, const Same& same) {
  return std::ranges::all_of(a, [&](const auto& member) {
    const std::string_view name = member.key();
    if (std::ranges::find(passed_over, name) != passed_over.end()) return true;
    const auto* other = b.if_contains(name);
    return other != nullptr && same(name, member.value(), *other);
  });
}

bool same_container(const json::value& a, const json::value& b) {
  const auto same = [](std::string_view, const json::value& x, const json::value& y) {
    return x == y;
  };
  const auto* x = a.if_object();
  const auto* y = b.if_object();
  if (x == nullptr || y == nullptr) return a == b;
  return is_covered(*x, *y, k_changeable_of_container, same) &&
         is_covered(*y, *x, k_changeable_of_container, same);
}

bool same_member(std::string_view name, const json::value& a, const json::value& b) {
  const bool are_containers =
      (name == "containers" || name == "initContainers") && a.is_array() && b.is_array();
  if (!are_containers) return a == b;
  return std::ranges::equal(a.get_array(), b.get_array(), same_container);
}

void check_pod_update(const json::value& before, const json::value& after, const Report& report) {
  const auto& old_spec = object_at(before.get_object(), {"spec"});
  const auto& new_spec = object_at(after.get_object(), {"spec"});
  std::vector<std::string_view> changeable(k_changeable.begin(), k_changeable.end());
  const bool kept = is_covered(old_spec, new_spec, changeable, same_member);
  if (!old_spec.contains("nodeName")) changeable.push_back("nodeName");
  if (!kept || !is_covered(new_spec, old_spec, changeable, same_member))
    report.field("spec").forbidden(
        "pod updates may not change fields other than the containers' images and resources, "
        "activeDeadlineSeconds, terminationGracePeriodSeconds and tolerations");
}

Kind pod_kind() {
  Kind kind = core_kind("Pod", "pods", {"po"}, true, "Containers that run together on one node.",
                        {{"Ready", "string", "", "Containers that take traffic, of all."},
                         {"Status", "string", ".status.phase", "Where it stands."},
                         {"Restarts", "integer", "", "How often containers were restarted."}});
  kind.columns.push_back({"IP", "string", ".status.podIP", "Its first address.", 1});
  kind.columns.push_back({"Node", "string", ".spec.nodeName", "Where it runs.", 1});
  kind.categories = {"all"};
  kind.has_status = true;
  return kind;
}

}  // namespace

template <>
const Resource<Pod>& resource<Pod>() {
  static const auto described = [] {
    auto made = describe_kind<Pod>(
        pod_kind(), formats::dns_subdomain,
        {field("spec", &Pod::spec, pod_spec(), "What it runs, and where.").required(),
         field("status", &Pod::status, pod_status(), "Where it stands.")
             .default_to(json::object())});
    made.type = std::move(made.type).check_update(check_pod_update);
    return made;
  }();
  return described;
}

namespace kubernetes {

std::vector<Kind> pod_kinds() { return {resource<Pod>().kind}; }

}  // namespace kubernetes

}  // namespace margay::api

MARGAY_INSTANTIATE_CODEC(margay::api::kubernetes::Pod);
