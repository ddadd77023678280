// Hands out addresses as many nodes and threads do at a time, and prints one JSON object: how many
// ADDs a second, and how long one took. main.go beside this does the same with libcalico-go.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <latch>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "api/calico.h"
#include "cni/node_lock.h"
#include "ipam/block.h"
#include "ipam/ipam.h"
#include "ipam/names.h"
#include "store/kubernetes/kubernetes_store.h"
#include "store/sqlite/sqlite_store.h"

namespace margay {
namespace {

using base::Prefix;
using base::Result;
using Clock = std::chrono::steady_clock;

constexpr const char* k_pool = "10.0.0.0/12";
constexpr unsigned k_block_length = 26;
constexpr unsigned k_addresses_per_block = 64;

struct Load {
  int nodes = 1;
  int threads = 1;  // on each node
  int adds = 100;   // of each thread
  int blocks = 0;   // of other nodes, there before
  std::string folder;
  std::string kubeconfig;
};

std::string node_name(int node) { return fmt::format("node-{}", node); }

api::Labels attributes(const std::string& node, const std::string& pod) {
  return {{"node", node}, {"namespace", "default"}, {"pod", pod}};
}

// A block of another node, half of it in use.
Result<> write_block(store::Store& store, int n) {
  const std::string host = fmt::format("other-{}", n);
  const auto offset = static_cast<uint64_t>(n) * 3 * k_addresses_per_block;
  const Prefix cidr(Prefix::parse(k_pool)->address().plus(offset), k_block_length);
  ipam::Block block = ipam::Block::claimed_by(host, cidr, false);
  for (unsigned i = 0; i < k_addresses_per_block; i += 2) {
    const std::string handle = fmt::format("k8s-pod-network.{}-{}", host, i);
    MARGAY_CHECK(block.assign(cidr.address().plus(i), {handle, attributes(host, handle)}));
  }
  api::BlockAffinity affinity;
  affinity.metadata.name = ipam::affinity_name(host, cidr);
  affinity.spec = {
      .state = "confirmed", .node = host, .cidr = cidr.to_string(), .deleted = "false"};
  MARGAY_CHECK(
      store.write({ipam::Records<api::BlockAffinity>(store, ipam::k_affinities).creation(affinity),
                   ipam::Records<api::IPAMBlock>(store, ipam::k_blocks).creation(block.object())}));
  return {};
}

Result<> prepare(store::Store& store, const Load& load) {
  MARGAY_CHECK(
      store.create({"ippools.projectcalico.org", "", "pool"},
                   fmt::format(R"json({{"apiVersion":"projectcalico.org/v3","kind":"IPPool",
          "metadata":{{"name":"pool"}},
          "spec":{{"cidr":"{}","blockSize":{},"nodeSelector":"all()"}}}})json",
                               k_pool, k_block_length)));
  constexpr int k_writers = 16;
  std::vector<std::thread> writers;
  std::mutex mutex;
  Result<> outcome;
  for (int writer = 0; writer < k_writers; ++writer) {
    writers.emplace_back([&, writer] {
      for (int n = writer; n < load.blocks; n += k_writers) {
        if (auto written = write_block(store, n); !written) {
          const std::lock_guard lock(mutex);
          outcome = std::move(written);
          return;
        }
      }
    });
  }
  for (auto& thread : writers) thread.join();
  return outcome;
}

struct Took {
  std::mutex mutex;
  std::vector<double> milliseconds;
  std::atomic<int> failed = 0;
};

