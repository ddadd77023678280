#include "selector/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace margay::selector {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

constexpr bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

constexpr bool is_key_character(char c) {
  return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '/' || c == '-';
}

constexpr bool is_white_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

template <typename Operation>
NodePtr join(std::vector<NodePtr> operands) {
  if (operands.size() == 1) return std::move(operands.front());
  return make_node(Operation{std::move(operands)});
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<NodePtr> selector() {
    skip_spaces();
    if (at_end()) return make_node(All{});
    MARGAY_TRY(NodePtr node, disjunction());
    if (!at_end()) return expected("&&, || or the end");
    return node;
  }

 private:
  Result<NodePtr> disjunction() {
    std::vector<NodePtr> operands;
    do {
      MARGAY_TRY(NodePtr operand, conjunction());
      operands.push_back(std::move(operand));
    } while (take("||"));
    return join<Disjunction>(std::move(operands));
  }

  Result<NodePtr> conjunction() {
    std::vector<NodePtr> operands;
    do {
      MARGAY_TRY(NodePtr operand, operation());
      operands.push_back(std::move(operand));
    } while (take("&&"));
    return join<Conjunction>(std::move(operands));
  }

  Result<NodePtr> operation() {
    bool negated = false;
    while (take("!")) negated = !negated;
    MARGAY_TRY(NodePtr node, take("(") ? parenthesized() : test());
    return negated ? negate(std::move(node)) : node;
  }

  Result<NodePtr> parenthesized() {
    if (++depth_ > k_max_depth)
      return fail_here(fmt::format("more than {} nested parentheses", k_max_depth));
    MARGAY_TRY(NodePtr node, disjunction());
    --depth_;
    if (!take(")")) return expected("&&, || or )");
    return node;
  }

  Result<NodePtr> test() {
    if (open("all(")) return close(make_node(All{}));
    if (open("global(")) return close(make_node(Global{}));
    if (open("has(")) {
      MARGAY_TRY(std::string key, label_key());
      skip_white_space();
      return close(make_node(Has{std::move(key)}));
    }
    const size_t start = position_;
    MARGAY_TRY(std::string key, label_key());
    const bool cut = !at_end() && is_key_character(text_[position_]);
    skip_spaces();
    if (take("==")) return comparison(std::move(key), Comparison::Op::equals);
    if (take("!=")) return comparison(std::move(key), Comparison::Op::not_equals);
    if (take_word("in")) return membership(std::move(key), false);
    if (take_words("not", "in")) return membership(std::move(key), true);
    if (take_word("contains")) return comparison(std::move(key), Comparison::Op::contains);
    if (take_words("starts", "with"))
      return comparison(std::move(key), Comparison::Op::starts_with);
    if (take_words("ends", "with")) return comparison(std::move(key), Comparison::Op::ends_with);
    if (cut) return key_too_long(start);
    return expected("an operator (==, !=, in, not in, contains, starts with, ends with)");
  }

  Result<NodePtr> close(NodePtr node) {
    if (!take(")")) return expected(")");
    return node;
  }

  Result<NodePtr> comparison(std::string key, Comparison::Op op) {
    MARGAY_TRY(std::string value, quoted());
    return make_node(Comparison{std::move(key), op, std::move(value)});
  }

  Result<NodePtr> membership(std::string key, bool negated) {
    if (!take("{")) return expected("{");
    std::vector<std::string> values;
    while (!take("}")) {
      MARGAY_TRY(std::string value, quoted());
      values.push_back(std::move(value));
      if (!take(",") && !next_is('}')) return expected(", or }");
    }
    std::ranges::sort(values);
    values.erase(std::ranges::unique(values).begin(), values.end());
    return make_node(Membership{std::move(key), negated, std::move(values)});
  }

  // Without the space behind it.
  Result<std::string> label_key() {
    const size_t start = position_;
    while (!at_end() && is_key_character(text_[position_]) && position_ - start < k_max_key_length)
      ++position_;
    if (position_ == start) return expected("a label key, has(), all(), ! or (");
    return std::string(text_.substr(start, position_ - start));
  }

  std::unexpected<base::Error> key_too_long(size_t start) {
    position_ = start;
    return fail_here(fmt::format("a label key has at most {} characters", k_max_key_length));
  }

  Result<std::string> quoted() {
    if (!next_is('"') && !next_is('\'')) return expected("a quoted string");
    const size_t end = text_.find(text_[position_], position_ + 1);
    if (end == text_.npos) return fail_here("the string is not terminated");
    std::string value(text_.substr(position_ + 1, end - position_ - 1));
    position_ = end + 1;
    skip_spaces();
    return value;
  }

  bool at_end() const { return position_ == text_.size(); }
  bool next_is(char c) const { return !at_end() && text_[position_] == c; }

  void skip_spaces() {
    while (next_is(' ') || next_is('\t')) ++position_;
  }

  void skip_white_space() {
    while (!at_end() && is_white_space(text_[position_])) ++position_;
  }

  bool take_exactly(std::string_view token) {
    if (!text_.substr(position_).starts_with(token)) return false;
    position_ += token.size();
    return true;
  }

  bool take(std::string_view token) {
    if (!take_exactly(token)) return false;
    skip_spaces();
    return true;
  }

  bool open(std::string_view call) {
    if (!take_exactly(call)) return false;
    skip_white_space();
    return true;
  }

  // A word ends where its letters do, so that "inside" is not "in".
  bool take_word(std::string_view word) {
    const size_t end = position_ + word.size();
    if (end < text_.size() && is_key_character(text_[end])) return false;
    return take(word);
  }

  // The space between the two may be missing.
  bool take_words(std::string_view first, std::string_view second) {
    const size_t start = position_;
    if (take_exactly(first)) {
      skip_white_space();
      if (take_word(second)) return true;
    }
    position_ = start;
    return false;
  }

  std::unexpected<base::Error> expected(std::string_view what) const {
    const std::string found =
        at_end() ? "the end" : fmt::format("\"{}\"", text_.substr(position_, 16));
    return fail_here(fmt::format("expected {}, found {}", what, found));
  }

  std::unexpected<base::Error> fail_here(std::string_view problem) const {
    return fail(ErrorCode::invalid, fmt::format("at position {}: {}", position_ + 1, problem));
  }

  std::string_view text_;
  size_t position_ = 0;
  unsigned depth_ = 0;
};

}  // namespace

bool is_key(std::string_view text) {
  return !text.empty() && text.size() <= k_max_key_length &&
         std::ranges::all_of(text, is_key_character);
}

bool is_value(std::string_view text) {
  return text.find('"') == text.npos || text.find('\'') == text.npos;
}

Result<NodePtr> parse(std::string_view text) { return Parser(text).selector(); }

}  // namespace margay::selector
