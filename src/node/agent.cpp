#include "node/agent.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "api/calico.h"
#include "api/codec.h"
#include "k8s/converter.h"
#include "policy/graph.h"
#include "store/syncer.h"

namespace margay::node {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using base::Result;

constexpr const char* k_felix_configurations = "felixconfigurations.projectcalico.org";
constexpr const char* k_bgp_configurations = "bgpconfigurations.projectcalico.org";
constexpr const char* k_pools = "ippools.projectcalico.org";
constexpr const char* k_health_part = "policy graph";
constexpr auto k_liveness_timeout = 60s;
constexpr auto k_heartbeat = 10s;

Result<Settings> settings_of(const std::string& value) {
  MARGAY_TRY(const auto json, api::parse_json(value));
  MARGAY_TRY(auto configuration, api::decode<api::FelixConfiguration>(json));
  return std::move(configuration.settings);
}

// What BGPConfiguration says that the data plane has to know.
Result<Settings> service_networks_of(const std::string& value) {
  MARGAY_TRY(const auto json, api::parse_json(value));
  MARGAY_TRY(const auto configuration, api::decode<api::BGPConfiguration>(json));
  const auto& spec = configuration.spec;
  std::vector<std::string> networks;
  for (const auto* blocks :
       {&spec.service_cluster_ips, &spec.service_external_ips, &spec.service_load_balancer_ips})
    for (const auto& block : *blocks) networks.push_back(block.cidr);
  if (networks.empty()) return Settings{};
  return Settings{{k_service_networks, fmt::format("{}", fmt::join(networks, ","))}};
}

// An object that settings come from.
struct Source {
  store::Key key;
  Result<Settings> (*settings)(const std::string& value);
};

// Those that concern a node: FelixConfiguration's two, the stronger first, and BGPConfiguration.
std::vector<Source> sources_of(const std::string& node) {
  return {{{k_felix_configurations, "", "node." + node}, settings_of},
          {{k_felix_configurations, "", "default"}, settings_of},
          {{k_bgp_configurations, "", "default"}, service_networks_of}};
}

// None when there is no such object.
Result<Settings> read_configuration(store::Store& store, const Source& source) {
  const auto entry = store.get(source.key);
  if (entry) return source.settings(entry->value);
  if (entry.error().code == base::ErrorCode::not_found) return Settings{};
  return base::fail(entry.error());
}

// What it says is an addition, without which nothing is laxer than Calico's own default.
bool may_be_without(const Source& source) { return source.key.resource == k_bgp_configurations; }

}  // namespace

Result<std::vector<Settings>> settings_from_store(store::Store& store, const std::string& node,
                                                  const std::vector<Settings>& remembered) {
  std::vector<Settings> sources;
  for (const auto& source : sources_of(node)) {
    const std::string& name = source.key.name;
    auto settings = read_configuration(store, source);
    const auto code = settings ? base::ErrorCode::internal : settings.error().code;
    const bool unreadable =
        !settings && (code == base::ErrorCode::invalid || code == base::ErrorCode::internal);
    if (may_be_without(source) && (unreadable || code == base::ErrorCode::forbidden)) {
      if (!settings) spdlog::error("BGPConfiguration {}: {}", name, settings.error().message);
      if (!settings) settings = Settings{};
    } else if (!settings && !unreadable) {
      return base::fail(settings.error().wrap(source.key.resource + " " + name));
    }
    if (!settings && sources.size() >= remembered.size())
      return base::fail(base::ErrorCode::unavailable,
                        fmt::format("FelixConfiguration {} cannot be read, and nothing is known of "
                                    "what it said before: {}",
                                    name, settings.error().message));
    if (!settings)
      spdlog::error("FelixConfiguration {} cannot be read; what it said last stays in effect: {}",
                    name, settings.error().message);
    sources.push_back(settings ? *std::move(settings) : remembered[sources.size()]);
  }
  return sources;
}

class Agent::Impl final : public store::SyncerSink {
 public:
  Impl(base::EventLoop& loop, store::Store& store, Enforcer& enforcer, Health& health,
       AgentMetrics& metrics, Options options)
      : loop_(loop),
        store_(store),
        enforcer_(enforcer),
        health_(health),
        metrics_(metrics),
        options_(std::move(options)),
        graph_(options_.node, options_.workload_interfaces, policy::k_rules_budget,
               options_.route_source == RouteSource::workload_ips ? policy::RouteSource::workloads
                                                                  : policy::RouteSource::blocks),
        heartbeat_(loop.context()) {
    health_.add_part(k_health_part, k_liveness_timeout);
  }

