#pragma once

// Finding and ending the processes of a lab or a pod. They are found by what they are, not by a
// list someone had to keep: a process belongs to a lab when it carries the lab's mark in its
// environment, which its children inherit, or when it lives in one of the lab's network namespaces.

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace margay::lab {

class ProcessView {
 public:
  explicit ProcessView(pid_t pid) : pid_(pid) {}
  pid_t pid() const { return pid_; }
  // Whether it was started with the variable "NAME=value".
  bool carries(std::string_view variable) const;
  // Whether that is one of the words it was started with.
  bool has_argument(std::string_view word) const;
  // Whether its main thread is in that network namespace (inode number of the namespace's file).
  bool is_in_namespace(ino_t inode) const;

 private:
  pid_t pid_;
};

using ProcessFilter = std::function<bool(const ProcessView&)>;

// Every running process but this one and its ancestors for which `filter` holds.
std::vector<pid_t> find_processes(const ProcessFilter& filter);

// SIGKILL to all of them, again for those that they still started meanwhile, until none is left.
// A process id that was reused in between is not hit: the filter is asked again on an open pidfd.
base::Result<> kill_processes(const ProcessFilter& filter, std::chrono::milliseconds timeout);

// Inode number of the network namespace with that name; 0 when there is none.
ino_t namespace_inode(const std::string& name);

}  // namespace margay::lab
