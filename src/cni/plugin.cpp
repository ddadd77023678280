#include "cni/plugin.h"

#include <fmt/format.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "base/host_name.h"
#include "base/log.h"
#include "cni/addresses.h"
#include "cni/node_lock.h"
#include "cni/pod.h"
#include "cni/pod_network.h"
#include "cni/result.h"
#include "store/kubernetes/kubernetes_store.h"
#include "store/store.h"

namespace margay::cni {
namespace {

using base::IPAddress;
using base::IPFamily;
using base::Prefix;

std::string first_word_of(const std::string& path) {
  std::ifstream file(path);
  std::string word;
  file >> word;
  return word;
}

CniResult<std::string> node_name(const NetworkConfig& config) {
  if (!config.node_name.empty()) return config.node_name;
  if (auto name = first_word_of(config.node_name_file); !name.empty()) return name;
  return as(Code::failed, base::host_name());
}

// What the configuration says, else what the node's agent has worked out, else the kernel's.
uint32_t mtu_of(const NetworkConfig& config, const base::NodeState& state) {
  if (config.mtu != 0) return config.mtu;
  const auto mtu = base::read_workload_mtu(state);
  if (mtu) return *mtu;
  if (mtu.error().code != base::ErrorCode::not_found) {
    spdlog::warn("the kernel's default MTU is used: {}", mtu.error().message);
  }
  return 0;
}

std::filesystem::path lock_file(const base::NodeState& state) { return state.run / "ipam.lock"; }

// One operation of one container.
class Operating {
 public:
  Operating(store::Store& store, const NetworkConfig& config, const Arguments& arguments,
            const base::NodeState& state, std::string node)
      : store_(store),
        config_(config),
        arguments_(arguments),
        state_(state),
        node_(std::move(node)) {}

  CniResult<std::string> add() {
    if (!arguments_.pod) {
      return fail(Code::invalid_environment,
                  "CNI_ARGS: K8S_POD_NAMESPACE and K8S_POD_NAME are required");
    }
    if (!base::has_closed_start(state_)) {
      return fail(Code::try_again_later,
                  "the node's agent has not run since the machine was booted: until it has, pods "
                  "would be without policy");
    }
    MARGAY_TRY(const PodWishes wishes, wishes_of_pod());
    MARGAY_TRY(const auto addresses, assign(wishes));
    auto result = wire(addresses, wishes.mac);
    if (!result) give_back();
    return result;
  }

  // The address is released last. Once it is, another pod may get it, and no annotation may still
  // say that it is this one's: its policy would be the other's. A DEL that died before finds the
  // address by the container's handle, which needs no annotation.
  CniResult<std::string> del() {
    const auto removed =
        as(Code::network, disconnect(arguments_.network_namespace, arguments_.interface_name));
    if (!removed) return std::unexpected(removed.error());
    if (arguments_.pod && config_.kubernetes_policy) {
      MARGAY_TRY(const auto addresses, addresses_of(store_, config_, arguments_));
      MARGAY_CHECK(clear_pod(store_, *arguments_.pod, arguments_.container_id, addresses));
    }
    MARGAY_CHECK(release());
    return std::string();
  }

  CniResult<std::string> check() {
    const json::value* previous = config_.document.if_contains("prevResult");
    if (config_.version < "0.4.0") {
      return fail(Code::incompatible_version, "CHECK: needs cniVersion 0.4.0 or later");
    }
    if (previous == nullptr) return fail(Code::invalid_configuration, "prevResult: required");
    if (!arguments_.pod) {
      return fail(Code::invalid_environment,
                  "CNI_ARGS: K8S_POD_NAMESPACE and K8S_POD_NAME are required");
    }
    const auto result = Addressing::parse(*previous);
    if (!result) return fail(Code::invalid_configuration, "prevResult: " + result.error().message);
    MARGAY_CHECK(as(Code::not_as_added, verify(network_of(result->addresses, {}))));
    MARGAY_CHECK(check_addresses(store_, config_, arguments_, node_, result->addresses));
    return std::string();
  }

