#include "ipam/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "ipam/block.h"
#include "ipam/ipam.h"
#include "ipam/names.h"

namespace margay::ipam {
namespace {

using base::IPAddress;
using base::IPFamily;
using base::Prefix;
using base::Result;

using HandleBlock = std::pair<std::string, Prefix>;

// Everything there is, read once; the checks below look at it from each side.
struct Everything {
  std::vector<Pool> pools;
  Config config;
  std::map<Prefix, Block> blocks;
  std::map<std::pair<std::string, Prefix>, std::string> affinities;  // (node, block) -> state
  std::map<HandleBlock, int64_t> counted;                            // by the handles
  std::map<HandleBlock, int64_t> held;                               // by the blocks
};

class Audit {
 public:
  Audit(store::Store& store, const CheckOptions& options) : store_(store), options_(options) {}

  Result<Report> run() {
    MARGAY_CHECK(read());
    check_blocks();
    check_claims();
    check_limits();
    check_handles();
    if (options_.in_use) check_use();
    std::ranges::sort(report_.findings);
    return std::move(report_);
  }

 private:
  void find(Problem problem, std::string subject, std::string detail) {
    report_.findings.push_back({problem, std::move(subject), std::move(detail)});
  }

  Result<> read() {
    MARGAY_TRY(all_.pools, load_pools(store_));
    MARGAY_TRY(all_.config, Ipam(store_).config());
    MARGAY_CHECK(read_handles());
    MARGAY_CHECK(read_affinities());
    return read_blocks();
  }

  Result<> read_blocks() {
    MARGAY_TRY(const auto records, read_all(Records<api::IPAMBlock>(store_, k_blocks)));
    for (const auto& record : records) {
      auto block = Block::from_object(record.object);
      if (!block) {
        find(Problem::corrupt_block, "block " + record.object.spec.cidr, block.error().message);
        continue;
      }
      for (const auto& [address, attribute] : block->allocations()) {
        ++report_.assigned;
        if (attribute.handle_id) ++all_.held[{*attribute.handle_id, block->cidr()}];
      }
      ++report_.blocks;
      all_.blocks.emplace(block->cidr(), *block);
    }
    return {};
  }

  Result<> read_affinities() {
    MARGAY_TRY(const auto records, read_all(Records<api::BlockAffinity>(store_, k_affinities)));
    for (const auto& record : records) {
      const auto cidr = Prefix::parse(record.object.spec.cidr);
      if (cidr) {
        all_.affinities[{record.object.spec.node, *cidr}] = record.object.spec.state;
      } else {
        find(Problem::unreadable_record, record.object.metadata.name, cidr.error().message);
      }
    }
    return {};
  }

  Result<> read_handles() {
    MARGAY_TRY(const auto records, read_all(Handles(store_).records()));
    report_.handles = records.size();
    for (const auto& record : records) {
      for (const auto& [text, count] : record.object.spec.block) {
        const auto cidr = Prefix::parse(text);
        if (cidr) {
          all_.counted[{record.object.spec.handle_id, *cidr}] = count;
        } else {
          find(Problem::unreadable_record, record.object.metadata.name, cidr.error().message);
        }
      }
    }
    return {};
  }

  template <typename T>
  Result<std::vector<Record<T>>> read_all(const Records<T>& records) {
    return records.list({}, [this](const std::string& name, const base::Error& error) {
      find(Problem::unreadable_record, name, error.message);
    });
  }

  void check_blocks() {
    const Prefix* before = nullptr;
    for (const auto& [cidr, block] : all_.blocks) {
      const std::string subject = "block " + cidr.to_string();
      if (before != nullptr && before->overlaps(cidr)) {
        find(Problem::overlapping_blocks, subject, "overlaps " + before->to_string());
      }
      before = &cidr;
      const bool in_pool = std::ranges::any_of(
          all_.pools, [&inner = cidr](const Pool& pool) { return pool.cidr.contains(inner); });
      if (!in_pool) find(Problem::outside_pools, subject, "is in no IP pool");
    }
  }

