#pragma once

// Random services and flows. Everything comes from few names, addresses, ports and backends, so
// that services claim each other's frontends, drain, come back and run empty all the time.

#include <random>
#include <string>
#include <vector>

#include "vector/service/service_table.h"

namespace margay::vector::testing {

class RandomServices {
 public:
  static constexpr uint8_t k_services = 1, k_backends = 2, k_clients = 3;  // subnets
  static constexpr uint64_t k_most_backends = 5, k_most_clients = 48;      // addresses in them

  explicit RandomServices(uint64_t seed) : random_(seed) {}

  uint64_t below(uint64_t limit) { return random_() % limit; }
  bool one_in(uint64_t n) { return below(n) == 0; }

  // 10.<subnet>.0.<host>, or fd<subnet>::<host>.
  static base::IPAddress address(bool is_v6, uint8_t subnet, uint64_t host) {
    const auto byte = static_cast<uint8_t>(host);
    if (!is_v6) return base::IPAddress::v4(uint32_t{10} << 24 | uint32_t{subnet} << 16 | byte);
    return base::IPAddress::v6({0xfd, subnet, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, byte});
  }
  std::string name() { return std::string(1, static_cast<char>('a' + below(6))); }

  ServiceConfig config() {
    ServiceConfig config{.name = name(), .age = below(4)};
    for (uint64_t left = below(5); left != 0; --left) {
      Frontend frontend{address(one_in(2), k_services, below(4)), protocol(), port()};
      frontend.shared_address = one_in(8);
      frontend.local_only = one_in(4);
      frontend.masquerade = one_in(2);
      frontend.restricted = one_in(3);
      config.frontends.push_back(frontend);
    }
    for (uint64_t left = below(8); left != 0; --left)
      config.backends.push_back({{address(one_in(3), k_backends, below(k_most_backends)), 8080},
                                 one_in(2),
                                 one_in(2),
                                 one_in(2)});
    if (one_in(2)) config.affinity_seconds = static_cast<uint32_t>(1 + below(60));
    for (uint64_t left = below(4); left != 0; --left)
      config.source_ranges.emplace_back(address(one_in(3), k_clients, below(k_most_clients)),
                                        static_cast<unsigned>(26 + below(7)));
    return config;
  }

  FlowTuple flow() {
    const bool is_v6 = one_in(2);
    return {.client = address_bytes(address(is_v6, k_clients, below(k_most_clients))),
            .service = address_bytes(address(is_v6, k_services, below(5))),  // one is nobody's
            .client_port = static_cast<uint16_t>(random_()),
            .service_port = port(),
            .protocol = protocol(),
            .family = is_v6 ? uint8_t{6} : uint8_t{4}};
  }

 private:
  uint8_t protocol() { return one_in(2) ? 6 : 17; }
  uint16_t port() { return static_cast<uint16_t>(80 + below(3)); }

  std::mt19937_64 random_;
};

}  // namespace margay::vector::testing
