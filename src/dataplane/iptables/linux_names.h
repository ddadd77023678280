#pragma once

// What all data planes of the Linux kernel share, by its own names here.

#include "dataplane/linux/config.h"
#include "dataplane/linux/names.h"

namespace margay::dataplane::iptables {

using namespace linux_host;

}  // namespace margay::dataplane::iptables
