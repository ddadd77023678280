#pragma once

// What `kubectl get` shows: the columns and cells of a meta.k8s.io Table.

#include <boost/json/array.hpp>

#include "api/kind.h"
#include "base/clock.h"

namespace margay::api {

// columnDefinitions: Name, then the kind's own.
json::array table_columns(const Kind& kind);

// One row's cells. A column without a JSON path is computed from the object; ages are told as of
// `now` ("5m", "3d"), missing values as "<none>".
json::array table_cells(const Kind& kind, const json::object& object, base::Clock::Wall now);

// "45s", "5m10s", "3h", "2d", "1y20d": how kubectl tells a duration.
std::string short_duration(std::chrono::seconds duration);

}  // namespace margay::api
