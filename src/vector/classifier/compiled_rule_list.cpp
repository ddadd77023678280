#include "vector/classifier/compiled_rule_list.h"

#include "vector/classifier/rule_groups.h"

#include <algorithm>
#include <bit>
#include <set>

namespace margay::vector {
namespace {

constexpr uint64_t k_all_ones = ~uint64_t{0};
constexpr uint8_t k_grouping = 1 << k_source | 1 << k_destination | 1 << k_destination_port;

bool is_grouping(Dimension dimension) {
  return dimension == k_icmp || (k_grouping >> dimension & 1) != 0;
}

bool groups_by(uint8_t asks, Dimension dimension) {
  return (asks >> (dimension == k_icmp ? k_destination_port : dimension) & 1) != 0;
}

std::span<const uint32_t> as_span(const std::optional<RangeAtom>& atom) {
  return atom ? std::span(&atom->atom, 1) : std::span<const uint32_t>();
}
// For a value that is 0.
bool fails_at_zero(const std::optional<RangeAtom>& in, const std::optional<RangeAtom>& not_in) {
  return (in && !in->has_zero) || (not_in && not_in->has_zero);
}

// What a rule asks of a dimension: atoms that must hold, and that must not.
struct Asked {
  std::span<const uint32_t> all, none;
  bool never = false;
};

// `named`: which of the side's named ports stands for the numbered ones; 0: none.
Asked asked_of_named(const ResolvedRule::Side& side, uint16_t named) {
  const auto all = std::span(side.named);
  return {named > 0 ? all.subspan(named - 1u, 1) : all.first(0), side.not_named};
}

Asked asked_of(const ResolvedRule& rule, Dimension dimension, uint16_t source_named,
               uint16_t destination_named) {
  static constexpr std::optional<RangeAtom> k_not_asked;
  const auto& [source, destination] = std::tie(rule.source, rule.destination);
  const auto& source_ports = source_named > 0 ? k_not_asked : source.ports;
  const auto& ports = destination_named > 0 ? k_not_asked : destination.ports;
  switch (dimension) {
    case k_source:
      return {source.nets, source.not_nets};
    case k_destination:
      return {destination.nets, destination.not_nets};
    case k_destination_port:
      return {as_span(ports), as_span(destination.not_ports),
              fails_at_zero(rule.icmp, rule.not_icmp)};
    case k_icmp:
      return {as_span(rule.icmp), as_span(rule.not_icmp),
              fails_at_zero(ports, destination.not_ports)};
    case k_source_port:
      return {as_span(source_ports), as_span(source.not_ports)};
    case k_source_named:
      return asked_of_named(source, source_named);
    case k_destination_named:
      return asked_of_named(destination, destination_named);
    default:
      return {};
  }
}

// As bits of Dimension, without the protocol's.
uint8_t asked_by(const ResolvedRule& rule, uint16_t source_named, uint16_t destination_named) {
  unsigned asks = 0;
  const auto ask = [&](Dimension dimension, bool asked) {
    asks |= static_cast<unsigned>(asked) << dimension;
  };
  const auto& destination = rule.destination;
  const bool of_port = (destination_named == 0 && destination.ports) || destination.not_ports;
  const bool of_icmp = rule.icmp || rule.not_icmp;
  ask(k_source, rule.source.asks_address());
  ask(k_destination, destination.asks_address());
  ask(k_destination_port, of_port || of_icmp);
  ask(k_icmp, of_port || of_icmp);
  ask(k_source_port, (source_named == 0 && rule.source.ports) || rule.source.not_ports);
  ask(k_source_named, source_named > 0 || !rule.source.not_named.empty());
  ask(k_destination_named, destination_named > 0 || !destination.not_named.empty());
  return static_cast<uint8_t>(asks);
}

uint64_t inline_word(std::span<const BitWord> words) { return words.empty() ? 0 : words[0].bits; }

GroupAsks asks_of(const ResolvedRule* rule, uint8_t asks, bool by_named_port) {
  GroupAsks group{.dimensions = static_cast<uint8_t>(asks & k_grouping)};
  if (rule == nullptr) return group;
  group.source = rule->source.nets;
  group.destination = rule->destination.nets;
  if (rule->destination.ports && !by_named_port) group.port = rule->destination.ports->atom;
  return group;
}

bool asks_protocol(const policy::ProgramRule& rule) {
  return rule.family || rule.protocol || rule.not_protocol;
}

}  // namespace

CompiledRuleList::CompiledRuleList(std::span<const ListedRule> rules, const RuleAtoms& atoms,
                                   RuleCounters& counters, Rcu& rcu)
    : counters_(counters), rcu_(rcu) {
  auto conjunctions = expand(rules);
  place(conjunctions);
  list_rules(rules, conjunctions);
  if (!readers_.is_inline) {
    std::vector<BitWord> ones;
    ones.reserve(bits_ / 64);
    for (uint32_t word = 0; word < bits_ / 64; ++word) ones.push_back({word, k_all_ones});
    readers_.ones = add_vector(ones);
  }
  index(conjunctions);
  enter_all(k_source, atoms.addresses().sets());
  enter_all(k_destination, atoms.addresses().sets());
  enter_all(k_destination_port, atoms.ports().sets());
  enter_all(k_icmp, atoms.icmp().sets());
  enter_all(k_source_port, atoms.ports().sets());
  enter_all(k_source_named, atoms.named_ports().sets());
  enter_all(k_destination_named, atoms.named_ports().sets());
  make_protocols(conjunctions);
  fit_words(words_used_ + words_used_ / 32);
  for (auto& index_of_one : indexes_)
    if (index_of_one) index_of_one->shrink();
  at_first_ = memory();
  later_ = 0;
}

CompiledRuleList::~CompiledRuleList() {
  for (const RuleList::Rule& rule : readers_.rules) counters_.unref(rule.counter);
}

bool CompiledRuleList::asks_anything(const Conjunction& conjunction) {
  return conjunction.asks != 0 ||
         (conjunction.rule != nullptr && asks_protocol(conjunction.rule->rule));
}

// ---- bits --------------------------------------------------------------------------------------

auto CompiledRuleList::expand(std::span<const ListedRule> rules) const -> std::vector<Conjunction> {
  std::vector<Conjunction> conjunctions;
  conjunctions.reserve(rules.size());
  for (uint32_t position = 0; position < rules.size(); ++position) {
    const ResolvedRule* rule = rules[position].resolved;
    if (rule == nullptr) conjunctions.push_back({rule, position, 0, 0, 0, 0});
    if (rule == nullptr || rule->never) continue;
    // Numbered ports come first, where the rule has them or asks for no ports at all.
    const auto alternatives = [](const ResolvedRule::Side& side) {
      const auto first = static_cast<uint16_t>(side.ports || side.named.empty() ? 0 : 1);
      return std::pair(first, static_cast<uint16_t>(side.named.size()));
    };
    const auto [first_source, last_source] = alternatives(rule->source);
    const auto [first_destination, last_destination] = alternatives(rule->destination);
    for (uint16_t s = first_source; s <= last_source; ++s)
      for (uint16_t d = first_destination; d <= last_destination; ++d)
        conjunctions.push_back({rule, position, 0, asked_by(*rule, s, d), s, d});
  }
  return conjunctions;
}

void CompiledRuleList::place(std::vector<Conjunction>& conjunctions) {
  for (const Conjunction& each : conjunctions) {
    readers_.asks |= each.asks;
    if (each.rule != nullptr && asks_protocol(each.rule->rule)) readers_.asks |= 1 << k_protocol;
  }
  readers_.asks_both = readers_.asks_about(k_source) && readers_.asks_about(k_destination);
  readers_.peer_is_destination = !readers_.asks_about(k_source);
  readers_.is_inline = conjunctions.size() <= RuleList::k_inline_bits;
  if (!readers_.is_inline) {
    std::erase_if(conjunctions, [this](const Conjunction& each) {
      if (asks_anything(each)) return false;
      readers_.unconditional.push_back(each.position);
      return true;
    });
    return place_in_groups(conjunctions);
  }
  for (Conjunction& each : conjunctions) each.bit = bits_++;
}

void CompiledRuleList::place_in_groups(std::vector<Conjunction>& conjunctions) {
  std::vector<GroupAsks> asks;
  asks.reserve(conjunctions.size());
  for (const Conjunction& each : conjunctions)
    asks.push_back(asks_of(each.rule, each.asks, each.destination_named > 0));
  const std::vector<uint32_t> groups = group_by_question(asks);
  std::vector<std::vector<Conjunction*>> members;
  for (const uint32_t group : groups) members.resize(std::max<size_t>(members.size(), group + 1));
  for (size_t i = 0; i < groups.size(); ++i) members[groups[i]].push_back(&conjunctions[i]);
  for (const auto& group : members) {
    const uint32_t first_word = bits_ / 64;
    for (Conjunction* each : group) each->bit = bits_++;
    bits_ = (bits_ + 63) / 64 * 64;
    readers_.word_places.resize(bits_ / 64, {bits_ / 64, 0});
    readers_.unasked.resize((bits_ + 4095) / 4096);
    for (uint32_t word = first_word; word < bits_ / 64; ++word) {
      RuleList::Unasked& unasked = readers_.unasked[word / 64];
      const auto mark = [&](uint64_t& words, Dimension dimension) {
        words |= uint64_t{!groups_by(group.front()->asks, dimension)} << word % 64;
      };
      mark(unasked.source, k_source);
      mark(unasked.destination, k_destination);
      mark(unasked.port, k_destination_port);
    }
  }
}

void CompiledRuleList::list_rules(std::span<const ListedRule> rules,
                                  std::span<const Conjunction> conjunctions) {
  readers_.rule_of_bit.assign(bits_, RuleList::k_no_rule);
  for (const Conjunction& each : conjunctions) readers_.rule_of_bit[each.bit] = each.position;
  for (size_t word = 0; word < readers_.word_places.size(); ++word)
    readers_.word_places[word].first_rule = readers_.rule_of_bit[word * 64];
  const auto first_bit_from = [&](uint32_t position) {
    return std::ranges::lower_bound(conjunctions, position, {}, &Conjunction::position)->bit;
  };
  for (const ListedRule& rule : rules)
    readers_.rules.push_back({rule.counter,
                              readers_.is_inline ? first_bit_from(rule.resume) : rule.resume,
                              rule.action, rule.by});
}

// ---- dimensions --------------------------------------------------------------------------------

void CompiledRuleList::index(std::span<const Conjunction> conjunctions) {
  for (uint8_t d = 0; d < k_dimensions; ++d) {
    const auto dimension = static_cast<Dimension>(d);
    if (!readers_.asks_about(dimension) || dimension == k_protocol) continue;
    DimensionIndex& index = indexes_[d].emplace(bits_);
    const bool is_grouped = !readers_.is_inline && is_grouping(dimension);
    for (const Conjunction& each : conjunctions) {
      if (is_grouped && !groups_by(each.asks, dimension)) continue;
      Asked asked;
      if (each.rule != nullptr && (each.asks >> d & 1) != 0)
        asked = asked_of(*each.rule, dimension, each.source_named, each.destination_named);
      if (!asked.never) index.add(each.bit, asked.all, asked.none);
    }
    index.finish();
  }
}

void CompiledRuleList::enter_all(Dimension dimension, const AtomSets& sets) {
  if (!readers_.asks_about(dimension)) {
    reserve(dimension, 1);
    store(dimension, 0, readers_.is_inline ? k_all_ones : readers_.ones);
    return;
  }
  readers_.masks[dimension] = k_all_ones & 0xffffffff;
  reserve(dimension, sets.bound());
  sets.each_used([&](uint32_t set) { enter(dimension, set, sets.atoms(set)); });
}

void CompiledRuleList::enter(Dimension dimension, uint32_t set, std::span<const uint32_t> atoms) {
  if (!indexes_[dimension]) return;
  DimensionIndex& index = *indexes_[dimension];
  index.project(atoms, projection_);
  if (readers_.is_inline) return store(dimension, set, inline_word(index.bits(projection_)));
  if (const auto known = index.remembered(projection_)) return store(dimension, set, *known);
  const size_t words_before = words_used_;
  const uint32_t vector = add_vector(index.bits(projection_));
  index.remember(projection_, vector);
  later_ += (words_used_ - words_before) * sizeof(uint64_t) + projection_.size() * sizeof(uint32_t);
  store(dimension, set, vector);
}

std::vector<uint64_t> CompiledRuleList::protocol_bits(std::span<const Conjunction> conjunctions,
                                                      base::IPFamily family,
                                                      std::optional<uint8_t> protocol) const {
  std::vector<uint64_t> words((bits_ + 63) / 64);
  for (const Conjunction& each : conjunctions) {
    const auto* rule = each.rule == nullptr ? nullptr : &each.rule->rule;
    const bool matches =
        rule == nullptr || ((!rule->family || *rule->family == family) &&
                            (!rule->protocol || rule->protocol == protocol) &&
                            (!rule->not_protocol || rule->not_protocol != protocol));
    if (matches) words[each.bit / 64] |= uint64_t{1} << each.bit % 64;
  }
  return words;
}

void CompiledRuleList::make_protocols(std::span<const Conjunction> conjunctions) {
  if (!readers_.asks_about(k_protocol)) {
    reserve(k_protocol, 1);
    store(
        k_protocol, 0,
        readers_.is_inline ? k_all_ones : add_words(std::vector<uint64_t>(bits_ / 64, k_all_ones)));
    return;
  }
  std::set<uint8_t> named;
  for (const Conjunction& each : conjunctions)
    if (each.rule != nullptr)
      for (const auto& protocol : {each.rule->rule.protocol, each.rule->rule.not_protocol})
        if (protocol) named.insert(*protocol);
  readers_.masks[k_protocol] = k_protocols - 1;
  reserve(k_protocol, k_protocols);
  for (const auto family : {base::IPFamily::v4, base::IPFamily::v6}) {
    const auto add = [&](std::optional<uint8_t> protocol) -> uint64_t {
      const auto words = protocol_bits(conjunctions, family, protocol);
      return readers_.is_inline ? words[0] : add_words(words);
    };
    const uint64_t others = add(std::nullopt);
    for (uint32_t protocol = 0; protocol < 256; ++protocol) {
      const auto number = static_cast<uint8_t>(protocol);
      store(k_protocol, protocol_class(static_cast<uint8_t>(family), number),
            named.contains(number) ? add(number) : others);
    }
  }
}

// ---- tables and vectors ------------------------------------------------------------------------

void CompiledRuleList::reserve(Dimension dimension, size_t entries) {
  Table& table = tables_[dimension];
  if (entries <= table.capacity) return;
  const size_t size = readers_.is_inline ? sizeof(uint64_t) : sizeof(uint32_t);
  const size_t capacity = entries + entries / 8;
  auto bytes = std::make_shared<std::byte[]>(capacity * size);
  if (table.entries) {
    std::ranges::copy_n(static_cast<const std::byte*>(table.entries.get()),
                        static_cast<ptrdiff_t>(table.capacity * size), bytes.get());
    rcu_.defer([old = table.entries] {});
  }
  table = {std::shared_ptr<void>(bytes, bytes.get()), capacity};
  readers_.tables[dimension].store(bytes.get(), std::memory_order_release);
}

void CompiledRuleList::store(Dimension dimension, uint32_t set, uint64_t value) {
  reserve(dimension, size_t{set} + 1);
  void* entries = tables_[dimension].entries.get();
  if (readers_.is_inline)
    static_cast<uint64_t*>(entries)[set] = value;
  else
    static_cast<uint32_t*>(entries)[set] = static_cast<uint32_t>(value);
}

void CompiledRuleList::fit_words(size_t capacity) {
  if (readers_.is_inline) return;
  const std::shared_ptr<uint64_t[]> fitting(
      static_cast<uint64_t*>(std::aligned_alloc(64, (capacity + 7) / 8 * 64)), std::free);
  if (!fitting) throw std::bad_alloc();
  std::copy_n(words_.get(), words_used_, fitting.get());
  if (at_first_ > 0) rcu_.defer([old = words_] {});
  words_ = fitting;
  words_capacity_ = capacity;
  readers_.words.store(fitting.get(), std::memory_order_release);
}

// A short vector does not cross a cache line.
uint32_t CompiledRuleList::allocate(size_t words) {
  constexpr size_t k_line = 8;
  size_t first = words_used_;
  if (words <= k_line / 2 && first % k_line + words > k_line)
    first = (first + k_line - 1) & ~(k_line - 1);
  if (first + words > words_capacity_) fit_words((first + words) * 3 / 2 + 64);
  words_used_ = first + words;
  return static_cast<uint32_t>(first);
}

uint32_t CompiledRuleList::add_vector(std::span<const BitWord> words) {
  const auto is_full = [this](const BitWord& word) {
    return (word.bits | ~used_bits(word.word)) == k_all_ones;
  };
  const size_t summaries = readers_.unasked.size();
  const auto full = static_cast<size_t>(std::ranges::count_if(words, is_full));
  const uint32_t vector = allocate(2 * summaries + words.size() - full);
  uint64_t* at = words_.get() + vector;
  std::fill_n(at, 2 * summaries, 0);
  uint64_t* next = at + 2 * summaries;
  for (const BitWord& word : words) {
    at[word.word / 64 * 2 + is_full(word)] |= uint64_t{1} << word.word % 64;
    if (!is_full(word)) *next++ = word.bits;
  }
  return vector;
}

uint32_t CompiledRuleList::add_words(std::span<const uint64_t> words) {
  const uint32_t first = allocate(words.size());
  std::ranges::copy(words, words_.get() + first);
  return first;
}

// Those that stand for a conjunction: not the rest of a group's last word.
uint64_t CompiledRuleList::used_bits(uint32_t word) const {
  const uint32_t* rules = &readers_.rule_of_bit[size_t{word} * 64];
  if (rules[63] != RuleList::k_no_rule) return k_all_ones;
  return ~(k_all_ones << (std::lower_bound(rules, rules + 64, RuleList::k_no_rule) - rules));
}

size_t CompiledRuleList::memory() const {
  size_t bytes = sizeof *this + words_capacity_ * 8 +
                 readers_.rules.capacity() * sizeof(RuleList::Rule) +
                 readers_.rule_of_bit.capacity() * 4;
  for (const Table& table : tables_) bytes += table.capacity * (readers_.is_inline ? 8 : 4);
  for (const auto& index : indexes_)
    if (index) bytes += index->memory();
  return bytes;
}

}  // namespace margay::vector
