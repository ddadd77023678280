#pragma once

// What iptables-save says of one table, as far as telling our rules from others' needs.

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace margay::dataplane::iptables {

struct SavedRule {
  std::string hash;  // of our comment; empty: not a rule of ours, or one whose comment is gone
  std::string text;  // as after "-A <chain> "; kept only for rules in chains that are not ours
  bool jumps_to_ours = false;
};

struct SavedTable {
  std::map<std::string, std::vector<SavedRule>> chains;  // also empty ones
};

SavedTable parse_saved_table(std::string_view text);

}  // namespace margay::dataplane::iptables
