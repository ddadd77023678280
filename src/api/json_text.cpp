#include <fmt/format.h>

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_stack.hpp>
#include <charconv>
#include <cmath>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>

#include "api/codec.h"
#include "api/text_position.h"

namespace margay::api {

namespace {

// The keys of the objects that are open, to find a second occurrence in the same object. Keys are
// views of the text wherever they stand there as they are. Many are kept in order rather than
// hashed: whoever sends them could choose them to collide.
class OpenKeys {
 public:
  explicit OpenKeys(std::string_view text) : text_(text) {}

  void open() { objects_.push_back({keys_.size(), nullptr}); }
  void close() {
    keys_.resize(objects_.back().first);
    objects_.pop_back();
  }
  // False: the innermost object has it already.
  bool add(std::string_view key) {
    Object& object = objects_.back();
    constexpr size_t k_few = 16;  // looked through one by one
    if (!object.many && keys_.size() - object.first >= k_few) {
      object.many = std::make_unique<std::set<std::string_view>>();
      object.many->insert(keys_.begin() + static_cast<std::ptrdiff_t>(object.first), keys_.end());
    }
    const auto first = keys_.begin() + static_cast<std::ptrdiff_t>(object.first);
    const bool known = object.many ? object.many->contains(key)
                                   : std::find(first, keys_.end(), key) != keys_.end();
    if (known) return false;
    if (!is_in_text(key)) key = unescaped_.emplace_back(key);
    keys_.push_back(key);
    if (object.many) object.many->insert(key);
    return true;
  }

 private:
  struct Object {
    size_t first;  // of its keys in keys_
    std::unique_ptr<std::set<std::string_view>> many;
  };
  bool is_in_text(std::string_view key) const {
    const std::less_equal<const char*> before;
    return before(text_.data(), key.data()) &&
           before(key.data() + key.size(), text_.data() + text_.size());
  }

  const std::string_view text_;
  std::vector<Object> objects_;
  std::vector<std::string_view> keys_;
  std::deque<std::string> unescaped_;
};

// A number beyond what a double holds (1e999) would be written as infinity, which nobody can read.
bool is_finite(double number, boost::system::error_code& error) {
  if (std::isfinite(number)) return true;
  error = make_error_code(std::errc::result_out_of_range);
  return false;
}

// Counts values and keys: what a document takes in memory goes by their number, not by its bytes.
class Tally {
 public:
  explicit Tally(size_t most) : left_(most) {}
  bool take(boost::system::error_code& error) {
    if (left_ == 0) {
      is_spent_ = true;
      error = json::error::exception;
      return false;
    }
    --left_;
    return true;
  }
  bool is_spent() const { return is_spent_; }

 private:
  size_t left_;
  bool is_spent_ = false;
};

// Builds a value, and stops at the second occurrence of a key in one object.
class Handler {
 public:
  static constexpr size_t max_object_size = -1;
  static constexpr size_t max_array_size = -1;
  static constexpr size_t max_key_size = -1;
  static constexpr size_t max_string_size = -1;

  using Code = boost::system::error_code;
  using Text = json::string_view;

  Handler(std::string_view text, size_t most_values) : keys_(text), tally_(most_values) {}

  bool on_document_begin(Code&) { return true; }
  bool on_document_end(Code&) { return true; }
  bool on_object_begin(Code& error) {
    keys_.open();
    return tally_.take(error);
  }
  bool on_object_end(size_t count, Code&) {
    keys_.close();
    stack_.push_object(count);
    return true;
  }
  bool on_array_begin(Code& error) { return tally_.take(error); }
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
    const bool in_parts = !key_.empty();
    if (in_parts) key_.append(rest);
    if (!keys_.add(in_parts ? std::string_view(key_) : std::string_view(rest))) {
      duplicate_ = in_parts ? key_ : std::string(rest);
      error = json::error::exception;
      return false;
    }
    key_.clear();
    stack_.push_key(rest);
    return tally_.take(error);
  }
  bool on_string_part(Text part, size_t, Code&) {
    stack_.push_chars(part);
    return true;
  }
  bool on_string(Text rest, size_t, Code& error) {
    stack_.push_string(rest);
    return tally_.take(error);
  }
  bool on_number_part(Text, Code&) { return true; }
  bool on_int64(int64_t number, Text, Code& error) {
    stack_.push_int64(number);
    return tally_.take(error);
  }
  bool on_uint64(uint64_t number, Text, Code& error) {
    stack_.push_uint64(number);
    return tally_.take(error);
  }
  // The parser's own number may be the neighbour of the nearest: an object that is read and written
  // again would drift.
  bool on_double(double number, Text text, Code& error) {
    double nearest = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), nearest);
    const bool is_whole = problem == std::errc() && end == text.data() + text.size();
    stack_.push_double(is_whole ? nearest : number);
    return is_finite(number, error) && tally_.take(error);
  }
  bool on_bool(bool value, Code& error) {
    stack_.push_bool(value);
    return tally_.take(error);
  }
  bool on_null(Code& error) {
    stack_.push_null();
    return tally_.take(error);
  }
  bool on_comment_part(Text, Code&) { return true; }
  bool on_comment(Text, Code&) { return true; }

  const std::optional<std::string>& duplicate() const { return duplicate_; }
  const Tally& tally() const { return tally_; }
  void start() { stack_.reset(); }
  json::value take() { return stack_.release(); }

 private:
  json::value_stack stack_;
  OpenKeys keys_;
  Tally tally_;
  std::string key_;
  std::optional<std::string> duplicate_;
};

