#pragma once

// What iptables-save says of the tables, as far as telling our rules from others' needs.

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

// By name; those that are not in use are not there.
std::map<std::string, SavedTable> parse_saved_tables(std::string_view text);

}  // namespace margay::dataplane::iptables
