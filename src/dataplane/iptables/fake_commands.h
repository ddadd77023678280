#pragma once

// For tests: a kernel that holds tables and sets as text, so that what is written to it can be
// seen, and changed behind the data plane's back.

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "dataplane/iptables/commands.h"

namespace margay::dataplane::iptables {

class FakeCommands final : public Commands {
 public:
  using Table = std::map<std::string, std::vector<std::string>>;  // chain -> rules
  struct Set {
    std::string type;  // "hash:net family inet maxelem 1048576"
    std::set<std::string> members;
  };
  using TableKey = std::pair<policy::IPFamily, std::string>;

  std::map<TableKey, Table> tables;
  std::map<std::string, Set> sets;
  std::set<std::string> sets_in_use;  // cannot be destroyed
  size_t most_sets = 65'534;
  std::set<std::string> refused_sets;  // cannot be made
  std::vector<std::string> restored;   // every input, in order
  std::vector<std::string> restored_sets;
  std::optional<base::Error> fail_restore;  // the next restore fails so, changing nothing
  std::set<std::string> refused_rules;      // restores with such text in them fail
  bool ignore_restore = false;              // restores are accepted and forgotten
  std::string forgotten = {};               // and those with such text in them
  size_t saves = 0;

  base::Result<std::string> save(policy::IPFamily family) override {
    ++saves;
    std::string out;
    for (const auto& [key, table] : tables) {
      if (key.first != family) continue;
      out += "*" + key.second + "\n";
      for (const auto& [chain, rules] : table)
        out += ":" + chain + " " + (chain.starts_with("cali-") ? "-" : "ACCEPT") + " [0:0]\n";
      for (const auto& [chain, rules] : table)
        for (const auto& rule : rules) out += "-A " + chain + " " + rule + "\n";
      out += "COMMIT\n";
    }
    return out;
  }

  base::Result<> restore(policy::IPFamily family, const std::string& input) override {
    if (fail_restore) return base::fail(*std::exchange(fail_restore, std::nullopt));
    restored.push_back(input);
    // As the legacy backend does: it does not say which.
    for (const auto& text : refused_rules)
      if (input.contains(text))
        return base::fail(base::ErrorCode::internal, "iptables-restore: COMMIT failed");
    if (ignore_restore || (!forgotten.empty() && input.contains(forgotten))) return {};
    std::istringstream lines(input);
    std::string table_name;
    Table table;
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with('*')) {
        table_name = line.substr(1);
        table = tables[{family, table_name}];
      } else if (line == "COMMIT") {
        tables[{family, table_name}] = table;
      } else if (auto done = restore_line(table, line); !done) {
        return done;
      }
    }
    return {};
  }

  base::Result<std::string> save_sets() override {
    std::string out;
    for (const auto& [name, set] : sets) {
      out += "create " + name + " " + set.type + "\n";
      for (const auto& member : set.members) out += "add " + name + " " + member + "\n";
    }
    return out;
  }

  base::Result<> restore_sets(const std::string& input) override {
    restored_sets.push_back(input);
    std::istringstream lines(input);
    size_t number = 0;
    for (std::string line; std::getline(lines, line);) {
      ++number;
      if (auto done = restore_set_line(line); !done)
        return base::fail(std::move(done).error().wrap("Error in line " + std::to_string(number)));
    }
    return {};
  }

 private:
  static base::Result<> no(const std::string& line) {
    return base::fail(base::ErrorCode::invalid, "cannot do: " + line);
  }

  static base::Result<> restore_line(Table& table, const std::string& line) {
    std::istringstream words(line);
    std::string verb, chain;
    words >> verb;
    if (verb.starts_with(':')) {
      table[verb.substr(1)].clear();
      return {};
    }
    words >> chain;
    size_t position = 0;
    if (verb == "-I") words >> position;
    std::string rule;
    std::getline(words >> std::ws, rule);
    if (verb == "--delete-chain") return table.erase(chain) == 1 ? base::Result<>{} : no(line);
    auto& rules = table[chain];
    if (verb == "-A") {
      rules.push_back(rule);
    } else if (verb == "-I") {
      rules.insert(rules.begin() + static_cast<ptrdiff_t>(position - 1), rule);
    } else if (const auto found = std::ranges::find(rules, rule); found != rules.end()) {
      rules.erase(found);
    } else {
      return no(line);
    }
    return {};
  }

  base::Result<> restore_set_line(const std::string& line) {
    std::istringstream words(line);
    std::string verb, name, rest;
    words >> verb >> name;
    std::getline(words >> std::ws, rest);
    if (verb == "create" && sets.size() == most_sets)
      return base::fail(
          base::ErrorCode::invalid,
          "Kernel error received: maximal number of sets reached, cannot create more.");
    if (verb == "create" && refused_sets.contains(name)) return no(line);
    if (verb == "create")
      return sets.try_emplace(name, Set{rest, {}}).second ? base::Result<>{} : no(line);
    if (!sets.contains(name)) return no(line);
    if (verb == "add") sets[name].members.insert(rest);
    if (verb == "del") sets[name].members.erase(rest);
    if (verb == "swap") std::swap(sets[name], sets[rest]);
    if (verb == "destroy")
      return sets_in_use.contains(name) || sets.erase(name) == 0 ? no(line) : base::Result<>{};
    return {};
  }
};

}  // namespace margay::dataplane::iptables
