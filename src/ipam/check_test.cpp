#include "ipam/check.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <functional>

#include "ipam/ipam.h"
#include "ipam/names.h"
#include "ipam/testing/scratch_store.h"

namespace margay::ipam {
namespace {

using base::IPAddress;
using testing::ScratchStore;

void edit(ScratchStore& store, std::string_view resource, const std::string& name,
          const std::string& from, const std::string& to) {
  std::string value = store.get().get({std::string(resource), {}, name}).value().value;
  const size_t at = value.find(from);
  ASSERT_NE(at, value.npos) << from << " in " << value;
  store.put(std::string(resource), {}, name, value.replace(at, from.size(), to));
}

// Each case damages a sound store, and names what the audit must then say.
TEST(Check, FindsEveryKindOfDamage) {
  const std::string block = "10-0-0-0-30", affinity = "node1-10-0-0-0-30";
  const struct {
    const char* name;
    std::function<void(ScratchStore&)> damage;
    Problem problem;
  } cases[] = {
      {"half a claim",
       [&](ScratchStore& s) { edit(s, k_affinities, affinity, "confirmed", "pending"); },
       Problem::unfinished_claim},
      {"an affinity without a block",
       [&](ScratchStore& s) {
         s.remove(std::string(k_blocks), {}, block);
         s.remove(std::string(k_handles), {}, "h1");
       },
       Problem::unfinished_claim},
      {"a handle that counts too much",
       [&](ScratchStore& s) { edit(s, k_handles, "h1", "/30\":1", "/30\":2"); },
       Problem::stale_handle_count},
      {"a block that contradicts itself",
       [&](ScratchStore& s) {
         s.remove(std::string(k_handles), {}, "h1");
         s.remove(std::string(k_affinities), {}, affinity);
         edit(s, k_blocks, block, "[1,2,3]", "[1,2]");
       },
       Problem::corrupt_block},
      {"a block within another",
       [&](ScratchStore& s) {
         s.put(std::string(k_blocks), {}, "10-0-0-2-31",
               R"({"apiVersion":"crd.projectcalico.org/v1","kind":"IPAMBlock",
                   "metadata":{"name":"10-0-0-2-31"},
                   "spec":{"cidr":"10.0.0.2/31","strictAffinity":false,"allocations":[null,null],
                           "unallocated":[0,1],"attributes":[]}})");
       },
       Problem::overlapping_blocks},
      {"two opinions on whose a block is",
       [&](ScratchStore& s) {
         edit(s, k_blocks, block, "host:node1", "host:node2");
         s.put(std::string(k_affinities), {}, "node2-10-0-0-0-30",
               R"({"apiVersion":"crd.projectcalico.org/v1","kind":"BlockAffinity",
                   "metadata":{"name":"node2-10-0-0-0-30"},
                   "spec":{"state":"confirmed","node":"node2","cidr":"10.0.0.0/30",
                           "deleted":"false"}})");
       },
       Problem::disputed_block},
      {"a claim that is not written down",
       [&](ScratchStore& s) { s.remove(std::string(k_affinities), {}, affinity); },
       Problem::unrecorded_claim},
      {"an address its handle does not know",
       [&](ScratchStore& s) { s.remove(std::string(k_handles), {}, "h1"); },
       Problem::uncounted_address},
      {"a pool that is gone",
       [&](ScratchStore& s) { s.remove("ippools.projectcalico.org", {}, "pool"); },
       Problem::outside_pools},
  };
  for (const auto& [name, damage, problem] : cases) {
    ScratchStore store;
    store.add_pool({.name = "pool", .cidr = "10.0.0.0/30", .block_size = 30});
    const AssignRequest request{.owner = {.host = "node1", .handle_id = "h1", .attributes = {}},
                                .v4 = 1};
    ASSERT_TRUE(Ipam(store.get()).assign(request)) << name;
    ASSERT_TRUE(check(store.get()).value().findings.empty()) << name;
    damage(store);
    const auto report = check(store.get());
    ASSERT_TRUE(report) << name << ": " << report.error().message;
    ASSERT_EQ(report->findings.size(), 1U) << name;
    EXPECT_EQ(to_string(report->findings[0].problem), to_string(problem)) << name;
    EXPECT_EQ(report->sound(), is_harmless(problem)) << name;
  }
}

TEST(Check, FindsNodesOverTheirLimit) {
  ScratchStore store;
  store.add_pool({.name = "pool", .cidr = "10.0.0.0/24", .block_size = 32});
  Ipam ipam(store.get());
  ASSERT_TRUE(ipam.assign({.owner = {"node1", "h1", {}}, .v4 = 3}));
  ASSERT_TRUE(ipam.set_config({.max_blocks_per_host = 2}));
  const auto report = check(store.get()).value();
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0], (Finding{Problem::over_limit, "node node1", "has 3 blocks, of 2"}));
}

TEST(Check, ComparesWithWhatIsInUse) {
  ScratchStore store;
  store.add_pool({.name = "pool", .cidr = "10.0.0.0/30", .block_size = 30});
  Ipam ipam(store.get());
  ASSERT_TRUE(ipam.assign({.owner = {"node1", "h1", {}}, .v4 = 2}));
  const auto ip = [](const char* text) { return IPAddress::parse(text).value(); };
  const auto report =
      check(store.get(), {.in_use = std::set{ip("10.0.0.0"), ip("10.0.0.3"), ip("192.0.2.1")}})
          .value();
  ASSERT_EQ(report.findings.size(), 2U);
  EXPECT_EQ(report.findings[0], (Finding{Problem::leaked_address, "address 10.0.0.1",
                                         "is assigned to handle h1, and nobody uses it"}));
  EXPECT_EQ(report.findings[1], (Finding{Problem::unassigned_address, "address 10.0.0.3",
                                         "is in use, and not assigned"}));
}

}  // namespace
}  // namespace margay::ipam