// What the plugin does for one pod.
void add(store::Store& store, const std::string& lock, const std::string& node,
         const std::string& pod, Took& took) {
  const auto began = Clock::now();
  ipam::Ipam ipam(store);
  const ipam::AssignRequest request{
      .owner = {node, "k8s-pod-network." + pod, attributes(node, pod)}, .v4 = 1};
  Result<std::vector<base::IPAddress>> assigned;
  if (const auto one_at_a_time = cni::NodeLock::take(lock); !one_at_a_time) {
    assigned = base::fail(base::ErrorCode::unavailable, one_at_a_time.error().message);
  } else {
    const auto known = ipam.knows(request.owner.handle_id);
    assigned = known ? ipam.assign(request) : base::fail(known.error());
  }
  const std::chrono::duration<double, std::milli> time = Clock::now() - began;
  if (!assigned) {
    if (took.failed++ == 0) fmt::print(stderr, "ADD failed: {}\n", assigned.error().message);
    return;
  }
  const std::lock_guard lock_times(took.mutex);
  took.milliseconds.push_back(time.count());
}

using Stores = std::vector<std::unique_ptr<store::Store>>;

// `stores`: each node's own, or one for all.
double race(const Load& load, const Stores& stores, Took& took) {
  std::latch start(load.nodes * load.threads + 1);
  std::vector<std::thread> threads;
  for (int node = 0; node < load.nodes; ++node) {
    store::Store& store = *stores[static_cast<size_t>(node) % stores.size()];
    for (int thread = 0; thread < load.threads; ++thread) {
      threads.emplace_back([&, node, thread] {
        const std::string lock = fmt::format("{}/{}.lock", load.folder, node_name(node));
        start.arrive_and_wait();
        for (int i = 0; i < load.adds; ++i)
          add(store, lock, node_name(node), fmt::format("{}-{}-{}", node_name(node), thread, i),
              took);
      });
    }
  }
  start.arrive_and_wait();
  const auto began = Clock::now();
  for (auto& thread : threads) thread.join();
  return std::chrono::duration<double>(Clock::now() - began).count();
}

Result<> measure(const Load& load, const Stores& stores) {
  MARGAY_CHECK(prepare(*stores.front(), load));
  Took took;
  const double seconds = race(load, stores, took);
  auto& times = took.milliseconds;
  if (times.empty()) return base::fail(base::ErrorCode::internal, "no ADD succeeded");
  std::ranges::sort(times);
  fmt::print(R"({{"adds_per_second":{:.1f},"p50_ms":{:.3f},"p99_ms":{:.3f},"failed":{}}})"
             "\n",
             static_cast<double>(times.size()) / seconds, times[times.size() / 2],
             times[times.size() * 99 / 100], took.failed.load());
  return {};
}

Result<> run(const Load& load) {
  Stores stores;
  if (load.kubeconfig.empty()) {
    MARGAY_TRY(auto store, store::sqlite::SqliteStore::open({.path = load.folder + "/store.db"}));
    stores.push_back(std::move(store));
    return measure(load, stores);
  }
  for (int node = 0; node < load.nodes; ++node) {
    MARGAY_TRY(auto access, store::kubernetes::load_kubeconfig(load.kubeconfig));
    MARGAY_TRY(auto store,
               store::kubernetes::KubernetesStore::create({.access = std::move(access)}));
    stores.push_back(std::move(store));
  }
  return measure(load, stores);
}

}  // namespace
}  // namespace margay

int main(int argc, char** argv) {
  margay::Load load;
  CLI::App app("Hands out addresses, as fast as it can");
  app.add_option("--nodes", load.nodes, "nodes that add pods at a time");
  app.add_option("--threads", load.threads, "threads on each node");
  app.add_option("--adds", load.adds, "pods that each thread adds, one after another");
  app.add_option("--blocks", load.blocks, "blocks of other nodes that are there before");
  app.add_option("--folder", load.folder, "an empty folder, for the store and the locks")
      ->required();
  app.add_option(
      "--kubeconfig", load.kubeconfig,
      "an API server to work through, with a connection for each node; none: the embedded store");
  CLI11_PARSE(app, argc, argv);
  const auto done = margay::run(load);
  if (done) return 0;
  fmt::print(stderr, "{}\n", done.error().message);
  return 1;
}
