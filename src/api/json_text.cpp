#include <fmt/format.h>

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_stack.hpp>
#include <set>

#include "api/codec.h"
#include "api/text_position.h"

namespace margay::api {

namespace {

constexpr size_t k_max_depth = 100;

// Builds a value, and stops at the second occurrence of a key in one object.
class Handler {
 public:
  static constexpr size_t max_object_size = -1;
  static constexpr size_t max_array_size = -1;
  static constexpr size_t max_key_size = -1;
  static constexpr size_t max_string_size = -1;

  using Code = boost::system::error_code;
  using Text = json::string_view;

  bool on_document_begin(Code&) { return true; }
  bool on_document_end(Code&) { return true; }
  bool on_object_begin(Code&) {
    keys_.emplace_back();
    return true;
  }
  bool on_object_end(size_t count, Code&) {
    keys_.pop_back();
    stack_.push_object(count);
    return true;
  }
  bool on_array_begin(Code&) { return true; }
  bool on_array_end(size_t count, Code&) {
    stack_.push_array(count);
    return true;
  }
  bool on_key_part(Text part, size_t, Code&) {
    key_.append(part);
    stack_.push_chars(part);
    return true;
  }
  bool on_key(Text rest, size_t, Code& error) {
    key_.append(rest);
    if (!keys_.back().insert(key_).second) {
      duplicate_ = key_;
      error = json::error::exception;
      return false;
    }
    key_.clear();
    stack_.push_key(rest);
    return true;
  }
  bool on_string_part(Text part, size_t, Code&) {
    stack_.push_chars(part);
    return true;
  }
  bool on_string(Text rest, size_t, Code&) {
    stack_.push_string(rest);
    return true;
  }
  bool on_number_part(Text, Code&) { return true; }
  bool on_int64(int64_t number, Text, Code&) {
    stack_.push_int64(number);
    return true;
  }
  bool on_uint64(uint64_t number, Text, Code&) {
    stack_.push_uint64(number);
    return true;
  }
  bool on_double(double number, Text, Code&) {
    stack_.push_double(number);
    return true;
  }
  bool on_bool(bool value, Code&) {
    stack_.push_bool(value);
    return true;
  }
  bool on_null(Code&) {
    stack_.push_null();
    return true;
  }
  bool on_comment_part(Text, Code&) { return true; }
  bool on_comment(Text, Code&) { return true; }

  const std::string& duplicate() const { return duplicate_; }
  void start() { stack_.reset(); }
  json::value take() { return stack_.release(); }

 private:
  json::value_stack stack_;
  std::vector<std::set<std::string, std::less<>>> keys_;  // of the objects that are open
  std::string key_;
  std::string duplicate_;
};

}  // namespace

base::Result<json::value> parse_json(std::string_view text) {
  json::parse_options options;
  options.max_depth = k_max_depth;
  json::basic_parser<Handler> parser(options);
  parser.handler().start();
  boost::system::error_code error;
  const size_t parsed = parser.write_some(false, text.data(), text.size(), error);
  const auto problem = [&](std::string_view what) {
    return base::fail(base::ErrorCode::invalid,
                      fmt::format("JSON: {}: {}", text_position(text, parsed), what));
  };
  if (!parser.handler().duplicate().empty())
    return problem(fmt::format("key \"{}\" occurs twice", parser.handler().duplicate()));
  if (error) return problem(error.message());
  if (text.find_first_not_of(" \t\r\n", parsed) != std::string_view::npos)
    return problem("text after the end of the value");
  return parser.handler().take();
}

std::string to_json(const json::value& value) { return json::serialize(value); }

}  // namespace margay::api
