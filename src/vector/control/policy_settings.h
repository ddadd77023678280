#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <vector>

#include "api/fields.h"
#include "base/result.h"
#include "vector/control/configuration.h"

namespace margay::vector {

// One element of `policies`, whose name is read already. Errors go to `errors`.
PolicySettings read_policy(api::Fields& fields, const std::string& name,
                           std::vector<base::FieldError>& errors);

// "TCP", "udp", "ICMPv6" or a number from 1 to 255; nothing: neither.
std::optional<uint8_t> protocol_of(const boost::json::value& value);

}  // namespace margay::vector
