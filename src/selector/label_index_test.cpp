#include "selector/label_index.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

namespace margay::selector {
namespace {

using ItemId = LabelIndex::ItemId;
using SelectorId = LabelIndex::SelectorId;
using Match = std::pair<SelectorId, ItemId>;

constexpr ItemId k_pod = 0;
constexpr ItemId k_other = 7;         // none between them
constexpr SelectorId k_selector = 3;  // none before it

// An index and the matches that its callbacks have added up to.
class Observed {
 public:
  LabelIndex index{{
      .match_started = [this](
                           SelectorId selector,
                           ItemId item) { repeated_ |= !matches_.emplace(selector, item).second; },
      .match_stopped = [this](SelectorId selector,
                              ItemId item) { repeated_ |= matches_.erase({selector, item}) == 0; },
  }};

  const std::set<Match>& matches() const { return matches_; }
  // What no ends are reported of.
  void forget(SelectorId selector) {
    std::erase_if(matches_, [selector](const Match& match) { return match.first == selector; });
  }
  // Whether a start or stop came that changed nothing.
  bool repeated() const { return repeated_; }

 private:
  std::set<Match> matches_;
  bool repeated_ = false;
};

Selector parsed(std::string_view text) { return *Selector::parse(text); }

TEST(LabelIndex, ReportsStartsAndStopsAsLabelsChange) {
  Observed observed;
  observed.index.set_selector(k_selector, parsed("app == 'a'"));
  observed.index.set_item(k_pod, {{"app", "a"}}, {});
  EXPECT_EQ(observed.matches(), (std::set<Match>{{k_selector, k_pod}}));
  observed.index.set_item(k_pod, {{"app", "b"}}, {});
  EXPECT_TRUE(observed.matches().empty());
  observed.index.set_item(k_pod, {{"app", "a"}}, {});
  observed.index.remove_item(k_pod);
  EXPECT_TRUE(observed.matches().empty());
  EXPECT_FALSE(observed.repeated());
}

TEST(LabelIndex, ReportsStartsAndStopsAsSelectorsChange) {
  Observed observed;
  observed.index.set_item(k_pod, {{"app", "a"}}, {});
  observed.index.set_item(k_other, {{"app", "b"}}, {});
  observed.index.set_selector(k_selector, parsed("app == 'a'"));
  EXPECT_EQ(observed.matches(), (std::set<Match>{{k_selector, k_pod}}));
  observed.index.set_selector(k_selector, parsed("has(app)"));
  EXPECT_EQ(observed.matches(), (std::set<Match>{{k_selector, k_pod}, {k_selector, k_other}}));
  observed.index.set_selector(k_selector, parsed("app != 'a'"));
  EXPECT_EQ(observed.matches(), (std::set<Match>{{k_selector, k_other}}));
  EXPECT_EQ(observed.index.matches(k_selector), std::vector<ItemId>{k_other});
  observed.index.remove_selector(k_selector);
  EXPECT_TRUE(observed.matches().empty());
  EXPECT_TRUE(observed.index.matches(k_selector).empty());
  EXPECT_FALSE(observed.repeated());
}

TEST(LabelIndex, ItemsInheritFromParentsTheEarlierTheStronger) {
  Observed observed;
  const std::vector<std::string> values = {"own", "strong", "weak"};
  for (SelectorId i = 0; i < values.size(); ++i)
    observed.index.set_selector(i, Selector::equals("k", values[i]));
  const auto matching = [&] {
    return observed.matches().empty() ? "" : values.at(observed.matches().begin()->first);
  };
  observed.index.set_parent("1", {{"k", "weak"}});
  observed.index.set_item(k_pod, {{"k", "own"}}, {"2", "1"});
  observed.index.set_parent("2", {{"k", "strong"}});
  EXPECT_EQ(matching(), "own");
  observed.index.set_item(k_pod, {}, {"2", "1"});
  EXPECT_EQ(matching(), "strong");
  observed.index.remove_parent("2");
  EXPECT_EQ(matching(), "weak");
  observed.index.set_parent("1", {{"k", "own"}});
  EXPECT_EQ(matching(), "own");
  observed.index.set_parent("2", {{"k", "weak"}});
  EXPECT_EQ(matching(), "weak");
  observed.index.set_item(k_pod, {}, {"1", "2"});
  EXPECT_EQ(matching(), "own");
  observed.index.set_item(k_pod, {}, {});
  EXPECT_EQ(matching(), "");
  EXPECT_FALSE(observed.repeated());
}

// ---- the property: whatever happens, the index knows what brute force finds -------------------

struct World {
  std::map<SelectorId, Selector> selectors;
  std::map<ItemId, std::pair<Labels, std::vector<std::string>>> items;
  std::map<std::string, Labels> parents;

