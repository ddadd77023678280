#include "base/symbol_table.h"

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace margay::base {

Symbol SymbolTable::acquire(std::string_view text) {
  if (const auto known = index_.find(text); known != index_.end()) {
    ++(*entries_)[*known].uses;
    return *known;
  }
  if (text.size() > std::numeric_limits<uint32_t>::max())
    throw std::length_error("a symbol of more than 4 GiB");
  if (free_.empty()) {
    free_.push_back(end());
    entries_->emplace_back();
  }
  const Symbol symbol = free_.back();
  auto copy = std::make_unique_for_overwrite<char[]>(text.size());
  std::ranges::copy(text, copy.get());
  (*entries_)[symbol] = {std::move(copy), static_cast<uint32_t>(text.size()), 1,
                         index_.hash_function()(text)};
  index_.insert(symbol);
  free_.pop_back();
  return symbol;
}

void SymbolTable::release(Symbol symbol) {
  Entry& entry = (*entries_)[symbol];
  if (--entry.uses > 0) return;
  index_.erase(symbol);
  entry = {};
  free_.push_back(symbol);
}

std::optional<Symbol> SymbolTable::find(std::string_view text) const {
  const auto known = index_.find(text);
  if (known == index_.end()) return std::nullopt;
  return *known;
}

}  // namespace margay::base
