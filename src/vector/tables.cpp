#include "vector/tables.h"

namespace margay::vector {

Tables::Tables(unsigned worker_count, const Limits& worker_limits)
    : workers(worker_count), limits(worker_limits), rcu(worker_count) {}

}  // namespace margay::vector
