#pragma once

// A selector compiled for the label index: keys and values are symbols, negations have moved down
// to the tests, and what a matching item must have can be read off.

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "base/symbol_table.h"
#include "selector/ast.h"

namespace margay::selector {

using base::Symbol;
using base::SymbolTable;

// A label with one value, or (k_any_value) with whichever.
struct LabelPattern {
  Symbol key = 0;
  Symbol value = 0;
  bool operator==(const LabelPattern&) const = default;
};
inline constexpr Symbol k_any_value = std::numeric_limits<Symbol>::max();

// An item must have one of these labels to match. Empty: nothing can match.
using Requirement = std::vector<LabelPattern>;

// The symbols it names are in use from compile() until release().
struct Expression {
  enum class Form : uint8_t {
    always,
    never,
    present,   // the item has the key
    one_of,    // the key's value is one of `values`
    contains,  // the key's value contains the text `values` names, ...
    starts_with,
    ends_with,
    all_of,  // of the operands
    any_of,
  };
  Form form = Form::always;
  bool negated = false;  // of the five tests only
  Symbol key = 0;
  std::vector<Symbol> values;  // sorted
  std::vector<Expression> operands;
  bool operator==(const Expression&) const = default;
};

Expression compile(const Node& node, SymbolTable& symbols);
void release(const Expression& expression, SymbolTable& symbols);

// Every one of these must hold for the expression to. None: an item without labels may match.
std::vector<Requirement> requirements(const Expression& expression);

// Calls visit(const Expression& test) for each test.
template <typename Visit>
void for_each_test(const Expression& expression, const Visit& visit) {
  using enum Expression::Form;
  if (expression.form == all_of || expression.form == any_of) {
    for (const Expression& operand : expression.operands) for_each_test(operand, visit);
  } else if (expression.form != always && expression.form != never) {
    visit(expression);
  }
}

// Each value that a test asks for counts.
size_t count_tests(const Expression& expression);

bool test_value(const Expression& test, std::optional<Symbol> value, const SymbolTable& symbols);

// `lookup(Symbol key) -> std::optional<Symbol>`: the value the item has.
template <typename Lookup>
bool holds(const Expression& expression, const Lookup& lookup, const SymbolTable& symbols) {
  using enum Expression::Form;
  switch (expression.form) {
    case always:
      return true;
    case never:
      return false;
    case all_of:
      for (const Expression& operand : expression.operands)
        if (!holds(operand, lookup, symbols)) return false;
      return true;
    case any_of:
      for (const Expression& operand : expression.operands)
        if (holds(operand, lookup, symbols)) return true;
      return false;
    default:
      return test_value(expression, lookup(expression.key), symbols);
  }
}

}  // namespace margay::selector
