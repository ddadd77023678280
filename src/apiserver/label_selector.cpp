#include "apiserver/label_selector.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace margay::apiserver {
namespace {

using Op = LabelRequirement::Op;

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.' || c == '/';
}

std::optional<int64_t> to_integer(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  base::Result<std::vector<LabelRequirement>> parse() {
    std::vector<LabelRequirement> out;
    if (at_end()) return out;
    while (true) {
      MARGAY_TRY(auto requirement, parse_requirement());
      terms_ += 1 + requirement.values.size();
      if (terms_ > k_most_terms)
        return base::fail(
            base::ErrorCode::invalid,
            fmt::format("a label selector has at most {} requirements and values", k_most_terms));
      out.push_back(std::move(requirement));
      if (at_end()) return out;
      if (!take(",")) return unexpected("a comma");
    }
  }

 private:
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  bool at_end() {
    skip_space();
    return at_ == text_.size();
  }
  bool take(std::string_view token) {
    skip_space();
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  std::string word() {
    skip_space();
    const auto begin = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }
  std::unexpected<base::Error> unexpected(std::string_view wanted) const {
    const auto rest = text_.substr(std::min(at_, text_.size()));
    return base::fail(base::ErrorCode::invalid,
                      fmt::format("unable to parse label selector \"{}\": expected {} at \"{}\"",
                                  text_, wanted, rest));
  }

  base::Result<LabelRequirement> parse_requirement() {
    LabelRequirement out;
    const bool negated = take("!");
    out.key = word();
    if (out.key.empty()) return unexpected("a label key");
    if (negated) {
      out.op = Op::not_exists;
      return out;
    }
    if (take("!=")) return single_value(std::move(out), Op::not_in);
    if (take("==") || take("=")) return single_value(std::move(out), Op::in);
    if (take(">")) return number(std::move(out), Op::greater);
    if (take("<")) return number(std::move(out), Op::less);
    if (at_end() || text_[at_] == ',') return out;
    const auto op = word();
    if (op == "in") return value_set(std::move(out), Op::in);
    if (op == "notin") return value_set(std::move(out), Op::not_in);
    return unexpected("an operator (=, ==, !=, in, notin, <, >)");
  }

  base::Result<LabelRequirement> single_value(LabelRequirement out, Op op) {
    out.op = op;
    out.values = {word()};
    return out;
  }

  base::Result<LabelRequirement> number(LabelRequirement out, Op op) {
    out.op = op;
    out.values = {word()};
    if (!to_integer(out.values[0])) return unexpected("a whole number after < or >");
    return out;
  }

  base::Result<LabelRequirement> value_set(LabelRequirement out, Op op) {
    out.op = op;
    if (!take("(")) return unexpected("(");
    do out.values.push_back(word());
    while (take(","));
    if (!take(")")) return unexpected(")");
    std::ranges::sort(out.values);
    return out;
  }

  static constexpr size_t k_most_terms = 1'024;  // they are asked of each object

  std::string_view text_;
  size_t at_ = 0;
  size_t terms_ = 0;
};

bool holds(const LabelRequirement& requirement, std::optional<std::string_view> value) {
  switch (requirement.op) {
    case Op::exists:
      return value.has_value();
    case Op::not_exists:
      return !value;
    case Op::in:
      return value && std::ranges::binary_search(requirement.values, *value, std::less<>{});
    case Op::not_in:
      return !value || !std::ranges::binary_search(requirement.values, *value, std::less<>{});
    case Op::greater:
    case Op::less: {
      const auto number = value ? to_integer(*value) : std::nullopt;
      const auto bound = to_integer(requirement.values[0]);
      if (!number || !bound) return false;
      return requirement.op == Op::greater ? *number > *bound : *number < *bound;
    }
  }
  return false;
}

std::optional<std::string_view> label(const boost::json::object* labels, std::string_view key) {
  const auto* value = labels != nullptr ? labels->if_contains(key) : nullptr;
  const auto* text = value != nullptr ? value->if_string() : nullptr;
  if (text == nullptr) return std::nullopt;
  return std::string_view(*text);
}

}  // namespace

base::Result<LabelSelector> LabelSelector::parse(std::string_view text) {
  MARGAY_TRY(auto requirements, Parser(text).parse());
  LabelSelector selector;
  selector.requirements_ = std::move(requirements);
  return selector;
}

size_t LabelSelector::terms() const {
  size_t count = requirements_.size();
  for (const auto& requirement : requirements_) count += requirement.values.size();
  return count;
}

bool LabelSelector::matches(const boost::json::object* labels) const {
  return std::ranges::all_of(requirements_, [&](const auto& requirement) {
    return holds(requirement, label(labels, requirement.key));
  });
}

}  // namespace margay::apiserver
