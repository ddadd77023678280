#include "ctl/go_template_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/string.hpp>
#include <cctype>

#include "api/codec.h"
#include "base/text.h"

namespace margay::ctl {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

constexpr std::string_view k_blanks = " \t\r\n";
constexpr size_t k_most_nesting = 200;

std::unexpected<base::Error> error_at(size_t line, std::string_view what) {
  return fail(ErrorCode::invalid, fmt::format("template: get:{}: {}", line, what));
}

// ---- what stands between {{ and }} -----------------------------------------------------------

struct Token {
  enum class Type { word, field, variable, literal, sign, end };  // "if", ".A", "$a", 5, "|"
  Type type = Type::end;
  std::string text;
  boost::json::value literal;
  bool after_blank = false;
};

bool is_of_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

class Lexer {
 public:
  Lexer(std::string_view text, size_t line) : rest_(text), line_(line) {}

  Result<std::vector<Token>> run() {
    std::vector<Token> tokens;
    while (true) {
      const auto at = std::min(rest_.find_first_not_of(k_blanks), rest_.size());
      rest_.remove_prefix(at);
      MARGAY_TRY(auto token, next());
      token.after_blank = at > 0;
      tokens.push_back(std::move(token));
      if (tokens.back().type == Token::Type::end) return tokens;
    }
  }

 private:
  std::string name() {
    const auto end = std::ranges::find_if_not(rest_, is_of_name);
    std::string found(rest_.begin(), end);
    rest_.remove_prefix(found.size());
    return found;
  }

  Result<Token> next() {
    using Type = Token::Type;
    if (rest_.empty()) return Token{};
    const char c = rest_.front();
    if (c == '"' || c == '`') return quoted(c);
    const bool is_number =
        std::isdigit(static_cast<unsigned char>(c)) != 0 ||
        (c == '-' && rest_.size() > 1 && std::isdigit(static_cast<unsigned char>(rest_[1])) != 0);
    if (is_number) return number();
    if (c == '.' || c == '$') {
      rest_.remove_prefix(1);
      return Token{.type = c == '.' ? Type::field : Type::variable, .text = name()};
    }
    if (is_of_name(c)) return word();
    for (const std::string_view sign : {":=", "=", "|", "(", ")", ","})
      if (rest_.starts_with(sign)) {
        rest_.remove_prefix(sign.size());
        return Token{.type = Type::sign, .text = std::string(sign)};
      }
    return error_at(line_, fmt::format("unexpected '{}' in an action", c));
  }

  Token word() {
    auto text = name();
    if (text == "true" || text == "false")
      return {.type = Token::Type::literal, .text = {}, .literal = text == "true"};
    if (text == "nil") return {.type = Token::Type::literal, .text = {}, .literal = nullptr};
    return {.type = Token::Type::word, .text = std::move(text)};
  }

  Result<Token> number() {
    const auto end = std::min(rest_.find_first_not_of("0123456789.eE+-"), rest_.size());
    const auto value = api::parse_json(rest_.substr(0, end));
    if (!value) return error_at(line_, fmt::format("bad number: {}", rest_.substr(0, end)));
    rest_.remove_prefix(end);
    return Token{.type = Token::Type::literal, .text = {}, .literal = *value};
  }

  Result<Token> quoted(char quote) {
    size_t end = 1;
    while (end < rest_.size() && rest_[end] != quote)
      end += quote == '"' && rest_[end] == '\\' ? 2 : 1;
    if (end >= rest_.size()) return error_at(line_, "unterminated quoted string");
    const auto raw = rest_.substr(0, end + 1);
    rest_.remove_prefix(end + 1);
    if (quote == '`')
      return Token{.type = Token::Type::literal,
                   .text = {},
                   .literal = boost::json::string(raw.substr(1, end - 1))};
    const auto value = api::parse_json(raw);
    if (!value) return error_at(line_, fmt::format("bad string: {}", raw));
    return Token{.type = Token::Type::literal, .text = {}, .literal = *value};
  }

  std::string_view rest_;
  size_t line_;
};

// ---- pipelines
// -----------------------------------------------------------------------------------

class PipelineParser {
 public:
  PipelineParser(std::vector<Token> tokens, size_t line)
      : tokens_(std::move(tokens)), line_(line) {}

