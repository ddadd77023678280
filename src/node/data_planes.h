#pragma once

// The data planes an agent can run, by name, and what Felix's settings mean to each.

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "dataplane/dataplane.h"
#include "dataplane/upcalls.h"
#include "node/parameters.h"

namespace margay::node {

std::vector<std::string> data_plane_names();

// `invalid` for a name that is not one of those, or settings that the data plane refuses. `upcalls`
// outlive it.
base::Result<std::unique_ptr<dataplane::DataPlane>> make_data_plane(const std::string& name,
                                                                    const std::string& node,
                                                                    const Parameters& parameters,
                                                                    dataplane::Upcalls& upcalls);

}  // namespace margay::node
