#include "ctl/go_template.h"

#include <fmt/format.h>

#include <algorithm>

#include "ctl/go_template_tree.h"
#include "ctl/go_template_value.h"

namespace margay::ctl {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

class Execution {
 public:
  Execution(TemplateValue data, const TableFacts& facts) : facts_(facts) {
    variables_.push_back({"", std::move(data)});  // "$"
  }

  Result<> run(const std::vector<TemplateNode>& nodes, const TemplateValue& dot) {
    for (const auto& node : nodes) MARGAY_CHECK(run(node, dot));
    return {};
  }

  std::string take() { return std::move(out_); }

 private:
  struct Variable {
    std::string name;
    TemplateValue value;
  };

  Result<> run(const TemplateNode& node, const TemplateValue& dot) {
    if (node.type == TemplateNode::Type::text) {
      out_ += node.text;
      return {};
    }
    const auto outside = variables_.size();
    auto done = run_action(node, dot);
    // What an output declares is there until the end of the block it is in.
    if (node.type != TemplateNode::Type::output)
      variables_.erase(variables_.begin() + static_cast<std::ptrdiff_t>(outside), variables_.end());
    if (done) return {};
    return fail(ErrorCode::invalid, done.error().message.starts_with("template: ")
                                        ? done.error().message
                                        : fmt::format("template: get:{}: executing \"get\": {}",
                                                      node.pipeline.line, done.error().message));
  }

  Result<> run_action(const TemplateNode& node, const TemplateValue& dot) {
    using Type = TemplateNode::Type;
    MARGAY_TRY(const auto value, evaluate(node.pipeline, dot));
    switch (node.type) {
      case Type::output:
        if (node.pipeline.variables.empty()) out_ += value.text();
        return {};
      case Type::choice:
        return run(value.is_true() ? node.body : node.otherwise, dot);
      case Type::with:
        return value.is_true() ? run(node.body, value) : run(node.otherwise, dot);
      default:
        return run_range(node, value, dot);
    }
  }

  Result<> run_range(const TemplateNode& node, const TemplateValue& value,
                     const TemplateValue& dot) {
    MARGAY_TRY(const auto elements, value.elements());
    if (elements.empty()) return run(node.otherwise, dot);
    const auto& names = node.pipeline.variables;
    for (const auto& element : elements) {
      const auto outside = variables_.size();
      if (names.size() == 2) variables_.push_back({names[0], element.key});
      if (!names.empty()) variables_.push_back({names.back(), element.value});
      MARGAY_CHECK(run(node.body, element.value));
      variables_.erase(variables_.begin() + static_cast<std::ptrdiff_t>(outside), variables_.end());
    }
    return {};
  }

  Result<TemplateValue> evaluate(const TemplatePipeline& pipeline, const TemplateValue& dot) {
    std::optional<TemplateValue> value;
    for (const auto& command : pipeline.commands) {
      MARGAY_TRY(value, evaluate(command, std::move(value), dot));
    }
    if (!pipeline.variables.empty()) MARGAY_CHECK(assign(pipeline, *value));
    return *std::move(value);
  }

  Result<> assign(const TemplatePipeline& pipeline, const TemplateValue& value) {
    if (pipeline.variables.size() > 1) return {};  // a range's, set for each element
    const auto& name = pipeline.variables.front();
    if (pipeline.declares) {
      variables_.push_back({name, value});
      return {};
    }
    auto* variable = find(name);
    if (variable == nullptr)
      return fail(ErrorCode::invalid, "undefined variable \"$" + name + "\"");
    *variable = value;
    return {};
  }

  // `last`: what the command before in the pipeline gave, this one's last argument.
  Result<std::optional<TemplateValue>> evaluate(const TemplateCommand& command,
                                                std::optional<TemplateValue> last,
                                                const TemplateValue& dot) {
    const auto& first = command.front();
    if (first.type != TemplateOperand::Type::function) {
      if (command.size() > 1 || last)
        return fail(ErrorCode::invalid, "can't give argument to non-function");
      MARGAY_TRY(auto value, evaluate(first, dot));
      return value;
    }
    std::vector<TemplateValue> arguments;
    for (size_t i = 1; i < command.size(); ++i) {
      MARGAY_TRY(auto value, evaluate(command[i], dot));
      arguments.push_back(std::move(value));
    }
    if (last) arguments.push_back(*std::move(last));
    MARGAY_TRY(auto value, call_template_function(first.name, arguments, facts_));
    return value;
  }

  Result<TemplateValue> evaluate(const TemplateOperand& operand, const TemplateValue& dot) {
    MARGAY_TRY(auto value, evaluate_head(operand, dot));
    for (const auto& field : operand.fields) {
      MARGAY_TRY(value, value.field(field));
    }
    return value;
  }

  Result<TemplateValue> evaluate_head(const TemplateOperand& operand, const TemplateValue& dot) {
    switch (operand.type) {
      case TemplateOperand::Type::dot:
        return dot;
      case TemplateOperand::Type::literal:
        return TemplateValue{.value = operand.literal};
      case TemplateOperand::Type::group:
        return evaluate(*operand.group, dot);
      case TemplateOperand::Type::variable:
        if (const auto* variable = find(operand.name)) return *variable;
        return fail(ErrorCode::invalid, "undefined variable \"$" + operand.name + "\"");
      case TemplateOperand::Type::function:
        return call_template_function(operand.name, {}, facts_);
    }
    return fail(ErrorCode::internal, "an operand of no type");
  }

  TemplateValue* find(const std::string& name) {
    const auto found = std::find_if(variables_.rbegin(), variables_.rend(),
                                    [&](const Variable& one) { return one.name == name; });
    return found == variables_.rend() ? nullptr : &found->value;
  }

  const TableFacts& facts_;
  std::vector<Variable> variables_;
  std::string out_;
};

}  // namespace

Result<std::string> run_go_template(std::string_view text, const std::vector<Shown>& shown,
                                    const TableFacts& facts) {
  MARGAY_TRY(const auto nodes, parse_go_template(text));
  std::vector<TemplateValue> answers;
  for (const auto& one : shown)
    answers.push_back({.value = one.object, .resource = one.type, .is_list = one.is_list});
  const TemplateValue data{
      .answers = std::make_shared<const std::vector<TemplateValue>>(std::move(answers))};
  Execution execution(data, facts);
  MARGAY_CHECK(execution.run(nodes, data));
  return execution.take();
}

}  // namespace margay::ctl