  // The first word, if it is one of these.
  std::string keyword() {
    constexpr std::string_view k_words[] = {"if",     "else",  "end",      "range", "with",
                                            "define", "block", "template", "break", "continue"};
    const auto& token = tokens_[at_];
    if (token.type != Token::Type::word || std::ranges::count(k_words, token.text) == 0) return {};
    ++at_;
    return token.text;
  }
  bool at_end() const { return tokens_[at_].type == Token::Type::end; }

  Result<TemplatePipeline> pipeline() {
    TemplatePipeline made{.line = line_};
    read_variables(made);
    MARGAY_CHECK(read_commands(made));
    if (!at_end()) return error_at(line_, fmt::format("unexpected \"{}\"", tokens_[at_].text));
    return made;
  }

 private:
  bool is_sign(size_t at, std::string_view text) const {
    return at < tokens_.size() && tokens_[at].type == Token::Type::sign && tokens_[at].text == text;
  }

  // "$a :=", "$a, $b :=", "$a ="
  void read_variables(TemplatePipeline& made) {
    std::vector<std::string> names;
    size_t at = at_;
    while (tokens_[at].type == Token::Type::variable) {
      names.push_back(tokens_[at].text);
      if (!is_sign(at + 1, ",")) break;
      at += 2;
    }
    const bool declares = is_sign(at + 1, ":=");
    if (names.empty() || (!declares && !is_sign(at + 1, "="))) return;
    made.variables = std::move(names);
    made.declares = declares;
    at_ = at + 2;
  }

  Result<> read_commands(TemplatePipeline& made) {
    do {
      MARGAY_TRY(auto command, command_of());
      made.commands.push_back(std::move(command));
    } while (is_sign(at_, "|") && ++at_ > 0);
    return {};
  }

  Result<TemplateCommand> command_of() {
    TemplateCommand command;
    while (!at_end() && !is_sign(at_, "|") && !is_sign(at_, ")")) {
      MARGAY_TRY(auto operand, operand_of());
      command.push_back(std::move(operand));
    }
    if (command.empty()) return error_at(line_, "missing value for command");
    return command;
  }

  Result<TemplateOperand> operand_of() {
    using Type = TemplateOperand::Type;
    const auto token = tokens_[at_++];
    TemplateOperand made;
    switch (token.type) {
      case Token::Type::field:
        if (!token.text.empty()) made.fields.push_back(token.text);
        break;
      case Token::Type::variable:
        made.type = Type::variable;
        made.name = token.text;
        break;
      case Token::Type::literal:
        made.type = Type::literal;
        made.literal = token.literal;
        break;
      case Token::Type::word:
        made.type = Type::function;
        made.name = token.text;
        break;
      default:
        if (token.text != "(") return error_at(line_, fmt::format("unexpected \"{}\"", token.text));
        MARGAY_CHECK(read_group(made));
    }
    while (tokens_[at_].type == Token::Type::field && !tokens_[at_].after_blank)
      made.fields.push_back(tokens_[at_++].text);
    return made;
  }

  Result<> read_group(TemplateOperand& made) {
    if (++depth_ > k_most_nesting) return error_at(line_, "too many parentheses");
    made.type = TemplateOperand::Type::group;
    made.group = std::make_shared<TemplatePipeline>(TemplatePipeline{.line = line_});
    MARGAY_CHECK(read_commands(*made.group));
    if (!is_sign(at_, ")")) return error_at(line_, "unclosed parenthesis");
    ++at_;
    --depth_;
    return {};
  }

