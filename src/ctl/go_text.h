#pragma once

// Values as Go's fmt prints them with %v, which calicoctl's tables and templates show.

#include <boost/json/value.hpp>
#include <string>
#include <string_view>

namespace margay::ctl {

// 1e+06, true, [a b], map[k:v]; null is <nil>.
std::string go_text(const boost::json::value& value);

// A list's values, or a map's as key=value in order, with `separator` between; anything else by
// itself; null is nothing. A text longer than `most` (0: any length) ends in "..." at that length.
std::string go_join(const boost::json::value& value, std::string_view separator, size_t most = 0);

}  // namespace margay::ctl
