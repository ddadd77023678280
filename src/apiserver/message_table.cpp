#include "apiserver/message_table.h"

#include <charconv>
#include <map>
#include <stdexcept>
#include <string>

namespace margay::apiserver {
namespace {

using Type = MessageField::Type;
using Shape = MessageField::Shape;

constexpr std::string_view k_table =
#include "apiserver/kubernetes_messages.inc"
    ;

using Messages = std::map<std::string_view, Message>;

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool take_suffix(std::string_view& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.remove_suffix(suffix.size());
  return true;
}

Type type_of(std::string_view word) {
  static constexpr std::pair<std::string_view, Type> k_types[] = {
      {"string", Type::text},       {"int", Type::integer},
      {"bool", Type::boolean},      {"bytes", Type::bytes},
      {"Time", Type::time},         {"MicroTime", Type::micro_time},
      {"Quantity", Type::quantity}, {"IntOrString", Type::int_or_string},
      {"ignored", Type::ignored},
  };
  for (const auto& [name, type] : k_types)
    if (name == word) return type;
  return Type::message;
}

// The words of the table; commas only help the reader.
class Words {
 public:
  explicit Words(std::string_view text) : rest_(text) {}
  // Empty: that was the last.
  std::string_view next() {
    constexpr std::string_view k_between = " \n,";
    rest_.remove_prefix(std::min(rest_.find_first_not_of(k_between), rest_.size()));
    const auto word = rest_.substr(0, rest_.find_first_of(k_between));
    rest_.remove_prefix(word.size());
    return word;
  }

 private:
  std::string_view rest_;
};

// The message of a field is looked up when all are there: until then `message_name` is its name.
MessageField read_field(std::string_view name, Words& words, std::string_view& message_name) {
  MessageField field{.name = name == "-" ? "" : name};
  const auto number = words.next();
  std::from_chars(number.data(), number.data() + number.size(), field.number);
  auto word = words.next();
  field.keeps_zero = take_prefix(word, "*");
  field.shows_zero = take_suffix(word, "!");
  if (take_prefix(word, "[]")) field.shape = Shape::list;
  if (take_prefix(word, "map:")) field.shape = Shape::map;
  if (take_prefix(word, "lists:")) field.shape = Shape::map_of_lists;
  field.type = type_of(word);
  message_name = word;
  return field;
}

Messages read_table() {
  Messages messages;
  std::vector<std::pair<std::string_view, std::vector<std::string_view>>> names;
  Words words(k_table);
  for (auto name = words.next(); !name.empty(); name = words.next()) {
    words.next();  // {
    auto& fields = messages.emplace(name, Message{name, {}}).first->second.fields;
    auto& of_fields = names.emplace_back(name, std::vector<std::string_view>()).second;
    for (auto field = words.next(); field != "}" && !field.empty(); field = words.next())
      fields.push_back(read_field(field, words, of_fields.emplace_back()));
  }
  for (const auto& [name, of_fields] : names) {
    auto& fields = messages.at(name).fields;
    for (size_t i = 0; i < fields.size(); ++i)
      if (fields[i].type == Type::message) fields[i].message = &messages.at(of_fields[i]);
  }
  return messages;
}

}  // namespace

const Message* find_message(std::string_view name) {
  static const Messages messages = read_table();
  const auto found = messages.find(name);
  return found == messages.end() ? nullptr : &found->second;
}

const Message* find_message(std::string_view api_version, std::string_view kind) {
  const auto slash = api_version.find('/');
  const auto version =
      slash == std::string_view::npos ? api_version : api_version.substr(slash + 1);
  if (version != "v1") return nullptr;
  if (slash == std::string_view::npos) return find_message(kind);
  const auto group = api_version.substr(0, slash);
  if (group == "meta.k8s.io") return find_message(kind);
  if (!group.ends_with(".k8s.io")) return nullptr;
  std::string name(group.substr(0, group.find('.')));
  return find_message(name.append(".").append(kind));
}

const Message* find_message(const api::Kind& kind) {
  return find_message(kind.api_version(), kind.name);
}

}  // namespace margay::apiserver
