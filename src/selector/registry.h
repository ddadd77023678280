#pragma once

// Things found by their id, and known to each other by a number. A thing lives while its id is in
// use. References stay valid while it does.

#include <deque>
#include <optional>
#include <string_view>

#include "base/symbol_table.h"

namespace margay::selector {

using base::Symbol;

template <typename T>
class Registry {
 public:
  // One more use of the id; the first one makes the thing.
  Symbol acquire(std::string_view id) {
    const Symbol symbol = ids_.acquire(id);
    if (symbol == things_.size()) things_.emplace_back();
    return symbol;
  }
  void release(Symbol symbol) {
    ids_.release(symbol);
    if (!ids_.in_use(symbol)) things_[symbol] = T();
  }

  std::optional<Symbol> find(std::string_view id) const { return ids_.find(id); }
  T& operator[](Symbol symbol) { return things_[symbol]; }
  const T& operator[](Symbol symbol) const { return things_[symbol]; }

 private:
  base::SymbolTable ids_;
  std::deque<T> things_;
};

}  // namespace margay::selector
