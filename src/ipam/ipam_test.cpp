#include "ipam/ipam.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "ipam/block.h"
#include "ipam/check.h"
#include "ipam/names.h"
#include "ipam/pools.h"
#include "ipam/testing/scratch_store.h"
#include "store/testing/forwarding_store.h"

namespace margay::ipam {
namespace {

using base::ErrorCode;
using base::IPAddress;
using base::IPFamily;
using base::Prefix;
using testing::ScratchStore;

IPAddress ip(const char* text) { return IPAddress::parse(text).value(); }
Prefix net(const char* text) { return Prefix::parse(text).value(); }

// What `ipam check` finds, as text: empty when all is well.
std::vector<std::string> problems(store::Store& store) {
  std::vector<std::string> texts;
  const auto report = check(store);
  if (!report) return {report.error().message};
  for (const auto& finding : report->findings) {
    texts.push_back(std::string(to_string(finding.problem)) + ": " + finding.subject + " " +
                    finding.detail);
  }
  return texts;
}

// What is asked of a store: commits, and objects that it must read.
class CountingStore final : public store::ForwardingStore {
 public:
  explicit CountingStore(store::Store& store) : ForwardingStore(store) {}
  int commits = 0;
  size_t objects_read = 0;

  base::Result<store::Entry> get(const store::Key& key) override {
    ++objects_read;
    return store_.get(key);
  }
  base::Result<store::List> list(const store::Scope& scope,
                                 const store::ListOptions& options) override {
    auto list = store_.list(scope, options);
    if (list) objects_read += list->entries.size();
    return list;
  }
  base::Result<store::Entry> create(const store::Key& key, std::string value) override {
    ++commits;
    return store_.create(key, std::move(value));
  }
  base::Result<store::Entry> update(const store::Key& key, std::string value,
                                    std::optional<store::Revision> expected) override {
    ++commits;
    return store_.update(key, std::move(value), expected);
  }
  base::Result<store::Entry> remove(const store::Key& key,
                                    std::optional<store::Revision> expected) override {
    ++commits;
    return store_.remove(key, expected);
  }
  base::Result<std::vector<store::Entry>> write(const std::vector<store::Write>& writes) override {
    ++commits;
    return store_.write(writes);
  }
};

class IpamTest : public ::testing::Test {
 protected:
  AssignRequest request(const std::string& host, const std::string& handle, size_t v4,
                        size_t v6 = 0) const {
    return {.owner = {.host = host, .handle_id = handle, .attributes = {{"node", host}}},
            .v4 = v4,
            .v6 = v6};
  }
  std::vector<IPAddress> assign(const AssignRequest& wanted) {
    const auto assigned = ipam_.assign(wanted);
    EXPECT_TRUE(assigned) << assigned.error().message;
    return assigned.value_or(std::vector<IPAddress>{});
  }
  std::vector<Prefix> blocks_of(const std::string& host) {
    std::vector<Prefix> blocks;
    const auto claimed = Affinities(store_.get()).of_host(host, IPFamily::v4).value();
    for (const auto& [block, confirmed] : claimed) blocks.push_back(block);
    return blocks;
  }
  std::optional<Block> block(const Prefix& cidr) {
    const auto record =
        Records<api::IPAMBlock>(store_.get(), k_blocks).find(block_name(cidr)).value();
    if (!record) return std::nullopt;
    return Block::from_object(record->object).value();
  }

