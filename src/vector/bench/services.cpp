// Which backend a new flow goes to, among 10,000 services of 10 backends: the choice alone, without
// the packet around it.

#include "vector/bench/services.h"

#include <fmt/format.h>

#include <random>

#include "vector/bench/rounds.h"
#include "vector/parse/ip_protocol.h"
#include "vector/service/service_table.h"

namespace margay::vector::bench {
namespace {

using base::IPAddress;
using base::Result;

constexpr uint32_t k_services = 10'000, k_backends = 10;
constexpr uint32_t k_first_service = 0x0a600000, k_first_backend = 0x0b000000;
constexpr uint16_t k_port = 80, k_backend_port = 8080;
constexpr unsigned k_flows = 1 << 18, k_batch = k_most_batch;
constexpr unsigned k_batches = k_flows / k_batch;

ServiceConfig service(uint32_t number) {
  ServiceConfig config{.name = fmt::to_string(number)};
  config.frontends = {{IPAddress::v4(k_first_service + number), protocol::k_tcp, k_port}};
  for (uint32_t i = 0; i < k_backends; ++i)
    config.backends.push_back(
        {.identity = {IPAddress::v4(k_first_backend + number * k_backends + i), k_backend_port},
         .ready = true});
  return config;
}

std::vector<FlowTuple> flows() {
  std::mt19937_64 random(1);
  std::vector<FlowTuple> flows(k_flows);
  for (auto& flow : flows) {
    flow.client = address_bytes(IPAddress::v4(static_cast<uint32_t>(random())));
    flow.service = address_bytes(
        IPAddress::v4(k_first_service + static_cast<uint32_t>(random() % k_services)));
    flow.client_port = static_cast<uint16_t>(random());
    flow.service_port = k_port;
    flow.protocol = protocol::k_tcp;
  }
  return flows;
}

// One of the service's own backends.
bool is_right(const FlowTuple& flow, const Choice& choice) {
  const auto v4 = [](const AddressBytes& bytes) {
    return IPAddress::from_bytes({bytes.data(), 4})->to_v4();
  };
  return choice.result == Choice::Result::chosen && choice.port == k_backend_port &&
         (v4(choice.address) - k_first_backend) / k_backends == v4(flow.service) - k_first_service;
}

Result<Measurement> maglev(const std::string& name) {
  const ServiceLimits limits;
  Rcu rcu(1);
  ServiceWorker worker(limits, 1);
  ServiceTable table(&rcu, limits, {&worker});
  for (uint32_t number = 0; number < k_services; ++number)
    MARGAY_CHECK(table.set_service(service(number)));
  rcu.reclaim();

  const auto all = flows();
  std::vector<FlowTuple> batch;
  std::vector<Choice> choices(k_batch);
  size_t wrong = 0;
  const auto check = [&] {
    for (size_t i = 0; i < batch.size(); ++i) wrong += !is_right(batch[i], choices[i]);
  };
  const double cycles = median_cycles(
      k_batches, k_batch,
      [&](unsigned number) {
        check();  // the batch before
        const auto first = all.begin() + ptrdiff_t{number % k_batches} * k_batch;
        batch.assign(first, first + k_batch);
      },
      [&] { table.choose(batch, 1, &worker, choices); });
  check();
  if (wrong != 0)
    return base::fail(base::ErrorCode::internal, fmt::format("{} flows were sent wrong", wrong));
  auto result = measured(name, 0, k_flows, 0, cycles);
  result.note = fmt::format("{} backends each; tables {:.1f} MiB", k_backends,
                            static_cast<double>(table.maglev_tables().bytes()) / (1 << 20));
  return result;
}

}  // namespace

std::vector<Case> service_cases() {
  const auto name = fmt::format("maglev/services={}", k_services);
  return {{name, [name] { return maglev(name); }}};
}

}  // namespace margay::vector::bench
