#include "ipam/overlap.h"

#include <algorithm>
#include <string>

#include "ipam/block.h"
#include "ipam/names.h"

namespace margay::ipam {
namespace {

using base::IPFamily;
using base::Prefix;
using base::Result;

using BlockRecord = Record<api::IPAMBlock>;

// Names that all addresses of one such prefix have in common, up to their last part.
constexpr unsigned k_group_v4 = 24;
constexpr unsigned k_group_v6 = 112;

std::string without_last_part(std::string name) {
  name.resize(name.rfind('-'));             // the length
  name.resize(name.find_last_of('-') + 1);  // the last number
  return name;
}

class Overlap {
 public:
  Overlap(const Records<api::IPAMBlock>& blocks, const Prefix& cidr)
      : blocks_(blocks), cidr_(cidr), v4_(cidr.family() == IPFamily::v4) {}

  Result<std::vector<BlockRecord>> find() {
    const unsigned group_length = v4_ ? k_group_v4 : k_group_v6;
    const unsigned inner = std::max(cidr_.length(), group_length);
    const uint64_t groups = uint64_t{1} << (inner - std::min(cidr_.length(), inner));
    for (uint64_t group = 0; group < (cidr_.length() < group_length ? groups : 1); ++group) {
      const auto address = cidr_.address().plus(group << (cidr_.address().bits() - group_length));
      MARGAY_CHECK(find_in(Prefix(address, group_length)));
    }
    // Those that begin before the group: only IPv4 blocks are so large.
    for (unsigned length = shortest_block(cidr_.family());
         v4_ && length < std::min(cidr_.length(), group_length); ++length) {
      MARGAY_CHECK(find_named(Prefix(cidr_.address(), length)));
    }
    return std::move(found_);
  }

 private:
  Result<> find_in(const Prefix& group) {
    // An address that ends in a zero is written differently in IPv6, those next to it are not.
    const auto address = v4_ ? group.address() : group.address().plus(1);
    MARGAY_TRY(auto records, blocks_.list(without_last_part(block_name(Prefix(address)))));
    for (auto& record : records) add(std::move(record));
    for (unsigned length = shortest_block(cidr_.family()); !v4_ && length <= cidr_.address().bits();
         ++length) {
      MARGAY_CHECK(find_named(Prefix(group.address(), length)));
    }
    return {};
  }
  Result<> find_named(const Prefix& block) {
    if (!block.overlaps(cidr_)) return {};
    MARGAY_TRY(auto record, blocks_.find(block_name(block)));
    if (record) add(*std::move(record));
    return {};
  }
  void add(BlockRecord record) {
    const auto cidr = Prefix::parse(record.object.spec.cidr);
    if (!cidr || !cidr->overlaps(cidr_)) return;
    const auto same = [&](const BlockRecord& other) {
      return other.object.metadata.name == record.object.metadata.name;
    };
    if (std::ranges::none_of(found_, same)) found_.push_back(std::move(record));
  }

  const Records<api::IPAMBlock>& blocks_;
  const Prefix cidr_;
  const bool v4_;
  std::vector<BlockRecord> found_;
};

}  // namespace

Result<std::vector<BlockRecord>> overlapping_blocks(const Records<api::IPAMBlock>& blocks,
                                                    const Prefix& cidr) {
  return Overlap(blocks, cidr).find();
}

}  // namespace margay::ipam
