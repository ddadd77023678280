#pragma once

// What text from settings must be like, since it ends up in rules. The error says the rule and
// leaves out the setting's name, which the caller knows.

#include <string_view>

#include "base/result.h"

namespace margay::dataplane::linux_host {

base::Result<> check_log_prefix(std::string_view text);        // LogPrefix
base::Result<> check_interface_prefix(std::string_view text);  // one of InterfacePrefix
// IptablesNATOutgoingInterfaceFilter: a name, or the beginning of some and '+'.
base::Result<> check_interface_filter(std::string_view text);

}  // namespace margay::dataplane::linux_host