  ScratchStore store_;
  Ipam ipam_{store_.get()};
};

TEST_F(IpamTest, FirstAddressClaimsABlockForTheNode) {
  store_.add_pool({.name = "pool", .cidr = "10.0.0.0/16"});
  const auto assigned = assign(request("node1", "h1", 1));
  ASSERT_EQ(assigned.size(), 1U);
  const auto blocks = blocks_of("node1");
  ASSERT_EQ(blocks.size(), 1U);
  EXPECT_TRUE(blocks[0].contains(assigned[0]));
  EXPECT_EQ(block(blocks[0])->host(), "node1");
  EXPECT_EQ(block(blocks[0])->find(assigned[0])->attribute.secondary.at("node"), "node1");
  EXPECT_EQ(ipam_.addresses_of("h1").value(), assigned);
  EXPECT_EQ(problems(store_.get()), std::vector<std::string>{});
}

TEST_F(IpamTest, StoredObjectsAreTheCustomResourcesOfCalico) {
  store_.add_pool({.name = "pool", .cidr = "10.0.0.0/30", .block_size = 30});
  assign(request("node1", "k8s-pod-network.ABC", 1));
  const auto text = [&](std::string_view resource, const char* name) {
    return store_.get().get({std::string(resource), {}, name}).value().value;
  };
  const std::string block = text(k_blocks, "10-0-0-0-30");
  for (const char* part :
       {R"("apiVersion":"crd.projectcalico.org/v1")", R"("kind":"IPAMBlock")",
        R"("cidr":"10.0.0.0/30")", R"("affinity":"host:node1")", R"("strictAffinity":false)",
        R"("allocations":[0,null,null,null])", R"("unallocated":[1,2,3])",
        R"("attributes":[{"handle_id":"k8s-pod-network.ABC","secondary":{"node":"node1"}}])"}) {
    EXPECT_NE(block.find(part), std::string::npos) << part << " in " << block;
  }
  const std::string affinity = text(k_affinities, "node1-10-0-0-0-30");
  for (const char* part : {R"("kind":"BlockAffinity")", R"("state":"confirmed")",
                           R"("node":"node1")", R"("deleted":"false")"}) {
    EXPECT_NE(affinity.find(part), std::string::npos) << part << " in " << affinity;
  }
  const std::string handle = text(k_handles, "k8s-pod-network.abc");
  for (const char* part : {R"("kind":"IPAMHandle")", R"("handleID":"k8s-pod-network.ABC")",
                           R"("block":{"10.0.0.0/30":1})"}) {
    EXPECT_NE(handle.find(part), std::string::npos) << part << " in " << handle;
  }
  ASSERT_TRUE(ipam_.release_handle("k8s-pod-network.ABC"));
  const std::string emptied = text(k_blocks, "10-0-0-0-30");
  EXPECT_NE(emptied.find(R"("attributes":[])"), std::string::npos) << "required, also when empty";
}

TEST_F(IpamTest, ABlockIsUsedUpBeforeTheNextIsClaimed) {
  store_.add_pool({.name = "pool", .cidr = "10.0.0.0/24", .block_size = 30});
  const auto assigned = assign(request("node1", "h1", 6));
  EXPECT_EQ(std::set(assigned.begin(), assigned.end()).size(), 6U);
  EXPECT_EQ(blocks_of("node1").size(), 2U);
  EXPECT_EQ(problems(store_.get()), std::vector<std::string>{});
}

TEST_F(IpamTest, AnAddressCostsACommitAndReadsNothingOfOtherNodes) {
  store_.add_pool({.name = "pool", .cidr = "10.0.0.0/16"});
  for (int i = 0; i < 300; ++i) {  // of 1,024 blocks
    const std::string n = std::to_string(i);
    assign(request("other-" + n, "other." + n, 1));
  }
  CountingStore store(store_.get());
  Ipam ipam(store);
  constexpr int k_adds = 200;
  for (int i = 0; i < k_adds; ++i) {
    store.objects_read = 0;
    ASSERT_TRUE(ipam.assign(request("node1", "h" + std::to_string(i), 1)));
    EXPECT_LE(store.objects_read, 60U) << "the " << i << "th";
  }
  EXPECT_LE(store.commits, k_adds * 12 / 10);
  store.commits = 0;
  store.objects_read = 0;
  for (int i = 0; i < k_adds; ++i) ASSERT_TRUE(ipam.release_handle("h" + std::to_string(i)));
  EXPECT_LE(store.commits, k_adds);
  EXPECT_LE(store.objects_read, 5U * k_adds);
}

TEST_F(IpamTest, HandlesThatDifferInCaseOrCannotBeNamesHoldEachTheirOwn) {
  store_.add_pool({.name = "pool", .cidr = "10.0.0.0/24"});
  const std::vector<std::string> ids{"net.ABC",      "net.abc",      "net.Abc",
                                     "net.pod_12ab", "net.pod-12ab", "net.ends-with-",
                                     "net.ends-with"};
  std::map<std::string, std::vector<IPAddress>> held;
  for (const auto& id : ids) held[id] = assign(request("node1", id, 1));
  EXPECT_EQ(problems(store_.get()), std::vector<std::string>{});
  for (const auto& id : ids) {
    EXPECT_EQ(ipam_.addresses_of(id).value(), held[id]) << id;
    EXPECT_EQ(ipam_.release_handle(id).value(), 1U) << id;
    held.erase(id);
    for (const auto& [other, addresses] : held) {
      EXPECT_EQ(ipam_.addresses_of(other).value(), addresses) << other << " after " << id;
    }
  }
  EXPECT_EQ(check(store_.get())->handles, 0U);
}

TEST_F(IpamTest, ANodesBlocksAreItsOwnAlsoBesideNodesWhoseNamesBeginTheSame) {
  store_.add_pool({.name = "pool", .cidr = "10.0.0.0/16"});
  const std::vector<std::string> hosts{"node", "node-1", "node-10", "node-1-10",
                                       std::string(253, 'n')};
  for (size_t i = 0; i < hosts.size(); ++i) assign(request(hosts[i], "h" + std::to_string(i), 1));
  for (const auto& host : hosts) EXPECT_EQ(blocks_of(host).size(), 1U) << host;
  EXPECT_EQ(problems(store_.get()), std::vector<std::string>{});
}

// A pool that was deleted and made again with blocks of another size keeps the old blocks.
TEST_F(IpamTest, AnAddressOfABlockOfAnotherSizeIsNotAssignedTwice) {
  for (const auto& [before, after] : {std::pair{26, 28}, std::pair{28, 26}}) {
    SCOPED_TRACE(before);
    ScratchStore store;
    Ipam ipam(store.get());
    store.add_pool({.name = "pool", .cidr = "10.0.0.0/24", .block_size = before});
    const auto address = IPAddress::parse("10.0.0.5").value();
    ASSERT_TRUE(ipam.assign_address({"node1", "h1", {}}, address));
    store.add_pool({.name = "pool", .cidr = "10.0.0.0/24", .block_size = after});
    const auto again = ipam.assign_address({"node2", "h2", {}}, address);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, base::ErrorCode::already_exists);
    const auto beside = IPAddress::parse("10.0.0.25").value();
    static_cast<void>(ipam.assign_address({"node2", "h2", {}}, beside));
    EXPECT_EQ(problems(store.get()), std::vector<std::string>{});
  }
}

TEST_F(IpamTest, ABlockThatCannotBeReadStopsNoNode) {
  for (const char* spec :
       {R"("none")", R"({"cidr":"10.0.0.0/30","affinity":"host:node1","allocations":[null],
                         "unallocated":[0,0],"attributes":[]})"}) {
    SCOPED_TRACE(spec);
    ScratchStore store;
    Ipam ipam(store.get());
    store.add_pool({.name = "pool", .cidr = "10.0.0.0/29", .block_size = 30});
    ASSERT_TRUE(ipam.assign_address({"node1", "h1", {}}, IPAddress::parse("10.0.0.1").value()));
    store.put(std::string(k_blocks), {}, "10-0-0-0-30",
              std::string(R"({"metadata":{"name":"10-0-0-0-30"},"spec":)") + spec + "}");
    for (const char* host : {"node1", "node2", "node3"}) {
      const auto assigned = ipam.assign(request(host, host, 1));
      EXPECT_TRUE(assigned) << host << ": " << assigned.error().message;
    }
  }
}