// Takes everything the grammar takes.
class Judge {
 public:
  static constexpr size_t max_object_size = -1;
  static constexpr size_t max_array_size = -1;
  static constexpr size_t max_key_size = -1;
  static constexpr size_t max_string_size = -1;

  using Code = boost::system::error_code;
  using Text = json::string_view;

  explicit Judge(size_t most_values) : tally_(most_values) {}

  bool on_document_begin(Code&) { return true; }
  bool on_document_end(Code&) { return true; }
  bool on_object_begin(Code& error) { return tally_.take(error); }
  bool on_object_end(size_t, Code&) { return true; }
  bool on_array_begin(Code& error) { return tally_.take(error); }
  bool on_array_end(size_t, Code&) { return true; }
  bool on_key_part(Text, size_t, Code&) { return true; }
  bool on_key(Text, size_t, Code& error) { return tally_.take(error); }
  bool on_string_part(Text, size_t, Code&) { return true; }
  bool on_string(Text, size_t, Code& error) { return tally_.take(error); }
  bool on_number_part(Text, Code&) { return true; }
  bool on_int64(int64_t, Text, Code& error) { return tally_.take(error); }
  bool on_uint64(uint64_t, Text, Code& error) { return tally_.take(error); }
  bool on_double(double number, Text, Code& error) {
    return is_finite(number, error) && tally_.take(error);
  }
  bool on_bool(bool, Code& error) { return tally_.take(error); }
  bool on_null(Code& error) { return tally_.take(error); }
  bool on_comment_part(Text, Code&) { return true; }
  bool on_comment(Text, Code&) { return true; }

  const Tally& tally() const { return tally_; }

 private:
  Tally tally_;
};

json::parse_options depth_option(size_t max_depth) {
  json::parse_options options;
  options.max_depth = max_depth;
  return options;
}

std::unexpected<base::Error> problem(std::string_view text, size_t at, std::string_view what) {
  return base::fail(base::ErrorCode::invalid,
                    fmt::format("JSON: {}: {}", text_position(text, at), what));
}

// Runs `parser` over the whole text; what is wrong with it, if anything.
template <typename Parser>
base::Result<> run(Parser& parser, std::string_view text) {
  boost::system::error_code error;
  const size_t parsed = parser.write_some(false, text.data(), text.size(), error);
  if constexpr (requires { parser.handler().duplicate(); }) {
    if (const auto& key = parser.handler().duplicate())
      return problem(text, parsed, fmt::format("key \"{}\" occurs twice", *key));
  }
  if (parser.handler().tally().is_spent())
    return problem(text, parsed, "more values and keys than an object may have");
  if (error) return problem(text, parsed, error.message());
  if (text.find_first_not_of(" \t\r\n", parsed) != std::string_view::npos)
    return problem(text, parsed, "text after the end of the value");
  return {};
}

}  // namespace

base::Result<json::value> parse_json(std::string_view text, const JsonLimits& limits) {
  json::basic_parser<Handler> parser(depth_option(limits.depth), text, limits.values);
  parser.handler().start();
  MARGAY_CHECK(run(parser, text));
  return parser.handler().take();
}

base::Result<> check_json(std::string_view text, const JsonLimits& limits) {
  json::basic_parser<Judge> parser(depth_option(limits.depth), limits.values);
  return run(parser, text);
}

base::Result<> check_readable(std::string_view text, bool is_being_deleted) {
  constexpr size_t k_reserved_bytes = 1 << 10;
  constexpr size_t k_reserved_values = 16;
  if (text.size() > k_max_object_bytes + (is_being_deleted ? k_reserved_bytes : 0))
    return base::fail(base::ErrorCode::invalid,
                      fmt::format("the object would be {} bytes of JSON; the limit is {}",
                                  text.size(), k_max_object_bytes));
  return check_json(text,
                    {.values = k_max_object_values - (is_being_deleted ? 0 : k_reserved_values)});
}

namespace {

void count_values(const json::value& value, size_t& left) {
  if (left == 0) return;
  --left;
  if (const auto* array = value.if_array())
    for (const auto& item : *array) count_values(item, left);
  if (const auto* object = value.if_object())
    for (const auto& [key, item] : *object) {
      if (left > 0) --left;
      count_values(item, left);
    }
}

}  // namespace

bool has_few_values(const json::value& value, size_t most) {
  size_t left = most + 1;
  count_values(value, left);
  return left > 0;
}

std::string to_json(const json::value& value) { return json::serialize(value); }

}  // namespace margay::api
