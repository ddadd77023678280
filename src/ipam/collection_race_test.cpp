// Collecting while others are at work: what must never be taken, whatever happens in between.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include "ipam/collection.h"
#include "ipam/names.h"
#include "ipam/testing/cluster_fixture.h"
#include "ipam/testing/faulty_store.h"
#include "store/testing/forwarding_store.h"

namespace margay::ipam {
namespace {

using base::ErrorCode;
using testing::Cluster;
using testing::Crash;
using testing::Fault;
using testing::FaultyStore;
using testing::NthWrite;
using testing::Writes;

constexpr const char* k_web = "k8s-pod-network.web";

// Calls a function once, right after a list or before a write of one resource has been made.
class InterruptedStore final : public store::ForwardingStore {
 public:
  using Interruption = std::function<void()>;
  explicit InterruptedStore(store::Store& store) : ForwardingStore(store) {}

  void after_list(std::string_view resource, Interruption interruption) {
    listed_ = {std::string(resource), std::move(interruption)};
  }
  void before_write(std::string_view resource, Interruption interruption) {
    written_ = {std::string(resource), std::move(interruption)};
  }

  base::Result<store::List> list(const store::Scope& scope,
                                 const store::ListOptions& options) override {
    auto list = store_.list(scope, options);
    interrupt(listed_, scope.resource);
    return list;
  }
  base::Result<store::Entry> create(const store::Key& key, std::string value) override {
    interrupt(written_, key.resource);
    return store_.create(key, std::move(value));
  }
  base::Result<store::Entry> update(const store::Key& key, std::string value,
                                    std::optional<store::Revision> expected) override {
    interrupt(written_, key.resource);
    return store_.update(key, std::move(value), expected);
  }
  base::Result<store::Entry> remove(const store::Key& key,
                                    std::optional<store::Revision> expected) override {
    interrupt(written_, key.resource);
    return store_.remove(key, expected);
  }

 private:
  struct Place {
    std::string resource;
    Interruption interruption;
  };
  static void interrupt(Place& place, const std::string& resource) {
    if (place.interruption && place.resource == resource)
      std::exchange(place.interruption, nullptr)();
  }
  Place listed_, written_;
};

// ---- between the plan and its end ---------------------------------------------------------------

// Each case: node1 is gone and so is web, the plan is to take its address, and then this happens.
TEST(CollectionRace, APlanThatIsOldTakesNothing) {
  const struct {
    const char* name;
    std::function<void(Cluster&)> meanwhile;
    const char* holder;  // who must have the address in the end
  } cases[] = {
      {"a pod of that name is created", [](Cluster& c) { c.put_pod("web", R"("spec":{})"); },
       k_web},
      {"the node is back, and its kubelet not heard of yet",
       [](Cluster& c) {
         c.scratch().put("nodes", "", "node1",
                         R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"node1"},
                             "status":{"conditions":[{"type":"Ready","status":"Unknown"}]}})");
       },
       k_web},
      {"the node is back", [](Cluster& c) { c.add_node("node1"); }, k_web},
      {"the address is another pod's by now",
       [](Cluster& c) {
         Ipam ipam(c.store());
         ASSERT_TRUE(ipam.release_handle(k_web));
         const auto address = base::IPAddress::parse("10.0.0.64").value();
         ASSERT_TRUE(ipam.assign_address(Cluster::owner("api", "node2"), address));
       },
       "k8s-pod-network.api"},
      {"the same container was added again",
       [](Cluster& c) {
         Ipam ipam(c.store());
         ASSERT_TRUE(ipam.release_handle(k_web));
         Owner owner = Cluster::owner("web", "node1");
         owner.attributes["timestamp"] = "later";
         ASSERT_TRUE(ipam.assign({.owner = owner, .v4 = 1}));
       },
       k_web},
      {"a node took it for its own",
       [](Cluster& c) {
         c.scratch().add_node("node2");
         c.put_calico_node("node2", R"("orchRefs":[{"orchestrator":"k8s","nodeName":"node2"}],
                                       "ipv4VXLANTunnelAddr":"10.0.0.64")");
       },
       k_web},
  };
  for (const auto& [name, meanwhile, holder] : cases) {
    SCOPED_TRACE(name);
    Cluster cluster;
    ASSERT_EQ(cluster.assign("web", "node1"), "10.0.0.64");
    const auto plan = plan_collection(cluster.store()).value();
    ASSERT_EQ(plan.vacated.size(), 1U);
    meanwhile(cluster);
    const auto collected = collect(cluster.store(), plan);
    EXPECT_TRUE(collected.error);
    EXPECT_EQ(collected.addresses, 0U);
    EXPECT_TRUE(cluster.is_held(holder));
  }
}

