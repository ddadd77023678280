#include "ctl/ipam_blocks.h"

#include <fmt/format.h>

#include "api/codec.h"
#include "ipam/names.h"

namespace margay::ctl {

base::Result<std::vector<ipam::Block>> read_blocks(store::Store& store) {
  auto list = store.list({.resource = std::string(ipam::k_blocks)});
  if (!list) return base::fail(list.error().wrap("failed to list IPAM blocks"));
  std::vector<ipam::Block> blocks;
  for (const auto& entry : list->entries) {
    const auto read = [&]() -> base::Result<ipam::Block> {
      MARGAY_TRY(const auto value, api::parse_json(entry.value));
      MARGAY_TRY(auto object, api::decode<api::IPAMBlock>(value));
      return ipam::Block::from_object(std::move(object));
    };
    auto block = read();
    if (!block) return base::fail(block.error().wrap("IPAM block " + entry.key.name));
    blocks.push_back(*std::move(block));
  }
  return blocks;
}

AllocationFacts facts_of(const api::AllocationAttribute& attribute) {
  const auto secondary = [&](std::string_view name) {
    const auto found = attribute.secondary.find(name);
    return found == attribute.secondary.end() ? std::string() : found->second;
  };
  return {.handle = attribute.handle_id.value_or(""),
          .pod = secondary("pod"),
          .ns = secondary("namespace"),
          .node = secondary("node"),
          .type = secondary("type"),
          .timestamp = secondary("timestamp")};
}

std::string attribute_text(const api::AllocationAttribute& attribute) {
  std::string extra;
  for (const auto& [key, value] : attribute.secondary)
    extra += fmt::format("{}{}={}", extra.empty() ? "" : ",", key, value);
  return fmt::format("Main:{} Extra:{}", attribute.handle_id.value_or("<none>"), extra);
}

}  // namespace margay::ctl
