#pragma once

// FelixConfiguration's spec as settings: each field as the text that Felix's environment variable
// of the same parameter would have. Durations become a plain number (of seconds; milliseconds for
// iptablesLockProbeInterval), lists are joined by commas, failsafe ports read "tcp:10.0.0.0/8:22"
// ("none" for an empty list), the route table range "1-250".

#include <map>
#include <string>

#include "api/schema.h"

namespace margay::api::calico {

using Settings = std::map<std::string, std::string>;

Settings to_settings(const Schema& spec, const json::object& object);
// The inverse; a setting whose text does not fit its field is written as text.
json::object from_settings(const Schema& spec, const Settings& settings);

// How a field's schema says (in `format`) which text it has.
inline constexpr const char* k_seconds = "duration";
inline constexpr const char* k_milliseconds = "duration-ms";

}  // namespace margay::api::calico
