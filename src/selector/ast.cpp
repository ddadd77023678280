#include "selector/ast.h"

#include <string_view>

namespace margay::selector {
namespace {

template <typename Operation>
NodePtr combine(std::vector<NodePtr> operands) {
  Operation combined;
  for (NodePtr& operand : operands) {
    if (const auto* same = std::get_if<Operation>(&operand->form)) {
      combined.operands.insert(combined.operands.end(), same->operands.begin(),
                               same->operands.end());
    } else {
      combined.operands.push_back(std::move(operand));
    }
  }
  if (combined.operands.size() == 1) return combined.operands.front();
  return make_node(std::move(combined));
}

void print_quoted(std::string& out, std::string_view value) {
  const char quote = value.find('"') == value.npos ? '"' : '\'';
  out += quote;
  out += value;
  out += quote;
}

std::string_view symbol(Comparison::Op op) {
  switch (op) {
    case Comparison::Op::equals:
      return "==";
    case Comparison::Op::not_equals:
      return "!=";
    case Comparison::Op::contains:
      return "contains";
    case Comparison::Op::starts_with:
      return "starts with";
    case Comparison::Op::ends_with:
      return "ends with";
  }
  return "==";
}

void print_to(std::string& out, const Node& node);

void print_operands(std::string& out, const std::vector<NodePtr>& operands,
                    std::string_view separator) {
  out += '(';
  for (size_t i = 0; i < operands.size(); ++i) {
    if (i > 0) out += separator;
    print_to(out, *operands[i]);
  }
  out += ')';
}

void print_membership(std::string& out, const Membership& form) {
  out += form.key + (form.negated ? " not in {" : " in {");
  for (size_t i = 0; i < form.values.size(); ++i) {
    if (i > 0) out += ", ";
    print_quoted(out, form.values[i]);
  }
  out += '}';
}

void print_to(std::string& out, const Node& node) {
  std::visit(Overloaded{
                 [&](const All&) { out += "all()"; },
                 [&](const Global&) { out += "global()"; },
                 [&](const Has& form) { out += "has(" + form.key + ")"; },
                 [&](const Comparison& form) {
                   out += form.key;
                   out += ' ';
                   out += symbol(form.op);
                   out += ' ';
                   print_quoted(out, form.value);
                 },
                 [&](const Membership& form) { print_membership(out, form); },
                 [&](const Negation& form) {
                   out += '!';
                   print_to(out, *form.operand);
                 },
                 [&](const Conjunction& form) { print_operands(out, form.operands, " && "); },
                 [&](const Disjunction& form) { print_operands(out, form.operands, " || "); },
             },
             node.form);
}

}  // namespace

NodePtr negate(NodePtr operand) { return make_node(Negation{std::move(operand)}); }

NodePtr conjoin(std::vector<NodePtr> operands) { return combine<Conjunction>(std::move(operands)); }

NodePtr disjoin(std::vector<NodePtr> operands) { return combine<Disjunction>(std::move(operands)); }

NodePtr map_tests(const NodePtr& node, const std::function<NodePtr(const NodePtr&)>& replace) {
  const auto map_all = [&replace](std::vector<NodePtr> operands) {
    for (NodePtr& operand : operands) operand = map_tests(operand, replace);
    return operands;
  };
  return std::visit(
      Overloaded{
          [&](const Negation& form) { return negate(map_tests(form.operand, replace)); },
          [&](const Conjunction& form) { return make_node(Conjunction{map_all(form.operands)}); },
          [&](const Disjunction& form) { return make_node(Disjunction{map_all(form.operands)}); },
          [&](const auto&) { return replace(node); },
      },
      node->form);
}

NodePtr with_key_prefix(const NodePtr& node, std::string_view prefix) {
  return map_tests(node, [prefix](const NodePtr& test) {
    Node prefixed = *test;
    std::visit(
        [prefix](auto& form) {
          if constexpr (requires { form.key; }) form.key.insert(0, prefix);
        },
        prefixed.form);
    return std::make_shared<const Node>(std::move(prefixed));
  });
}

std::string print(const Node& node) {
  std::string out;
  print_to(out, node);
  return out;
}

}  // namespace margay::selector
