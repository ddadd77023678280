#include "selector_source.h"

namespace margay::peers {

std::string SelectorSource::space(bool any_kind) {
  static const std::vector<std::string> k_between{"", " ", "  ", "\t", " \t "};
  static const std::vector<std::string> k_any{"", " ", "\t", "\n", "\r\n", "\f", " \n\t"};
  return random_.one_of(any_kind ? k_any : k_between);
}

std::string SelectorSource::key() {
  static const std::vector<std::string> k_keys{
      "a", "b", "in", "not", "has", "all", "a.b/c-d_e", "contains", "0", "-", "starts", "global"};
  if (random_.chance(3)) return std::string(510 + random_.below(5), 'k');
  return random_.one_of(k_keys);
}

std::string SelectorSource::value() {
  static const std::vector<std::string> k_values{
      "'a'", "\"a\"", "''", "\"\"", "'\"'", "\"'\"", "'a b'", "'\n'", "'has(a)'", "'global()'"};
  return random_.one_of(k_values);
}

std::string SelectorSource::test() {
  switch (random_.below(9)) {
    case 0:
      return "has(" + space(true) + key() + space(true) + ")";
    case 1:
      return (random_.chance(80) ? "all(" : "global(") + space(true) + ")";
    case 2:
    case 3: {
      std::string text = key() + space(false) +
                         (random_.chance(50) ? "in" : "not" + space(true) + "in") + space(false) +
                         "{" + space(false);
      for (size_t count = random_.below(4); count > 0; --count)
        text +=
            value() + space(false) + (count > 1 || random_.chance(20) ? "," : "") + space(false);
      return text + "}";
    }
    case 4:
      return key() + space(false) + "contains" + space(false) + value();
    case 5:
      return key() + space(false) + "starts" + space(true) + "with" + space(false) + value();
    case 6:
      return key() + space(false) + "ends" + space(true) + "with" + space(false) + value();
    default:
      return key() + space(false) + (random_.chance(50) ? "==" : "!=") + space(false) + value();
  }
}

std::string SelectorSource::operation(int depth) {
  std::string text;
  for (size_t count = random_.chance(30) ? random_.below(4) : 0; count > 0; --count)
    text += "!" + space(false);
  if (depth > 0 && random_.chance(40)) {
    const size_t parentheses = random_.chance(3) ? 200 : 1 + random_.below(2);
    return text + std::string(parentheses, '(') + space(false) + expression(depth - 1) +
           space(false) + std::string(parentheses, ')');
  }
  return text + test();
}

std::string SelectorSource::expression(int depth) {
  std::string text = operation(depth);
  for (size_t count = random_.below(3); count > 0; --count)
    text += space(false) + (random_.chance(50) ? "&&" : "||") + space(false) + operation(depth);
  return text;
}

void SelectorSource::damage(std::string& text) {
  static const std::vector<std::string> k_pieces{"(",  ")", "!",  "&&",   "||", "'",
                                                 "\"", " ", "\n", "{",    "}",  ",",
                                                 "=",  "a", "in", "has(", "%",  "not"};
  const size_t at = text.empty() ? 0 : random_.below(text.size());
  if (random_.chance(50))
    text.insert(at, random_.one_of(k_pieces));
  else if (!text.empty())
    text.erase(at, 1 + random_.below(2));
}

std::string SelectorSource::next() {
  std::string text = space(false) + expression(3) + space(false);
  for (size_t count = random_.chance(40) ? 1 + random_.below(2) : 0; count > 0; --count)
    damage(text);
  if (random_.chance(1)) return space(true);
  return text;
}

}  // namespace margay::peers
