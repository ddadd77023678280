#include "vector/classifier/policy_view.h"

#include <algorithm>
#include <cstring>

#include "policy/protocol.h"
#include "vector/classifier/first_rule.h"

namespace margay::vector {

namespace {

uint32_t host_order(const uint8_t* address) {
  uint32_t value;
  std::memcpy(&value, address, sizeof value);
  return __builtin_bswap32(value);
}

// Judgements are written where they are to be: small stores that are then copied by wide loads
// would stall.
void judge_without_rules(DecidedBy by, bool allowed, Judgement& judgement) {
  judgement.allowed = allowed;
  judgement.by = by;
  judgement.logged = 0;
  judgement.counter = RuleList::k_no_rule;
}

// Goes on from the first rule that matches to the one that decides.
template <typename Search>
void decide_by(const RuleList& list, uint32_t first, const Search& search, Judgement& judgement) {
  judgement.logged = 0;
  for (const RuleList::Rule* rule = &list.rules[first];;
       rule = &list.rules[search.first(rule->resume)]) {
    if (rule->action == policy::Action::log) {
      if (judgement.logged < Judgement::k_most_logged)
        judgement.logged_counters[judgement.logged] = rule->counter;
      if (judgement.logged < 255) ++judgement.logged;
    } else if (rule->action != policy::Action::pass) {
      judgement.allowed = rule->action == policy::Action::allow;
      judgement.by = rule->by;
      judgement.counter = rule->counter;
      return;
    }
  }
}

uint32_t first_rule(const RuleList& list, const DimensionEntries& entries) {
  return list.is_inline ? InlineSearch(list, entries).first() : VectorSearch(list, entries).first();
}

void decide(const RuleList& list, uint32_t first, const DimensionEntries& entries,
            Judgement& judgement) {
  if (list.is_inline)
    decide_by(list, first, InlineSearch(list, entries), judgement);
  else
    decide_by(list, first, VectorSearch(list, entries), judgement);
}

// The table's entry for a class.
template <typename Entry>
uint64_t entry(const RuleList& list, Dimension dimension, uint32_t set) {
  const auto* entries =
      static_cast<const Entry*>(list.tables[dimension].load(std::memory_order_acquire));
  return entries[set & list.masks[dimension]];
}

const void* address_of_entry(const RuleList& list, Dimension dimension, uint32_t set) {
  const auto* entries =
      static_cast<const char*>(list.tables[dimension].load(std::memory_order_acquire));
  return entries + size_t{set & list.masks[dimension]} * (list.is_inline ? 8 : 4);
}

// The classes of a flow's values; those few lists ask for are found when one does.
struct FlowClasses {
  uint32_t source, destination, port, protocol;
  Dimension port_dimension;
};

}  // namespace

// One batch on its way through the stages.
class FlowBatch {
 public:
  static constexpr size_t k_size = 32;

  explicit FlowBatch(const PolicyView& view) : view_(view), snapshot_(view.snapshot()) {}

  void judge(std::span<const Flow> flows, FlowJudgement* judgements);
  FlowJudgement judge_one(const Flow& flow);

 private:
  struct Side {
    const RuleList* list;  // null: `without` rules
    DimensionEntries entries;
    DecidedBy without;
    uint32_t first;  // rule that matches
  };

  void find_lists(const Flow& flow, Side& egress, Side& ingress) const;
  FlowClasses classes_of(const Flow& flow, uint32_t source, uint32_t destination) const;
  void find_address_classes(std::span<const Flow> flows);
  void prefetch_entries(const Side& side, const FlowClasses& classes) const;
  void read_entries(const Flow& flow, const FlowClasses& classes, Side& side) const;
  template <typename Entry>
  void read_entries_as(const Flow& flow, const FlowClasses& classes, Side& side) const;
  void prefetch_vectors(const Side& side) const;
  static void decide_side(const Side& side, Judgement& judgement) {
    if (side.list != nullptr)
      decide(*side.list, side.first, side.entries, judgement);
    else
      judge_without_rules(side.without, side.without == DecidedBy::not_asked, judgement);
  }