// The bad records stand where each kind of search looks: among the node's own affinities, in the
// place of the first block that it would claim, among the blocks that are listed when probing finds
// none, and under the handle that is asked for.
TEST_F(IpamTest, ABlockThatCannotBeReadKeepsNoOtherFromBeingReleased) {
  store_.add_pool({.name = "pool", .cidr = "10.0.0.0/28", .block_size = 30});  // four blocks
  const auto held = assign(request("node1", "h", 9));
  const std::string broken = block_name(Prefix(held[4], 30));
  store_.put(std::string(k_blocks), {}, broken, R"({"spec":"none"})");
  EXPECT_FALSE(ipam_.addresses_of("h"));
  const auto readable = ipam_.readable_addresses_of("h").value();
  EXPECT_EQ(readable.size(), 5U) << "of three blocks, one of them full and unreadable";
  const auto released = ipam_.release_handle("h");
  ASSERT_FALSE(released) << "not all are";
  EXPECT_THAT(released.error().message, ::testing::HasSubstr(Prefix(held[4], 30).to_string()));
  EXPECT_TRUE(ipam_.readable_addresses_of("h").value().empty()) << "but those that can be";
}

TEST_F(IpamTest, ARecordThatCannotBeReadStopsNoOther) {
  store_.add_pool({.name = "pool", .cidr = "10.0.0.0/28", .block_size = 30});  // four blocks
  const auto first = assign(request("node1", "h1", 1));
  const std::string own = block_name(Prefix(first[0], 30));
  store_.put(std::string(k_affinities), {}, "node1-broken", R"({"spec":{"cidr":7}})");
  BlockSequence sequence({.cidr = *Prefix::parse("10.0.0.0/28"), .block_size = 30}, "node1");
  std::string broken;
  while (const auto candidate = sequence.next()) {
    if (block_name(*candidate) == own) continue;
    broken = block_name(*candidate);
    store_.put(std::string(k_blocks), {}, broken, R"({"spec":"none"})");
    break;
  }
  store_.put(std::string(k_handles), {}, "broken", "[]");
  EXPECT_EQ(assign(request("node1", "h2", 11)).size(), 11U) << "all that the other blocks have";
  const auto refused = ipam_.assign(request("node1", "h3", 1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::too_large) << "used up, not broken";
  EXPECT_EQ(ipam_.release_handle("h2").value(), 11U);
  EXPECT_EQ(ipam_.release_handle("h1").value(), 1U);
  EXPECT_THAT(
      problems(store_.get()),
      ::testing::UnorderedElementsAre(::testing::AllOf(::testing::StartsWith("unreadable record"),
                                                       ::testing::HasSubstr("node1-broken")),
                                      ::testing::AllOf(::testing::StartsWith("unreadable record"),
                                                       ::testing::HasSubstr(broken)),
                                      ::testing::AllOf(::testing::StartsWith("unreadable record"),
                                                       ::testing::HasSubstr("handles"))));
}

TEST_F(IpamTest, DualStackIsAllOrNothing) {
  store_.add_pool({.name = "four", .cidr = "10.0.0.0/24"});
  const auto refused = ipam_.assign(request("node1", "h1", 1, 1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid);
  EXPECT_EQ(refused.error().message, "no enabled IPv6 pool serves node node1");
  EXPECT_TRUE(ipam_.addresses_of("h1").value().empty());

  store_.add_pool({.name = "six", .cidr = "fd00::/64"});
  const auto assigned = assign(request("node1", "h1", 1, 1));
  ASSERT_EQ(assigned.size(), 2U);
  EXPECT_TRUE(assigned[0].is_v4());
  EXPECT_TRUE(assigned[1].is_v6());
  EXPECT_EQ(problems(store_.get()), std::vector<std::string>{});
}

TEST_F(IpamTest, BorrowsWhenThePoolsBlocksAreAllClaimed) {
  store_.add_pool({.name = "pool", .cidr = "10.0.0.0/30", .block_size = 30});
  assign(request("node1", "h1", 1));
  const auto borrowed = assign(request("node2", "h2", 2));
  EXPECT_EQ(borrowed.size(), 2U);
  EXPECT_TRUE(blocks_of("node2").empty());
  const auto refused = ipam_.assign(request("node2", "h3", 2));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::too_large);
  EXPECT_EQ(refused.error().message,
            "2 IPv4 addresses wanted for node node2, and 1 left in its pools");
  EXPECT_TRUE(ipam_.addresses_of("h3").value().empty()) << "what was found is given back";
  EXPECT_EQ(problems(store_.get()), std::vector<std::string>{});
}

TEST_F(IpamTest, StrictAffinityForbidsBorrowing) {
  ASSERT_TRUE(ipam_.set_config({.strict_affinity = true}));
  store_.add_pool({.name = "pool", .cidr = "10.0.0.0/30", .block_size = 30});
  assign(request("node1", "h1", 1));
  EXPECT_EQ(ipam_.assign(request("node2", "h2", 1)).error().code, ErrorCode::too_large);
  EXPECT_EQ(ipam_.assign_address({.host = "node2", .handle_id = "h2"}, ip("10.0.0.3")).error().code,
            ErrorCode::forbidden);
  EXPECT_TRUE(ipam_.assign_address({.host = "node1", .handle_id = "h1"}, ip("10.0.0.3")));
}

TEST_F(IpamTest, ANodeClaimsTwentyBlocksAndThenBorrows) {
  store_.add_pool({.name = "pool", .cidr = "10.0.0.0/16", .block_size = 32});
  for (int i = 0; i < 20; ++i) assign(request("node1", "h" + std::to_string(i), 1));
  EXPECT_EQ(blocks_of("node1").size(), 20U);
  EXPECT_EQ(ipam_.assign(request("node1", "over", 1)).error().code, ErrorCode::too_large);
  EXPECT_EQ(
      ipam_.assign_address({.host = "node1", .handle_id = "over"}, ip("10.0.255.255")).error().code,
      ErrorCode::too_large);
  EXPECT_EQ(blocks_of("node1").size(), 20U);

  ASSERT_TRUE(ipam_.set_config({.max_blocks_per_host = 21}));
  assign(request("node1", "over", 1));
  EXPECT_EQ(blocks_of("node1").size(), 21U);
}

TEST_F(IpamTest, PoolsAreChosenByNodeSelectorUnlessNamed) {
  store_.add_node("node1", R"({"zone":"a"})");
  store_.add_pool({.name = "a", .cidr = "10.1.0.0/24", .node_selector = "zone == 'a'"});
  store_.add_pool({.name = "b", .cidr = "10.2.0.0/24", .node_selector = "zone == 'b'"});
  store_.add_pool({.name = "off", .cidr = "10.3.0.0/24", .disabled = true});
  EXPECT_TRUE(net("10.1.0.0/24").contains(assign(request("node1", "h1", 1))[0]));

  auto named = request("node1", "h2", 1);
  named.v4_pools = {net("10.2.0.0/24")};
  EXPECT_TRUE(net("10.2.0.0/24").contains(assign(named)[0]));

  named.v4_pools = {net("10.3.0.0/24")};
  EXPECT_EQ(ipam_.assign(named).error().message,
            "IP pool 10.3.0.0/24 does not exist or is not enabled");
  EXPECT_EQ(ipam_.assign(request("nowhere", "h3", 1)).error().message,
            "there is no node \"nowhere\"");
}

TEST_F(IpamTest, PoolsServeOnlyTheirAllowedUses) {
  store_.add_pool({.name = "pods", .cidr = "10.1.0.0/24", .allowed_uses = R"(["Workload"])"});
  store_.add_pool({.name = "tunnels", .cidr = "10.2.0.0/24", .allowed_uses = R"(["Tunnel"])"});
  EXPECT_TRUE(net("10.1.0.0/24").contains(assign(request("node1", "h1", 1))[0]));
  auto tunnel = request("node1", "vxlan-tunnel-addr-node1", 1);
  tunnel.use = Use::tunnel;
  EXPECT_TRUE(net("10.2.0.0/24").contains(assign(tunnel)[0]));
  auto named = request("node1", "h2", 1);
  named.v4_pools = {net("10.2.0.0/24"), net("10.1.0.0/24")};
  EXPECT_TRUE(net("10.1.0.0/24").contains(assign(named)[0])) << "the one that may be used";
  named.v4_pools = {net("10.2.0.0/24")};
  EXPECT_EQ(ipam_.assign(named).error().message,
            "no IP pool that was asked for allows such use (allowedUses)");
}

TEST_F(IpamTest, ABlockWhosePoolNoLongerServesTheNodeIsGivenUpWhenEmpty) {
  store_.add_node("node1", R"({"zone":"a"})");
  store_.add_pool({.name = "a", .cidr = "10.1.0.0/24", .node_selector = "zone == 'a'"});
  store_.add_pool({.name = "b", .cidr = "10.2.0.0/24", .node_selector = "zone == 'b'"});
  assign(request("node1", "h1", 1));
  store_.add_node("node1", R"({"zone":"b"})");
  assign(request("node1", "h2", 1));
  EXPECT_EQ(blocks_of("node1").size(), 2U) << "one is still in use";
  ASSERT_TRUE(ipam_.release_handle("h1"));
  assign(request("node1", "h3", 1));
  const auto blocks = blocks_of("node1");
  ASSERT_EQ(blocks.size(), 1U);
  EXPECT_TRUE(net("10.2.0.0/24").contains(blocks[0]));
}

TEST_F(IpamTest, AGivenAddressIsAssignedOnceAndAgainToItsHolder) {
  store_.add_pool({.name = "pool", .cidr = "10.0.0.0/24", .block_size = 26});
  const Owner owner{.host = "node1", .handle_id = "h1", .attributes = {}};
  EXPECT_TRUE(ipam_.assign_address(owner, ip("10.0.0.77")));
  EXPECT_TRUE(ipam_.assign_address(owner, ip("10.0.0.77"))) << "the same handle, again";
  EXPECT_EQ(blocks_of("node1"), std::vector{net("10.0.0.64/26")});
  EXPECT_EQ(
      ipam_.assign_address({.host = "node1", .handle_id = "h2", .attributes = {}}, ip("10.0.0.77"))
          .error()
          .code,
      ErrorCode::already_exists);
  EXPECT_EQ(ipam_.assign_address(owner, ip("192.0.2.1")).error().message,
            "address 192.0.2.1 is in no enabled IP pool");
  EXPECT_EQ(ipam_.addresses_of("h1").value(), std::vector{ip("10.0.0.77")});
  EXPECT_EQ(problems(store_.get()), std::vector<std::string>{});
}

TEST_F(IpamTest, ReleaseByHandleAndByAddressAreIdempotent) {
  store_.add_pool({.name = "pool", .cidr = "10.0.0.0/24", .block_size = 30});
  const auto first = assign(request("node1", "h1", 6));
  const auto second = assign(request("node1", "h2", 2));
  EXPECT_EQ(ipam_.release_handle("h1").value(), 6U);
  EXPECT_EQ(ipam_.release_handle("h1").value(), 0U);
  EXPECT_EQ(ipam_.release(second).value(), 2U);
  EXPECT_EQ(ipam_.release(second).value(), 0U);
  EXPECT_EQ(ipam_.release(std::vector{ip("192.0.2.1")}).value(), 0U);
  const auto report = check(store_.get());
  EXPECT_EQ(report->assigned, 0U);
  EXPECT_EQ(report->handles, 0U);
  EXPECT_EQ(problems(store_.get()), std::vector<std::string>{});
}

TEST_F(IpamTest, ReleaseFindsAnAddressWhosePoolIsGone) {
  store_.add_pool({.name = "pool", .cidr = "10.0.0.0/24"});
  const auto assigned = assign(request("node1", "h1", 1));
  store_.remove("ippools.projectcalico.org", "", "pool");
  EXPECT_EQ(ipam_.release(assigned).value(), 1U);
}

TEST_F(IpamTest, GivingABlockUpDeletesItOrLeavesItToBeUsedUp) {
  store_.add_pool({.name = "pool", .cidr = "10.0.0.0/26", .block_size = 26});
  const auto assigned = assign(request("node1", "h1", 1));
  const Prefix cidr = net("10.0.0.0/26");
  EXPECT_EQ(ipam_.release_affinity("node1", cidr, true).error().code, ErrorCode::conflict);
  EXPECT_EQ(blocks_of("node1").size(), 1U) << "refused, and nothing changed";
  EXPECT_EQ(problems(store_.get()), std::vector<std::string>{});

  ASSERT_TRUE(ipam_.release_affinity("node1", cidr, false));
  ASSERT_TRUE(ipam_.release_affinity("node1", cidr, false)) << "again";
  EXPECT_TRUE(blocks_of("node1").empty());
  ASSERT_TRUE(block(cidr)) << "still in use";
  EXPECT_EQ(block(cidr)->host(), std::nullopt);

  EXPECT_EQ(ipam_.release(assigned).value(), 1U);
  EXPECT_FALSE(block(cidr)) << "it went with its last address";

  assign(request("node1", "h1", 1));
  ASSERT_TRUE(ipam_.release_handle("h1"));
  ASSERT_TRUE(ipam_.release_affinities("node1", true));
  EXPECT_FALSE(block(cidr)) << "empty: it went with the claim";
}

TEST_F(IpamTest, AnotherNodesClaimIsNotReleased) {
  store_.add_pool({.name = "pool", .cidr = "10.0.0.0/26", .block_size = 26});
  assign(request("node1", "h1", 1));
  ASSERT_TRUE(ipam_.release_affinity("node2", net("10.0.0.0/26"), false));
  EXPECT_EQ(block(net("10.0.0.0/26"))->host(), "node1");
}

TEST_F(IpamTest, BlocksAreNotClaimedWhenThatIsTurnedOff) {
  ASSERT_TRUE(ipam_.set_config({.auto_allocate_blocks = false}));
  store_.add_pool({.name = "pool", .cidr = "10.0.0.0/24"});
  EXPECT_EQ(ipam_.assign(request("node1", "h1", 1)).error().code, ErrorCode::too_large);
}

TEST_F(IpamTest, NewBlocksKeepClearOfOldOnesOfAnotherSize) {
  store_.add_pool({.name = "pool", .cidr = "10.0.0.0/25", .block_size = 26});
  assign(request("node1", "h1", 1));
  store_.add_pool({.name = "pool", .cidr = "10.0.0.0/25", .block_size = 28});
  for (int i = 0; i < 4; ++i) assign(request("node" + std::to_string(i + 2), "x", 1));
  EXPECT_EQ(problems(store_.get()), std::vector<std::string>{});
}

}  // namespace
}  // namespace margay::ipam