 private:
  CniResult<std::vector<IPAddress>> assign(const PodWishes& wishes) {
    MARGAY_TRY(const NodeLock one_at_a_time, NodeLock::take(lock_file(state_)));
    return assign_addresses(store_, config_, arguments_, node_, wishes);
  }
  CniResult<> release() {
    MARGAY_TRY(const NodeLock one_at_a_time, NodeLock::take(lock_file(state_)));
    return release_addresses(store_, config_, arguments_, node_);
  }

  CniResult<PodWishes> wishes_of_pod() {
    if (!config_.kubernetes_policy) return PodWishes{};
    auto wishes = read_pod(store_, *arguments_.pod);
    if (wishes && wishes->floating_ips && !config_.feature_floating_ips) {
      return fail(Code::failed, "annotation floatingIPs: feature_control.floating_ips is off");
    }
    return wishes;
  }

  PodNetwork network_of(const std::vector<IPAddress>& addresses,
                        std::optional<net::MacAddress> mac) const {
    PodNetwork network{.host_interface = host_interface_name(*arguments_.pod),
                       .container_interface = arguments_.interface_name,
                       .container_namespace = arguments_.network_namespace,
                       .addresses = addresses,
                       .routes = config_.ipam.routes,
                       .mtu = mtu_of(config_, state_),
                       .container_mac = mac,
                       .allow_ip_forwarding = config_.allow_ip_forwarding};
    if (network.routes.empty() || config_.include_default_routes) {
      network.routes.push_back(Prefix::all(IPFamily::v4));
      network.routes.push_back(Prefix::all(IPFamily::v6));
    }
    return network;
  }

  CniResult<std::string> wire(const std::vector<IPAddress>& addresses,
                              std::optional<net::MacAddress> mac) {
    const PodNetwork network = network_of(addresses, mac);
    const auto connected = connect(network);
    if (!connected) return std::unexpected(network_error(connected.error()));
    if (config_.kubernetes_policy) {
      MARGAY_CHECK(annotate_pod(store_, *arguments_.pod, addresses, arguments_.container_id));
    }
    const Addressing result{
        .interfaces = {{network.host_interface, connected->host_mac.to_string(), ""},
                       {network.container_interface, connected->container_mac.to_string(),
                        network.container_namespace}},
        .addresses = addresses,
        .address_interface = 1};
    return result.to_json(config_.version);
  }

  CniError network_error(const base::Error& error) const {
    std::error_code ignored;
    const bool gone = !std::filesystem::exists(arguments_.network_namespace, ignored);
    return to_cni_error(error, gone ? Code::container_unknown : Code::network);
  }

  // After a failed ADD, which may have gone further than its answers told. The runtime's DEL does
  // what cannot be done here.
  void give_back() {
    const auto removed = del();
    if (!removed) spdlog::warn("left behind until DEL: {}", removed.error().message);
  }

