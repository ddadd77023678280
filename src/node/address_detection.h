#pragma once

// Which of the host's addresses is the node's, by calico/node's methods (IP_AUTODETECTION_METHOD):
//
//   first-found            the first address of the first interface that is up and not excluded
//   interface=REGEX,...    the first of an interface whose name matches one (RE2, as Go's; anywhere
//                          in the name)
//   skip-interface=REGEX,... first-found without those
//   cidr=PREFIX,...        the first inside one of the prefixes
//   can-reach=ADDRESS      the source address the kernel would use to reach it
//
// White space around commas is no part of an item. Link-local addresses and loopbacks are never
// chosen.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "dataplane/interface.h"

namespace margay::node {

struct HostAddress {
  std::string interface_name;
  bool interface_up = false;
  base::IPAddress address;
  unsigned prefix_length = 0;

  base::Prefix subnet() const { return {address, prefix_length}; }
  // "192.0.2.1/24": how a Node resource says it.
  std::string to_string() const;
};

// Their addresses, by interface index.
std::vector<HostAddress> addresses_of(std::vector<dataplane::Interface> interfaces);

// `not_found` when no address qualifies, `invalid` when the method is not one of the above.
base::Result<HostAddress> detect_address(const std::vector<HostAddress>& candidates,
                                         base::IPFamily family, std::string_view method);

}  // namespace margay::node
