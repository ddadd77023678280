#pragma once

// Objects judged as the API server judges them, before anything is sent, and what is wrong with
// them in calicoctl's words.

#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "ctl/resource_type.h"

namespace margay::ctl {

// All that is wrong, as one `invalid` error with its fields.
base::Result<> validate(const ResourceType& type, json::object object);

// What an object says of itself, before anything of it is left out or filled in: a member that
// there is not, and a name, namespace or revision that is no text ("namespace: 123"), are
// `invalid`.
base::Result<> validate_metadata(const ResourceType& type, const json::object& object);

// "error with field spec.cidr = '10.0.0.0' (must be ...)"; several, one a line.
std::string field_errors_text(const std::vector<base::FieldError>& fields);

}  // namespace margay::ctl
