#include "dataplane/iptables/refused_rules.h"

#include <fmt/format.h>

namespace margay::dataplane::iptables {
namespace {

using base::Result;

constexpr int k_trials = 400;

class Search {
 public:
  Search(Commands& commands, policy::IPFamily family, const std::string& table)
      : commands_(commands), family_(family), table_(table) {}

  Result<> try_nothing() { return restore(""); }

  void among(std::span<const SuspectChain> chains) {
    const auto tried = try_chains(chains);
    if (tried) return;
    if (chains.size() > 1 && trials_left_ > 0) {
      among(chains.first(chains.size() / 2));
      among(chains.subspan(chains.size() / 2));
      return;
    }
    // Once more, so that a lock that was held for a moment closes nobody.
    if (trials_left_ > 0 && try_chains(chains)) return;
    const bool is_certain = chains.size() == 1;
    for (const auto& chain : chains)
      found_.push_back(
          {chain.name, is_certain ? first_refused(chain) : "", tried.error().message, is_certain});
  }

  std::vector<RefusedChain> take_found() { return std::move(found_); }

 private:
  Result<> try_chains(std::span<const SuspectChain> chains) {
    std::string rules;
    for (const auto& chain : chains) append(rules, chain.rules);
    return restore(rules);
  }

  // The shortest beginning of the chain that is refused ends with it.
  std::string first_refused(const SuspectChain& chain) {
    size_t taken = 0, refused = chain.rules.size();
    while (refused - taken > 1 && trials_left_ > 0) {
      const size_t middle = taken + (refused - taken) / 2;
      std::string rules;
      append(rules, std::span(chain.rules).first(middle));
      (restore(rules) ? taken : refused) = middle;
    }
    return refused - taken == 1 ? chain.rules[taken] : "";
  }

  static void append(std::string& text, std::span<const std::string> rules) {
    for (const auto& rule : rules) text += fmt::format("-A {} {}\n", k_trial_chain, rule);
  }

  Result<> restore(const std::string& rules) {
    --trials_left_;
    return commands_.restore(
        family_, fmt::format("*{}\n:{} - [0:0]\n{}COMMIT\n", table_, k_trial_chain, rules));
  }

  Commands& commands_;
  policy::IPFamily family_;
  const std::string& table_;
  int trials_left_ = k_trials;
  std::vector<RefusedChain> found_;
};

}  // namespace

Result<std::vector<RefusedChain>> find_refused(Commands& commands, policy::IPFamily family,
                                               const std::string& table,
                                               std::span<const SuspectChain> suspects) {
  Search search(commands, family, table);
  MARGAY_CHECK(search.try_nothing());
  search.among(suspects);
  // Leaves the scratch chain empty; and if that fails, nothing before it says anything either.
  MARGAY_CHECK(search.try_nothing());
  return search.take_found();
}

}  // namespace margay::dataplane::iptables