  std::vector<Token> tokens_;
  size_t at_ = 0;
  size_t line_;
  size_t depth_ = 0;
};

// ---- the text
// ------------------------------------------------------------------------------------

class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}

  Result<std::vector<TemplateNode>> run() {
    std::vector<TemplateNode> nodes;
    MARGAY_TRY(const auto stop, read_nodes(nodes));
    if (!stop.word.empty()) return error_at(line_, fmt::format("unexpected {{{{{}}}}}", stop.word));
    return nodes;
  }

 private:
  // What ended a list of nodes: "end", "else", or (nothing) the text.
  struct Stop {
    std::string word;
    std::string condition;  // of an "else if"
  };

  void advance(size_t count) {
    line_ += static_cast<size_t>(std::ranges::count(rest_.substr(0, count), '\n'));
    rest_.remove_prefix(count);
  }

  void read_text(std::vector<TemplateNode>& nodes) {
    const auto end = std::min(rest_.find("{{"), rest_.size());
    auto text = rest_.substr(0, end);
    const bool trims_next = rest_.substr(end).starts_with("{{- ");
    if (trims_before_) text.remove_prefix(std::min(text.find_first_not_of(k_blanks), text.size()));
    if (trims_next) text = text.substr(0, text.find_last_not_of(k_blanks) + 1);
    if (!text.empty())
      nodes.push_back({.type = TemplateNode::Type::text, .text = std::string(text)});
    advance(end);
  }

  // The inside of the action that comes next.
  Result<std::string_view> read_action() {
    size_t begin = rest_.starts_with("{{- ") ? 3 : 2;
    size_t end = begin;
    char quote = 0;
    if (rest_.substr(begin).starts_with("/*")) {
      end = std::min(rest_.find("*/", begin), rest_.size());
    }
    for (; end < rest_.size() && (quote != 0 || !rest_.substr(end).starts_with("}}")); ++end) {
      const char c = rest_[end];
      if (quote == '"' && c == '\\') ++end;
      if (quote != 0 ? c == quote : c == '"' || c == '`') quote = quote != 0 ? 0 : c;
    }
    if (end >= rest_.size()) return error_at(line_, "unclosed action");
    auto inside = rest_.substr(begin, end - begin);
    trims_before_ = inside.ends_with(" -");
    if (trims_before_) inside.remove_suffix(2);
    advance(end + 2);
    return inside;
  }

  Result<Stop> read_nodes(std::vector<TemplateNode>& nodes) {
    if (++depth_ > k_most_nesting) return error_at(line_, "too many blocks in each other");
    while (true) {
      read_text(nodes);
      if (rest_.empty()) return Stop{};
      const auto line = line_;
      MARGAY_TRY(const auto inside, read_action());
      if (base::trim(inside).starts_with("/*")) continue;
      MARGAY_TRY(auto tokens, Lexer(inside, line).run());
      PipelineParser parser(std::move(tokens), line);
      const auto word = parser.keyword();
      if (word == "end" || word == "else") {
        --depth_;
        return Stop{word, std::string(base::trim(base::trim(inside).substr(word.size())))};
      }
      MARGAY_TRY(auto node, read_node(word, parser, line));
      nodes.push_back(std::move(node));
    }
  }

  Result<TemplateNode> read_node(const std::string& word, PipelineParser& parser, size_t line) {
    using Type = TemplateNode::Type;
    TemplateNode node{.type = word == "if"      ? Type::choice
                              : word == "with"  ? Type::with
                              : word == "range" ? Type::range
                                                : Type::output};
    if (!word.empty() && node.type == Type::output)
      return error_at(line, fmt::format("{{{{{}}}}} is not supported", word));
    MARGAY_TRY(node.pipeline, parser.pipeline());
    if (node.type != Type::output) MARGAY_CHECK(read_block(node));
    return node;
  }

  Result<> read_block(TemplateNode& node) {
    MARGAY_TRY(auto stop, read_nodes(node.body));
    if (stop.word == "end") return {};
    if (stop.word.empty()) return error_at(line_, "unexpected EOF");
    if (stop.condition.empty()) {
      MARGAY_TRY(stop, read_nodes(node.otherwise));
      if (stop.word != "end") return error_at(line_, "an {{else}} without its {{end}}");
      return {};
    }
    // {{else if x}} is {{else}}{{if x}}, and one {{end}} ends both.
    MARGAY_TRY(auto tokens, Lexer(stop.condition, line_).run());
    PipelineParser parser(std::move(tokens), line_);
    const auto word = parser.keyword();
    if (word != "if" && word != "with") return error_at(line_, "unexpected text behind else");
    MARGAY_TRY(auto inner, read_node(word, parser, line_));
    node.otherwise.push_back(std::move(inner));
    return {};
  }

  std::string_view rest_;
  size_t line_ = 1;
  size_t depth_ = 0;
  bool trims_before_ = false;
};

}  // namespace

Result<std::vector<TemplateNode>> parse_go_template(std::string_view text) {
  return Parser(text).run();
}

}  // namespace margay::ctl