  const PolicyView& view_;
  const PolicySnapshot& snapshot_;
  Side egress_[k_size], ingress_[k_size];
  FlowClasses classes_[k_size];
  uint32_t source_[k_size], destination_[k_size];
};

void FlowBatch::find_lists(const Flow& flow, Side& egress, Side& ingress) const {
  const auto find = [this](uint32_t endpoint, bool is_egress, Side& side) {
    side.list = nullptr;
    side.without = DecidedBy::not_asked;
    if (endpoint == k_no_endpoint) return;
    side.without = DecidedBy::unknown_endpoint;
    if (endpoint >= snapshot_.endpoints.size()) return;
    const EndpointRules& rules = snapshot_.endpoints[endpoint];
    if (rules.ingress == nullptr) return;
    side.without = DecidedBy::endpoint_down;
    if (!rules.is_up) return;
    side.list = is_egress ? rules.egress : rules.ingress;
    __builtin_prefetch(side.list);
    __builtin_prefetch(reinterpret_cast<const char*>(side.list) + 64);
    __builtin_prefetch(reinterpret_cast<const char*>(side.list) + 128);
  };
  __builtin_prefetch(&snapshot_.port_classes[flow.destination_port]);
  find(flow.source_endpoint, true, egress);
  find(flow.destination_endpoint, false, ingress);
}

FlowClasses FlowBatch::classes_of(const Flow& flow, uint32_t source, uint32_t destination) const {
  FlowClasses classes;
  classes.source = view_.addresses_.resolve(source, snapshot_.generation);
  classes.destination = view_.addresses_.resolve(destination, snapshot_.generation);
  classes.protocol = protocol_class(flow.family, flow.protocol);
  if (policy::is_icmp(flow.protocol)) {
    classes.port_dimension = k_icmp;
    classes.port = snapshot_.icmp_classes[flow.icmp_type << 8 | flow.icmp_code];
  } else {
    classes.port_dimension = k_destination_port;
    classes.port = snapshot_.port_classes[flow.destination_port];
  }
  return classes;
}

void FlowBatch::prefetch_entries(const Side& side, const FlowClasses& classes) const {
  if (side.list == nullptr) return;
  const RuleList& list = *side.list;
  __builtin_prefetch(address_of_entry(list, k_source, classes.source));
  __builtin_prefetch(address_of_entry(list, k_destination, classes.destination));
  __builtin_prefetch(address_of_entry(list, classes.port_dimension, classes.port));
  __builtin_prefetch(address_of_entry(list, k_protocol, classes.protocol));
}

template <typename Entry>
void FlowBatch::read_entries_as(const Flow& flow, const FlowClasses& classes, Side& side) const {
  const RuleList& list = *side.list;
  DimensionEntries& e = side.entries;
  e.source = entry<Entry>(list, k_source, classes.source);
  e.destination = entry<Entry>(list, k_destination, classes.destination);
  e.port = entry<Entry>(list, classes.port_dimension, classes.port);
  e.protocol = entry<Entry>(list, k_protocol, classes.protocol);
  e.source_port = e.source_named = e.destination_named = list.is_inline ? ~uint64_t{0} : list.ones;
  if ((list.asks & k_rare_dimensions) == 0) return;
  const bool has_ports = !policy::is_icmp(flow.protocol);
  const uint16_t source_port = has_ports ? flow.source_port : 0;
  const uint16_t destination_port = has_ports ? flow.destination_port : 0;
  const auto named = [&](const uint8_t* address, uint16_t port) {
    const auto& classes_of_ports = view_.named_ports_;
    return classes_of_ports.resolve(
        classes_of_ports.table().lookup(flow.family, address, flow.protocol, port),
        snapshot_.generation);
  };
  if (list.asks_about(k_source_port))
    e.source_port = entry<Entry>(list, k_source_port, snapshot_.port_classes[source_port]);
  if (list.asks_about(k_source_named))
    e.source_named = entry<Entry>(list, k_source_named, named(flow.source, source_port));
  if (list.asks_about(k_destination_named))
    e.destination_named =
        entry<Entry>(list, k_destination_named, named(flow.destination, destination_port));
}

void FlowBatch::read_entries(const Flow& flow, const FlowClasses& classes, Side& side) const {
  if (side.list == nullptr) return;
  if (side.list->is_inline)
    read_entries_as<uint64_t>(flow, classes, side);
  else
    read_entries_as<uint32_t>(flow, classes, side);
}

void FlowBatch::prefetch_vectors(const Side& side) const {
  if (side.list == nullptr || side.list->is_inline) return;
  const uint64_t* words = side.list->words.load(std::memory_order_acquire);
  const DimensionEntries& e = side.entries;
  const uint64_t* peer = words + (side.list->peer_is_destination ? e.destination : e.source);
  __builtin_prefetch(peer);
  __builtin_prefetch(peer + 8);
  __builtin_prefetch(words + e.port);
  __builtin_prefetch(words + e.port + 8);
  if (side.list->asks_both) __builtin_prefetch(words + e.destination);
}

void FlowBatch::find_address_classes(std::span<const Flow> flows) {
  uint32_t v4[2 * k_size];
  std::array<uint8_t, 16> v6[2 * k_size];
  uint32_t* places4[2 * k_size];
  uint32_t* places6[2 * k_size];
  uint32_t values[2 * k_size];
  size_t count4 = 0, count6 = 0;
  const auto add = [&](const Flow& flow, const uint8_t* address, uint32_t& place) {
    if (flow.family == 4) {
      v4[count4] = host_order(address);
      places4[count4++] = &place;
    } else {
      std::memcpy(v6[count6].data(), address, 16);
      places6[count6++] = &place;
    }
  };
  for (size_t i = 0; i < flows.size(); ++i) {
    add(flows[i], flows[i].source, source_[i]);
    add(flows[i], flows[i].destination, destination_[i]);
  }
  view_.addresses_.v4().lookup_many({v4, count4}, values);
  for (size_t i = 0; i < count4; ++i) *places4[i] = values[i];
  view_.addresses_.v6().lookup_many({v6, count6}, values);
  for (size_t i = 0; i < count6; ++i) *places6[i] = values[i];
}

void FlowBatch::judge(std::span<const Flow> flows, FlowJudgement* judgements) {
  for (size_t i = 0; i < flows.size(); ++i) find_lists(flows[i], egress_[i], ingress_[i]);
  find_address_classes(flows);
  for (size_t i = 0; i < flows.size(); ++i) {
    classes_[i] = classes_of(flows[i], source_[i], destination_[i]);
    prefetch_entries(egress_[i], classes_[i]);
    prefetch_entries(ingress_[i], classes_[i]);
  }
  for (size_t i = 0; i < flows.size(); ++i)
    for (Side* side : {&egress_[i], &ingress_[i]}) {
      read_entries(flows[i], classes_[i], *side);
      prefetch_vectors(*side);
    }
  for (size_t i = 0; i < flows.size(); ++i)
    for (Side* side : {&egress_[i], &ingress_[i]})
      if (side->list != nullptr) {
        side->first = first_rule(*side->list, side->entries);
        __builtin_prefetch(&side->list->rules[side->first]);
      }
  for (size_t i = 0; i < flows.size(); ++i) {
    FlowJudgement& judgement = judgements[i];
    decide_side(egress_[i], judgement.egress);
    if (judgement.egress.allowed)
      decide_side(ingress_[i], judgement.ingress);
    else
      judge_without_rules(DecidedBy::not_asked, false, judgement.ingress);
  }
}

FlowJudgement FlowBatch::judge_one(const Flow& flow) {
  FlowJudgement judgement;
  judge(std::span(&flow, 1), &judgement);
  return judgement;
}

FlowJudgement PolicyView::judge(const Flow& flow) const { return FlowBatch(*this).judge_one(flow); }

void PolicyView::judge(std::span<const Flow> flows, std::span<FlowJudgement> judgements) const {
  FlowBatch batch(*this);
  for (size_t done = 0; done < flows.size(); done += FlowBatch::k_size) {
    const size_t count = std::min(FlowBatch::k_size, flows.size() - done);
    batch.judge(flows.subspan(done, count), judgements.data() + done);
  }
}

}  // namespace margay::vector
