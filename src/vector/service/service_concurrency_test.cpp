#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "vector/service/service_table.h"
#include "vector/service/testing/service_fixture.h"

namespace margay::vector::testing {
namespace {

// While one service changes all the time, and others come and go around it, two workers see only
// what was so before or after a change.
TEST(ServiceConcurrency, WorkersSeeWholeChangesOnly) {
  constexpr unsigned k_workers = 2;
  const ServiceLimits limits{
      .services = 16, .backends = 256, .frontends = 256, .affinity_clients = 64};
  Rcu rcu(k_workers);
  ServiceWorker workers[k_workers] = {ServiceWorker(limits, 1), ServiceWorker(limits, 2)};
  ServiceTable table(&rcu, limits, {&workers[0], &workers[1]});

  // Version n has 2 + n % 5 backends with port 1000 + n % 2, masquerades when n is even.
  const auto version = [](int n) {
    ServiceConfig config{.name = "web", .affinity_seconds = n % 3 == 0 ? 1U : 0U};
    config.frontends = {tcp("10.96.0.1", 80)};
    config.frontends[0].masquerade = n % 2 == 0;
    config.frontends[0].restricted = n % 4 == 0;
    config.source_ranges = {*base::Prefix::parse("172.16.0.0/16")};
    for (int i = 0; i < 2 + n % 5; ++i)
      config.backends.push_back(
          ready("10.0.0." + std::to_string(i), static_cast<uint16_t>(1000 + n % 2)));
    return config;
  };
  ASSERT_TRUE(table.set_service(version(0)).has_value());

  std::atomic<bool> done = false;
  std::atomic<uint64_t> wrong = 0, batches = 0;
  const auto work = [&](unsigned number) {
    rcu.online(number);
    std::vector<FlowTuple> flows;
    flows.reserve(64);
    for (int i = 0; i < 64; ++i)
      flows.push_back(flow("172.16.0." + std::to_string(i), 1000, "10.96.0.1", i < 60 ? 80 : 99));
    std::vector<Choice> choices(flows.size());
    for (uint64_t now_ms = 0; !done; ++now_ms) {
      table.choose(flows, now_ms, &workers[number], choices);
      for (size_t i = 0; i < flows.size(); ++i) {
        const auto& each = choices[i];
        const bool is_right = i < 60 ? each.result == Choice::Result::chosen &&
                                           each.address[0] == 10 && each.address[3] < 6 &&
                                           each.port == (each.masquerade ? 1000 : 1001)
                                     : each.result == Choice::Result::no_port;
        wrong += !is_right;
        table.is_alive(each.backend);
      }
      ++batches;
      rcu.quiescent(number);
    }
    rcu.offline(number);
  };
  {
    std::jthread first(work, 0), second(work, 1);
    // Until the workers have seen many versions; others make the slots grow and be cleaned.
    for (int n = 1; n < 200 || batches < 200; ++n) {
      ASSERT_TRUE(table.set_service(version(n)).has_value());
      ServiceConfig other{.name = "other" + std::to_string(n % 8)};
      for (int i = 0; i < n % 16; ++i)
        other.frontends.push_back(
            tcp("10.97.0." + std::to_string(n % 256), static_cast<uint16_t>(1 + i)));
      ASSERT_TRUE(table.set_service(other).has_value());
      if (n % 3 == 0) table.remove_service("other" + std::to_string(n / 3 % 8));
      table.list();
    }
    done = true;
  }
  EXPECT_EQ(wrong, 0U);
}

}  // namespace
}  // namespace margay::vector::testing