TEST(CollectionRace, AnOrphanWhoseNodeFallsSilentIsLeft) {
  Cluster cluster;
  cluster.add_node("node1");
  cluster.assign("web", "node1");
  const auto plan = plan_collection(cluster.store()).value();
  ASSERT_EQ(plan.orphans.size(), 1U);
  cluster.scratch().put("nodes", "", "node1",
                        R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"node1"},
                            "status":{"conditions":[{"type":"Ready","status":"Unknown"}]}})");
  EXPECT_EQ(collect(cluster.store(), plan).addresses, 0U);
}

// The narrowest place: pod and node have been asked for, the block is not written yet.
TEST(CollectionRace, WhoKeepsAnAddressWhileItIsDecidedOnHasIt) {
  Cluster cluster;
  cluster.assign("web", "node1");
  const auto plan = plan_collection(cluster.store()).value();
  InterruptedStore interrupted(cluster.store());
  interrupted.before_write(k_blocks, [&] {
    cluster.put_pod("web", R"("spec":{"nodeName":"node1"})");
    EXPECT_EQ(Ipam(cluster.store()).keep(k_web)->size(), 1U) << "a repeated ADD";
  });
  collect(interrupted, plan);
  EXPECT_TRUE(cluster.is_held(k_web));
}

TEST(CollectionRace, ATunnelAddressThatANodeKeepsWhileItIsDecidedOnStays) {
  Cluster cluster;
  cluster.assign_tunnel("node1");
  const auto plan = plan_collection(cluster.store()).value();
  InterruptedStore interrupted(cluster.store());
  interrupted.before_write(k_blocks, [&] {
    cluster.add_node("node1");
    EXPECT_EQ(Ipam(cluster.store()).keep("vxlan-tunnel-addr-node1")->size(), 1U);
  });
  collect(interrupted, plan);
  EXPECT_TRUE(cluster.is_held("vxlan-tunnel-addr-node1"));
}

TEST(CollectionRace, WhatWasTakenFirstIsNotKept) {
  Cluster cluster;
  cluster.assign("web", "node1");
  cluster.collect_all();
  EXPECT_TRUE(Ipam(cluster.store()).keep(k_web)->empty()) << "a repeated ADD assigns anew";
}

// A node that comes back makes its Kubernetes node, then takes the mark off its Calico Node.
TEST(CollectionRace, ANodeThatComesBackKeepsItsCalicoNode) {
  const struct {
    const char* name;
    std::function<void(InterruptedStore&, std::function<void()> come_back)> at;
  } cases[] = {
      {"before the mark",
       [](InterruptedStore& s, auto back) { s.before_write("nodes.projectcalico.org", back); }},
      {"after the mark, before it is looked for",
       [](InterruptedStore& s, auto back) {
         s.before_write("nodes.projectcalico.org",
                        [&s, back] { s.after_list("nodes.projectcalico.org", back); });
       }},
      {"after it was looked for",
       [](InterruptedStore& s, auto back) {
         s.before_write("nodes.projectcalico.org", [&s, back] { s.after_list("nodes", back); });
       }},
  };
  for (const auto& [name, at] : cases) {
    SCOPED_TRACE(name);
    Cluster cluster;
    cluster.add_node("node1");
    cluster.remove_kubernetes_node("node1");
    const auto plan = plan_collection(cluster.store()).value();
    ASSERT_EQ(plan.vacated.size(), 1U);
    InterruptedStore interrupted(cluster.store());
    bool is_back = false;
    at(interrupted, [&] {
      is_back = true;
      cluster.add_node("node1");
    });
    EXPECT_EQ(collect(interrupted, plan).nodes, 0U);
    EXPECT_TRUE(is_back);
    EXPECT_TRUE(cluster.has("nodes.projectcalico.org", "node1"));
  }
}

