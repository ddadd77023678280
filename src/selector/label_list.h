#pragma once

// Labels as the index keeps them: an item's own and inherited ones, how they change, and which ones
// selectors ask about.

#include <algorithm>
#include <optional>
#include <vector>

#include "selector/expression.h"
#include "selector/pattern_index.h"
#include "selector/registry.h"

namespace margay::selector {

using LabelList = std::vector<LabelPattern>;  // sorted by key, each key once

inline std::optional<Symbol> find(const LabelList& labels, Symbol key) {
  const auto label = std::ranges::lower_bound(labels, key, {}, &LabelPattern::key);
  if (label == labels.end() || label->key != key) return std::nullopt;
  return label->value;
}

struct Item {
  bool is_set = false;          // or only a place for one
  LabelList labels;             // its own
  std::vector<Symbol> parents;  // each once, weakest first
};

struct Parent {
  bool is_set = false;  // or only referred to
  LabelList labels;
  SymbolSet items;
};

using Parents = Registry<Parent>;

// A key's effective value before and after a change.
struct Transition {
  Symbol key;
  std::optional<Symbol> before, after;
};

// What the item has for the key: its own value, or what it inherits.
std::optional<Symbol> value_of(const Item& item, Symbol key, const Parents& parents);

// What a change of one parent's label does to an item's effective value; nothing, when something
// stronger hides it.
std::optional<Transition> seen_by(const Item& item, Symbol parent, const Transition& change,
                                  const Parents& parents);

inline void sort_unique(std::vector<Symbol>& symbols) {
  std::ranges::sort(symbols);
  symbols.erase(std::ranges::unique(symbols).begin(), symbols.end());
}

inline std::vector<Symbol> keys_of(const LabelList& a, const LabelList& b) {
  std::vector<Symbol> keys;
  for (const LabelPattern& label : a) keys.push_back(label.key);
  for (const LabelPattern& label : b) keys.push_back(label.key);
  sort_unique(keys);
  return keys;
}

// The labels that an expression's tests are about.
inline std::vector<LabelPattern> tested_patterns(const Expression& expression) {
  std::vector<LabelPattern> patterns;
  for_each_test(expression, [&patterns](const Expression& test) {
    if (test.form != Expression::Form::one_of) return patterns.push_back({test.key, k_any_value});
    for (const Symbol value : test.values) patterns.push_back({test.key, value});
  });
  return patterns;
}

}  // namespace margay::selector
