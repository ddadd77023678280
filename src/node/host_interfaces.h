#pragma once

// The host's interfaces as last told by their source, for those who ask; and passed on, in order,
// to those who want to hear of each change (the enforcer, the policy graph).

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "dataplane/interface.h"

namespace margay::node {

// Safe from any thread.
class HostInterfaces final : public dataplane::InterfaceSource::Listener {
 public:
  // As they are now, once the source has told them. `timeout` when it does not in time.
  base::Result<std::vector<dataplane::Interface>> list(std::chrono::milliseconds within);
  // From now on it hears what this hears, on the same thread; first, on the caller's, all that
  // there is. It outlives the source, and must not call back.
  void add_listener(dataplane::InterfaceSource::Listener& listener);

  void on_interfaces(const std::vector<dataplane::Interface>& all) override;
  void on_interface(const dataplane::Interface& interface) override;
  void on_interface_removed(const std::string& name) override;

 private:
  std::vector<dataplane::Interface> all() const;

  std::mutex mutex_;
  std::condition_variable told_;
  bool known_ = false;
  std::map<std::string, dataplane::Interface> interfaces_;
  std::vector<dataplane::InterfaceSource::Listener*> listeners_;
};

}  // namespace margay::node
