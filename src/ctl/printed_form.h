#pragma once

// Objects as calicoctl prints them: with the fields that Calico v3.19 always writes, without those
// that only the server keeps, and in its order.

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <string>

#include "ctl/resource_type.h"

namespace margay::ctl {

// Its members in the order of the description. `tier: default`, which v3.19 does not know and which
// a policy that says none is in, is left out.
json::object printed_form(const ResourceType& type, json::object object);

// The list of a type's objects, as one document. `revision`: empty where the list has none.
json::object list_form(const ResourceType& type, json::array items, const std::string& revision);

// Indented by two, as Go's encoder writes it ("<", ">" and "&" as escapes).
std::string indented_json(const json::value& value);

// Members in the order of their names.
std::string sorted_yaml(const json::value& value);

}  // namespace margay::ctl