// An agent that runs on changes its Node, which stays for now; so do the addresses that it names.
TEST(CollectionRace, ATunnelAddressStaysAsLongAsACalicoNodeMayNameIt) {
  Cluster cluster;
  cluster.add_node("node1");
  cluster.remove_kubernetes_node("node1");
  cluster.assign_tunnel("node1");
  const auto plan = plan_collection(cluster.store()).value();
  ASSERT_EQ(plan.vacated.at(0).tunnels.size(), 1U);
  InterruptedStore interrupted(cluster.store());
  interrupted.before_write("nodes.projectcalico.org", [&] {
    cluster.put_calico_node("node1", R"("orchRefs":[{"orchestrator":"k8s","nodeName":"node1"}],
                                        "ipv4VXLANTunnelAddr":"10.0.0.64")");
  });
  const auto collected = collect(interrupted, plan);
  EXPECT_TRUE(collected.error);
  EXPECT_EQ(collected.nodes + collected.addresses, 0U);
  EXPECT_TRUE(cluster.is_held("vxlan-tunnel-addr-node1"));
  EXPECT_EQ(cluster.collect_all().addresses, 1U) << "at the next look it goes, and they with it";
}

TEST(CollectionRace, ABlockThatANodeUsesAgainStaysItsOwn) {
  Cluster cluster;
  cluster.assign("web", "node1");
  ASSERT_TRUE(Ipam(cluster.store()).release_handle(k_web));
  const auto plan = plan_collection(cluster.store()).value();
  ASSERT_EQ(plan.vacated.at(0).blocks.size(), 1U);
  cluster.assign("web", "node1");
  EXPECT_EQ(collect(cluster.store(), plan).blocks, 0U);
  EXPECT_TRUE(check(cluster.store())->findings.empty());
}

// ---- stores that do not tell everything ---------------------------------------------------------

class PartialStore final : public store::ForwardingStore {
 public:
  // `lists`: what a list of a resource comes to.
  using Lists = std::function<base::Result<store::List>(
      const store::Scope&, base::Result<store::List>, bool is_first_page)>;
  PartialStore(store::Store& store, Lists lists)
      : ForwardingStore(store), lists_(std::move(lists)) {}
  base::Result<store::List> list(const store::Scope& scope,
                                 const store::ListOptions& options) override {
    return lists_(scope, store_.list(scope, options), options.resume.empty());
  }

 private:
  Lists lists_;
};

TEST(CollectionRace, NothingIsTakenByWhatIsHalfKnown) {
  const auto failing = [](const char* resource, ErrorCode code) {
    return [=](const store::Scope& scope, base::Result<store::List> list,
               bool) -> base::Result<store::List> {
      return scope.resource == resource ? base::fail(code, "injected") : std::move(list);
    };
  };
  const struct {
    const char* name;
    PartialStore::Lists lists;
  } cases[] = {
      {"nodes cannot be listed", failing("nodes", ErrorCode::unavailable)},
      {"nodes are not found, as of a wrong server", failing("nodes", ErrorCode::not_found)},
      {"pods may not be listed", failing("pods", ErrorCode::forbidden)},
      {"pods are not found", failing("pods", ErrorCode::not_found)},
      {"Calico Nodes may not be listed", failing("nodes.projectcalico.org", ErrorCode::forbidden)},
      {"workload endpoints may not be listed",
       failing("workloadendpoints.projectcalico.org", ErrorCode::forbidden)},
      {"the second page of pods is lost",
       [](const store::Scope& scope, base::Result<store::List> list,
          bool is_first) -> base::Result<store::List> {
         if (scope.resource != "pods" || !scope.name.empty()) return list;
         if (!is_first) return base::fail(ErrorCode::too_old, "injected: compacted");
         list->resume = "more";
         return list;
       }},
  };
  for (const auto& [name, lists] : cases) {
    SCOPED_TRACE(name);
    Cluster cluster;
    cluster.assign("web", "node1");
    const auto whole = plan_collection(cluster.store()).value();
    ASSERT_EQ(whole.vacated.size(), 1U);
    PartialStore partial(cluster.store(), lists);
    EXPECT_FALSE(plan_collection(partial));
    if (std::string_view(name).contains("page")) continue;  // of one pod there is no second
    EXPECT_FALSE(collect(partial, whole).error) << "nor by a plan made before";
    EXPECT_TRUE(cluster.is_held(k_web));
  }
}

