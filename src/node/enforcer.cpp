#include "node/enforcer.h"

#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <future>
#include <optional>
#include <set>
#include <thread>

#include "base/backoff.h"

namespace margay::node {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using dataplane::EndpointKey;
using dataplane::Interface;
using dataplane::StateKind;

// A data plane that takes longer than this for one apply() is taken for hung.
// Programs may take two minutes each, and there are a few of them in one apply().
constexpr auto k_liveness_timeout = 600s;
constexpr auto k_heartbeat = 10s;
// How many messages are remembered so as not to be logged again.
constexpr size_t k_most_said = 10'000;

}  // namespace

class Enforcer::Impl {
 public:
  Impl(std::unique_ptr<dataplane::DataPlane> data_plane, Options options,
       dataplane::Upcalls& reports, Health& health, AgentMetrics& metrics)
      : data_plane_(std::move(data_plane)),
        capabilities_(data_plane_->capabilities()),
        options_(std::move(options)),
        reports_(reports),
        health_(health),
        metrics_(metrics) {
    health_.add_part(k_health_part, k_liveness_timeout);
    for (const auto& [kind, interval] : options_.refresh)
      if (interval.count() > 0) refresh_timers_.emplace(kind, context_);
  }

  ~Impl() {
    context_.stop();
    if (thread_.joinable()) thread_.join();
  }

  void start() {
    if (const auto lacks = missing(capabilities_); !lacks.empty())
      spdlog::info("the {} data plane has no {}", capabilities_.name, fmt::join(lacks, ", no "));
    std::promise<void> tried;
    asio::post(context_, [this, &tried] {
      apply();
      tried.set_value();
    });
    for (auto& [kind, timer] : refresh_timers_) schedule_refresh(kind, timer);
    schedule_heartbeat();
    thread_ = std::thread([this] { context_.run(); });
    tried.get_future().wait();
  }

  void deliver(std::vector<policy::Delta> deltas, std::function<void()> taken) {
    asio::post(context_, [this, deltas = std::move(deltas), taken = std::move(taken)] {
      for (const auto& delta : deltas) give(delta);
      request_apply();
      if (taken) taken();
    });
  }

  void on_interfaces(const std::vector<Interface>& all) {
    asio::post(context_, [this, all] {
      std::set<std::string> gone = std::exchange(interfaces_, {});
      for (const auto& interface : all) {
        interfaces_.insert(interface.name);
        gone.erase(interface.name);
        data_plane_->on_interface(interface);
      }
      for (const auto& name : gone) data_plane_->on_interface_removed(name);
      data_plane_->resync(StateKind::routes);
      request_apply();
    });
  }

  void on_interface(const Interface& interface) {
    asio::post(context_, [this, interface] {
      interfaces_.insert(interface.name);
      data_plane_->on_interface(interface);
      request_apply();
    });
  }

  void on_interface_removed(const std::string& name) {
    asio::post(context_, [this, name] {
      interfaces_.erase(name);
      data_plane_->on_interface_removed(name);
      request_apply();
    });
  }

 private:
  void give(const policy::Delta& delta) {
    in_sync_ = in_sync_ || std::holds_alternative<policy::InSync>(delta);
    for (const auto& gap : dataplane::gaps(capabilities_, delta)) say(gap.message(capabilities_));
    if (dataplane::accepts(capabilities_, delta)) return data_plane_->on_delta(delta);
    report_refused(delta);
  }

  // What the data plane is not given is reported here. News of the worse kind waits until the data
  // plane has told of the endpoint what it has to, which may be that it is gone.
  void report_refused(const policy::Delta& delta) {
    if (const auto* update = std::get_if<policy::HostEndpointUpdate>(&delta))
      refused_[update->endpoint.endpoint.key] = "not enforced by this data plane";
    else if (const auto* removed = std::get_if<policy::HostEndpointRemove>(&delta))
      forget_refused(removed->key);
    else if (const auto* left_out = std::get_if<policy::UnprogrammedUpdate>(&delta))
      note_unprogrammed(left_out->unprogrammed);
    else if (const auto* mended = std::get_if<policy::UnprogrammedRemove>(&delta))
      if (const auto key = endpoint_of(mended->key)) forget_refused(*key);
  }

  static std::optional<EndpointKey> endpoint_of(const policy::Unprogrammed::Key& key) {
    if (const auto* workload = std::get_if<policy::WorkloadKey>(&key)) return *workload;
    if (const auto* host = std::get_if<policy::HostEndpointKey>(&key)) return *host;
    return std::nullopt;
  }

  void note_unprogrammed(const policy::Unprogrammed& unprogrammed) {
    const auto key = endpoint_of(unprogrammed.key);
    if (key && !unprogrammed.partly) {
      refused_[*key] = unprogrammed.reason;
      return;
    }
    if (key) forget_refused(*key);
    const auto subject = [&]() -> std::string {
      if (key) return dataplane::to_string(*key);
      if (const auto* policy = std::get_if<policy::PolicyKey>(&unprogrammed.key))
        return fmt::format("policy {}", policy->id());
      return fmt::format("service {}", std::get<policy::ServiceKey>(unprogrammed.key).id());
    };
    say(fmt::format("{}: {}", subject(), unprogrammed.reason));
  }