  void check_claims() {
    for (const auto& [claim, state] : all_.affinities) {
      const auto& [node, cidr] = claim;
      const std::string subject = "block " + cidr.to_string();
      const auto block = all_.blocks.find(cidr);
      if (state != "confirmed" || block == all_.blocks.end()) {
        find(Problem::unfinished_claim, subject, fmt::format("of node {}: {}", node, state));
      } else if (!block->second.is_claimed_by(node)) {
        find(Problem::disputed_block, subject,
             fmt::format("is of node {}, says the affinity, and of node {}, says the block", node,
                         block->second.host().value_or("(none)")));
      }
    }
    for (const auto& [cidr, block] : all_.blocks) {
      const auto host = block.host();
      if (host && !all_.affinities.contains({*host, cidr})) {
        find(Problem::unrecorded_claim, "block " + cidr.to_string(),
             fmt::format("is of node {}, which has no affinity for it", *host));
      }
    }
  }

  void check_limits() {
    std::map<std::pair<std::string, IPFamily>, size_t> blocks_of;
    for (const auto& [claim, state] : all_.affinities) {
      if (state == "confirmed") ++blocks_of[{claim.first, claim.second.family()}];
    }
    for (const auto& [node, count] : blocks_of) {
      if (count <= all_.config.max_blocks_per_host) continue;
      find(Problem::over_limit, "node " + node.first,
           fmt::format("has {} blocks, of {}", count, all_.config.max_blocks_per_host));
    }
  }

  void check_handles() {
    for (const auto& [key, count] : all_.counted) {
      const auto found = all_.held.find(key);
      const int64_t held = found == all_.held.end() ? 0 : found->second;
      if (count > held) {
        find(Problem::stale_handle_count, "handle " + key.first,
             fmt::format("counts {} in block {}, and holds {}", count, key.second.to_string(),
                         held));
      }
    }
    for (const auto& [key, held] : all_.held) {
      const auto found = all_.counted.find(key);
      const int64_t count = found == all_.counted.end() ? 0 : found->second;
      if (count < held) {
        find(Problem::uncounted_address, "handle " + key.first,
             fmt::format("holds {} in block {}, and counts {}", held, key.second.to_string(),
                         count));
      }
    }
  }

  void check_use() {
    std::set<IPAddress> assigned;
    for (const auto& [cidr, block] : all_.blocks) {
      for (const auto& [address, attribute] : block.allocations()) {
        assigned.insert(address);
        if (options_.in_use->contains(address)) continue;
        find(Problem::leaked_address, "address " + address.to_string(),
             "is assigned to handle " + attribute.handle_id.value_or("(none)") +
                 ", and nobody uses it");
      }
    }
    for (const auto& address : *options_.in_use) {
      const bool ours = std::ranges::any_of(
          all_.pools, [&](const Pool& pool) { return pool.cidr.contains(address); });
      if (ours && !assigned.contains(address)) {
        find(Problem::unassigned_address, "address " + address.to_string(),
             "is in use, and not assigned");
      }
    }
  }

  store::Store& store_;
  const CheckOptions& options_;
  Everything all_;
  Report report_;
};

}  // namespace

std::string_view to_string(Problem problem) {
  switch (problem) {
    case Problem::unfinished_claim:
      return "unfinished claim";
    case Problem::stale_handle_count:
      return "stale handle count";
    case Problem::corrupt_block:
      return "corrupt block";
    case Problem::unreadable_record:
      return "unreadable record";
    case Problem::overlapping_blocks:
      return "overlapping blocks";
    case Problem::disputed_block:
      return "disputed block";
    case Problem::unrecorded_claim:
      return "unrecorded claim";
    case Problem::uncounted_address:
      return "uncounted address";
    case Problem::over_limit:
      return "over limit";
    case Problem::outside_pools:
      return "outside pools";
    case Problem::leaked_address:
      return "leaked address";
    case Problem::unassigned_address:
      return "unassigned address";
  }
  return "unknown";
}

bool is_harmless(Problem problem) { return problem <= Problem::stale_handle_count; }

bool Report::sound() const {
  return std::ranges::all_of(findings, [](const Finding& f) { return is_harmless(f.problem); });
}

Result<Report> check(store::Store& store, const CheckOptions& options) {
  return Audit(store, options).run();
}

}  // namespace margay::ipam
