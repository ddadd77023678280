#pragma once

// Sessions as they are shown. Each worker lists its own, some places of its tables at a time, so
// that packets wait no longer than for a few thousand records.

#include <boost/json/array.hpp>
#include <functional>

#include "base/event_loop.h"
#include "vector/control/flow_filter.h"
#include "vector/engine.h"

namespace margay::vector {

struct SessionQuery {
  FlowFilter filter;   // of the tuple as the first packet had it, or as it left
  size_t limit = 100;  // of all workers together
};

struct SessionListing {
  boost::json::array sessions;
  bool is_whole = true;  // false: there are more than the limit
};

// Calls `done` on the loop.
void list_sessions(base::EventLoop& loop, Engine& engine, const SessionQuery& query,
                   std::function<void(SessionListing)> done);

}  // namespace margay::vector
