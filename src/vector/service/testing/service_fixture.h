#pragma once

// Short words for services and flows in tests.

#include <string_view>

#include "vector/service/service_table.h"

namespace margay::vector::testing {

inline base::IPAddress ip(std::string_view text) { return *base::IPAddress::parse(text); }

inline Backend ready(std::string_view address, uint16_t port = 8080) {
  return {.identity = {ip(address), port}, .ready = true};
}

inline Frontend tcp(std::string_view address, uint16_t port) { return {ip(address), 6, port}; }

inline FlowTuple flow(std::string_view client, uint16_t client_port, std::string_view service,
                      uint16_t service_port, uint8_t protocol = 6) {
  return {.client = address_bytes(ip(client)),
          .service = address_bytes(ip(service)),
          .client_port = client_port,
          .service_port = service_port,
          .protocol = protocol,
          .family = static_cast<uint8_t>(ip(service).family())};
}

}  // namespace margay::vector::testing
