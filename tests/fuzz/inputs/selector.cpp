#include "selector/selector.h"

#include "targets.h"

namespace margay::fuzz {

// The canonical form means the same. It need not be its own: !(!x) prints as !!x, which reads as x,
// with Calico as with us.
void selector(std::string_view bytes) {
  const auto parsed = selector::Selector::parse(bytes);
  if (!parsed) return require(!parsed.error().message.empty(), "an error says what is wrong");
  const auto again = selector::Selector::parse(parsed->text());
  require(again.has_value(), "the canonical form can be read");
  static const selector::Labels k_items[] = {
      {}, {{"a", "b"}}, {{"a", ""}, {"b", "a"}}, {{"app", "web"}, {"projectcalico.org/name", "x"}}};
  for (const auto& labels : k_items)
    require(again->matches(labels) == parsed->matches(labels), "both mean the same");
}

}  // namespace margay::fuzz
