#include "node/node_program.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <thread>
#include <tuple>

#include "base/backoff.h"
#include "base/file.h"
#include "base/log.h"
#include "base/node_state.h"
#include "dataplane/linux/interface_monitor.h"
#include "dataplane/wire/recording.h"
#include "net/interface_address.h"
#include "net/netlink.h"
#include "node/address_watch.h"
#include "node/agent.h"
#include "node/data_plane_reports.h"
#include "node/data_planes.h"
#include "node/host_interfaces.h"
#include "node/http_endpoint.h"
#include "node/interface_exclusion.h"
#include "node/mtu.h"
#include "node/node_object.h"
#include "node/remembered_settings.h"
#include "node/retried_task.h"
#include "node/served_endpoint.h"
#include "node/startup.h"
#include "node/tunnel_address.h"
#include "store/kubernetes/kubernetes_store.h"

extern char** environ;

namespace margay::node {
namespace {

using namespace std::chrono_literals;
using base::Result;

constexpr auto k_interfaces_timeout = 10s;
constexpr const char* k_closed_start_part = "closed-start";
constexpr const char* k_start_up_part = "start-up";

// And sets the log up as they say.
Result<Resolved> resolve_all(std::vector<Settings> local, const std::vector<Settings>& stored) {
  local.insert(local.end(), stored.begin(), stored.end());
  MARGAY_TRY(Resolved resolved, resolve(local));
  const Parameters& parameters = resolved.parameters;
  MARGAY_CHECK(base::set_up_log("node", {.screen = parameters.log_severity_screen,
                                         .file = parameters.log_file_path,
                                         .file_level = parameters.log_severity_file,
                                         .syslog_level = parameters.log_severity_sys,
                                         .syslog_name = "calico-felix"}));
  return resolved;
}

// What is known before the datastore has been reached. What it said last time helps, and must not
// stand in the way of hearing what it says now.
Result<Resolved> resolve_without_datastore(const std::vector<Settings>& local,
                                           const base::NodeState& state) {
  auto resolved = resolve_all(local, remembered_settings(state));
  if (resolved) return resolved;
  auto without = resolve_all(local, {});
  if (without)
    spdlog::warn("settings of the last run: {}; starting without them", resolved.error().message);
  return without;
}

// Until it succeeds or fails for good. At boot the API server may come later than the nodes.
template <typename Step>
auto until_available(const char* what, Step step) -> decltype(step()) {
  base::Backoff backoff({.initial = 200ms, .max = 10s});
  while (true) {
    auto result = step();
    if (result) return result;
    const auto code = result.error().code;
    const bool passing = code == base::ErrorCode::unavailable || code == base::ErrorCode::timeout;
    if (!passing) return base::fail(result.error().wrap(what));
    spdlog::warn("{}: {}; trying again", what, result.error().message);
    std::this_thread::sleep_for(backoff.next());
  }
}

std::map<dataplane::StateKind, std::chrono::milliseconds> refresh_intervals(
    const Parameters& parameters) {
  using dataplane::StateKind;
  return {{StateKind::rules, parameters.iptables_refresh_interval},
          {StateKind::sets, parameters.ipsets_refresh_interval},
          {StateKind::routes, parameters.route_refresh_interval}};
}

HttpEndpoint::Reply health_reply(const Health& health, std::string_view path) {
  if (path != "/liveness" && path != "/readiness") return {404, "text/plain", "not found\n"};
  const auto answer = path == "/liveness" ? health.live() : health.ready();
  return {answer.good ? 200U : 503U, "text/plain; charset=utf-8", answer.text};
}

HttpEndpoint::Reply metrics_reply(const AgentMetrics& metrics, bool with_process,
                                  std::string_view path) {
  if (path != "/metrics") return {404, "text/plain", ""};
  return {200, "text/plain; version=0.0.4", metrics.text(with_process)};
}

// A new process image with the same arguments: settings are read anew, and what is programmed goes
// on enforcing meanwhile.
[[noreturn]] void restart() {
  std::vector<std::string> arguments;
  std::ifstream file("/proc/self/cmdline");
  for (std::string argument; std::getline(file, argument, '\0');) arguments.push_back(argument);
  std::vector<char*> pointers;
  pointers.reserve(arguments.size() + 1);
  for (auto& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  execv("/proc/self/exe", pointers.data());
  spdlog::critical("restart: {}", strerror(errno));
  _exit(1);
}

// Whether an interface of this host has it; where that cannot be told it is taken for so.
bool is_on_this_host(const base::IPAddress& address) {
  auto socket = net::NetlinkSocket::open();
  if (!socket) return true;
  const auto addresses = net::list_addresses(*socket);
  return !addresses || std::ranges::count(*addresses, address, &net::InterfaceAddress::address) > 0;
}

std::vector<base::IPAddress> list_of(const NodeAddresses& addresses) {
  std::vector<base::IPAddress> list;
  for (const auto* address : {&addresses.v4, &addresses.v6})
    if (*address) list.push_back((*address)->address);
  return list;
}

class NodeProgram {
 public:
  NodeProgram(const NodeOptions& options, std::vector<Settings> local, Parameters parameters,
              std::string name, StartupOptions startup)
      : options_(options),
        local_(std::move(local)),
        parameters_(std::move(parameters)),
        name_(std::move(name)),
        startup_(std::move(startup)),
        metrics_(name_) {
    health_.add_part(k_closed_start_part, std::chrono::milliseconds(0));
    health_.add_part(k_start_up_part, std::chrono::milliseconds(0));
  }

  Result<int> run() {
    MARGAY_CHECK(start_enforcing());
    serve_health();  // alive, though it waits for the datastore
    MARGAY_CHECK(reach_datastore());
    serve_health();
    health_.report(k_start_up_part, true);
    MARGAY_CHECK(measure_uplink());
    MARGAY_CHECK(start_enforcing());
    return run_agent();
  }
  bool is_restarting() const { return restarting_; }

 private:
  // With the parameters as they are known now. Returns once the closed start is laid, or has failed
  // for the first time and is being tried again.
  Result<> start_enforcing() {
    enforcer_.reset();
    DataPlaneReports::Options options{.on_public_key = [this](const dataplane::PublicKey& key) {
      const std::scoped_lock lock(key_mutex_);
      public_key_ = key.key;
      if (key_task_) key_task_->request();
    }};
    if (parameters_.endpoint_reporting_enabled)
      options.status_directory = state_.endpoint_status_directory();
    reports_ = std::make_unique<DataPlaneReports>(std::move(options), metrics_);
    MARGAY_TRY(auto data_plane,
               make_data_plane(options_.data_plane, name_, parameters_, *reports_));
    if (!options_.record.empty() && store_ != nullptr) {
      MARGAY_TRY(data_plane,
                 dataplane::wire::Recorder::create(std::move(data_plane), options_.record, name_));
    }
    enforcer_ = std::make_unique<Enforcer>(
        std::move(data_plane),
        Enforcer::Options{.refresh = refresh_intervals(parameters_),
                          .on_closed_start = [this] { closed_start_mark_.request(); },
                          .on_all_reported = [this] { reports_->on_all_reported(); }},
        *reports_, health_, metrics_);
    enforcer_->start();
    return {};
  }

  // As the settings are known now.
  void serve_health() {
    const auto wanted =
        std::tuple(parameters_.health_enabled, parameters_.health_host, parameters_.health_port);
    if (wanted == served_health_) return;
    served_health_ = wanted;
    health_endpoint_.reset();
    if (!parameters_.health_enabled) return;
    health_endpoint_ =
        std::make_unique<ServedEndpoint>("health", parameters_.health_host, parameters_.health_port,
                                         [this](auto path) { return health_reply(health_, path); });
    health_endpoint_->start();
  }

  // Without the mark the CNI plugin starts no pods.
  Result<> mark_closed_start() {
    const auto marked = base::mark_closed_start(state_);
    health_.report(k_closed_start_part, marked.has_value(),
                   marked ? "" : marked.error().message + ": no pods can be started");
    return marked;
  }

  Result<> reach_datastore() {
    MARGAY_TRY(auto access, access_of(options_));
    MARGAY_TRY(store_, store::kubernetes::KubernetesStore::create({.access = std::move(access)}));
    MARGAY_CHECK(base::write_file(state_.node_name_file(), name_, 0644));
    MARGAY_CHECK(watch_interfaces());
    MARGAY_CHECK(until_available("start-up", [&]() -> Result<> {
      MARGAY_TRY(auto present, interfaces_.list(k_interfaces_timeout));
      MARGAY_TRY(addresses_, node_addresses(startup_, addresses_of(std::move(present))));
      return start_up(*store_, startup_, addresses_);
    }));
    MARGAY_TRY(stored_, until_available("read the configuration", [&] {
                 return settings_from_store(*store_, name_, remembered_settings(state_));
               }));
    MARGAY_TRY(Resolved resolved, resolve_all(local_, stored_));
    for (const auto& warning : resolved.warnings) spdlog::warn("{}", warning);
    if (const auto kept = remember_settings(state_, stored_); !kept)
      spdlog::warn("{}", kept.error().message);
    parameters_ = std::move(resolved.parameters);
    for (const auto& name : parameters_without(options_.data_plane, parameters_))
      spdlog::warn("{}: the {} data plane has nothing for it", name, options_.data_plane);
    return watch_interfaces();  // as often as they say
  }

  Result<> watch_interfaces() {
    monitor_.emplace(parameters_.interface_refresh_interval);
    return monitor_->start(interfaces_);
  }

  Result<> measure_uplink() {
    uplink_ = std::make_unique<UplinkMtu>(
        parameters_.mtu_interface_pattern, list_of(addresses_),
        [this] { loop_.post([this] { restart_if_uplink_changed(); }); });
    interfaces_.add_listener(*uplink_);
    uplink_at_start_ = uplink_->value();
    parameters_.vxlan_mtu = vxlan_mtu(uplink_at_start_, parameters_);
    return until_available("workload MTU", [&] { return keep_workload_mtu(); });
  }

  // Brings the file that the CNI plugin reads up to date with the pools.
  Result<> keep_workload_mtu() {
    MARGAY_TRY(const Encapsulations used, encapsulations_in_use(*store_));
    const uint32_t mtu = workload_mtu(uplink_at_start_, parameters_, used);
    const auto written = base::read_workload_mtu(state_);
    if (written && *written == mtu) return {};
    spdlog::info("workloads get an MTU of {}: the uplink has {}", mtu, uplink_at_start_);
    return base::write_workload_mtu(state_, mtu);
  }

  Result<> publish_key() {
    std::string key;
    {
      const std::scoped_lock lock(key_mutex_);
      key = public_key_;
    }
    return edit_node(*store_, name_, [&](boost::json::object& node) {
      child(node, "status")["wireguardPublicKey"] = key;
    });
  }

  Result<int> run_agent() {
    RetriedTask tunnel_addresses("tunnel address", [this] {
      return ensure_tunnel_addresses(
          *store_, name_, is_on_this_host,
          {.address = parameters_.vxlan_tunnel_address, .mac = parameters_.vxlan_tunnel_mac});
    });
    RetriedTask mtu("workload MTU", [this] { return keep_workload_mtu(); });
    start_key_task();
    auto options = Agent::Options::of(name_, parameters_, std::move(stored_));
    options.on_settings_changed = [this] { restart_because("FelixConfiguration"); };
    options.on_pools_changed = [&] {
      tunnel_addresses.request();
      mtu.request();
    };
    agent_ =
        std::make_unique<Agent>(loop_, *store_, *enforcer_, health_, metrics_, std::move(options));
    heard_.emplace(parameters_.interface_exclude, *enforcer_, *agent_);
    heard_->listen_to(interfaces_);
    watch_addresses();
    MARGAY_CHECK(agent_->start());
    ServedEndpoint served_metrics(
        "metrics", parameters_.metrics_host, parameters_.metrics_port,
        [this](auto path) { return metrics_reply(metrics_, parameters_.process_metrics, path); });
    if (parameters_.metrics_enabled) served_metrics.start();
    return loop_.run();
  }

  void start_key_task() {
    const std::scoped_lock lock(key_mutex_);
    key_task_ = std::make_unique<RetriedTask>("public key", [this] { return publish_key(); });
    if (!public_key_.empty()) key_task_->request();
  }

  void watch_addresses() {
    address_watch_ = std::make_unique<AddressWatch>(
        loop_, AddressWatch::Options{.workload_interfaces = {parameters_.interface_prefixes}},
        [this]() -> std::optional<NodeAddresses> {
          const auto present = interfaces_.list(k_interfaces_timeout);
          if (!present) return std::nullopt;
          const auto found = node_addresses(startup_, addresses_of(*present));
          return found ? std::optional(*found) : std::nullopt;  // it may come back
        },
        addresses_, [this] { restart_because("this node's address"); });
    interfaces_.add_listener(*address_watch_);
  }

  void restart_if_uplink_changed() {
    if (uplink_->value() != uplink_at_start_) restart_because("the uplink's MTU");
  }

  void restart_because(const char* what) {
    spdlog::info("{} has changed: restarting", what);
    restarting_ = true;
    loop_.stop();
  }

  const NodeOptions options_;
  const base::NodeState state_ = base::NodeState::from_environment(environ);
  const std::vector<Settings> local_;
  Parameters parameters_;
  const std::string name_;
  const StartupOptions startup_;

  base::EventLoop loop_;
  const base::SystemClock clock_;
  Health health_{clock_};
  AgentMetrics metrics_;
  std::unique_ptr<store::Store> store_;
  std::vector<Settings> stored_;
  NodeAddresses addresses_;
  uint32_t uplink_at_start_ = 0;
  bool restarting_ = false;
  std::optional<std::tuple<bool, std::string, uint16_t>> served_health_;
  std::unique_ptr<ServedEndpoint> health_endpoint_;

  std::mutex key_mutex_;
  std::string public_key_;
  std::unique_ptr<RetriedTask> key_task_;

  RetriedTask closed_start_mark_{"closed start", [this] { return mark_closed_start(); }};

  // Each hears from those after it.
  std::unique_ptr<DataPlaneReports> reports_;
  std::unique_ptr<Enforcer> enforcer_;
  std::unique_ptr<UplinkMtu> uplink_;
  std::unique_ptr<AddressWatch> address_watch_;
  std::unique_ptr<Agent> agent_;
  std::optional<AgentInterfaces> heard_;
  HostInterfaces interfaces_;
  std::optional<dataplane::linux_host::InterfaceMonitor> monitor_;
};

}  // namespace

Result<std::vector<Settings>> local_settings(const NodeOptions& options) {
  std::vector<Settings> sources{settings_from_environment(environ)};
  if (!options.config_file.empty() || std::filesystem::exists(k_default_config_file)) {
    MARGAY_TRY(sources.emplace_back(),
               settings_from_file(options.config_file.empty() ? k_default_config_file
                                                              : options.config_file));
  }
  return sources;
}

Result<store::kubernetes::ClusterAccess> access_of(const NodeOptions& options) {
  namespace kubernetes = store::kubernetes;
  if (!options.kubeconfig.empty()) return kubernetes::load_kubeconfig(options.kubeconfig);
  auto access = kubernetes::load_in_cluster(kubernetes::InCluster::from_environment());
  if (!access)
    return base::fail(access.error().wrap(
        "without --kubeconfig or KUBECONFIG a pod's service account is needed"));
  return access;
}

Result<int> run_node(const NodeOptions& options) {
  const auto state = base::NodeState::from_environment(environ);
  MARGAY_TRY(auto local, local_settings(options));
  MARGAY_TRY(Resolved resolved, resolve_without_datastore(local, state));
  MARGAY_TRY(std::string name, node_name(options.name, resolved.parameters.hostname));
  MARGAY_TRY(StartupOptions startup, StartupOptions::from_environment(name, environ));
  auto program =
      std::make_unique<NodeProgram>(options, std::move(local), std::move(resolved.parameters),
                                    std::move(name), std::move(startup));
  auto status = program->run();
  const bool restarting = program->is_restarting();
  program.reset();  // finishes what it is programming
  if (restarting) restart();
  return status;
}

}  // namespace margay::node
