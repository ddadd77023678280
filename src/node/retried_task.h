#pragma once

// Something that is to be brought up to date whenever it is asked for, off the agent's loop, and
// again with back-off until it succeeds: what needs the datastore and must not hold up policy.

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"

namespace margay::node {

class RetriedTask {
 public:
  // `name` is how the log calls it. `task` may block.
  RetriedTask(std::string name, std::function<base::Result<>()> task);
  // Waits for a call under way.
  ~RetriedTask();

  // Any thread. Requests that wait are one.
  void request();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace margay::node
