#include "selector/selector.h"

#include "targets.h"

namespace margay::fuzz {

// The canonical form means the same and is its own canonical form.
void selector(std::string_view bytes) {
  const auto parsed = selector::Selector::parse(bytes);
  if (!parsed) return require(!parsed.error().message.empty(), "an error says what is wrong");
  const auto again = selector::Selector::parse(parsed->text());
  require(again.has_value(), "the canonical form can be read");
  require(again->text() == parsed->text(), "the canonical form is its own");
  require(again->id() == parsed->id(), "equal text, equal id");
  static const selector::Labels k_items[] = {
      {}, {{"a", "b"}}, {{"a", ""}, {"b", "a"}}, {{"app", "web"}, {"projectcalico.org/name", "x"}}};
  for (const auto& labels : k_items)
    require(again->matches(labels) == parsed->matches(labels), "both mean the same");
}

}  // namespace margay::fuzz