  std::set<Match> brute_force() const {
    std::set<Match> matches;
    for (const auto& [item, value] : items) {
      Labels labels = value.first;
      for (const std::string& parent : value.second)
        if (const auto known = parents.find(parent); known != parents.end())
          labels.insert(known->second.begin(), known->second.end());
      for (const auto& [id, selector] : selectors)
        if (selector.matches(labels)) matches.emplace(id, item);
    }
    return matches;
  }
};

// Few keys and values, so that everything meets.
std::string any_key() { return *rc::gen::element<std::string>("a", "b", "c", "d"); }
std::string any_value() { return *rc::gen::element<std::string>("", "x", "y", "xy", "z"); }
std::string any_id() { return *rc::gen::element<std::string>("1", "2", "3", "4", "5"); }

Labels any_labels() {
  Labels labels;
  const int count = *rc::gen::inRange(0, 4);
  for (int i = 0; i < count; ++i) labels[any_key()] = any_value();
  return labels;
}

std::vector<std::string> any_parents() {
  std::vector<std::string> parents;
  const int count = *rc::gen::inRange(0, 4);
  for (int i = 0; i < count; ++i) parents.push_back(any_id());
  return parents;
}

std::string any_test() {
  const std::string key = any_key(), a = any_value(), b = any_value();
  switch (*rc::gen::inRange(0, 10)) {
    case 0:
      return "all()";
    case 1:
      return "has(" + key + ")";
    case 2:
      return key + " != '" + a + "'";
    case 3:
      return key + " in {'" + a + "', '" + b + "'}";
    case 4:
      return key + " not in {'" + a + "', '" + b + "'}";
    case 5:
      return key + " contains '" + a + "'";
    case 6:
      return key + " starts with '" + a + "'";
    case 7:
      return key + " ends with '" + a + "'";
    case 8:
      return key + " in {}";
    default:
      return key + " == '" + a + "'";
  }
}

std::string any_selector(int depth = 3) {
  if (depth == 0) return any_test();
  switch (*rc::gen::inRange(0, 5)) {
    case 0:
      return "!(" + any_selector(depth - 1) + ")";
    case 1:
      return "(" + any_selector(depth - 1) + ") || (" + any_selector(depth - 1) + ")";
    case 2:
    case 3:
      return "(" + any_selector(depth - 1) + ") && (" + any_selector(depth - 1) + ")";
    default:
      return any_test();
  }
}

// Half of the selectors keep their matches.
LabelIndex::Matches matches_of(SelectorId id) {
  return id % 2 == 0 ? LabelIndex::Matches::kept : LabelIndex::Matches::passed_on;
}

void remove_selector(Observed& observed, SelectorId id) {
  observed.index.remove_selector(id);
  if (matches_of(id) == LabelIndex::Matches::passed_on) observed.forget(id);
}

void step(World& world, Observed& observed) {
  LabelIndex& index = observed.index;
  const std::string id = any_id();
  const auto item = static_cast<ItemId>(std::stoul(id));
  const SelectorId selector_id = item;
  switch (*rc::gen::inRange(0, 9)) {
    case 0:
    case 1: {
      const Selector selector = parsed(any_selector());
      const auto matches = matches_of(selector_id);
      if (matches == LabelIndex::Matches::passed_on) remove_selector(observed, selector_id);
      world.selectors.insert_or_assign(selector_id, selector);
      return index.set_selector(selector_id, selector, matches);
    }
    case 2:
      world.selectors.erase(selector_id);
      return remove_selector(observed, selector_id);
    case 3:
      world.items.erase(item);
      return index.remove_item(item);
    case 4:
      world.parents.erase(id);
      return index.remove_parent(id);
    case 5:
    case 6: {
      const Labels labels = any_labels();
      world.parents[id] = labels;
      return index.set_parent(id, labels);
    }
    default: {
      const Labels labels = any_labels();
      const std::vector<std::string> parents = any_parents();
      world.items[item] = {labels, parents};
      return index.set_item(item, labels, parents);
    }
  }
}

RC_GTEST_PROP(LabelIndex, KnowsWhatBruteForceFinds, ()) {
  World world;
  Observed observed;
  const int steps = *rc::gen::inRange(1, 60);
  for (int i = 0; i < steps; ++i) {
    step(world, observed);
    RC_ASSERT(observed.matches() == world.brute_force());
    RC_ASSERT(!observed.repeated());
  }
  std::set<Match> asked;
  for (const auto& [selector, definition] : world.selectors)
    for (const auto& item : observed.index.matches(selector)) asked.emplace(selector, item);
  for (const auto& [item, definition] : world.items)
    for (const auto& selector : observed.index.passing_on(item)) asked.emplace(selector, item);
  RC_ASSERT(asked == observed.matches());
}

}  // namespace
}  // namespace margay::selector
