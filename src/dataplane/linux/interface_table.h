#pragma once

// The interfaces of a Linux host, from what the kernel lists and says afterwards; tells which of
// its events are news. An event that repeats what is known (the echo of our own write, statistics)
// is none. No I/O.

#include <map>
#include <span>
#include <string>
#include <vector>

#include "dataplane/interface.h"
#include "net/interface_address.h"
#include "net/link.h"
#include "net/monitor.h"

namespace margay::dataplane::linux_host {

class InterfaceTable {
 public:
  // Forgets what was known.
  void reset(std::span<const net::Link> links, std::span<const net::InterfaceAddress> addresses);
  // One event at a time, so that an interface that goes down and comes up again is told twice.
  void on_event(const net::MonitorEvent& event, InterfaceSource::Listener& listener);

  std::vector<Interface> interfaces() const;

 private:
  void on(const net::LinkEvent& event, InterfaceSource::Listener& listener);
  void on(const net::AddressEvent& event, InterfaceSource::Listener& listener);
  template <typename Other>
  void on(const Other&, InterfaceSource::Listener&) {}

  std::map<int, Interface> by_index_;
};

}  // namespace margay::dataplane::linux_host