  Result<> start() {
    for (const auto& change : k8s::built_in()) graph_.on_change(change);
    for (size_t i = 0; i < options_.stored_settings.size(); ++i)
      settings_[sources_[i].key] = options_.stored_settings[i];

    std::vector<store::Scope> scopes{{.resource = k_felix_configurations},
                                     {.resource = k_bgp_configurations, .optional = true}};
    for (const auto& resource : k8s::resources()) scopes.push_back({.resource = resource});
    for (const auto& resource : k8s::later_resources())
      scopes.push_back({.resource = resource, .optional = true});
    metrics_.resync_state.Set(2);
    metrics_.resyncs_started.Increment();
    syncer_ = std::make_unique<store::Syncer>(
        store_, std::move(scopes), *this,
        [this](std::function<void()> task) { loop_.post(std::move(task)); });
    beat();
    return {};
  }

  // Any thread.
  void on_interfaces(const std::vector<dataplane::Interface>& all) {
    loop_.post([this, all] {
      std::set<std::string> gone = std::exchange(host_interfaces_, {});
      for (const auto& interface : all) {
        gone.erase(interface.name);
        set_interface(interface);
      }
      for (const auto& name : gone) remove_interface(name);
    });
  }
  void on_interface(const dataplane::Interface& interface) {
    loop_.post([this, interface] { set_interface(interface); });
  }
  void on_interface_removed(const std::string& name) {
    loop_.post([this, name] {
      if (host_interfaces_.erase(name) > 0) remove_interface(name);
    });
  }

 private:
  // ---- the host's interfaces, on the loop -----------------------------------------------------

  void set_interface(const dataplane::Interface& interface) {
    if (options_.workload_interfaces.contains(interface.name)) return;
    policy::HostInterface host{.name = interface.name, .addresses = {}};
    for (const auto& [address, length] : interface.addresses) host.addresses.push_back(address);
    std::ranges::sort(host.addresses);
    host_interfaces_.insert(host.name);
    graph_.on_change(policy::Change<std::string, policy::HostInterface>{host.name, host});
    request_flush();
  }

  void remove_interface(const std::string& name) {
    graph_.on_change(policy::Change<std::string, policy::HostInterface>{name, std::nullopt});
    request_flush();
  }

  // ---- the syncer's stream --------------------------------------------------------------------

  // On the syncer's threads: what an object says needs nothing of this agent.
  Task on_change(const store::Key& key, std::optional<store::Entry> entry) override {
    if (key.resource == k_felix_configurations || key.resource == k_bgp_configurations)
      return [this, key, entry = std::move(entry)] { on_settings(key, entry); };
    if (!entry) return [this, key] { on_model_changes(key, converter_.remove(key)); };
    return [this, key, reading = k8s::read_object(key, entry->value)]() mutable {
      on_reading(key, std::move(reading));
    };
  }

  // ---- on the loop ----------------------------------------------------------------------------

  void on_reading(const store::Key& key, Result<k8s::Reading> reading) {
    if (!reading) {
      // What the graph holds stays as it was: an object we cannot read must not open anything.
      metrics_.log_errors.Increment();
      const bool is_known = in_sync_ || read_policies_.contains(key);
      auto closed = is_known ? std::nullopt : k8s::isolating(key);
      spdlog::error("{} {}/{}: {}; {}", key.resource, key.ns, key.name, reading.error().message,
                    closed ? "what it may be for is isolated" : "keeping what was known of it");
      if (closed) on_model_changes(key, converter_.set(key, *std::move(closed)));
      return;
    }
    if (!in_sync_ && k8s::is_policy(key)) read_policies_.insert(key);
    for (const auto& warning : reading->warnings)
      spdlog::warn("{} {}/{}: {}", key.resource, key.ns, key.name, warning);
    on_model_changes(key, converter_.set(key, *std::move(reading)));
    if (const auto other = converter_.shadowed_by(key))
      spdlog::warn("{} {}/{}: not in effect, {} {}/{} has its place", key.resource, key.ns,
                   key.name, other->resource, other->ns, other->name);
  }

  void on_model_changes(const store::Key& key, const k8s::Converter::Changes& changes) {
    const auto started = clock_.now();
    for (const auto& change : changes) graph_.on_change(change);
    metrics_.graph_update_seconds.Observe(
        std::chrono::duration<double>(clock_.now() - started).count());
    request_flush();
    if (in_sync_ && key.resource == k_pools) options_.on_pools_changed();
  }

