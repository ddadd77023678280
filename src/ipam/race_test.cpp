// Many nodes at once on one store that misbehaves: what must hold whatever happens.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "api/codec.h"
#include "api/json_path.h"
#include "ipam/check.h"
#include "ipam/ipam.h"
#include "ipam/names.h"
#include "ipam/testing/faulty_store.h"
#include "ipam/testing/scratch_store.h"

namespace margay::ipam {
namespace {

using base::IPAddress;
using testing::Crash;
using testing::Fault;
using testing::FaultyStore;
using testing::NthWrite;
using testing::ScratchStore;
using testing::Writes;

constexpr Writes k_stores[] = {Writes::together, Writes::in_order, Writes::unchanged};

std::string_view name_of(Writes writes) {
  return writes == Writes::together   ? "writes together"
         : writes == Writes::in_order ? "writes in order"
                                      : "unchanged writes make no revision";
}

// Who has been told that an address is theirs. Two at a time is the failure all this is against.
class Ledger {
 public:
  void take(const std::vector<IPAddress>& addresses, const std::string& owner) {
    const std::scoped_lock lock(mutex_);
    for (const auto& address : addresses) {
      const auto [entry, fresh] = owner_.emplace(address, owner);
      if (!fresh) clashes_.push_back(address.to_string() + ": " + entry->second + ", " + owner);
    }
  }
  void give_back(const std::vector<IPAddress>& addresses) {
    const std::scoped_lock lock(mutex_);
    for (const auto& address : addresses) owner_.erase(address);
  }
  const std::vector<std::string>& clashes() const { return clashes_; }

 private:
  std::mutex mutex_;
  std::map<IPAddress, std::string> owner_;
  std::vector<std::string> clashes_;
};

// Now and then a fault, each kind as often as the next.
class RandomFaults {
 public:
  explicit RandomFaults(unsigned seed) : random_(seed) {}
  Fault operator()() {
    constexpr Fault k_faults[] = {Fault::conflict, Fault::unavailable, Fault::lost_answer,
                                  Fault::crash_before, Fault::crash_after};
    if (std::uniform_int_distribution(0, 99)(random_) >= 10) return Fault::none;
    return k_faults[std::uniform_int_distribution(0, 4)(random_)];
  }

 private:
  std::minstd_rand random_;
};

// A node that starts and stops pods. After a fault it does what a container runtime does: it
// deletes what it does not know to have, by the handle, until that succeeds.
class Node {
 public:
  // `process` tells it from others that work for the same node.
  Node(store::Store& store, Writes writes, Ledger& ledger, std::string name, unsigned process,
       unsigned seed)
      : store_(store, RandomFaults(seed), writes),
        ledger_(ledger),
        name_(std::move(name)),
        pods_name_(name_ + "-" + std::to_string(process)),
        random_(seed) {}

  void run(int steps) {
    for (int step = 0; step < steps; ++step) {
      if (pods_.empty() || random_() % 3 != 0) {
        start_pod(pods_name_ + "-" + std::to_string(step));
      } else {
        const auto pod = *std::next(pods_.begin(), static_cast<long>(random_() % pods_.size()));
        stop_pod(pod.first, pod.second);
      }
    }
  }
  void stop_all() {
    while (!pods_.empty()) {
      const auto pod = *pods_.begin();
      stop_pod(pod.first, pod.second);
    }
  }
  const std::map<std::string, std::vector<IPAddress>>& pods() const { return pods_; }

 private:
  void start_pod(const std::string& handle) {
    try {
      const auto assigned = Ipam(store_).assign({.owner = {name_, handle, {{"node", name_}}},
                                                 .v4 = 1 + random_() % 2,
                                                 .v6 = random_() % 2});
      if (assigned) {
        ledger_.take(*assigned, handle);
        pods_.emplace(handle, *assigned);
        return;
      }
    } catch (const Crash&) {
    }
    stop_pod(handle, {});
  }
  void stop_pod(std::string handle, const std::vector<IPAddress>& addresses) {
    ledger_.give_back(addresses);
    pods_.erase(handle);
    while (!try_to_release(handle)) continue;
  }
  bool try_to_release(const std::string& handle) {
    try {
      return Ipam(store_).release_handle(handle).has_value();
    } catch (const Crash&) {
      return false;
    }
  }

