#pragma once

// Says what changes among a namespace's links, addresses and routes, as it happens.
//
// The first event is a Resync, and another follows whenever changes may have been missed (the
// kernel dropped some because we were too slow, or the socket failed and was opened anew): list
// what you care about again. So a consumer that lists on Resync and applies the rest is never
// wrong for long.

#include <chrono>
#include <memory>
#include <span>
#include <thread>
#include <variant>

#include "base/result.h"
#include "base/unique_fd.h"
#include "net/interface_address.h"
#include "net/link.h"
#include "net/route.h"

namespace margay::net {

class NetworkNamespace;

struct LinkEvent {
  Link link;
  bool removed = false;
};
struct AddressEvent {
  InterfaceAddress address;
  bool removed = false;
};
struct RouteEvent {
  Route route;
  bool removed = false;
};
struct Resync {
  bool is_periodic = false;  // only since it is time: nothing is known to be missed
};
using MonitorEvent = std::variant<Resync, LinkEvent, AddressEvent, RouteEvent>;

class Monitor {
 public:
  // Called on the monitor's own thread, in order. May block: events queue in the kernel.
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void on_events(std::span<const MonitorEvent> events) = 0;
  };
  struct Options {
    bool links = true;
    bool addresses = true;
    bool routes = true;
    int receive_buffer = 4 * 1024 * 1024;  // bytes; what a burst may take before it is a Resync
    std::chrono::milliseconds resync_interval{0};  // of periodic ones; 0: none
  };

  // Of the calling thread's namespace, or of `where`. The listener must outlive the monitor.
  static base::Result<std::unique_ptr<Monitor>> start(Listener& listener, const Options& options);
  static base::Result<std::unique_ptr<Monitor>> start(const NetworkNamespace& where,
                                                      Listener& listener, const Options& options);
  // No call to the listener is running or comes once this has returned.
  ~Monitor();
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;

 private:
  Monitor(Listener& listener, const Options& options, base::UniqueFd stop);
  base::Result<base::UniqueFd> subscribe() const;
  void run(base::UniqueFd socket);
  // Reads until stopped (true) or the socket fails (false).
  bool deliver_until_failure(int socket);
  base::UniqueFd subscribe_again();
  bool stopped_within(int milliseconds) const;
  bool is_periodic() const;

  Listener& listener_;
  const Options options_;
  base::UniqueFd stop_;  // readable: end
  std::thread thread_;   // started in the namespace that is watched, so sockets open there
};

}  // namespace margay::net
