#pragma once

// For tests of what holds whatever keeps the rules: the data planes of the Linux kernel by name.

#include <array>
#include <memory>
#include <string_view>

#include "dataplane/dataplane.h"
#include "dataplane/iptables/iptables_dataplane.h"
#include "dataplane/nftables/nftables_dataplane.h"

namespace margay::dataplane {

inline constexpr std::array<const char*, 2> k_kernel_planes{"iptables", "nftables"};

inline base::Result<std::unique_ptr<DataPlane>> make_kernel_plane(std::string_view name,
                                                                  linux_host::Config config) {
  if (name == "nftables") return nftables::NftablesDataPlane::create(std::move(config));
  return iptables::IptablesDataPlane::create(std::move(config));
}

}  // namespace margay::dataplane
