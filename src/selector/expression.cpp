#include "selector/expression.h"

#include <algorithm>

namespace margay::selector {
namespace {

using Form = Expression::Form;

class Compiler {
 public:
  explicit Compiler(SymbolTable& symbols) : symbols_(symbols) {}

  Expression compile(const Node& node, bool negated) {
    return std::visit(
        Overloaded{
            [&](const All&) { return constant(!negated); },
            [&](const Global&) { return constant(negated); },
            [&](const Has& form) { return test(Form::present, form.key, negated); },
            [&](const Comparison& form) { return comparison(form, negated); },
            [&](const Membership& form) {
              return one_of(form.key, form.values, negated != form.negated);
            },
            [&](const Negation& form) { return compile(*form.operand, !negated); },
            // De Morgan: negation turns one into the other.
            [&](const Conjunction& form) {
              return operation(negated ? Form::any_of : Form::all_of, form.operands, negated);
            },
            [&](const Disjunction& form) {
              return operation(negated ? Form::all_of : Form::any_of, form.operands, negated);
            },
        },
        node.form);
  }

 private:
  static Expression constant(bool value) { return {.form = value ? Form::always : Form::never}; }

  Expression test(Form form, const std::string& key, bool negated) {
    return {.form = form, .negated = negated, .key = symbols_.acquire(key)};
  }

  Expression one_of(const std::string& key, const std::vector<std::string>& values, bool negated) {
    Expression expression = test(Form::one_of, key, negated);
    expression.values.reserve(values.size());
    for (const std::string& value : values) expression.values.push_back(symbols_.acquire(value));
    std::ranges::sort(expression.values);
    return expression;
  }

  Expression comparison(const Comparison& form, bool negated) {
    const auto substring = [&](Form test_form) {
      Expression expression = test(test_form, form.key, negated);
      expression.values = {symbols_.acquire(form.value)};
      return expression;
    };
    switch (form.op) {
      case Comparison::Op::equals:
        return one_of(form.key, {form.value}, negated);
      case Comparison::Op::not_equals:
        return one_of(form.key, {form.value}, !negated);
      case Comparison::Op::contains:
        return substring(Form::contains);
      case Comparison::Op::starts_with:
        return substring(Form::starts_with);
      case Comparison::Op::ends_with:
        return substring(Form::ends_with);
    }
    return constant(false);
  }

  Expression operation(Form form, const std::vector<NodePtr>& nodes, bool negated) {
    Expression expression{.form = form};
    expression.operands.reserve(nodes.size());
    for (const NodePtr& node : nodes) expression.operands.push_back(compile(*node, negated));
    return expression;
  }

  SymbolTable& symbols_;
};

// The union of one requirement of each operand; none when an operand requires nothing.
std::vector<Requirement> any_of_requirements(const std::vector<Expression>& operands) {
  Requirement joined;
  for (const Expression& operand : operands) {
    const std::vector<Requirement> each = requirements(operand);
    if (each.empty()) return {};
    const Requirement& shortest = *std::ranges::min_element(each, {}, &Requirement::size);
    joined.insert(joined.end(), shortest.begin(), shortest.end());
  }
  return {std::move(joined)};
}

std::vector<Requirement> test_requirements(const Expression& test) {
  if (test.negated) return {};
  if (test.form != Form::one_of) return {{{test.key, k_any_value}}};
  Requirement requirement;
  for (const Symbol value : test.values) requirement.push_back({test.key, value});
  return {std::move(requirement)};
}

}  // namespace

Expression compile(const Node& node, SymbolTable& symbols) {
  return Compiler(symbols).compile(node, false);
}

void release(const Expression& expression, SymbolTable& symbols) {
  for_each_test(expression, [&symbols](const Expression& test) {
    symbols.release(test.key);
    for (const Symbol value : test.values) symbols.release(value);
  });
}

std::vector<Requirement> requirements(const Expression& expression) {
  switch (expression.form) {
    case Form::always:
      return {};
    case Form::never:
      return {Requirement{}};
    case Form::any_of:
      return any_of_requirements(expression.operands);
    case Form::all_of:
      break;
    default:
      return test_requirements(expression);
  }
  std::vector<Requirement> all;
  for (const Expression& operand : expression.operands)
    std::ranges::move(requirements(operand), std::back_inserter(all));
  return all;
}

size_t count_tests(const Expression& expression) {
  size_t count = 0;
  for_each_test(expression, [&count](const Expression& test) {
    count += std::max<size_t>(1, test.values.size());
  });
  return count;
}

bool test_value(const Expression& test, std::optional<Symbol> value, const SymbolTable& symbols) {
  if (!value) return test.negated;
  const auto passes = [&] {
    const auto text = [&] { return symbols.text(test.values.front()); };
    switch (test.form) {
      case Form::one_of:
        return std::ranges::binary_search(test.values, *value);
      case Form::contains:
        return symbols.text(*value).find(text()) != std::string_view::npos;
      case Form::starts_with:
        return symbols.text(*value).starts_with(text());
      case Form::ends_with:
        return symbols.text(*value).ends_with(text());
      default:
        return true;
    }
  };
  return passes() != test.negated;
}

}  // namespace margay::selector
