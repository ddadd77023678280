#pragma once

// From labels to the things filed under them.

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include "selector/expression.h"

namespace margay::selector {

using SymbolSet = boost::unordered_flat_set<Symbol>;

class PatternIndex {
 public:
  using Values = boost::unordered_flat_map<Symbol, SymbolSet>;

  void add(LabelPattern pattern, Symbol thing) { keys_[pattern.key][pattern.value].insert(thing); }

  void remove(LabelPattern pattern, Symbol thing) {
    const auto values = keys_.find(pattern.key);
    if (values == keys_.end()) return;
    const auto things = values->second.find(pattern.value);
    if (things == values->second.end()) return;
    things->second.erase(thing);
    if (things->second.empty()) values->second.erase(things);
    if (values->second.empty()) keys_.erase(values);
  }

  // Under exactly this pattern: k_any_value is a value like others here.
  const SymbolSet& at(LabelPattern pattern) const {
    const Values& values = values_of(pattern.key);
    const auto things = values.find(pattern.value);
    return things == values.end() ? none_ : things->second;
  }

  const Values& values_of(Symbol key) const {
    const auto values = keys_.find(key);
    return values == keys_.end() ? no_values_ : values->second;
  }

  // Calls visit(const SymbolSet&) for everything filed under a label that the pattern describes.
  template <typename Visit>
  void for_each_match(LabelPattern pattern, const Visit& visit) const {
    if (pattern.value != k_any_value) return visit(at(pattern));
    for (const auto& [value, things] : values_of(pattern.key)) visit(things);
  }

 private:
  boost::unordered_flat_map<Symbol, Values> keys_;
  SymbolSet none_;
  Values no_values_;
};

}  // namespace margay::selector
