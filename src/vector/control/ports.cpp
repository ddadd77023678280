#include "vector/control/ports.h"

#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include <algorithm>

namespace margay::vector {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

constexpr MacAddress k_towards_workloads{{0xee, 0xee, 0xee, 0xee, 0xee, 0xee}};
// A queue of some devices holds a buffer for each descriptor, so there are few.
constexpr uint16_t k_descriptors = 256;

Result<> check_dpdk(const std::string& device, const char* step, int status) {
  if (status >= 0) return {};
  return fail(ErrorCode::unavailable,
              fmt::format("device {}: {}: {}", device, step, rte_strerror(-status)));
}

Result<> set_up_queues(const std::string& device, uint16_t port, uint16_t queues,
                       rte_mempool* buffers) {
  uint16_t receive = k_descriptors, transmit = k_descriptors;
  MARGAY_CHECK(check_dpdk(device, "descriptors",
                          rte_eth_dev_adjust_nb_rx_tx_desc(port, &receive, &transmit)));
  for (uint16_t queue = 0; queue < queues; ++queue) {
    MARGAY_CHECK(
        check_dpdk(device, "receive queue",
                   rte_eth_rx_queue_setup(port, queue, receive, SOCKET_ID_ANY, nullptr, buffers)));
    MARGAY_CHECK(check_dpdk(device, "transmit queue",
                            rte_eth_tx_queue_setup(port, queue, transmit, SOCKET_ID_ANY, nullptr)));
  }
  return {};
}

Result<MacAddress> own_mac(const InterfaceSettings& settings, uint16_t port) {
  if (settings.mac) return *settings.mac;
  if (settings.is_workload) return k_towards_workloads;
  rte_ether_addr address{};
  MARGAY_CHECK(check_dpdk(settings.device, "MAC address", rte_eth_macaddr_get(port, &address)));
  MacAddress mac;
  std::ranges::copy(address.addr_bytes, mac.bytes.begin());
  return mac;
}

}  // namespace

Result<InterfaceConfig> start_port(const InterfaceSettings& settings, unsigned queues,
                                   rte_mempool* buffers) {
  const std::string device = settings.device.substr(0, settings.device.find(','));
  uint16_t port = 0;
  MARGAY_CHECK(check_dpdk(device, "find", rte_eth_dev_get_port_by_name(device.c_str(), &port)));
  const rte_eth_conf plain{};
  const auto count = static_cast<uint16_t>(queues);
  MARGAY_CHECK(check_dpdk(device, fmt::format("configure {} queues", count).c_str(),
                          rte_eth_dev_configure(port, count, count, &plain)));
  MARGAY_CHECK(set_up_queues(device, port, count, buffers));
  // Some devices have no MTU of their own; the engine keeps to it in any case.
  if (const int status = rte_eth_dev_set_mtu(port, settings.mtu); status != -ENOTSUP)
    MARGAY_CHECK(check_dpdk(device, "MTU", status));
  MARGAY_CHECK(check_dpdk(device, "start", rte_eth_dev_start(port)));
  rte_eth_promiscuous_enable(port);  // where it can: what is not for us is dropped by the engine
  MARGAY_TRY(const auto mac, own_mac(settings, port));
  return InterfaceConfig{.name = settings.name,
                         .kind = Interface::Kind::ethdev,
                         .port = port,
                         .mac = mac,
                         .mtu = settings.mtu,
                         .is_workload = settings.is_workload};
}

void stop_ports() {
  for (uint16_t port = rte_eth_find_next(0); port < RTE_MAX_ETHPORTS;
       port = rte_eth_find_next(static_cast<uint16_t>(port + 1))) {
    rte_eth_dev_stop(port);
    rte_eth_dev_close(port);
  }
}

}  // namespace margay::vector
