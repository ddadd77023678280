#include "selector/label_list.h"

namespace margay::selector {

std::optional<Symbol> value_of(const Item& item, Symbol key, const Parents& parents) {
  if (const auto own = find(item.labels, key)) return own;
  for (size_t i = item.parents.size(); i-- > 0;)
    if (const auto inherited = find(parents[item.parents[i]].labels, key)) return inherited;
  return std::nullopt;
}

std::optional<Transition> seen_by(const Item& item, Symbol parent, const Transition& change,
                                  const Parents& parents) {
  if (find(item.labels, change.key)) return std::nullopt;
  size_t i = item.parents.size();
  while (item.parents[--i] != parent)
    if (find(parents[item.parents[i]].labels, change.key)) return std::nullopt;
  std::optional<Symbol> weaker;
  while (!weaker && i-- > 0) weaker = find(parents[item.parents[i]].labels, change.key);

  const Transition seen{change.key, change.before ? change.before : weaker,
                        change.after ? change.after : weaker};
  if (seen.before == seen.after) return std::nullopt;
  return seen;
}

}  // namespace margay::selector
