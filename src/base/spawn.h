#pragma once

// Starting another program: the step that run() and ChildProcess share (base/process.h is what
// most code wants).
//
// clone(2) with CLONE_VM and CLONE_VFORK: the child borrows this process's memory until it has
// become the other program, so that starting one costs the same from a process of a megabyte and
// from one of a gigabyte. Only the calling thread waits meanwhile.

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace margay::base {

struct SpawnOptions {
  const std::vector<std::string>& argv;  // argv[0] is searched in this process's PATH
  const std::optional<std::vector<std::string>>& environment;  // unset: this process's
  const std::optional<int>& network_namespace;
  // What become its standard descriptors; each must be above 2. All others of this process are
  // closed in it.
  int in, out, err;
  bool own_session = false;
};

struct Spawned {
  pid_t pid = -1;
  UniqueFd process;  // pidfd_open(2): readable once the program has ended
};

// The program begins with no signal blocked and each at its default. `not_found` when there is no
// such program. Any thread.
Result<Spawned> spawn(const SpawnOptions& options);

}  // namespace margay::base