  void on_in_sync() override {
    // What was deleted after the settings were read, and before the syncer came, nobody tells of.
    for (const auto& source : sources_)
      if (!heard_of_.contains(source.key)) on_settings(source.key, std::nullopt);
    spdlog::info("in sync with the datastore");
    in_sync_ = true;
    read_policies_ = {};
    metrics_.resync_state.Set(3);
    graph_.on_in_sync();
    request_flush();
    health_.report(k_health_part, true);
    options_.on_pools_changed();
  }

  void on_settings(const store::Key& key, const std::optional<store::Entry>& entry) {
    const auto source = std::ranges::find(sources_, key, &Source::key);
    if (source == sources_.end()) return;
    heard_of_.insert(key);
    Settings settings;
    if (entry) {
      auto read = source->settings(entry->value);
      if (!read) {
        spdlog::error("{} {}: {}; keeping the settings", key.resource, key.name,
                      read.error().message);
        return;
      }
      settings = std::move(*read);
    }
    if (settings == settings_[key]) return;
    settings_[key] = std::move(settings);
    options_.on_settings_changed();
  }

  // ---- to the data plane ----------------------------------------------------------------------

  // One flush for all changes that are waiting on the loop, and while the data plane is busy one
  // for all that come meanwhile: the graph keeps what differs, whatever the number of changes.
  void request_flush() {
    if (std::exchange(flush_requested_, true) || delivering_) return;
    loop_.post([this] { flush(); });
  }

  void flush() {
    flush_requested_ = false;
    auto deltas = graph_.flush();
    count();
    if (deltas.empty()) return;
    metrics_.graph_output_events.Increment(static_cast<double>(deltas.size()));
    delivering_ = true;
    // The enforcer lives longer than this.
    enforcer_.deliver(std::move(deltas), [this, alive = std::weak_ptr(alive_)] {
      if (const auto agent = alive.lock()) loop_.post([this, alive] { on_taken(alive); });
    });
  }

  void on_taken(const std::weak_ptr<const bool>& alive) {
    if (alive.expired()) return;
    delivering_ = false;
    if (flush_requested_) flush();
  }

  void count() {
    const auto counts = graph_.counts();
    const auto set = [](prometheus::Gauge& gauge, size_t n) { gauge.Set(static_cast<double>(n)); };
    set(metrics_.active_local_endpoints, counts.local_endpoints);
    set(metrics_.active_local_policies, counts.active_policies);
    set(metrics_.active_local_selectors, counts.active_sets);
    set(metrics_.cluster_workload_endpoints, counts.workloads);
    set(metrics_.cluster_host_endpoints, counts.host_endpoints);
    set(metrics_.cluster_hosts, counts.hosts);
    set(metrics_.cluster_policies, counts.policies);
    set(metrics_.cluster_profiles, counts.profiles);
  }

  void beat() {
    health_.report(k_health_part, in_sync_, in_sync_ ? "" : "reading the datastore");
    heartbeat_.expires_after(k_heartbeat);
    heartbeat_.async_wait([this](const boost::system::error_code& error) {
      if (!error) beat();
    });
  }

  base::EventLoop& loop_;
  store::Store& store_;
  Enforcer& enforcer_;
  Health& health_;
  AgentMetrics& metrics_;
  const Options options_;
  const base::SystemClock clock_;

  k8s::Converter converter_;
  policy::Graph graph_;
  std::set<std::string> host_interfaces_;  // names that the graph knows
  const std::vector<Source> sources_ = sources_of(options_.node);
  std::map<store::Key, Settings> settings_;
  std::set<store::Key> heard_of_;  // configurations, from the syncer
  asio::steady_timer heartbeat_;
  std::set<store::Key> read_policies_;  // until in sync
  bool in_sync_ = false;
  bool flush_requested_ = false;
  bool delivering_ = false;  // deltas that the data plane has not taken yet
  const std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
  std::unique_ptr<store::Syncer> syncer_;
};

Agent::Agent(base::EventLoop& loop, store::Store& store, Enforcer& enforcer, Health& health,
             AgentMetrics& metrics, Options options)
    : impl_(std::make_unique<Impl>(loop, store, enforcer, health, metrics, std::move(options))) {}
Agent::~Agent() = default;

Result<> Agent::start() { return impl_->start(); }
void Agent::on_interfaces(const std::vector<dataplane::Interface>& all) {
  impl_->on_interfaces(all);
}
void Agent::on_interface(const dataplane::Interface& interface) { impl_->on_interface(interface); }
void Agent::on_interface_removed(const std::string& name) { impl_->on_interface_removed(name); }

}  // namespace margay::node
