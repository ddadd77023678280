#pragma once

// Dense numbers for strings, counted by use, so that labels and ids cost four bytes each time they
// occur and compare as integers. A number is reused once nothing uses its string.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace margay::selector {

using Symbol = uint32_t;

class SymbolTable {
 public:
  // One more use of `text`. Every acquire needs its release.
  Symbol acquire(std::string_view text);
  void release(Symbol symbol);

  std::optional<Symbol> find(std::string_view text) const;
  bool in_use(Symbol symbol) const { return entries_[symbol] != nullptr; }
  // Every symbol is below this.
  Symbol end() const { return static_cast<Symbol>(entries_.size()); }
  // Only while the symbol is in use.
  const std::string& text(Symbol symbol) const { return entries_[symbol]->first; }

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  struct Use {
    Symbol symbol;
    uint32_t count;
  };
  using Index = std::unordered_map<std::string, Use, Hash, std::equal_to<>>;

  Index index_;
  std::vector<Index::value_type*> entries_;  // by symbol; nodes of index_, which never move
  std::vector<Symbol> free_;
};

}  // namespace margay::selector
