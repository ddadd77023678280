#pragma once

// `calicoctl diff`: what `apply` would change, field by field, without writing anything.

#include <string>
#include <vector>

#include "ctl/resource_commands.h"
#include "ctl/resource_type.h"

namespace margay::ctl {

// "spec.order: 5 -> 6", by path; an absent value is "(none)". Both as they would be stored.
std::vector<std::string> differences(const json::object& before, const json::object& after);

// A file's objects beside the datastore's: spec, labels and annotations. Ends with status 1 where
// something differs, as diff(1) does.
Outcome diff_resources(const ResourceArguments& arguments, const Connect& connect);

}  // namespace margay::ctl