  FaultyStore store_;
  Ledger& ledger_;
  std::string name_;
  std::string pods_name_;
  std::minstd_rand random_;
  std::map<std::string, std::vector<IPAddress>> pods_;
};

std::vector<std::string> wrong(const Report& report) {
  std::vector<std::string> texts;
  for (const auto& finding : report.findings) {
    if (is_harmless(finding.problem)) continue;
    texts.push_back(std::string(to_string(finding.problem)) + ": " + finding.subject + " " +
                    finding.detail);
  }
  return texts;
}

struct Cluster {
  unsigned nodes;
  unsigned processes_per_node;  // that work for one node at a time
  int steps;
};

void race(const Cluster& cluster, unsigned seed) {
  ScratchStore store;
  // Tight, so that nodes run into their limits and into each other.
  store.add_pool({.name = "four", .cidr = "10.0.0.0/26", .block_size = 29});
  store.add_pool({.name = "six", .cidr = "fd00::/120", .block_size = 125 - 1});
  ASSERT_TRUE(Ipam(store.get()).set_config({.max_blocks_per_host = 3}));
  Ledger ledger;
  std::vector<std::unique_ptr<Node>> nodes;
  for (unsigned i = 0; i < cluster.nodes * cluster.processes_per_node; ++i) {
    const std::string name = "node" + std::to_string(i % cluster.nodes);
    // Beside each other, as a new release's nodes beside an older one's.
    nodes.push_back(std::make_unique<Node>(store.get(), k_stores[i % std::size(k_stores)], ledger,
                                           name, i, seed + i));
  }
  std::vector<std::thread> threads;
  for (auto& node : nodes) threads.emplace_back([&] { node->run(cluster.steps); });
  for (auto& thread : threads) thread.join();

  EXPECT_TRUE(ledger.clashes().empty()) << ledger.clashes().front();
  std::set<IPAddress> in_use;
  for (const auto& node : nodes) {
    for (const auto& [pod, addresses] : node->pods())
      in_use.insert(addresses.begin(), addresses.end());
  }
  const auto during = check(store.get(), {.in_use = in_use});
  ASSERT_TRUE(during) << during.error().message;
  EXPECT_EQ(wrong(*during), std::vector<std::string>{}) << "seed " << seed;

  for (auto& node : nodes) node->stop_all();
  const auto after = check(store.get(), {.in_use = std::set<IPAddress>{}});
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_EQ(wrong(*after), std::vector<std::string>{}) << "seed " << seed;
  EXPECT_EQ(after->assigned, 0U) << "seed " << seed;
  EXPECT_EQ(after->handles, 0U) << "no handle is left counting. Seed " << seed;
}

TEST(Race, NodesThatCrashNeverShareNorLeakAnAddress) {
  for (unsigned seed = 1; seed <= 4; ++seed)
    race({.nodes = 6, .processes_per_node = 1, .steps = 40}, seed);
}

TEST(Race, ProcessesOfOneNodeNeverShareNorLeakNorPassItsLimit) {
  for (unsigned seed = 11; seed <= 14; ++seed)
    race({.nodes = 2, .processes_per_node = 4, .steps = 30}, seed);
}

// One operation, one fault, at every write in turn.
struct Scenario {
  const char* name;
  std::function<base::Result<>(Ipam&)> run;
};

const std::vector<Scenario>& scenarios() {
  static const std::vector<Scenario> all{
      {"assign",
       [](Ipam& ipam) -> base::Result<> {
         MARGAY_CHECK(ipam.assign({.owner = {"node1", "h1", {}}, .v4 = 6, .v6 = 1}));
         return {};
       }},
      {"assign a given address",
       [](Ipam& ipam) {
         return ipam.assign_address({"node1", "h1", {}}, IPAddress::parse("10.0.0.9").value());
       }},
      {"assign and release by handle",
       [](Ipam& ipam) -> base::Result<> {
         MARGAY_CHECK(ipam.assign({.owner = {"node1", "h1", {}}, .v4 = 6}));
         MARGAY_CHECK(ipam.release_handle("h1"));
         return {};
       }},
      {"assign and release by address",
       [](Ipam& ipam) -> base::Result<> {
         MARGAY_TRY(const auto assigned, ipam.assign({.owner = {"node1", "h1", {}}, .v4 = 6}));
         MARGAY_CHECK(ipam.release(assigned));
         return {};
       }},
      {"assign and leave the node",
       [](Ipam& ipam) -> base::Result<> {
         MARGAY_CHECK(ipam.assign({.owner = {"node1", "h1", {}}, .v4 = 1}));
         return ipam.release_affinities("node1", false);
       }},
      {"release and leave the node",
       [](Ipam& ipam) -> base::Result<> {
         MARGAY_CHECK(ipam.assign({.owner = {"node1", "h1", {}}, .v4 = 1}));
         MARGAY_CHECK(ipam.release_handle("h1"));
         return ipam.release_affinities("node1", true);
       }},
  };
  return all;
}

// True when the fault was reached. Leaves the store as empty as it was.
bool interrupted(store::Store& store, Writes writes, const Scenario& scenario, int nth,
                 Fault fault) {
  NthWrite choose(nth, fault);
  FaultyStore faulty(store, choose, writes);
  try {
    Ipam ipam(faulty);
    [[maybe_unused]] const auto outcome = scenario.run(ipam);
  } catch (const Crash&) {
  }
  const std::string where = fmt::format("{}, write {}, {}", scenario.name, nth, name_of(writes));
  const auto after = check(store).value();
  EXPECT_EQ(wrong(after), std::vector<std::string>{}) << where << ": only harmless remains";

  // What the runtime does next: delete, and start anew. Then all is clean.
  Ipam again(store);
  EXPECT_TRUE(again.release_handle("h1")) << where;
  EXPECT_EQ(check(store).value().assigned, 0U) << where;
  const auto assigned = again.assign({.owner = {"node1", "h2", {}}, .v4 = 5, .v6 = 1});
  EXPECT_TRUE(assigned) << where << ": " << assigned.error().message;
  const auto repaired = check(store).value();
  EXPECT_EQ(wrong(repaired), std::vector<std::string>{}) << where;
  EXPECT_EQ(repaired.handles, 1U) << where;
  EXPECT_EQ(again.release_handle("h2").value(), 6U) << where;
  EXPECT_TRUE(again.release_affinities("node1", true)) << where;
  const auto empty = check(store).value();
  EXPECT_TRUE(empty.findings.empty()) << where << ": " << empty.findings[0].subject;
  EXPECT_EQ(empty.blocks, 0U) << where;
  return choose.writes() >= nth;
}

TEST(Fault, AtAnyWriteLeavesNothingThatTheNextCallDoesNotRepair) {
  ScratchStore store;
  store.add_pool({.name = "four", .cidr = "10.0.0.0/24", .block_size = 30});
  store.add_pool({.name = "six", .cidr = "fd00::/120"});
  for (const Writes writes : k_stores) {
    for (const auto& scenario : scenarios()) {
      for (const Fault fault : {Fault::conflict, Fault::unavailable, Fault::lost_answer,
                                Fault::crash_before, Fault::crash_after}) {
        int nth = 1;
        while (interrupted(store.get(), writes, scenario, nth, fault) &&
               !::testing::Test::HasFailure())
          ++nth;
        EXPECT_GT(nth, 3) << scenario.name << " writes more than that";
      }
    }
  }
}

// Two at a time, exactly: before one's nth write the other does all it has to do.
const std::vector<Scenario>& meddlers() {
  static const std::vector<Scenario> all{
      {"the same pod is deleted",
       [](Ipam& ipam) -> base::Result<> {
         MARGAY_CHECK(ipam.release_handle("h1"));
         return {};
       }},
      {"the same pod is added",
       [](Ipam& ipam) -> base::Result<> {
         MARGAY_CHECK(ipam.assign({.owner = {"node1", "h1", {}}, .v4 = 1}));
         return {};
       }},
      {"another pod of the node is added",
       [](Ipam& ipam) -> base::Result<> {
         MARGAY_CHECK(ipam.assign({.owner = {"node1", "h2", {}}, .v4 = 5}));
         return {};
       }},
      {"another node takes every address",
       [](Ipam& ipam) -> base::Result<> {
         for (const size_t count : {8, 4, 2, 1}) {
           while (ipam.assign({.owner = {"node2", "h3", {}}, .v4 = count})) continue;
         }
         return {};
       }},
      {"the node gives its blocks up",
       [](Ipam& ipam) { return ipam.release_affinities("node1", false); }},
      {"the node gives its empty blocks up",
       [](Ipam& ipam) { return ipam.release_affinities("node1", true); }},
  };
  return all;
}

// True when there was an nth write.
bool meddled(store::Store& store, Writes kind, const Scenario& scenario, const Scenario& meddler,
             int nth) {
  int writes = 0;
  bool meddling = false;
  FaultyStore others(store, [] { return Fault::none; }, kind);
  const auto meddle = [&] {
    if (!meddling && ++writes == nth) {
      meddling = true;
      Ipam other(others);
      EXPECT_TRUE(meddler.run(other)) << meddler.name;
    }
    return Fault::none;
  };
  FaultyStore watched(store, meddle, kind);
  Ipam ipam(watched);
  [[maybe_unused]] const auto outcome = scenario.run(ipam);
  const std::string where = fmt::format("{}, and before write {} {}; {}", scenario.name, nth,
                                        meddler.name, name_of(kind));
  EXPECT_EQ(wrong(check(store).value()), std::vector<std::string>{}) << where;

  Ipam again(store);
  for (const char* handle : {"h1", "h2", "h3"}) EXPECT_TRUE(again.release_handle(handle)) << where;
  const auto after = check(store).value();
  EXPECT_EQ(after.assigned, 0U) << where;
  EXPECT_EQ(after.handles, 0U) << where;
  for (const char* host : {"node1", "node2"}) EXPECT_TRUE(again.release_affinities(host, true));
  EXPECT_EQ(check(store).value().blocks, 0U) << where;
  return meddling;
}

TEST(Race, WhateverAnotherDoesBeforeAnyWriteIsNeitherLostNorLeaked) {
  ScratchStore store;
  store.add_pool({.name = "four", .cidr = "10.0.0.0/28", .block_size = 30});
  store.add_pool({.name = "six", .cidr = "fd00::/120"});
  ASSERT_TRUE(Ipam(store.get()).set_config({.max_blocks_per_host = 3}));
  for (const Writes kind : k_stores) {
    for (const auto& scenario : scenarios()) {
      for (const auto& meddler : meddlers()) {
        int nth = 1;
        while (meddled(store.get(), kind, scenario, meddler, nth) && !::testing::Test::HasFailure())
          ++nth;
        EXPECT_GT(nth, 3) << scenario.name << " writes more than that";
      }
    }
  }
}

// The other way round: all of ADD happens while DEL of the same container is under way, as when a
// runtime has given up on an ADD.
TEST(Race, AnAddDuringADelOfTheSameContainerLeavesNothingUncounted) {
  ScratchStore store;
  store.add_pool({.name = "four", .cidr = "10.0.0.0/28", .block_size = 30});
  const Scenario add{"the same pod is added", [](Ipam& ipam) -> base::Result<> {
                       MARGAY_CHECK(ipam.assign({.owner = {"node1", "h1", {}}, .v4 = 1}));
                       return {};
                     }};
  const Scenario del{"the pod is deleted", [](Ipam& ipam) -> base::Result<> {
                       MARGAY_CHECK(ipam.release_handle("h1"));
                       return {};
                     }};
  for (const Writes kind : k_stores) {
    for (int died_after : {1, 2, 3}) {  // an ADD before, that left its handle counting
      int nth = 1;
      do {
        FaultyStore faulty(store.get(), NthWrite(died_after, Fault::crash_after), kind);
        try {
          Ipam ipam(faulty);
          [[maybe_unused]] const auto outcome = add.run(ipam);
        } catch (const Crash&) {
        }
      } while (meddled(store.get(), kind, del, add, nth++) && !::testing::Test::HasFailure());
    }
  }
}

// A handle and how many addresses it asks for; none: it gives all back.
using Step = std::pair<int, size_t>;

void play(store::Store& store, const std::vector<Step>& steps) {
  constexpr size_t k_addresses = 32;  // of the pool
  Ipam ipam(store);
  std::map<std::string, std::set<IPAddress>> expected;
  std::set<IPAddress> in_use;
  for (const auto& [who, count] : steps) {
    const std::string handle = "h" + std::to_string(who);
    auto& held = expected[handle];
    if (count == 0) {
      RC_ASSERT(ipam.release_handle(handle).value() == held.size());
      for (const auto& address : held) in_use.erase(address);
      held.clear();
      continue;
    }
    const std::string host = "node" + std::to_string(who % 2);
    const auto assigned = ipam.assign({.owner = {host, handle, {}}, .v4 = count});
    RC_ASSERT(assigned.has_value() == (in_use.size() + count <= k_addresses));
    if (!assigned) continue;
    for (const auto& address : *assigned) RC_ASSERT(in_use.insert(address).second);
    held.insert(assigned->begin(), assigned->end());
  }
  RC_ASSERT(check(store, {.in_use = in_use}).value().findings.empty());
  for (const auto& [handle, held] : expected) RC_ASSERT(ipam.release_handle(handle).has_value());
}

TEST(Property, AssignAndReleaseInAnyOrderKeepTheBooks) {
  ScratchStore store;
  store.add_pool({.name = "four", .cidr = "10.0.0.0/27", .block_size = 30});
  EXPECT_TRUE(rc::check([&] {
    play(store.get(), *rc::gen::container<std::vector<Step>>(
                          rc::gen::pair(rc::gen::inRange(0, 4), rc::gen::inRange<size_t>(0, 6))));
  }));
}

// Node 2 claims, from the pool remade with larger blocks, between node 1's look at what is there
// and the making of node 1's block, or of what follows it.
TEST(Race, BlocksOfDifferentSizesAreNeverBothKept) {
  for (int nth = 1; nth <= 4; ++nth) {
    ScratchStore store;
    store.add_pool({.name = "pool", .cidr = "10.0.0.0/28", .block_size = 30});
    std::vector<IPAddress> of_node2;
    int writes = 0;
    FaultyStore interrupted(store.get(), [&] {
      if (++writes == nth) {
        store.add_pool({.name = "pool", .cidr = "10.0.0.0/28", .block_size = 28});
        const auto assigned = Ipam(store.get()).assign({.owner = {"node2", "h2", {}}, .v4 = 4});
        if (assigned) of_node2 = *assigned;
      }
      return Fault::none;
    });
    const auto of_node1 = Ipam(interrupted).assign({.owner = {"node1", "h1", {}}, .v4 = 4});
    ASSERT_TRUE(of_node1) << of_node1.error().message;
    for (const auto& address : *of_node1)
      EXPECT_EQ(std::ranges::count(of_node2, address), 0) << "write " << nth;
    const auto entries = store.get().list({.resource = std::string(k_blocks)}).value().entries;
    std::vector<base::Prefix> blocks;
    for (const auto& entry : entries)
      blocks.push_back(*base::Prefix::parse(
          api::text_at(api::parse_json(entry.value)->as_object(), {"spec", "cidr"})));
    for (size_t i = 0; i < blocks.size(); ++i)
      for (size_t k = 0; k < i; ++k)
        EXPECT_FALSE(blocks[i].overlaps(blocks[k]))
            << "write " << nth << ": " << blocks[i].to_string() << ", " << blocks[k].to_string();
  }
}

}  // namespace
}  // namespace margay::ipam
