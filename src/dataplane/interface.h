#pragma once

// The interfaces of this host as the agent's core sees them, and where it hears of them. Each
// platform provides a source (linux/interface_monitor.h), and so do tests.

#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"

namespace margay::dataplane {

struct InterfaceAddress {
  base::IPAddress address;
  unsigned prefix_length = 0;
  auto operator<=>(const InterfaceAddress&) const = default;
};

struct Interface {
  std::string name;
  int index = 0;    // another one when an interface of that name was made anew
  bool up = false;  // administratively
  uint32_t mtu = 0;
  std::vector<InterfaceAddress> addresses;  // in the platform's order, its primary one first
  bool operator==(const Interface&) const = default;
};

class InterfaceSource {
 public:
  // Called on a thread of the source's own, in order. May block.
  class Listener {
   public:
    virtual ~Listener() = default;
    // All there are. Comes first, and again whenever changes may have been missed: what hangs on
    // interfaces (routes, neighbours) may have changed as well.
    virtual void on_interfaces(const std::vector<Interface>& all) = 0;
    // One was made, or has changed in something that is told here.
    virtual void on_interface(const Interface& interface) = 0;
    virtual void on_interface_removed(const std::string& name) = 0;
  };

  virtual ~InterfaceSource() = default;
  // Call once. The listener outlives the source; no call to it comes after the source's end.
  virtual base::Result<> start(Listener& listener) = 0;
};

}  // namespace margay::dataplane
