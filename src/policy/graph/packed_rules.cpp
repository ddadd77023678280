#include "policy/graph/packed_rules.h"

#include <array>
#include <cstring>
#include <type_traits>
#include <utility>
#include <variant>

#include "selector/ast.h"

namespace margay::policy {
namespace {

// What a rule is made of, once for writing and reading. A member added to these structs must be
// added here: the sizes are a reminder.
void each_member(auto& archive, auto& match)
  requires requires { match.not_named_ports; }
{
  archive(match.nets, match.not_nets, match.selector, match.not_selector, match.ports,
          match.named_ports, match.not_ports, match.not_named_ports);
}
void each_member(auto& archive, auto& rule)
  requires requires { rule.never_matches; }
{
  archive(rule.action, rule.family, rule.protocol, rule.not_protocol, rule.icmp, rule.not_icmp,
          rule.source, rule.destination, rule.has_http, rule.never_matches);
}
static_assert(sizeof(EntityMatch) ==
              6 * sizeof(std::vector<Prefix>) + 2 * sizeof(std::optional<Selector>));
static_assert(sizeof(Rule) == 2 * sizeof(EntityMatch) + 24);

// The forms of a selector's tree, in the order of the variant's alternatives. Not its text: that
// would have to be parsed, and what is converted from objects may be more than a user may write.
void each_member(auto&, selector::All&) {}
void each_member(auto&, const selector::All&) {}
void each_member(auto&, selector::Global&) {}
void each_member(auto&, const selector::Global&) {}
void each_member(auto& archive, auto& form)
  requires requires { form.key; }
{
  archive(form.key);
  if constexpr (requires { form.op; }) archive(form.op, form.value);
  if constexpr (requires { form.negated; }) archive(form.negated, form.values);
}
void each_member(auto& archive, auto& form)
  requires requires { form.operand; }
{
  archive(form.operand);
}
void each_member(auto& archive, auto& form)
  requires requires { form.operands; }
{
  archive(form.operands);
}

class Writer {
 public:
  explicit Writer(std::string& bytes) : bytes_(bytes) {}
  template <typename... Values>
  void operator()(const Values&... values) {
    (put(values), ...);
  }

 private:
  void put_size(size_t size) {
    for (; size >= 0x80; size >>= 7) bytes_ += static_cast<char>(size | 0x80);
    bytes_ += static_cast<char>(size);
  }
  template <typename Value>
  void put(const Value& value) {
    if constexpr (std::is_enum_v<Value> || std::is_integral_v<Value>) {
      const char* raw = reinterpret_cast<const char*>(&value);
      bytes_.append(raw, sizeof value);
    } else {
      each_member(*this, value);
    }
  }
  void put(const std::string& text) {
    put_size(text.size());
    bytes_ += text;
  }
  void put(const Prefix& prefix) {
    const auto address = prefix.address().bytes();
    (*this)(static_cast<uint8_t>(address.size()), static_cast<uint8_t>(prefix.length()));
    bytes_.append(reinterpret_cast<const char*>(address.data()), address.size());
  }
  void put(const PortRange& range) { (*this)(range.first, range.last); }
  void put(const ICMPMatch& match) { (*this)(match.type, match.code); }
  void put(const Selector& selector) { put(selector.root()); }
  void put(const selector::NodePtr& node) { put(*node); }
  void put(const selector::Node& node) {
    put(static_cast<uint8_t>(node.form.index()));
    std::visit([this](const auto& form) { each_member(*this, form); }, node.form);
  }
  template <typename Value>
  void put(const std::optional<Value>& value) {
    put(value.has_value());
    if (value) put(*value);
  }
  template <typename Value>
  void put(const std::vector<Value>& values) {
    put_size(values.size());
    for (const Value& value : values) put(value);
  }

  std::string& bytes_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  template <typename... Values>
  void operator()(Values&... values) {
    (get(values), ...);
  }

 private:
  std::string_view take(size_t size) {
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }
  size_t get_size() {
    size_t size = 0;
    for (unsigned shift = 0;; shift += 7) {
      const auto byte = static_cast<uint8_t>(take(1).front());
      size |= size_t{byte & 0x7fU} << shift;
      if (byte < 0x80) return size;
    }
  }
  template <typename Value>
  void get(Value& value) {
    if constexpr (std::is_enum_v<Value> || std::is_integral_v<Value>) {
      std::memcpy(&value, take(sizeof value).data(), sizeof value);
    } else {
      each_member(*this, value);
    }
  }
  void get(std::string& text) { text = take(get_size()); }
  void get(Prefix& prefix) {
    uint8_t size = 0;
    uint8_t length = 0;
    (*this)(size, length);
    const auto bytes = take(size);
    const auto* raw = reinterpret_cast<const uint8_t*>(bytes.data());
    prefix = Prefix(IPAddress::from_bytes({raw, size}).value(), length);
  }
  void get(PortRange& range) { (*this)(range.first, range.last); }
  void get(ICMPMatch& match) { (*this)(match.type, match.code); }
  void get(Selector& selector) {
    selector::NodePtr root;
    get(root);
    selector = Selector(std::move(root));
  }
  void get(selector::NodePtr& node) {
    uint8_t form = 0;
    get(form);
    node = k_forms.at(form)(*this);
  }
  template <typename Form>
  static selector::NodePtr get_form(Reader& reader) {
    Form form;
    each_member(reader, form);
    return selector::make_node(std::move(form));
  }
  template <typename Value>
  void get(std::optional<Value>& value) {
    bool has_value = false;
    get(has_value);
    value.reset();
    if (has_value) get(value.emplace());
  }
  template <typename Value>
  void get(std::vector<Value>& values) {
    values.resize(get_size());
    for (Value& value : values) get(value);
  }

  template <size_t... Indices>
  static constexpr auto make_forms(std::index_sequence<Indices...>) {
    using Forms = decltype(selector::Node::form);
    return std::array{&get_form<std::variant_alternative_t<Indices, Forms>>...};
  }
  using GetForm = selector::NodePtr (*)(Reader&);
  static const std::array<GetForm, std::variant_size_v<decltype(selector::Node::form)>> k_forms;

  std::string_view bytes_;
};

constexpr decltype(Reader::k_forms) Reader::k_forms = Reader::make_forms(
    std::make_index_sequence<std::variant_size_v<decltype(selector::Node::form)>>());

}  // namespace

PackedRules::PackedRules(const std::vector<Rule>& ingress, const std::vector<Rule>& egress) {
  Writer write(bytes_);
  write(ingress, egress);
  bytes_.shrink_to_fit();
}

PackedRules::Rules PackedRules::unpack() const {
  Rules rules;
  if (bytes_.empty()) return rules;
  Reader read(bytes_);
  read(rules.ingress, rules.egress);
  return rules;
}

}  // namespace margay::policy
