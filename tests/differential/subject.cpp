#include "differential/subject.h"

#include <fmt/format.h>

namespace margay::differential {

std::string workload_interface(size_t number) { return fmt::format("cali{:04}", number); }

net::MacAddress workload_mac(const std::string& interface_name) {
  const auto number = static_cast<unsigned>(std::stoul("0" + interface_name.substr(4)));
  return {{0x02, 0xca, 0x11, 0, static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number)}};
}

}  // namespace margay::differential
