#pragma once

// Editing this node's projectcalico.org Node: reads, changes, writes, and again when somebody else
// was faster. Fields the edit leaves alone stay as they are, also those this version does not know.

#include <boost/json/object.hpp>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/store.h"

namespace margay::node {

// `object[name]`, made an object if it is none.
boost::json::object& child(boost::json::object& object, std::string_view name);

// `edit` may be called several times, each time on a fresh copy; one that changes nothing writes
// nothing. A node that does not exist is created. One without spec.orchRefs gets one that says it
// is the Kubernetes node of that name.
base::Result<> edit_node(store::Store& store, const std::string& name,
                         const std::function<void(boost::json::object&)>& edit);

}  // namespace margay::node
