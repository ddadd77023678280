#pragma once

// Which selectors match which items, kept up to date as either changes.
//
// Items inherit labels from parents (an endpoint from its profiles): the item's own labels are
// stronger than any parent's, an earlier parent's stronger than a later one's. The index reports
// every start and end of a match exactly once, through callbacks made before the call returns;
// they must not call the index.
// The cost of a label change grows with the selectors that mention the changed labels, never with
// the number of items or of other selectors.
//
// Not thread-safe: one owner.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "selector/selector.h"

namespace margay::selector {

class LabelIndex {
 public:
  // The owner numbers its items and its selectors, densely: the number is a place in a table.
  using ItemId = uint32_t;
  using SelectorId = uint32_t;
  struct Callbacks {
    std::function<void(SelectorId, ItemId)> match_started;
    std::function<void(SelectorId, ItemId)> match_stopped;
  };

  explicit LabelIndex(Callbacks callbacks);
  ~LabelIndex();

  // Of a selector whose matches are only passed on, nothing is kept for each match: matches() knows
  // none, and no ends are reported when it is removed. It is removed before it is set again.
  enum class Matches : uint8_t { kept, passed_on };
  void set_selector(SelectorId id, const Selector& selector, Matches matches = Matches::kept);
  void remove_selector(SelectorId id);
  // `parents` need not exist yet; a missing parent gives no labels.
  void set_item(ItemId id, const Labels& labels, const std::vector<std::string>& parents);
  void remove_item(ItemId id);
  void set_parent(const std::string& id, const Labels& labels);
  void remove_parent(const std::string& id);

  // What it takes to find what a selector matches among the items as they are.
  struct Effort {
    size_t tests = 0;  // of labels, in the selector
    size_t items = 0;  // that all of them may be tried on
  };
  Effort effort(const Selector& selector);

  // The items `id` matches now, in no order.
  std::vector<ItemId> matches(SelectorId id) const;
  // The selectors that match the item now, of those whose matches are only passed on.
  std::vector<SelectorId> passing_on(ItemId item) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace margay::selector
