#pragma once

// The host's ends of this node's workloads: which endpoint has each, whether it is there and up,
// and the kernel parameters it needs before it carries packets (kernel
// Documentation/networking/ip-sysctl.rst). One thread.

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"
#include "dataplane/linux/config.h"
#include "net/mac_address.h"
#include "net/netlink.h"
#include "policy/program.h"

namespace margay::dataplane::linux_host {

class WorkloadInterfaces {
 public:
  // How it stands with an interface that an endpoint has.
  struct State {
    int link = 0;           // its index, once it carries packets; 0: not yet
    std::string waits_for;  // what keeps it from that: "interface cali1 is not there"
    base::Result<> set_up;  // what failed
    bool unknown = false;   // it could not be looked for
  };

  // `config` outlives this.
  explicit WorkloadInterfaces(const Config& config) : config_(config) {}

  // Whether the name is one of workloads' interfaces (interfacePrefix).
  bool is_of_workload(std::string_view name) const;

  // No two have one interface at a time, except until the earlier one's removal is heard.
  void set_endpoint(const policy::WorkloadEndpoint& endpoint);
  void remove_endpoint(const policy::WorkloadKey& key);

  // It may have changed: the next apply() looks at it.
  void touch(const std::string& name);
  void touch_all();
  // Looks at the touched ones and sets them up. Calls `changed` with the name of each. All are
  // tried; the first error is returned, and what failed is tried again next time.
  base::Result<> apply(net::NetlinkSocket& socket,
                       const std::function<void(const std::string&)>& changed);

  // Looks at all of them, and sets nothing up.
  base::Result<> look(net::NetlinkSocket& socket);

  // Of an interface that may carry packets, as soon as it can: an endpoint has it that is up. Null
  // when there is none such.
  const State* state_of(const std::string& name) const;
  // Those of the interfaces that carry packets.
  std::set<int> links() const;
  // Of an endpoint that has one.
  const std::string& name_of(const policy::WorkloadKey& key) const { return interface_of_.at(key); }
  // What keeps the endpoint's interface from carrying packets, and whether that is the kernel's or
  // another's fault (false: it only waits). Nothing: it carries.
  struct Obstacle {
    bool failed = false;
    std::string reason;
  };
  std::optional<Obstacle> obstacle_of(const policy::WorkloadKey& key) const;
  // The workload's end, if known.
  std::optional<net::MacAddress> mac_behind(const std::string& name) const;

 private:
  struct Entry {
    policy::WorkloadKey owner;
    bool admin_up = true;
    std::optional<net::MacAddress> mac;
    State state;
  };

  enum class Setting : uint8_t { up, none };
  base::Result<> look_at(net::NetlinkSocket& socket, const std::string& name, State& state,
                         Setting setting) const;
  base::Result<> set_parameters(const std::string& name) const;

  const Config& config_;
  std::map<std::string, Entry> entries_;
  std::map<policy::WorkloadKey, std::string> interface_of_;
  std::set<std::string> touched_;
};

}  // namespace margay::dataplane::linux_host