  store::Store& store_;
  const NetworkConfig& config_;
  const Arguments& arguments_;
  const base::NodeState& state_;
  const std::string node_;
};

// The plugin that only manages addresses.
CniResult<std::string> operate_ipam(store::Store& store, const NetworkConfig& config,
                                    const Arguments& arguments, const base::NodeState& state) {
  MARGAY_TRY(const std::string node, node_name(config));
  MARGAY_TRY(const NodeLock one_at_a_time, NodeLock::take(lock_file(state)));
  if (arguments.operation == Operation::add) {
    MARGAY_TRY(auto addresses, assign_addresses(store, config, arguments, node, {}));
    return Addressing{.addresses = std::move(addresses)}.to_json(config.version);
  }
  CniResult<> done;
  if (arguments.operation == Operation::del) {
    done = release_addresses(store, config, arguments, node);
  } else if (const json::value* previous = config.document.if_contains("prevResult")) {
    const auto result = Addressing::parse(*previous);
    if (!result) return fail(Code::invalid_configuration, "prevResult: " + result.error().message);
    done = check_addresses(store, config, arguments, node, result->addresses);
  } else {
    return fail(Code::invalid_configuration, "prevResult: required");
  }
  MARGAY_CHECK(done);
  return std::string();
}

CniResult<std::string> operate(store::Store& store, const NetworkConfig& config,
                               const Arguments& arguments, const base::NodeState& state) {
  MARGAY_TRY(auto node, node_name(config));
  Operating operating(store, config, arguments, state, std::move(node));
  switch (arguments.operation) {
    case Operation::add:
      return operating.add();
    case Operation::del:
      return operating.del();
    default:
      return operating.check();
  }
}

using Operate = CniResult<std::string> (*)(store::Store&, const NetworkConfig&, const Arguments&,
                                           const base::NodeState&);

CniResult<std::string> run(const Call& call, Operate operation) {
  MARGAY_TRY(const Arguments arguments, parse_arguments(call.environment));
  if (arguments.operation == Operation::version) return supported_versions(version_of(call.input));
  MARGAY_TRY(const NetworkConfig config, parse_config(call.input));
  MARGAY_TRY(const auto store, as(Code::datastore, call.open_store(config)));
  return operation(*store, config, arguments, call.node_state);
}

Answer answer(const Call& call, Operate operation) {
  const auto output = run(call, operation);
  if (output) return {*output, 0};
  spdlog::error("{} ({})", output.error().message, static_cast<int>(output.error().code));
  return {output.error().to_json(version_of(call.input)), 1};
}

base::Result<std::unique_ptr<store::Store>> open_kubernetes(const NetworkConfig& config) {
  MARGAY_TRY(auto access, store::kubernetes::load_kubeconfig(config.kubeconfig));
  return store::kubernetes::KubernetesStore::create({.access = std::move(access)});
}

// Standard error is the runtime's to keep or lose; the file is for whoever looks afterwards.
void log_as_told(const NetworkConfig& config) {
  const std::string level = config.log_level.empty() ? "warning" : config.log_level;
  if (const auto set = base::set_up_log("cni", level); !set) {
    spdlog::warn("log_level: {}", set.error().message);
  }
  if (config.log_file_path.empty()) return;
  try {
    spdlog::default_logger()->sinks().push_back(
        std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
            config.log_file_path, config.log_file_bytes, config.log_files));
    spdlog::default_logger()->sinks().back()->set_formatter(
        base::line_formatter("%Y-%m-%dT%H:%M:%S.%eZ %l %P %v"));
    spdlog::flush_on(spdlog::level::trace);
  } catch (const spdlog::spdlog_ex& error) {
    spdlog::warn("log_file_path: {}", error.what());
  }
}

int run_as_program(Answer (*answer_call)(const Call&)) {
  const std::string input{std::istreambuf_iterator<char>(std::cin), {}};
  Answer result;
  try {
    if (const auto config = parse_config(input)) log_as_told(*config);
    result = answer_call({.environment = [](const char* name) { return std::getenv(name); },
                          .input = input,
                          .open_store = open_kubernetes,
                          .node_state = base::NodeState::from_environment(environ)});
  } catch (const std::exception& bug) {
    const CniError error{Code::failed, fmt::format("bug: {}", bug.what()), {}};
    result = {error.to_json(version_of(input)), 1};
  }
  std::cout << result.output << (result.output.empty() ? "" : "\n") << std::flush;
  return result.status;
}

}  // namespace

Answer answer_plugin(const Call& call) { return answer(call, operate); }
Answer answer_ipam_plugin(const Call& call) { return answer(call, operate_ipam); }

int run_plugin() { return run_as_program(answer_plugin); }
int run_ipam_plugin() { return run_as_program(answer_ipam_plugin); }

}  // namespace margay::cni
