#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <thread>
#include <utility>

#include "api/json_path.h"
#include "lab/cluster.h"
#include "lab/environment.h"
#include "lab/lab.h"
#include "lab/matrix.h"
#include "lab/pod.h"
#include "lab/pod_record.h"
#include "lab/probe.h"
#include "net/network_namespace.h"
#include "selector/selector.h"

namespace margay::lab {
namespace {

using base::ErrorCode;
using base::fail;
using base::IPAddress;
using base::Result;
using net::NetworkNamespace;
using selector::Selector;

constexpr std::chrono::milliseconds k_poll{100};

Result<PodRecord> find_record(const Layout& layout, const std::string& pod) {
  MARGAY_CHECK(Settings::load(layout));
  MARGAY_TRY(const auto records, load_all_pod_records(layout));
  const auto found = std::ranges::find(records, pod, &PodRecord::id);
  if (found != records.end()) return *found;
  return fail(ErrorCode::not_found, fmt::format("pod {} does not run in this lab", pod));
}

// The labels that policy sees: the pod's own and those of its namespace and service account.
selector::Labels effective_labels(const PodView& pod, const json::object& namespace_labels) {
  selector::Labels labels;
  for (const auto& [key, value] : namespace_labels) {
    if (value.is_string()) labels["pcns." + std::string(key)] = value.get_string();
  }
  labels["pcns.projectcalico.org/name"] = pod.ns;
  for (const auto& [key, value] : pod.labels)
    if (!key.starts_with("pcns.") && !key.starts_with("pcsa.")) labels[key] = value;
  labels["projectcalico.org/namespace"] = pod.ns;
  labels["projectcalico.org/orchestrator"] = "k8s";
  if (!pod.service_account.empty()) {
    labels["projectcalico.org/serviceaccount"] = pod.service_account;
  }
  return labels;
}

struct Candidate {
  PodView pod;
  selector::Labels labels;
};

// Pods that a probe is about: those that run, and those that may soon.
struct SelectedPods {
  std::vector<Candidate> running;
  std::vector<std::string> starting;
};

Result<std::vector<Candidate>> unfinished_pods(Cluster& cluster) {
  MARGAY_TRY(const auto namespaces, cluster.namespaces());
  std::map<std::string, json::object, std::less<>> labels_of;
  for (const auto& ns : namespaces) {
    const auto& metadata = ns.at("metadata").as_object();
    labels_of[std::string(metadata.at("name").as_string())] = api::object_at(metadata, {"labels"});
  }
  MARGAY_TRY(const auto objects, cluster.pods());
  std::vector<Candidate> pods;
  for (const auto& object : objects) {
    MARGAY_TRY(auto pod, PodView::read(object));
    if (pod.finished() || pod.deleting) continue;
    auto labels = effective_labels(pod, labels_of[pod.ns]);
    pods.push_back({std::move(pod), std::move(labels)});
  }
  std::ranges::sort(pods, {}, [](const Candidate& one) { return one.pod.id(); });
  return pods;
}

Result<Selector> selector_of(std::string_view option, const std::string& text) {
  auto parsed = Selector::parse(text);
  if (!parsed)
    return fail(ErrorCode::invalid, fmt::format("{}: Invalid value: \"{}\": must be a selector: {}",
                                                option, text, parsed.error().message));
  return parsed;
}

Result<SelectedPods> selected_pods(Cluster& cluster, const ProbeRequest& request) {
  MARGAY_TRY(const auto from, selector_of("--from", request.from));
  MARGAY_TRY(const auto to, selector_of("--to", request.to));
  MARGAY_TRY(auto pods, unfinished_pods(cluster));
  SelectedPods selected;
  for (auto& candidate : pods) {
    if (!from.matches(candidate.labels) && !to.matches(candidate.labels)) continue;
    const PodView& pod = candidate.pod;
    if (pod.phase == "Running" && !pod.addresses.empty())
      selected.running.push_back(std::move(candidate));
    else
      selected.starting.push_back(pod.id());
  }
  return selected;
}

Result<std::vector<Candidate>> pods_once_started(
    Cluster& cluster, const ProbeRequest& request,
    const std::function<void(const std::string&)>& tell) {
  const auto deadline = std::chrono::steady_clock::now() + request.wait;
  bool told = false;
  while (true) {
    MARGAY_TRY(auto pods, selected_pods(cluster, request));
    if (pods.starting.empty()) return std::move(pods.running);
    if (std::chrono::steady_clock::now() >= deadline) {
      tell(fmt::format("left out, since they have not started (kubectl describe pod says why): {}",
                       fmt::join(pods.starting, ", ")));
      return std::move(pods.running);
    }
    if (!std::exchange(told, true))
      tell(fmt::format(
          "waiting up to {} s for {} that {} still starting", request.wait.count(),
          pods.starting.size() == 1 ? "a pod" : fmt::format("{} pods", pods.starting.size()),
          pods.starting.size() == 1 ? "is" : "are"));
    std::this_thread::sleep_for(k_poll);
  }
}

using Protocol = ServedPort::Protocol;

// The ports of a pod that a request is about.
Result<std::vector<ServedPort>> ports_to_try(const PodView& pod, const ProbeRequest& request) {
  std::vector<Protocol> protocols;
  for (const auto& name : request.protocols) {
    if (name != "tcp" && name != "udp") {
      return fail(ErrorCode::invalid, "protocol \"" + name + "\": must be tcp or udp");
    }
    protocols.push_back(name == "tcp" ? Protocol::tcp : Protocol::udp);
  }
  std::set<ServedPort> ports;
  if (!request.ports.empty()) {
    if (protocols.empty()) protocols = {Protocol::tcp};
    for (const auto protocol : protocols) {
      for (const uint16_t number : request.ports) ports.insert({protocol, number});
    }
    return std::vector(ports.begin(), ports.end());
  }
  if (protocols.empty()) protocols = {Protocol::tcp, Protocol::udp};
  for (const auto& container : pod.containers) {
    const auto first = std::ranges::find_if(container.ports, [&](const ServedPort& port) {
      return std::ranges::find(protocols, port.protocol) != protocols.end();
    });
    if (first != container.ports.end()) ports.insert(*first);
  }
  return std::vector(ports.begin(), ports.end());
}

Result<std::vector<Attempt>> attempts_between(const std::vector<Candidate>& pods,
                                              const ProbeRequest& request) {
  MARGAY_TRY(const auto from, selector_of("--from", request.from));
  MARGAY_TRY(const auto to, selector_of("--to", request.to));
  std::vector<Attempt> attempts;
  for (const auto& source : pods) {
    if (!from.matches(source.labels)) continue;
    for (const auto& target : pods) {
      if (!to.matches(target.labels) || source.pod.uid == target.pod.uid) continue;
      MARGAY_TRY(const auto ports, ports_to_try(target.pod, request));
      for (const auto& text : target.pod.addresses) {
        MARGAY_TRY(const auto address, IPAddress::parse(text));
        for (const auto& port : ports) {
          attempts.push_back({source.pod.id(), target.pod.id(), port, address});
        }
      }
    }
  }
  return attempts;
}

Result<PodNamespaces> open_namespaces(const Layout& layout, const std::vector<Attempt>& attempts) {
  std::set<std::string> wanted;
  for (const auto& attempt : attempts) wanted.insert(attempt.from);
  MARGAY_TRY(const auto records, load_all_pod_records(layout));
  PodNamespaces namespaces;
  for (const auto& record : records) {
    if (!wanted.contains(record.id())) continue;
    MARGAY_TRY(auto opened, NetworkNamespace::open_named(record.network_namespace));
    namespaces.insert_or_assign(record.id(), std::move(opened));
  }
  return namespaces;
}

}  // namespace

base::Error exec_in_pod(const Layout& layout, const std::string& pod,
                        const std::vector<std::string>& command) {
  const auto record = find_record(layout, pod);
  if (!record) return record.error();
  const auto where = NetworkNamespace::open_named(record->network_namespace);
  if (!where) return where.error();
  if (setns(where->fd(), CLONE_NEWNET) != 0) {
    return base::fail_errno("enter network namespace of " + pod, errno).error();
  }
  const auto mark = layout.mark();
  const auto equals = mark.find('=');
  const auto environment = environment_with({{mark.substr(0, equals), mark.substr(equals + 1)}});
  std::vector<const char*> argv, envp;
  for (const auto& word : command) argv.push_back(word.c_str());
  for (const auto& entry : environment) envp.push_back(entry.c_str());
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  execvpe(argv[0], const_cast<char**>(argv.data()), const_cast<char**>(envp.data()));
  return base::fail_errno("run " + command.front(), errno).error();
}

Result<std::string> probe_pods(const Layout& layout, const ProbeRequest& request,
                               const std::function<void(const std::string&)>& tell) {
  MARGAY_CHECK(Settings::load(layout));
  MARGAY_TRY(const auto cluster, Cluster::open(layout.kubeconfig()));
  MARGAY_TRY(const auto pods, pods_once_started(*cluster, request, tell));
  MARGAY_TRY(const auto attempts, attempts_between(pods, request));
  MARGAY_TRY(const auto namespaces, open_namespaces(layout, attempts));
  MARGAY_TRY(const auto outcomes, probe(attempts, namespaces, request.timeout));
  return request.output == "json" ? matrix_json(outcomes) : matrix_text(outcomes);
}

}  // namespace margay::lab