// ---- dying, two at a time, and a cluster at work ------------------------------------------------

TEST(CollectionRace, WhereverItDiesTheNextOneEndsIt) {
  for (const Writes writes : {Writes::together, Writes::in_order}) {
    for (const Fault fault : {Fault::crash_before, Fault::crash_after}) {
      for (int nth = 1;; ++nth) {
        Cluster cluster;
        cluster.add_node("node1");
        cluster.remove_kubernetes_node("node1");
        cluster.assign({.owner = Cluster::owner("web", "node1"), .v4 = 1, .v6 = 1});
        cluster.assign_tunnel("node1");
        const auto plan = plan_collection(cluster.store()).value();
        NthWrite choose(nth, fault);
        FaultyStore faulty(cluster.store(), choose, writes);
        try {
          static_cast<void>(collect(faulty, plan));
        } catch (const Crash&) {
        }
        cluster.collect_all();
        const auto report = check(cluster.store()).value();
        EXPECT_EQ(report.blocks + report.handles + report.findings.size(), 0U)
            << "after fault " << static_cast<int>(fault) << " at write " << nth;
        EXPECT_FALSE(cluster.has("nodes.projectcalico.org", "node1"));
        if (choose.writes() < nth) break;
      }
    }
  }
}

// Pods come and go, some without a release; two collect all the time, orphans at once. No pod that
// lives loses its address, and none has another's.
TEST(CollectionRace, PodsThatLiveKeepTheirAddresses) {
  Cluster cluster;
  for (const char* node : {"node1", "node2"}) cluster.add_node(node);
  std::atomic<bool> is_over = false;
  std::mutex mutex;
  std::map<std::string, std::string> living;  // address -> pod
  const auto live = [&](const std::string& node, unsigned seed) {
    std::minstd_rand random(seed);
    for (int i = 0; i < 40; ++i) {
      const std::string pod = fmt::format("{}-{}", node, i);
      cluster.put_pod(pod, fmt::format(R"("spec":{{"nodeName":"{}"}})", node));
      const std::string address = cluster.assign(pod, node);
      {
        const std::scoped_lock lock(mutex);
        EXPECT_TRUE(living.emplace(address, pod).second) << address << " is another's";
      }
      cluster.put_running_pod(pod, node, address);
      EXPECT_TRUE(cluster.is_held(Cluster::handle(pod))) << pod << " has lost its address";
      {
        const std::scoped_lock lock(mutex);
        living.erase(address);
      }
      cluster.remove_pod(pod);
      if (random() % 2 == 0) {
        EXPECT_TRUE(Ipam(cluster.store()).release_handle(Cluster::handle(pod)));
      }
    }
  };
  const auto collect_all = [&] {
    while (!is_over) cluster.collect_all();
  };
  std::vector<std::thread> collectors, nodes;
  for (int i = 0; i < 2; ++i) collectors.emplace_back(collect_all);
  for (const char* node : {"node1", "node2"}) nodes.emplace_back(live, node, 7);
  for (auto& node : nodes) node.join();
  is_over = true;
  for (auto& collector : collectors) collector.join();

  cluster.collect_all();
  const auto report = check(cluster.store()).value();
  EXPECT_EQ(report.assigned, 0U);
  EXPECT_EQ(report.handles, 0U);
  EXPECT_TRUE(report.findings.empty());
}

}  // namespace
}  // namespace margay::ipam
