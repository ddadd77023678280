#include "selector/label_index.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <ranges>

#include "selector/expression.h"
#include "selector/label_list.h"
#include "selector/pattern_index.h"

namespace margay::selector {
namespace {

struct ActiveSelector {
  bool is_set = false;  // or only a place for one
  bool keeps_matches = true;
  Expression expression;
  std::optional<Requirement> anchor;  // what a new item must have to be tried against it
  SymbolSet items;                    // that match, if they are kept
};

}  // namespace

// A new item is tried against the selectors anchored at a label it has: each selector is anchored
// where it has the least company, so that a label everything carries does not gather them all. A
// changed item is tried against the selectors with a test about a label that changed, or those
// anchored at a label it has or had, whichever are fewer. A new selector is tried against the items
// with the rarest label it requires.
class LabelIndex::Impl {
 public:
  explicit Impl(Callbacks callbacks) : callbacks_(std::move(callbacks)) {}

  void set_selector(SelectorId id, const Selector& selector, Matches matches);
  void remove_selector(SelectorId id);
  Effort effort(const Selector& selector);
  void set_item(ItemId id, const Labels& labels, const std::vector<std::string>& parents);
  void remove_item(ItemId id);
  void set_parent(const std::string& id, const Labels& labels);
  void remove_parent(const std::string& id);
  std::vector<ItemId> matches(SelectorId id) const;
  std::vector<SelectorId> passing_on(ItemId item) const;

 private:
  // What has become of an item whose labels are as they are now.
  enum class Event : uint8_t { came, changed, goes };

  LabelList acquire_labels(const Labels& labels);
  void release_labels(const LabelList& labels);
  std::vector<Symbol> acquire_parents(const std::vector<std::string>& parents);

  // As the item is, or as it was before transitions, which are in the order of their keys.
  bool holds_for(const ActiveSelector& selector, const Item& item,
                 const std::vector<Transition>& undone = {}) const;

  void change_item(ItemId item, Item next);
  void file(const Item& item, Symbol symbol);
  void unfile(const Item& item, Symbol symbol);
  void release_uses(const Item& item);
  void file_selector(SelectorId id);
  void unfile_selector(SelectorId id);
  void choose_anchor(ActiveSelector& selector) const;
  void pass_on_matches(SelectorId id);

  size_t count_items(const Requirement& requirement) const;
  template <typename Visit>
  void for_each_item_with(LabelPattern pattern, const Visit& visit) const;
  // The fewest items that must be tried; unset: all.
  std::optional<Requirement> rarest_requirement(const Expression& expression) const;
  template <typename Visit>
  void for_each_candidate_item(const ActiveSelector& selector, const Visit& visit) const;
  template <typename Visit>
  void for_each_anchored(const Item& item, const std::vector<Transition>& transitions,
                         const Visit& visit) const;
  template <typename Visit>
  void for_each_about(const std::vector<Transition>& transitions, const Visit& visit) const;

  void propagate(Symbol parent, const std::vector<Transition>& changes);
  void reevaluate(Symbol item, const std::vector<Transition>& transitions);
  // Each of the selectors that `for_each_set` visits, some of them more than once.
  template <typename ForEachSet>
  void try_matches(Symbol item, Event event, const std::vector<Transition>& transitions,
                   const ForEachSet& for_each_set);
  void try_match(Symbol selector, Symbol item);
  void pass_on_match(Symbol selector, Symbol item, Event event,
                     const std::vector<Transition>& transitions);
  void start(Symbol selector, Symbol item);
  void stop(Symbol selector, Symbol item);

