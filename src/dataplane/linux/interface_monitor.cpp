#include "dataplane/linux/interface_monitor.h"

#include <spdlog/spdlog.h>

#include <condition_variable>
#include <mutex>

#include "base/backoff.h"
#include "dataplane/linux/interface_table.h"
#include "net/monitor.h"
#include "net/netlink.h"

namespace margay::dataplane::linux_host {

using namespace std::chrono_literals;
using base::Result;

class InterfaceMonitor::Impl : net::Monitor::Listener {
 public:
  explicit Impl(std::chrono::milliseconds refresh) : refresh_(refresh) {}
  ~Impl() override {
    {
      const std::scoped_lock lock(mutex_);
      stopped_ = true;
    }
    stop_.notify_all();
    monitor_.reset();
  }

  Result<> start(InterfaceSource::Listener& listener) {
    listener_ = &listener;
    MARGAY_TRY(monitor_,
               net::Monitor::start(*this, {.routes = false, .resync_interval = refresh_}));
    return {};
  }

 private:
  // On the monitor's thread, which lives in the watched namespace.
  void on_events(std::span<const net::MonitorEvent> events) override {
    for (const auto& event : events) {
      if (const auto* resync = std::get_if<net::Resync>(&event))
        list_again(resync->is_periodic);
      else
        table_.on_event(event, *listener_);
    }
  }

  void list_again(bool is_periodic) {
    const auto before = table_.interfaces();
    if (!list_until_done() || (is_periodic && table_.interfaces() == before)) return;
    if (is_periodic) spdlog::warn("interfaces have changed, and the kernel has not told");
    listener_->on_interfaces(table_.interfaces());
  }

  // Events queue in the kernel meanwhile. False: stopped.
  bool list_until_done() {
    base::Backoff backoff({.initial = 50ms, .max = 5s});
    while (true) {
      const auto listed = list();
      if (listed) return true;
      spdlog::error("list interfaces: {}; trying again", listed.error().message);
      std::unique_lock lock(mutex_);
      if (stop_.wait_for(lock, backoff.next(), [this] { return stopped_; })) return false;
    }
  }

  Result<> list() {
    MARGAY_TRY(auto socket, net::NetlinkSocket::open());
    MARGAY_TRY(const auto links, net::list_links(socket));
    MARGAY_TRY(const auto addresses, net::list_addresses(socket));
    table_.reset(links, addresses);
    return {};
  }

  const std::chrono::milliseconds refresh_;
  InterfaceSource::Listener* listener_ = nullptr;
  InterfaceTable table_;
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopped_ = false;
  std::unique_ptr<net::Monitor> monitor_;
};

InterfaceMonitor::InterfaceMonitor(std::chrono::milliseconds refresh)
    : impl_(std::make_unique<Impl>(refresh)) {}
InterfaceMonitor::~InterfaceMonitor() = default;

Result<> InterfaceMonitor::start(Listener& listener) { return impl_->start(listener); }

}  // namespace margay::dataplane::linux_host