  // What the data plane says of an endpoint is its own to take back.
  void forget_refused(const EndpointKey& key) {
    refused_.erase(key);
    if (told_refused_.erase(key) > 0) reports_.on_endpoint_status({key, std::nullopt});
  }

  void say(const std::string& message) {
    if (said_.size() == k_most_said) said_.clear();
    if (said_.insert(message).second) spdlog::warn("{}", message);
  }

  // One apply() for everything that has arrived by the time it runs.
  void request_apply() {
    if (apply_requested_) return;
    apply_requested_ = true;
    asio::post(context_, [this] { apply(); });
  }

  void apply() {
    apply_requested_ = false;
    retry_.cancel();
    const auto started = std::chrono::steady_clock::now();
    const auto report = data_plane_->apply();
    metrics_.data_plane_apply_seconds.Observe(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
    for (const auto& endpoint : report.endpoints) {
      told_refused_.erase(endpoint.key);
      reports_.on_endpoint_status(endpoint);
    }
    for (auto& [key, reason] : std::exchange(refused_, {})) {
      told_refused_.insert(key);
      reports_.on_endpoint_status(
          {key, dataplane::EndpointStatus{dataplane::EndpointState::error, std::move(reason)}});
    }
    if (in_sync_ && !std::exchange(all_reported_, true) && options_.on_all_reported)
      options_.on_all_reported();
    report.outcome ? note_success() : note_failure(report.outcome.error());
    if (report.again_in && report.outcome)
      apply_in(*report.again_in, again_);
    else
      again_.cancel();
    report_health();
  }

  void note_success() {
    if (!last_error_.empty()) spdlog::info("the data plane is as desired again");
    last_error_.clear();
    backoff_.reset();
    if (closed_start_) return;
    closed_start_ = true;
    if (options_.on_closed_start) options_.on_closed_start();
  }

  void note_failure(const base::Error& error) {
    metrics_.data_plane_failures.Increment();
    if (error.message != last_error_) {
      metrics_.log_errors.Increment();
      spdlog::error("program the data plane: {}; trying again", error.message);
    }
    last_error_ = error.message;
    apply_in(backoff_.next(), retry_);
  }

  void apply_in(std::chrono::milliseconds delay, asio::steady_timer& timer) {
    timer.expires_after(delay);
    timer.async_wait([this](const boost::system::error_code& cancelled) {
      if (!cancelled) request_apply();
    });
  }

  void schedule_refresh(StateKind kind, asio::steady_timer& timer) {
    timer.expires_after(options_.refresh.at(kind));
    timer.async_wait([this, kind, &timer](const boost::system::error_code& error) {
      if (error) return;
      data_plane_->resync(kind);
      request_apply();
      schedule_refresh(kind, timer);
    });
  }

  void schedule_heartbeat() {
    heartbeat_.expires_after(k_heartbeat);
    heartbeat_.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      report_health();
      schedule_heartbeat();
    });
  }

  void report_health() {
    const bool ready = in_sync_ && last_error_.empty();
    const bool waiting = !in_sync_ && last_error_.empty();
    health_.report(k_health_part, ready, waiting ? "waiting for the first state" : last_error_);
  }

  std::unique_ptr<dataplane::DataPlane> data_plane_;
  const dataplane::Capabilities capabilities_;
  const Options options_;
  dataplane::Upcalls& reports_;
  Health& health_;
  AgentMetrics& metrics_;

  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
  asio::steady_timer retry_{context_};
  asio::steady_timer again_{context_};  // as the data plane has asked
  asio::steady_timer heartbeat_{context_};
  std::map<StateKind, asio::steady_timer> refresh_timers_;
  base::Backoff backoff_{{.initial = 100ms, .max = 10s}};
  std::set<std::string> interfaces_;            // names the data plane knows
  std::set<std::string> said_;                  // warnings already logged
  std::map<EndpointKey, std::string> refused_;  // why, and not reported yet
  std::set<EndpointKey> told_refused_;          // reported, and nothing else since
  bool closed_start_ = false;
  bool all_reported_ = false;
  bool in_sync_ = false;
  bool apply_requested_ = false;
  std::string last_error_;
  std::thread thread_;
};

Enforcer::Enforcer(std::unique_ptr<dataplane::DataPlane> data_plane, Options options,
                   dataplane::Upcalls& reports, Health& health, AgentMetrics& metrics)
    : impl_(std::make_unique<Impl>(std::move(data_plane), std::move(options), reports, health,
                                   metrics)) {}
Enforcer::~Enforcer() = default;

void Enforcer::start() { impl_->start(); }
void Enforcer::deliver(std::vector<policy::Delta> deltas, std::function<void()> taken) {
  impl_->deliver(std::move(deltas), std::move(taken));
}
void Enforcer::on_interfaces(const std::vector<Interface>& all) { impl_->on_interfaces(all); }
void Enforcer::on_interface(const Interface& interface) { impl_->on_interface(interface); }
void Enforcer::on_interface_removed(const std::string& name) { impl_->on_interface_removed(name); }

}  // namespace margay::node
