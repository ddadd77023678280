// The records of address management, kept in the store as crd.projectcalico.org/v1 and written by
// programs only: BlockAffinity, IPAMBlock, IPAMHandle, IPAMConfig.

#include "api/calico/common.h"
#include "api/calico/kinds.h"

namespace margay::api {

namespace {

Kind stored_kind(std::string name, std::string plural, std::string doc,
                 std::vector<Column> columns) {
  Kind kind = calico::kind(std::move(name), std::move(plural), {}, false, std::move(doc),
                           std::move(columns));
  kind.group = "crd.projectcalico.org";
  kind.version = "v1";
  return kind;
}

Described<std::string> cidr() { return string().check(formats::cidr); }

Described<BlockAffinitySpec> block_affinity_spec() {
  using Spec = BlockAffinitySpec;
  return object<Spec>(
      "crd.projectcalico.org.v1.BlockAffinitySpec", "A node's claim on a block.",
      {field("state", &Spec::state, string().one_of({"pending", "confirmed", "pendingDeletion"}),
             "How far the claim has got.")
           .required(),
       field("node", &Spec::node, string(), "The node.").required(),
       field("cidr", &Spec::cidr, cidr(), "The block.").required(),
       field("deleted", &Spec::deleted, string().one_of({"true", "false"}),
             "\"true\" while the record is being deleted.")
           .required()});
}

Described<AllocationAttribute> allocation_attribute() {
  return object<AllocationAttribute>(
      "crd.projectcalico.org.v1.AllocationAttribute", "What is known about addresses in use.",
      {field("handle_id", &AllocationAttribute::handle_id, string(), "The handle they go by."),
       field("secondary", &AllocationAttribute::secondary, string_map(),
             "The node, pod and namespace that have them.")});
}

Described<IPAMBlockSpec> block_spec() {
  using Spec = IPAMBlockSpec;
  return object<Spec>(
      "crd.projectcalico.org.v1.IPAMBlockSpec", "Which addresses of a block are in use.",
      {field("cidr", &Spec::cidr, cidr(), "The block.").required(),
       field("affinity", &Spec::affinity, string(), "host:<node> of the node that claimed it."),
       field("strictAffinity", &Spec::strict_affinity, boolean(),
             "Only the node that claimed it may use it.")
           .required(),
       field("allocations", &Spec::allocations, list(nullable(integer().at_least(0))),
             "For each address its index in attributes; null: free.")
           .required(),
       field("unallocated", &Spec::unallocated, list(integer().at_least(0)),
             "Free addresses, by place in the block, the next to use first.")
           .required(),
       field("attributes", &Spec::attributes, list(allocation_attribute()),
             "What is known about addresses in use.")
           .required(),
       field("deleted", &Spec::deleted, boolean(), "The record is being deleted.")});
}

Described<IPAMHandleSpec> handle_spec() {
  using Spec = IPAMHandleSpec;
  using Blocks = std::map<std::string, int64_t>;
  return object<Spec>(
      "crd.projectcalico.org.v1.IPAMHandleSpec", "What one handle holds.",
      {field("handleID", &Spec::handle_id, string(), "The handle.").required(),
       field("block", &Spec::block, map_of<Blocks>(integer().at_least(0)),
             "For each block the number of its addresses.")
           .required(),
       field("deleted", &Spec::deleted, boolean(), "The record is being deleted.")});
}

Described<IPAMConfigSpec> config_spec() {
  using Spec = IPAMConfigSpec;
  return object<Spec>("crd.projectcalico.org.v1.IPAMConfigSpec", "How addresses are handed out.",
                      {field("strictAffinity", &Spec::strict_affinity, boolean(),
                             "Nodes use no addresses of other nodes' blocks.")
                           .required(),
                       field("autoAllocateBlocks", &Spec::auto_allocate_blocks, boolean(),
                             "Nodes claim blocks as they need them.")
                           .required(),
                       field("maxBlocksPerHost", &Spec::max_blocks_per_host, integer().at_least(0),
                             "How many blocks a node may claim; 0: the default of 20.")});
}

}  // namespace

template <>
const Resource<BlockAffinity>& resource<BlockAffinity>() {
  static const auto described = describe_kind<BlockAffinity>(
      stored_kind("BlockAffinity", "blockaffinities", "A node's claim on a block of addresses.",
                  {{"Node", "string", ".spec.node", "The node."},
                   {"CIDR", "string", ".spec.cidr", "The block."},
                   {"State", "string", ".spec.state", "How far the claim has got."}}),
      formats::dns_subdomain,
      {field("spec", &BlockAffinity::spec, block_affinity_spec(), "The claim.").required()});
  return described;
}

template <>
const Resource<IPAMBlock>& resource<IPAMBlock>() {
  static const auto described = describe_kind<IPAMBlock>(
      stored_kind("IPAMBlock", "ipamblocks", "A block of addresses and who uses them.",
                  {{"CIDR", "string", ".spec.cidr", "The block."},
                   {"Affinity", "string", ".spec.affinity", "The node that claimed it."}}),
      formats::dns_subdomain,
      {field("spec", &IPAMBlock::spec, block_spec(), "The block.").required()});
  return described;
}

template <>
const Resource<IPAMHandle>& resource<IPAMHandle>() {
  static const auto described = describe_kind<IPAMHandle>(
      stored_kind("IPAMHandle", "ipamhandles", "The addresses one workload holds.",
                  {{"Handle", "string", ".spec.handleID", "The handle."}}),
      formats::dns_subdomain,
      {field("spec", &IPAMHandle::spec, handle_spec(), "The handle.").required()});
  return described;
}

template <>
const Resource<IPAMConfig>& resource<IPAMConfig>() {
  static const auto described = describe_kind<IPAMConfig>(
      stored_kind("IPAMConfig", "ipamconfigs", "How addresses are handed out.", {}),
      formats::dns_subdomain,
      {field("spec", &IPAMConfig::spec, config_spec(), "The configuration.").required()});
  return described;
}

namespace calico {

std::vector<Kind> ipam_kinds() {
  return {resource<BlockAffinity>().kind, resource<IPAMBlock>().kind, resource<IPAMHandle>().kind,
          resource<IPAMConfig>().kind};
}

}  // namespace calico

}  // namespace margay::api

MARGAY_INSTANTIATE_CODEC(margay::api::BlockAffinity);
MARGAY_INSTANTIATE_CODEC(margay::api::IPAMBlock);
MARGAY_INSTANTIATE_CODEC(margay::api::IPAMHandle);
MARGAY_INSTANTIATE_CODEC(margay::api::IPAMConfig);
