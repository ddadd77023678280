#include "selector/symbol_table.h"

namespace margay::selector {

Symbol SymbolTable::acquire(std::string_view text) {
  if (const auto known = index_.find(text); known != index_.end()) {
    ++known->second.count;
    return known->second.symbol;
  }
  const bool reuse = !free_.empty();
  const Symbol symbol = reuse ? free_.back() : static_cast<Symbol>(entries_.size());
  auto* entry = &*index_.emplace(text, Use{symbol, 1}).first;
  if (reuse) {
    free_.pop_back();
    entries_[symbol] = entry;
  } else {
    entries_.push_back(entry);
  }
  return symbol;
}

void SymbolTable::release(Symbol symbol) {
  auto* entry = entries_[symbol];
  if (--entry->second.count > 0) return;
  entries_[symbol] = nullptr;
  free_.push_back(symbol);
  index_.erase(index_.find(entry->first));
}

std::optional<Symbol> SymbolTable::find(std::string_view text) const {
  const auto known = index_.find(text);
  if (known == index_.end()) return std::nullopt;
  return known->second.symbol;
}

}  // namespace margay::selector
