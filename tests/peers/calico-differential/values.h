#pragma once

// What a field of Calico's types is tried with: values that are likely accepted, and values at and
// beyond the edges of its rule.

#include <boost/json/value.hpp>
#include <vector>

#include "oracle.h"
#include "random.h"

namespace margay::peers {

struct Values {
  std::vector<json::value> usual;
  std::vector<json::value> odd;
};

// `field` is no object, list or map.
const Values& values_for(const GoField& field);

// What no field should be surprised by: values of every JSON type.
const std::vector<json::value>& any_type();

}  // namespace margay::peers
