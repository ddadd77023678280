#pragma once

#include "api/describe.h"

namespace margay::api::calico {

// The spec of FelixConfiguration.
Described<json::value> felix_spec();

}  // namespace margay::api::calico
