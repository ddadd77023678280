#pragma once

// The data planes an agent can run, by name, and what Felix's settings mean to each.

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "dataplane/dataplane.h"
#include "dataplane/linux/config.h"
#include "dataplane/upcalls.h"
#include "node/parameters.h"

namespace margay::node {

std::vector<std::string> data_plane_names();

// Of the data planes of the Linux kernel.
dataplane::linux_host::Config kernel_config(const std::string& node, const Parameters& parameters);

// Those that are set otherwise than they are by default, and that this data plane has nothing for.
std::vector<std::string> parameters_without(const std::string& data_plane,
                                            const Parameters& parameters);

// `invalid` for a name that is not one of those, or settings that the data plane refuses. `upcalls`
// outlive it.
base::Result<std::unique_ptr<dataplane::DataPlane>> make_data_plane(const std::string& name,
                                                                    const std::string& node,
                                                                    const Parameters& parameters,
                                                                    dataplane::Upcalls& upcalls);

}  // namespace margay::node
