#pragma once

// Why a flow gets its verdict, for people and for programs.

#include <boost/json/object.hpp>
#include <string>

#include "ctl/flow.h"

namespace margay::ctl {

// `answer` with its steps. Both forms are described in docs/guide/explain.md.
std::string explain_text(const Cluster& cluster, const Answer& answer);
boost::json::object explain_json(const Cluster& cluster, const Answer& answer);

}  // namespace margay::ctl
