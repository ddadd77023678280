#include "vector/classifier/address_classes.h"

namespace margay::vector {

using base::IPFamily;
using base::Prefix;

AddressClasses::AddressClasses(Rcu& rcu)
    : map_{PrefixMap4(rcu), PrefixMap6(rcu)}, classes_(sets_, map_) {}

auto AddressClasses::around(const Prefix& prefix, auto is_wanted) -> Classes::Node {
  auto& nodes = classes_.nodes();
  const auto& lengths = lengths_[prefix.family() == IPFamily::v6];
  for (unsigned length = prefix.length(); length-- > 0;) {
    if (!lengths[length]) continue;
    const auto found = nodes.find(Prefix(prefix.address(), length));
    if (found != nodes.end() && is_wanted(found->second)) return found;
  }
  return nodes.end();
}

uint32_t AddressClasses::mapped_around(const Prefix& prefix) {
  const auto found = around(prefix, [](const StagedNode& node) { return node.mapped != 0; });
  return found == classes_.nodes().end() ? 0 : found->second.mapped;
}

auto AddressClasses::node(const Prefix& prefix) -> Classes::Node {
  const auto [node, is_new] = classes_.nodes().try_emplace(prefix);
  if (!is_new) return node;
  lengths_[prefix.family() == IPFamily::v6].set(prefix.length());
  const auto parent = around(prefix, [](const StagedNode&) { return true; });
  if (parent != classes_.nodes().end()) node->second.effective = parent->second.effective;
  sets_.ref(node->second.effective);
  sets_.ref(node->second.own);
  return node;
}

void AddressClasses::add(uint32_t atom, const Prefix& prefix) {
  auto& nodes = classes_.nodes();
  auto at = node(prefix);
  if (sets_.has(at->second.own, atom)) return;
  classes_.set_own(at, sets_.with(at->second.own, atom));
  for (; at != nodes.end() && prefix.contains(at->first); ++at)
    if (!sets_.has(at->second.effective, atom))
      classes_.set_effective(at, sets_.with(at->second.effective, atom));
}

void AddressClasses::remove(uint32_t atom, const Prefix& prefix) {
  auto& nodes = classes_.nodes();
  auto at = nodes.find(prefix);
  if (at == nodes.end() || !sets_.has(at->second.own, atom)) return;
  classes_.set_own(at, sets_.without(at->second.own, atom));
  const auto parent = around(prefix, [](const StagedNode&) { return true; });
  if (parent != nodes.end() && sets_.has(parent->second.effective, atom)) return;
  // Those inside keep the atom where they, or what is between, have it themselves.
  const Prefix* keeps = nullptr;
  for (; at != nodes.end() && prefix.contains(at->first); ++at) {
    if (keeps != nullptr && keeps->contains(at->first)) continue;
    if (sets_.has(at->second.own, atom))
      keeps = &at->first;
    else
      classes_.set_effective(at, sets_.without(at->second.effective, atom));
  }
}

std::vector<uint32_t> AddressClasses::commit(uint64_t generation) {
  return classes_.commit(generation);
}

}  // namespace margay::vector
