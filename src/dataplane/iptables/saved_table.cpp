#include "dataplane/iptables/saved_table.h"

#include "dataplane/iptables/linux_names.h"

namespace margay::dataplane::iptables {
namespace {

std::string_view next_word(std::string_view& text) {
  const size_t end = std::min(text.find(' '), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

std::string hash_of(std::string_view rule) {
  for (const std::string_view opening : {"--comment \"cali:", "--comment cali:"}) {
    const size_t at = rule.find(opening);
    if (at == std::string_view::npos) continue;
    const std::string_view rest = rule.substr(at + opening.size());
    return std::string(rest.substr(0, rest.find_first_of("\" ")));
  }
  return "";
}

// Without what others have written into comments and log prefixes.
std::string without_quoted(std::string_view rule) {
  std::string out;
  bool is_quoted = false;
  for (size_t i = 0; i < rule.size(); ++i) {
    if (is_quoted && rule[i] == '\\')
      ++i;
    else if (rule[i] == '"')
      is_quoted = !is_quoted;
    else if (!is_quoted)
      out += rule[i];
  }
  return out;
}

SavedRule parse_rule(std::string_view text, bool keep_text) {
  SavedRule rule;
  rule.hash = hash_of(text);
  const auto bare = text.contains("cali-") ? without_quoted(text) : std::string();
  rule.jumps_to_ours = bare.contains("-j cali-") || bare.contains("-g cali-");
  if (keep_text) rule.text = text;
  return rule;
}

}  // namespace

std::map<std::string, SavedTable> parse_saved_tables(std::string_view text) {
  std::map<std::string, SavedTable> tables;
  SavedTable unnamed;  // for lines before the first table's
  SavedTable* table = &unnamed;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.starts_with('*')) {
      table = &tables[std::string(line.substr(1))];
    } else if (line.starts_with(':')) {
      line.remove_prefix(1);
      table->chains[std::string(next_word(line))];
    } else if (line.starts_with("-A ")) {
      line.remove_prefix(3);
      const std::string_view chain = next_word(line);
      table->chains[std::string(chain)].push_back(
          parse_rule(line, !chain.starts_with(k_chain_prefix)));
    }
  }
  return tables;
}

}  // namespace margay::dataplane::iptables
