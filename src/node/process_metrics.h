#pragma once

// What this process uses, under the names that Prometheus' client libraries give it (process_*), as
// proc(5) says it.

#include <prometheus/metric_family.h>

#include <vector>

namespace margay::node {

// What cannot be read is left out.
std::vector<prometheus::MetricFamily> process_metrics();

}  // namespace margay::node
