#include "selector/selector.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <mutex>

#include "selector/ast.h"
#include "selector/parser.h"

namespace margay::selector {
namespace {

std::string base64_url(const unsigned char* bytes, size_t size) {
  std::string text(4 * ((size + 2) / 3) + 1, '\0');
  const int length =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes, static_cast<int>(size));
  text.resize(static_cast<size_t>(length));
  text.erase(text.find_last_not_of('=') + 1);
  std::ranges::replace(text, '+', '-');
  std::ranges::replace(text, '/', '_');
  return text;
}

std::string hash_id(const std::string& text) {
  const std::string hashed = "s:" + text;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(hashed.data(), hashed.size(), digest.data(), &size, EVP_sha224(), nullptr);
  return "s:" + base64_url(digest.data(), size);
}

bool compare(const Comparison& form, const std::string* value) {
  switch (form.op) {
    case Comparison::Op::equals:
      return value != nullptr && *value == form.value;
    case Comparison::Op::not_equals:
      return value == nullptr || *value != form.value;
    case Comparison::Op::contains:
      return value != nullptr && value->find(form.value) != value->npos;
    case Comparison::Op::starts_with:
      return value != nullptr && value->starts_with(form.value);
    case Comparison::Op::ends_with:
      return value != nullptr && value->ends_with(form.value);
  }
  return false;
}

bool is_member(const Membership& form, const std::string* value) {
  const bool member = value != nullptr && std::ranges::binary_search(form.values, *value);
  return member != form.negated;
}

template <typename Lookup>
bool evaluate(const Node& node, const Lookup& lookup) {
  const auto holds = [&](const NodePtr& operand) { return evaluate(*operand, lookup); };
  return std::visit(
      Overloaded{
          [](const All&) { return true; },
          [](const Global&) { return false; },
          [&](const Has& form) { return lookup(form.key) != nullptr; },
          [&](const Comparison& form) { return compare(form, lookup(form.key)); },
          [&](const Membership& form) { return is_member(form, lookup(form.key)); },
          [&](const Negation& form) { return !holds(form.operand); },
          [&](const Conjunction& form) { return std::ranges::all_of(form.operands, holds); },
          [&](const Disjunction& form) { return std::ranges::any_of(form.operands, holds); },
      },
      node.form);
}

}  // namespace

struct Selector::Shared {
  explicit Shared(NodePtr node) : root(std::move(node)), text(print(*root)) {}

  const NodePtr root;
  const std::string text;
  mutable std::once_flag hashed;
  mutable std::string id;
};

Selector::Selector() {
  static const auto all = std::make_shared<const Shared>(make_node(All{}));
  shared_ = all;
}

Selector::Selector(std::shared_ptr<const Node> root)
    : shared_(std::make_shared<const Shared>(std::move(root))) {}

base::Result<Selector> Selector::parse(std::string_view text) {
  MARGAY_TRY(NodePtr root, selector::parse(text));
  return Selector(std::move(root));
}

Selector Selector::has(std::string key) { return Selector(make_node(Has{std::move(key)})); }

Selector Selector::equals(std::string key, std::string value) {
  return Selector(make_node(Comparison{std::move(key), Comparison::Op::equals, std::move(value)}));
}

Selector Selector::in(std::string key, std::vector<std::string> values) {
  std::ranges::sort(values);
  values.erase(std::ranges::unique(values).begin(), values.end());
  return Selector(make_node(Membership{std::move(key), false, std::move(values)}));
}

Selector Selector::all_of(const std::vector<Selector>& selectors) {
  std::vector<NodePtr> roots;
  for (const auto& selector : selectors)
    if (!selector.is_all()) roots.push_back(selector.shared_->root);
  return roots.empty() ? Selector() : Selector(conjoin(std::move(roots)));
}

Selector Selector::operator!() const { return Selector(negate(shared_->root)); }

Selector Selector::operator&&(const Selector& other) const {
  if (is_all()) return other;
  if (other.is_all()) return *this;
  return Selector(conjoin({shared_->root, other.shared_->root}));
}

Selector Selector::operator||(const Selector& other) const {
  if (is_all() || other.is_all()) return Selector();
  return Selector(disjoin({shared_->root, other.shared_->root}));
}

Selector Selector::with_key_prefix(std::string_view prefix) const {
  return Selector(selector::with_key_prefix(shared_->root, prefix));
}

bool Selector::matches(const Labels& labels) const {
  return evaluate(*shared_->root, [&labels](std::string_view key) {
    const auto label = labels.find(key);
    return label == labels.end() ? nullptr : &label->second;
  });
}

bool Selector::matches(const LabelLookup& labels) const { return evaluate(*shared_->root, labels); }

bool Selector::is_all() const { return std::holds_alternative<All>(shared_->root->form); }

bool Selector::is_global() const { return std::holds_alternative<Global>(shared_->root->form); }

const std::string& Selector::text() const { return shared_->text; }

const std::string& Selector::id() const {
  std::call_once(shared_->hashed, [this] { shared_->id = hash_id(shared_->text); });
  return shared_->id;
}

const Node& Selector::root() const { return *shared_->root; }

}  // namespace margay::selector
