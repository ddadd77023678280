#pragma once

// Dense numbers for strings, counted by use, so that a name costs four bytes each time it occurs
// and compares as an integer, and what is known of it stands in a table by its number. A number is
// used again once nothing uses its string.
//
// For hundreds of thousands of names: each takes its length and about forty bytes. Whoever chooses
// the names cannot make them collide. Not thread-safe.

#include <boost/unordered/unordered_flat_set.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/secret_hash.h"

namespace margay::base {

using Symbol = uint32_t;

class SymbolTable {
 public:
  // One more use of `text`. Every acquire needs its release.
  Symbol acquire(std::string_view text);
  void release(Symbol symbol);

  std::optional<Symbol> find(std::string_view text) const;
  bool in_use(Symbol symbol) const { return (*entries_)[symbol].uses > 0; }
  // How many strings are in use.
  size_t size() const { return index_.size(); }
  // Every symbol is below this.
  Symbol end() const { return static_cast<Symbol>(entries_->size()); }
  // Only while the symbol is in use.
  std::string_view text(Symbol symbol) const { return (*entries_)[symbol].view(); }

 private:
  struct Entry {
    std::unique_ptr<char[]> text;
    uint32_t size = 0;
    uint32_t uses = 0;
    size_t hash = 0;  // so that the index grows without reading every text again
    std::string_view view() const { return {text.get(), size}; }
  };
  using Entries = std::vector<Entry>;  // by symbol
  struct Hash {
    using is_transparent = void;
    const Entries* entries;
    SecretHash of_text = {};
    size_t operator()(std::string_view text) const { return of_text(text); }
    size_t operator()(Symbol symbol) const { return (*entries)[symbol].hash; }
  };
  struct Equal {
    using is_transparent = void;
    const Entries* entries;
    bool operator()(Symbol a, Symbol b) const { return a == b; }
    bool operator()(Symbol a, std::string_view b) const { return (*entries)[a].view() == b; }
    bool operator()(std::string_view a, Symbol b) const { return (*this)(b, a); }
  };

  // Where it stays when the table moves.
  std::unique_ptr<Entries> entries_ = std::make_unique<Entries>();
  boost::unordered_flat_set<Symbol, Hash, Equal> index_{0, Hash{entries_.get()},
                                                        Equal{entries_.get()}};
  std::vector<Symbol> free_;
};

}  // namespace margay::base
