#pragma once

// The parsed form of a selector: an immutable tree, shared by the selectors built from it. It is
// kept as it was written. Nested operations of one kind stay nested and a double negation stays
// one, because the printed text is hashed into ids that Calico's own programs compute as well.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace margay::selector {

struct Node;
using NodePtr = std::shared_ptr<const Node>;

struct All {};
struct Global {};

struct Has {
  std::string key;
};

struct Comparison {
  enum class Op { equals, not_equals, contains, starts_with, ends_with };
  std::string key;
  Op op = Op::equals;
  std::string value;
};

struct Membership {
  std::string key;
  bool negated = false;             // "not in"
  std::vector<std::string> values;  // sorted, each once
};

struct Negation {
  NodePtr operand;
};

struct Conjunction {
  std::vector<NodePtr> operands;  // two or more
};

struct Disjunction {
  std::vector<NodePtr> operands;  // two or more
};

struct Node {
  std::variant<All, Global, Has, Comparison, Membership, Negation, Conjunction, Disjunction> form;
};

template <typename Form>
NodePtr make_node(Form form) {
  return std::make_shared<const Node>(Node{std::move(form)});
}

// Combine selectors: an operand that is itself such an operation is dissolved in the new one. One
// operand alone is returned as it is.
NodePtr negate(NodePtr operand);
NodePtr conjoin(std::vector<NodePtr> operands);
NodePtr disjoin(std::vector<NodePtr> operands);

// The same operations on what `replace` makes of each test (All, Global, Has, Comparison,
// Membership).
NodePtr map_tests(const NodePtr& node, const std::function<NodePtr(const NodePtr&)>& replace);

// The same tests on keys with `prefix` before them.
NodePtr with_key_prefix(const NodePtr& node, std::string_view prefix);

// The canonical text.
std::string print(const Node& node);

// For std::visit over a node's form.
template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

}  // namespace margay::selector
