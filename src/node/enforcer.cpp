#include "node/enforcer.h"

#include <spdlog/spdlog.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <thread>

#include "base/backoff.h"
#include "net/monitor.h"

namespace margay::node {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;

// A data plane that takes longer than this for one apply() is taken for hung.
constexpr auto k_liveness_timeout = 90s;
constexpr auto k_heartbeat = 10s;

}  // namespace

class Enforcer::Impl : net::Monitor::Listener {
 public:
  Impl(std::unique_ptr<dataplane::DataPlane> data_plane, std::chrono::milliseconds refresh,
       Health& health, AgentMetrics& metrics)
      : data_plane_(std::move(data_plane)), refresh_(refresh), health_(health), metrics_(metrics) {
    health_.add_part(k_health_part, k_liveness_timeout);
  }

  ~Impl() override {
    monitor_.reset();
    context_.stop();
    if (thread_.joinable()) thread_.join();
  }

  base::Result<> start() {
    MARGAY_TRY(monitor_, net::Monitor::start(*this, {.addresses = false, .routes = false}));
    schedule_refresh();
    schedule_heartbeat();
    thread_ = std::thread([this] { context_.run(); });
    return {};
  }

  void deliver(std::vector<policy::Delta> deltas) {
    asio::post(context_, [this, deltas = std::move(deltas)] {
      for (const auto& delta : deltas) {
        in_sync_ = in_sync_ || std::holds_alternative<policy::InSync>(delta);
        data_plane_->on_delta(delta);
      }
      request_apply();
    });
  }

 private:
  void on_events(std::span<const net::MonitorEvent> events) override {
    std::vector<net::LinkEvent> links;
    for (const auto& event : events)
      if (const auto* link = std::get_if<net::LinkEvent>(&event)) links.push_back(*link);
    const bool missed = std::ranges::any_of(
        events, [](const auto& event) { return std::holds_alternative<net::Resync>(event); });
    if (links.empty() && !missed) return;
    asio::post(context_, [this, links = std::move(links), missed] {
      if (missed) data_plane_->resync();
      for (const auto& event : links)
        data_plane_->on_interface_change(event.link.name, event.link.up && !event.removed);
      request_apply();
    });
  }

  // One apply() for everything that has arrived by the time it runs.
  void request_apply() {
    if (apply_requested_) return;
    apply_requested_ = true;
    asio::post(context_, [this] { apply(); });
  }

  void apply() {
    apply_requested_ = false;
    if (!in_sync_) return;
    retry_.cancel();
    const auto started = std::chrono::steady_clock::now();
    const auto result = data_plane_->apply();
    metrics_.data_plane_apply_seconds.Observe(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
    if (result) {
      if (!last_error_.empty()) spdlog::info("the data plane is as desired again");
      last_error_.clear();
      backoff_.reset();
      health_.report(k_health_part, true);
      return;
    }
    metrics_.data_plane_failures.Increment();
    if (result.error().message != last_error_) {
      metrics_.log_errors.Increment();
      spdlog::error("program the data plane: {}; trying again", result.error().message);
    }
    last_error_ = result.error().message;
    health_.report(k_health_part, false, last_error_);
    retry_.expires_after(backoff_.next());
    retry_.async_wait([this](const boost::system::error_code& error) {
      if (!error) request_apply();
    });
  }

  void schedule_refresh() {
    if (refresh_.count() == 0) return;
    refresh_timer_.expires_after(refresh_);
    refresh_timer_.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      data_plane_->resync();
      request_apply();
      schedule_refresh();
    });
  }

  void schedule_heartbeat() {
    heartbeat_.expires_after(k_heartbeat);
    heartbeat_.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      const bool ready = in_sync_ && last_error_.empty();
      health_.report(k_health_part, ready, in_sync_ ? last_error_ : "waiting for the first state");
      schedule_heartbeat();
    });
  }

  std::unique_ptr<dataplane::DataPlane> data_plane_;
  const std::chrono::milliseconds refresh_;
  Health& health_;
  AgentMetrics& metrics_;

  asio::io_context context_{1};
  asio::steady_timer retry_{context_};
  asio::steady_timer refresh_timer_{context_};
  asio::steady_timer heartbeat_{context_};
  base::Backoff backoff_{{.initial = 100ms, .max = 10s}};
  bool in_sync_ = false;
  bool apply_requested_ = false;
  std::string last_error_;
  std::unique_ptr<net::Monitor> monitor_;
  std::thread thread_;
};

Enforcer::Enforcer(std::unique_ptr<dataplane::DataPlane> data_plane,
                   std::chrono::milliseconds refresh, Health& health, AgentMetrics& metrics)
    : impl_(std::make_unique<Impl>(std::move(data_plane), refresh, health, metrics)) {}
Enforcer::~Enforcer() = default;

base::Result<> Enforcer::start() { return impl_->start(); }
void Enforcer::deliver(std::vector<policy::Delta> deltas) { impl_->deliver(std::move(deltas)); }

}  // namespace margay::node
