#pragma once

// Packets in and out of memory for workers that have threads of their own. Both functions are
// called in the worker's thread, once a round, for as long as the engine runs.

#include "vector/worker.h"

namespace margay::vector {

class MemoryDriver {
 public:
  virtual ~MemoryDriver() = default;
  // At most k_most_batch packets, the worker's from then on; the span holds until the next call.
  virtual MemoryBatch take(unsigned worker) = 0;
  // What left through interfaces of kind memory; the packets are the driver's from then on.
  virtual void give(unsigned worker, std::span<const MemoryOutput> packets) = 0;
};

}  // namespace margay::vector
