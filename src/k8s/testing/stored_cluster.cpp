#include "k8s/testing/stored_cluster.h"

#include <fmt/format.h>

#include <functional>
#include <set>
#include <thread>
#include <vector>

namespace margay::k8s::testing {
namespace {

constexpr size_t k_applications = 4;
constexpr size_t k_roles = 3;
constexpr size_t k_teams = 20;  // namespaces belong to them
constexpr int k_writers = 32;

size_t namespace_of(size_t pod) { return pod / StoredCluster::k_pods_per_namespace; }
size_t node_of(const StoredCluster& cluster, size_t pod) { return pod % cluster.nodes(); }
size_t application_of(size_t pod) { return pod / 7 % k_applications; }
size_t role_of(size_t pod) { return pod / 11 % k_roles; }
size_t team_of(size_t ns) { return ns % k_teams; }

std::string namespace_name(size_t ns) { return fmt::format("namespace-{:04}", ns); }
std::string pod_name(size_t pod) {
  return fmt::format("app-{}-{:08x}-{:06}", application_of(pod), 0x5bd1e995 * (pod / 40), pod);
}
// Each node has a block of 64 addresses; its pods take the first ones.
std::string block(size_t node) {
  return fmt::format("10.{}.{}.{}", node / 1024, node / 4 % 256, node % 4 * 64);
}
std::string address_of(const StoredCluster& cluster, size_t pod) {
  const size_t node = node_of(cluster, pod);
  return fmt::format("10.{}.{}.{}", node / 1024, node / 4 % 256,
                     node % 4 * 64 + pod / cluster.nodes());
}

// A policy's place and what its rules name.
struct PolicyShape {
  size_t ns;
  size_t application;  // that it applies to
  bool is_calico;
  size_t peer;  // application or role, in the same namespace
  size_t team;  // whose namespaces may connect to its port named http
};

PolicyShape shape(const StoredCluster& cluster, size_t policy) {
  const size_t number = policy / cluster.namespaces();  // in its namespace
  const bool is_calico = number / k_applications % 2 == 1;
  return {.ns = policy % cluster.namespaces(),
          .application = number % k_applications,
          .is_calico = is_calico,
          .peer = number / 8 % (is_calico ? k_roles : k_applications),
          .team = number % k_teams};
}

std::string uid(char kind, size_t number) {
  return fmt::format("{}a3f81c6-5d27-4b0e-9c41-{:012x}", kind, number);
}

std::string metadata(std::string_view name, std::string_view ns, std::string_view id,
                     std::string_view more = "") {
  return fmt::format(
      R"("metadata":{{"name":"{}"{},"uid":"{}","creationTimestamp":"2026-03-01T09:12:45Z"{}}})",
      name, ns.empty() ? "" : fmt::format(R"(,"namespace":"{}")", ns), id, more);
}

std::string owned(size_t pod) {
  return fmt::format(
      R"(,"generateName":"app-{}-{:08x}-","ownerReferences":[{{"apiVersion":"apps/v1",)"
      R"("blockOwnerDeletion":true,"controller":true,"kind":"ReplicaSet","name":"app-{}-{:08x}",)"
      R"("uid":"{}"}}])",
      application_of(pod), 0x5bd1e995 * (pod / 40), application_of(pod), 0x5bd1e995 * (pod / 40),
      uid('5', pod / 40));
}

constexpr std::string_view k_container_more =
    R"(,"env":[{"name":"LOG_LEVEL","value":"info"},{"name":"POD_NAME","valueFrom":{"fieldRef":)"
    R"({"apiVersion":"v1","fieldPath":"metadata.name"}}}],"imagePullPolicy":"IfNotPresent",)"
    R"("livenessProbe":{"failureThreshold":3,"httpGet":{"path":"/healthz","port":8080,)"
    R"("scheme":"HTTP"},"periodSeconds":10,"successThreshold":1,"timeoutSeconds":1},"resources":)"
    R"({"limits":{"memory":"256Mi"},"requests":{"cpu":"100m","memory":"128Mi"}},)"
    R"("terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File",)"
    R"("volumeMounts":[{"mountPath":"/var/run/secrets/kubernetes.io/serviceaccount",)"
    R"("name":"kube-api-access-x7k2p","readOnly":true}])";

constexpr std::string_view k_spec_more =
    R"(,"dnsPolicy":"ClusterFirst","enableServiceLinks":true,"preemptionPolicy":)"
    R"("PreemptLowerPriority","priority":0,"restartPolicy":"Always","schedulerName":)"
    R"("default-scheduler","securityContext":{},"serviceAccount":"default",)"
    R"("terminationGracePeriodSeconds":30,"tolerations":[{"effect":"NoExecute","key":)"
    R"("node.kubernetes.io/not-ready","operator":"Exists","tolerationSeconds":300},{"effect":)"
    R"("NoExecute","key":"node.kubernetes.io/unreachable","operator":"Exists",)"
    R"("tolerationSeconds":300}],"volumes":[{"name":"kube-api-access-x7k2p","projected":)"
    R"({"defaultMode":420,"sources":[{"serviceAccountToken":{"expirationSeconds":3607,"path":)"
    R"("token"}},{"configMap":{"items":[{"key":"ca.crt","path":"ca.crt"}],"name":)"
    R"("kube-root-ca.crt"}}]}}])";

std::string condition(std::string_view type) {
  return fmt::format(R"({{"lastProbeTime":null,"lastTransitionTime":"2026-03-01T09:12:51Z",)"
                     R"("status":"True","type":"{}"}})",
                     type);
}

std::string status_more(size_t pod) {
  return fmt::format(
      R"(,"conditions":[{},{},{},{}],"containerStatuses":[{{"containerID":"containerd://{:064x}",)"
      R"("image":"registry.example/app:1.4.2","imageID":"registry.example/app@sha256:{:064x}",)"
      R"("lastState":{{}},"name":"app","ready":true,"restartCount":0,"started":true,"state":)"
      R"({{"running":{{"startedAt":"2026-03-01T09:12:50Z"}}}}}}],"hostIP":"192.0.2.1",)"
      R"("qosClass":"Burstable","startTime":"2026-03-01T09:12:45Z")",
      condition("Initialized"), condition("Ready"), condition("ContainersReady"),
      condition("PodScheduled"), pod, pod % 9);
}

std::string labels(size_t pod) {
  return fmt::format(
      R"(,"labels":{{"app":"app-{}","pod-template-hash":"{:08x}","role":"role-{}"}})",
      application_of(pod), 0x5bd1e995 * (pod / 40), role_of(pod));
}

std::string kubernetes_policy_json(const PolicyShape& policy, size_t number) {
  return fmt::format(
      R"({{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy",{},"spec":{{"podSelector":)"
      R"({{"matchLabels":{{"app":"app-{}"}}}},"ingress":[{{"from":[{{"podSelector":)"
      R"({{"matchLabels":{{"app":"app-{}"}}}}}}],"ports":[{{"port":8080,"protocol":"TCP"}}]}},)"
      R"({{"from":[{{"namespaceSelector":{{"matchLabels":{{"team":"team-{}"}}}}}}],"ports":)"
      R"([{{"port":"http","protocol":"TCP"}}]}}],"egress":[{{"to":[{{"podSelector":{{}}}}]}},)"
      R"({{"to":[{{"ipBlock":{{"cidr":"198.51.100.0/24","except":["198.51.100.128/25"]}}}}],)"
      R"("ports":[{{"port":443,"protocol":"TCP"}}]}}],"policyTypes":["Ingress","Egress"]}}}})",
      metadata(fmt::format("policy-{}", number), namespace_name(policy.ns), uid('7', number)),
      policy.application, policy.peer, policy.team);
}

std::string calico_policy_json(const PolicyShape& policy, size_t number) {
  return fmt::format(
      R"({{"apiVersion":"projectcalico.org/v3","kind":"NetworkPolicy",{},"spec":{{"order":{},)"
      R"("selector":"app == 'app-{}'","types":["Ingress","Egress"],"ingress":[{{"action":"Allow",)"
      R"("protocol":"TCP","source":{{"selector":"role == 'role-{}'"}},"destination":{{"ports":)"
      R"([8080,"9000:9010"]}}}},{{"action":"Deny","protocol":"UDP","source":{{"nets":)"
      R"(["203.0.113.0/24"]}}}}],"egress":[{{"action":"Allow","destination":{{"nets":)"
      R"(["10.0.0.0/8"],"notNets":["10.96.0.0/12"]}}}}]}}}})",
      metadata(fmt::format("policy-{}", number), namespace_name(policy.ns), uid('8', number)),
      100 + number % 900, policy.application, policy.peer);
}

std::string block_json(const StoredCluster& cluster, size_t node) {
  std::string allocations;
  std::string attributes;
  std::string unallocated;
  for (size_t ordinal = 0; ordinal < 64; ++ordinal) {
    const size_t pod = node + ordinal * cluster.nodes();
    const bool used = pod < cluster.pods;
    allocations +=
        fmt::format("{}{}", ordinal == 0 ? "" : ",", used ? fmt::to_string(ordinal) : "null");
    if (!used) {
      unallocated += fmt::format("{}{}", unallocated.empty() ? "" : ",", ordinal);
      continue;
    }
    attributes += fmt::format(
        R"({}{{"handle_id":"k8s-pod-network.{:064x}","secondary":{{"namespace":"{}","node":"{}",)"
        R"("pod":"{}","timestamp":"2026-03-01 09:12:47 +0000 UTC"}}}})",
        attributes.empty() ? "" : ",", pod, namespace_name(namespace_of(pod)), node_name(node),
        pod_name(pod));
  }
  return fmt::format(
      R"({{"apiVersion":"crd.projectcalico.org/v1","kind":"IPAMBlock",{},"spec":{{"affinity":)"
      R"("host:{}","allocations":[{}],"attributes":[{}],"cidr":"{}/26","deleted":false,)"
      R"("strictAffinity":false,"unallocated":[{}]}}}})",
      metadata(fmt::format("block-{}", node), "", uid('b', node)), node_name(node), allocations,
      attributes, block(node), unallocated);
}

std::string namespace_json(size_t ns) {
  return fmt::format(
      R"({{"apiVersion":"v1","kind":"Namespace",{},"spec":{{"finalizers":["kubernetes"]}},)"
      R"("status":{{"phase":"Active"}}}})",
      metadata(namespace_name(ns), "", uid('a', ns),
               fmt::format(R"(,"labels":{{"kubernetes.io/metadata.name":"{}","team":"team-{}"}})",
                           namespace_name(ns), team_of(ns))));
}

std::string service_account_json(size_t ns) {
  return fmt::format(R"({{"apiVersion":"v1","kind":"ServiceAccount",{}}})",
                     metadata("default", namespace_name(ns), uid('9', ns)));
}

std::string node_json(size_t node) {
  return fmt::format(
      R"({{"apiVersion":"projectcalico.org/v3","kind":"Node",{},"spec":{{"bgp":{{"ipv4Address":)"
      R"("172.16.{}.{}/16"}},"ipv4VXLANTunnelAddr":"{}","vxlanTunnelMACAddr":"66:00:00:00:{:02x}:{:02x}"}}}})",
      metadata(node_name(node), "", uid('c', node)), node / 250, node % 250 + 1, block(node),
      node / 256, node % 256);
}

// Creates object 0 to count - 1, from several threads.
void create_all(store::Store& store, size_t count,
                const std::function<std::pair<store::Key, std::string>(size_t)>& object) {
  std::vector<std::thread> writers;
  for (size_t writer = 0; writer < k_writers; ++writer)
    writers.emplace_back([&, writer] {
      for (size_t i = writer; i < count; i += k_writers) {
        auto [key, value] = object(i);
        store.create(key, std::move(value)).value();
      }
    });
  for (auto& writer : writers) writer.join();
}

}  // namespace

std::string node_name(size_t node) { return fmt::format("node-{:04}", node); }

std::string pod_json(const StoredCluster& cluster, size_t pod) {
  const std::string address = address_of(cluster, pod);
  const bool full = cluster.full_pods;
  return fmt::format(
      R"({{"apiVersion":"v1","kind":"Pod",{},"spec":{{"nodeName":"{}","serviceAccountName":)"
      R"("default","containers":[{{"name":"app","image":"registry.example/app:1.4.2","ports":)"
      R"([{{"containerPort":8080,"name":"http","protocol":"TCP"}}]{}}}]{}}},"status":{{"phase":)"
      R"("Running","podIP":"{}","podIPs":[{{"ip":"{}"}}]{}}}}})",
      metadata(pod_name(pod), namespace_name(namespace_of(pod)), uid('e', pod),
               labels(pod) +
                   fmt::format(R"(,"annotations":{{"cni.projectcalico.org/podIP":"{0}/32",)"
                               R"("cni.projectcalico.org/podIPs":"{0}/32"}})",
                               address) +
                   (full ? owned(pod) : "")),
      node_name(node_of(cluster, pod)), full ? k_container_more : "", full ? k_spec_more : "",
      address, address, full ? status_more(pod) : "");
}

std::string policy_json(const StoredCluster& cluster, size_t policy) {
  const PolicyShape made = shape(cluster, policy);
  return made.is_calico ? calico_policy_json(made, policy) : kubernetes_policy_json(made, policy);
}

StoredCluster::Program StoredCluster::program() const {
  const size_t spaces = namespaces();
  // How many pods each selector of a rule finds.
  std::vector<std::vector<size_t>> by_application(spaces, std::vector<size_t>(k_applications));
  std::vector<std::vector<size_t>> by_role(spaces, std::vector<size_t>(k_roles));
  std::vector<size_t> by_team(k_teams);
  std::vector<size_t> by_namespace(spaces);
  for (size_t pod = 0; pod < pods; ++pod) {
    const size_t ns = namespace_of(pod);
    ++by_application[ns][application_of(pod)];
    ++by_role[ns][role_of(pod)];
    ++by_team[team_of(ns)];
    ++by_namespace[ns];
  }
  Program program;
  std::set<std::pair<size_t, size_t>> local;  // namespace, application
  for (size_t pod = 0; pod < pods; pod += nodes()) {
    ++program.local_endpoints;
    local.emplace(namespace_of(pod), application_of(pod));
  }
  std::set<std::tuple<char, size_t, size_t>> counted;
  const auto count = [&](char what, size_t a, size_t b, size_t members) {
    if (!counted.emplace(what, a, b).second) return;
    ++program.sets;
    program.members += members;
  };
  for (size_t policy = 0; policy < policies; ++policy) {
    const PolicyShape made = shape(*this, policy);
    if (!local.contains({made.ns, made.application})) continue;
    ++program.active_policies;
    if (made.is_calico) {
      count('r', made.ns, made.peer, by_role[made.ns][made.peer]);
      continue;
    }
    count('a', made.ns, made.peer, by_application[made.ns][made.peer]);
    count('t', made.team, 0, by_team[made.team]);
    count('n', made.ns, 0, by_namespace[made.ns]);
    count('p', 0, 0, pods);  // whose port is named http
  }
  return program;
}

void StoredCluster::write_to(store::Store& store) const {
  using store::Key;
  create_all(store, namespaces(), [](size_t i) {
    return std::pair(Key{"namespaces", "", namespace_name(i)}, namespace_json(i));
  });
  create_all(store, namespaces(), [](size_t i) {
    return std::pair(Key{"serviceaccounts", namespace_name(i), "default"}, service_account_json(i));
  });
  create_all(store, nodes(), [](size_t i) {
    return std::pair(Key{"nodes.projectcalico.org", "", node_name(i)}, node_json(i));
  });
  create_all(store, nodes(), [this](size_t i) {
    return std::pair(Key{"ipamblocks.crd.projectcalico.org", "", fmt::format("block-{}", i)},
                     block_json(*this, i));
  });
  create_all(store, 1, [](size_t) {
    return std::pair(
        Key{"ippools.projectcalico.org", "", "default"},
        std::string(R"({"apiVersion":"projectcalico.org/v3","kind":"IPPool","metadata":)"
                    R"({"name":"default"},"spec":{"cidr":"10.0.0.0/8","vxlanMode":)"
                    R"("Always","natOutgoing":true}})"));
  });
  create_all(store, policies, [this](size_t i) {
    const PolicyShape made = shape(*this, i);
    return std::pair(Key{made.is_calico ? "networkpolicies.projectcalico.org"
                                        : "networkpolicies.networking.k8s.io",
                         namespace_name(made.ns), fmt::format("policy-{}", i)},
                     policy_json(*this, i));
  });
  create_all(store, pods, [this](size_t i) {
    return std::pair(Key{"pods", namespace_name(namespace_of(i)), pod_name(i)}, pod_json(*this, i));
  });
}

}  // namespace margay::k8s::testing
