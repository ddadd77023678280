#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <string>

#include "base/result.h"

namespace margay::vector {

// Asks the engine that listens on this socket, and waits for its reply, which has no `error`: that
// is returned as one. Blocks.
base::Result<boost::json::object> ask_engine(const std::string& socket,
                                             const boost::json::object& request,
                                             std::chrono::milliseconds timeout);

}  // namespace margay::vector
