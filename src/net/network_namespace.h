#pragma once

// Network namespaces (network_namespaces(7)), named ones as `ip netns` makes them: a file under
// /run/netns on which the namespace is mounted.

#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace margay::net {

class NetworkNamespace {
 public:
  // The calling thread's.
  static base::Result<NetworkNamespace> current();
  // By the path of a namespace file: /proc/PID/ns/net, /run/netns/NAME, what a CRI hands to CNI.
  // `not_found` when there is no namespace there (also for a leftover file without one).
  static base::Result<NetworkNamespace> open(const std::string& path);
  static base::Result<NetworkNamespace> open_named(const std::string& name);
  // A new named one, its loopback up. `already_exists` when the name is taken.
  static base::Result<NetworkNamespace> create(const std::string& name);
  // Removes the name; the namespace goes with its last user. A missing name is fine.
  static base::Result<> remove(const std::string& name);
  static base::Result<std::vector<std::string>> names();
  static std::string path_of(const std::string& name) { return "/run/netns/" + name; }

  // For base::Command::network_namespace and the like; owned by this object.
  int fd() const { return fd_.get(); }
  // Whether both are the same namespace, however they were opened.
  bool is(const NetworkNamespace& other) const;

  // Runs `function`, which returns a Result, inside the namespace on a thread of its own and waits
  // for it: the calling thread never leaves its namespace. An exception passes through.
  template <typename Function>
  std::invoke_result_t<Function> run(Function&& function) const {
    std::optional<std::invoke_result_t<Function>> result;
    MARGAY_CHECK(run_on_thread([&] { result.emplace(function()); }));
    return std::move(*result);
  }

 private:
  explicit NetworkNamespace(base::UniqueFd fd) : fd_(std::move(fd)) {}
  base::Result<> run_on_thread(const std::function<void()>& function) const;

  base::UniqueFd fd_;
};

}  // namespace margay::net