  Callbacks callbacks_;
  SymbolTable symbols_;
  std::deque<Item> items_;  // by ItemId
  Parents parents_;
  std::deque<ActiveSelector> selectors_;  // by SelectorId
  PatternIndex items_by_label_;           // own labels
  PatternIndex parents_by_label_;
  PatternIndex selectors_by_anchor_;
  PatternIndex selectors_by_test_;
  SymbolSet unanchored_;
};

// ---- labels ---------------------------------------------------------------------------------

LabelList LabelIndex::Impl::acquire_labels(const Labels& labels) {
  LabelList list;
  list.reserve(labels.size());
  for (const auto& [key, value] : labels)
    list.push_back({symbols_.acquire(key), symbols_.acquire(value)});
  std::ranges::sort(list, {}, &LabelPattern::key);
  return list;
}

void LabelIndex::Impl::release_labels(const LabelList& labels) {
  for (const LabelPattern& label : labels) {
    symbols_.release(label.key);
    symbols_.release(label.value);
  }
}

std::vector<Symbol> LabelIndex::Impl::acquire_parents(const std::vector<std::string>& parents) {
  std::vector<Symbol> acquired;
  for (const std::string& id : std::views::reverse(parents)) {
    const Symbol parent = parents_.acquire(id);
    // Named twice, the earlier place counts.
    if (std::erase(acquired, parent) > 0) parents_.release(parent);
    acquired.push_back(parent);
  }
  return acquired;
}

bool LabelIndex::Impl::holds_for(const ActiveSelector& selector, const Item& item,
                                 const std::vector<Transition>& undone) const {
  const auto value = [&](Symbol key) {
    const auto change = std::ranges::lower_bound(undone, key, {}, &Transition::key);
    return change != undone.end() && change->key == key ? change->before
                                                        : value_of(item, key, parents_);
  };
  return holds(selector.expression, value, symbols_);
}

// ---- who may match whom -----------------------------------------------------------------------

template <typename Visit>
void LabelIndex::Impl::for_each_item_with(LabelPattern pattern, const Visit& visit) const {
  items_by_label_.for_each_match(pattern, visit);
  parents_by_label_.for_each_match(pattern, [&](const SymbolSet& parents) {
    for (const Symbol parent : parents) visit(parents_[parent].items);
  });
}

size_t LabelIndex::Impl::count_items(const Requirement& requirement) const {
  size_t count = 0;
  for (const LabelPattern& pattern : requirement)
    for_each_item_with(pattern, [&count](const SymbolSet& items) { count += items.size(); });
  return count;
}

std::optional<Requirement> LabelIndex::Impl::rarest_requirement(
    const Expression& expression) const {
  std::vector<Requirement> required = requirements(expression);
  if (required.empty()) return {};
  return std::move(*std::ranges::min_element(
      required, {}, [this](const Requirement& each) { return count_items(each); }));
}

template <typename Visit>
void LabelIndex::Impl::for_each_candidate_item(const ActiveSelector& selector,
                                               const Visit& visit) const {
  const auto rarest = rarest_requirement(selector.expression);
  if (!rarest) {
    for (ItemId item = 0; item < items_.size(); ++item)
      if (items_[item].is_set) visit(item);
    return;
  }
  for (const LabelPattern& pattern : *rarest)
    for_each_item_with(pattern, [&visit](const SymbolSet& items) {
      for (const Symbol item : items) visit(item);
    });
}

LabelIndex::Effort LabelIndex::Impl::effort(const Selector& selector) {
  const Expression expression = compile(selector.root(), symbols_);
  const auto rarest = rarest_requirement(expression);
  const Effort effort{count_tests(expression), rarest ? count_items(*rarest) : items_.size()};
  release(expression, symbols_);
  return effort;
}

// Everything that matches the item, or did before the transitions, is in one of the sets.
template <typename Visit>
void LabelIndex::Impl::for_each_anchored(const Item& item,
                                         const std::vector<Transition>& transitions,
                                         const Visit& visit) const {
  const auto visit_label = [&](Symbol key, Symbol value) {
    visit(selectors_by_anchor_.at({key, value}));
    visit(selectors_by_anchor_.at({key, k_any_value}));
  };
  const auto visit_labels = [&](const LabelList& labels) {
    for (const LabelPattern& label : labels) visit_label(label.key, label.value);
  };
  visit(unanchored_);
  visit_labels(item.labels);
  for (const Symbol parent : item.parents) visit_labels(parents_[parent].labels);
  for (const Transition& change : transitions)
    if (change.before) visit_label(change.key, *change.before);
}

// Everything with a test that a transition may have changed is in one of the sets.
template <typename Visit>
void LabelIndex::Impl::for_each_about(const std::vector<Transition>& transitions,
                                      const Visit& visit) const {
  for (const Transition& change : transitions) {
    if (change.before) visit(selectors_by_test_.at({change.key, *change.before}));
    if (change.after) visit(selectors_by_test_.at({change.key, *change.after}));
    visit(selectors_by_test_.at({change.key, k_any_value}));
  }
}

// ---- matches ----------------------------------------------------------------------------------

void LabelIndex::Impl::start(Symbol selector, Symbol item) {
  if (selectors_[selector].items.insert(item).second) callbacks_.match_started(selector, item);
}

void LabelIndex::Impl::stop(Symbol selector, Symbol item) {
  if (selectors_[selector].items.erase(item) > 0) callbacks_.match_stopped(selector, item);
}

void LabelIndex::Impl::try_match(Symbol selector, Symbol item) {
  if (holds_for(selectors_[selector], items_[item])) {
    start(selector, item);
  } else {
    stop(selector, item);
  }
}

void LabelIndex::Impl::pass_on_match(Symbol selector, Symbol symbol, Event event,
                                     const std::vector<Transition>& transitions) {
  const Item& item = items_[symbol];
  const ActiveSelector& active = selectors_[selector];
  const bool before = event != Event::came && holds_for(active, item, transitions);
  const bool after = event != Event::goes && holds_for(active, item);
  if (after && !before) callbacks_.match_started(selector, symbol);
  if (before && !after) callbacks_.match_stopped(selector, symbol);
}

template <typename ForEachSet>
void LabelIndex::Impl::try_matches(Symbol item, Event event,
                                   const std::vector<Transition>& transitions,
                                   const ForEachSet& for_each_set) {
  std::vector<Symbol> passed_on;
  for_each_set([&](const SymbolSet& selectors) {
    for (const Symbol selector : selectors)
      if (!selectors_[selector].keeps_matches)
        passed_on.push_back(selector);
      else if (event == Event::goes)
        stop(selector, item);
      else
        try_match(selector, item);
  });
  sort_unique(passed_on);
  for (const Symbol selector : passed_on) pass_on_match(selector, item, event, transitions);
}

void LabelIndex::Impl::reevaluate(Symbol symbol, const std::vector<Transition>& transitions) {
  const Item& item = items_[symbol];
  size_t about = 0;
  size_t anchored = 0;
  for_each_about(transitions, [&](const SymbolSet& set) { about += set.size(); });
  for_each_anchored(item, transitions, [&](const SymbolSet& set) { anchored += set.size(); });
  try_matches(symbol, Event::changed, transitions, [&](const auto& visit) {
    if (about <= anchored)
      for_each_about(transitions, visit);
    else
      for_each_anchored(item, transitions, visit);
  });
}

std::vector<LabelIndex::ItemId> LabelIndex::Impl::matches(SelectorId id) const {
  std::vector<ItemId> matching;
  if (id >= selectors_.size()) return matching;
  const SymbolSet& items = selectors_[id].items;
  matching.assign(items.begin(), items.end());
  return matching;
}

std::vector<LabelIndex::SelectorId> LabelIndex::Impl::passing_on(ItemId item) const {
  std::vector<Symbol> selectors;
  if (item >= items_.size() || !items_[item].is_set) return selectors;
  for_each_anchored(items_[item], {}, [&](const SymbolSet& anchored) {
    for (const Symbol selector : anchored)
      if (!selectors_[selector].keeps_matches) selectors.push_back(selector);
  });
  sort_unique(selectors);
  std::erase_if(selectors, [&](const Symbol selector) {
    return !holds_for(selectors_[selector], items_[item]);
  });
  return selectors;
}

// ---- items ------------------------------------------------------------------------------------

void LabelIndex::Impl::file(const Item& item, Symbol symbol) {
  for (const LabelPattern& label : item.labels) items_by_label_.add(label, symbol);
  for (const Symbol parent : item.parents) parents_[parent].items.insert(symbol);
}

void LabelIndex::Impl::unfile(const Item& item, Symbol symbol) {
  for (const LabelPattern& label : item.labels) items_by_label_.remove(label, symbol);
  for (const Symbol parent : item.parents) parents_[parent].items.erase(symbol);
}

void LabelIndex::Impl::release_uses(const Item& item) {
  release_labels(item.labels);
  for (const Symbol parent : item.parents) parents_.release(parent);
}

void LabelIndex::Impl::set_item(ItemId id, const Labels& labels,
                                const std::vector<std::string>& parents) {
  if (id >= items_.size()) items_.resize(id + 1);
  // Acquired before the old ones are released, so that what stays keeps its symbols.
  Item next{true, acquire_labels(labels), acquire_parents(parents)};
  Item& item = items_[id];
  if (item.is_set) return change_item(id, std::move(next));
  item = std::move(next);
  file(item, id);
  try_matches(id, Event::came, {}, [&](const auto& visit) { for_each_anchored(item, {}, visit); });
}

void LabelIndex::Impl::change_item(ItemId symbol, Item next) {
  Item& item = items_[symbol];
  std::vector<Symbol> keys = keys_of(item.labels, next.labels);
  if (item.parents != next.parents) {
    for (const Item* each : {&item, &next})
      for (const Symbol parent : each->parents)
        for (const LabelPattern& label : parents_[parent].labels) keys.push_back(label.key);
    sort_unique(keys);
  }
  std::vector<Transition> transitions;
  for (const Symbol key : keys) {
    const Transition change{key, value_of(item, key, parents_), value_of(next, key, parents_)};
    if (change.before != change.after) transitions.push_back(change);
  }
  const Item before = std::exchange(item, std::move(next));
  unfile(before, symbol);
  file(item, symbol);
  reevaluate(symbol, transitions);
  release_uses(before);  // not earlier: the transitions name its symbols
}

void LabelIndex::Impl::remove_item(ItemId id) {
  if (id >= items_.size() || !items_[id].is_set) return;
  try_matches(id, Event::goes, {},
              [&](const auto& visit) { for_each_anchored(items_[id], {}, visit); });
  unfile(items_[id], id);
  release_uses(items_[id]);
  items_[id] = Item();
}

// ---- parents ----------------------------------------------------------------------------------

void LabelIndex::Impl::set_parent(const std::string& id, const Labels& labels) {
  const Symbol symbol = parents_.acquire(id);
  Parent& parent = parents_[symbol];
  if (parent.is_set) parents_.release(symbol);  // one use for being set, however often
  parent.is_set = true;

  const LabelList before = std::exchange(parent.labels, acquire_labels(labels));
  for (const LabelPattern& label : before) parents_by_label_.remove(label, symbol);
  for (const LabelPattern& label : parent.labels) parents_by_label_.add(label, symbol);

  std::vector<Transition> changes;
  for (const Symbol key : keys_of(before, parent.labels)) {
    const Transition change{key, find(before, key), find(parent.labels, key)};
    if (change.before != change.after) changes.push_back(change);
  }
  if (!changes.empty()) propagate(symbol, changes);
  release_labels(before);
}

void LabelIndex::Impl::propagate(Symbol parent, const std::vector<Transition>& changes) {
  for (const Symbol item : parents_[parent].items) {
    std::vector<Transition> transitions;
    for (const Transition& change : changes)
      if (const auto seen = seen_by(items_[item], parent, change, parents_))
        transitions.push_back(*seen);
    reevaluate(item, transitions);
  }
}

void LabelIndex::Impl::remove_parent(const std::string& id) {
  const auto known = parents_.find(id);
  if (!known || !parents_[*known].is_set) return;
  set_parent(id, {});
  parents_[*known].is_set = false;
  parents_.release(*known);
}

// ---- selectors --------------------------------------------------------------------------------

void LabelIndex::Impl::choose_anchor(ActiveSelector& selector) const {
  std::vector<Requirement> required = requirements(selector.expression);
  if (required.empty()) return;
  const auto company = [this](const Requirement& requirement) {
    size_t count = requirement.size();
    for (const LabelPattern& pattern : requirement)
      count += selectors_by_anchor_.at(pattern).size();
    return count;
  };
  selector.anchor = std::move(*std::ranges::min_element(required, {}, company));
}

void LabelIndex::Impl::file_selector(SelectorId id) {
  ActiveSelector& selector = selectors_[id];
  for (const LabelPattern& pattern : tested_patterns(selector.expression))
    selectors_by_test_.add(pattern, id);
  choose_anchor(selector);
  if (!selector.anchor)
    unanchored_.insert(id);
  else
    for (const LabelPattern& pattern : *selector.anchor) selectors_by_anchor_.add(pattern, id);
}

void LabelIndex::Impl::unfile_selector(SelectorId id) {
  ActiveSelector& selector = selectors_[id];
  for (const LabelPattern& pattern : tested_patterns(selector.expression))
    selectors_by_test_.remove(pattern, id);
  unanchored_.erase(id);
  if (const auto anchor = std::exchange(selector.anchor, std::nullopt)) {
    for (const LabelPattern& pattern : *anchor) selectors_by_anchor_.remove(pattern, id);
  }
}

// Of a new selector.
void LabelIndex::Impl::pass_on_matches(SelectorId id) {
  const ActiveSelector& selector = selectors_[id];
  std::vector<Symbol> candidates;
  for_each_candidate_item(selector, [&](Symbol item) { candidates.push_back(item); });
  sort_unique(candidates);
  for (const Symbol item : candidates)
    if (holds_for(selector, items_[item])) callbacks_.match_started(id, item);
}

void LabelIndex::Impl::set_selector(SelectorId id, const Selector& definition, Matches matches) {
  if (id >= selectors_.size()) selectors_.resize(id + 1);
  ActiveSelector& selector = selectors_[id];
  // Acquired before the old one is released, so that what stays keeps its symbols.
  Expression next = compile(definition.root(), symbols_);
  if (selector.is_set && selector.expression == next) return release(next, symbols_);
  if (selector.is_set) unfile_selector(id);
  release(std::exchange(selector.expression, std::move(next)), symbols_);
  selector.is_set = true;
  selector.keeps_matches = matches == Matches::kept;
  file_selector(id);
  if (!selector.keeps_matches) return pass_on_matches(id);

  const std::vector<Symbol> before(selector.items.begin(), selector.items.end());
  for (const Symbol item : before)
    if (!holds_for(selector, items_[item])) stop(id, item);
  for_each_candidate_item(selector, [&](Symbol item) {
    if (holds_for(selector, items_[item])) start(id, item);
  });
}

void LabelIndex::Impl::remove_selector(SelectorId id) {
  if (id >= selectors_.size() || !selectors_[id].is_set) return;
  for (const Symbol item : matches(id)) stop(id, item);
  unfile_selector(id);
  release(selectors_[id].expression, symbols_);
  selectors_[id] = {};
}

// ---- the interface ------------------------------------------------------------------------------
LabelIndex::LabelIndex(Callbacks callbacks) : impl_(std::make_unique<Impl>(std::move(callbacks))) {}
LabelIndex::~LabelIndex() = default;

void LabelIndex::set_selector(SelectorId id, const Selector& selector, Matches matches) {
  impl_->set_selector(id, selector, matches);
}
void LabelIndex::remove_selector(SelectorId id) { impl_->remove_selector(id); }
LabelIndex::Effort LabelIndex::effort(const Selector& selector) { return impl_->effort(selector); }
void LabelIndex::set_item(ItemId id, const Labels& labels,
                          const std::vector<std::string>& parents) {
  impl_->set_item(id, labels, parents);
}
void LabelIndex::remove_item(ItemId id) { impl_->remove_item(id); }
void LabelIndex::set_parent(const std::string& id, const Labels& labels) {
  impl_->set_parent(id, labels);
}
void LabelIndex::remove_parent(const std::string& id) { impl_->remove_parent(id); }
std::vector<LabelIndex::ItemId> LabelIndex::matches(SelectorId id) const {
  return impl_->matches(id);
}
std::vector<LabelIndex::SelectorId> LabelIndex::passing_on(ItemId item) const {
  return impl_->passing_on(item);
}

}  // namespace margay::selector
