#pragma once

// The FelixConfiguration settings that the datastore last had for this node, kept on the node's
// disk
// (/var/lib/calico/felix-settings): what the closed start goes by while the datastore has not been
// reached. An interface prefix that is set there is known at the next boot, too.

#include <vector>

#include "base/node_state.h"
#include "base/result.h"
#include "node/parameters.h"

namespace margay::node {

// None when there are none, or what is there cannot be read (which is logged).
std::vector<Settings> remembered_settings(const base::NodeState& state);
base::Result<> remember_settings(const base::NodeState& state, const std::vector<Settings>& stored);

}  // namespace margay::node
