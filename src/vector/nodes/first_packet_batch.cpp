#include "vector/nodes/first_packet_batch.h"

#include <algorithm>

#include "policy/protocol.h"
#include "vector/nodes/source.h"
#include "vector/nodes/translate.h"
#include "vector/parse/bytes.h"
#include "vector/session/icmp_query.h"
#include "vector/session/tcp_state.h"
#include "vector/worker.h"

namespace margay::vector {
namespace {

constexpr uint16_t k_vxlan_port = 4789;  // RFC 7348 section 5
constexpr uint8_t k_ipip = 4;            // RFC 2003
constexpr unsigned k_port_tries = 64;
constexpr uint32_t k_first_masquerade_port = 1024;
constexpr uint32_t k_port_step = 40503;  // odd and large: tries fall far apart

constexpr bool is_v4(const Tuple4&) { return true; }
constexpr bool is_v4(const Tuple6&) { return false; }

uint32_t key_of(uint32_t address) { return big_endian(address); }
std::array<uint8_t, 16> key_of(const std::array<uint8_t, 16>& address) { return address; }

const PrefixMap4& routes_of(const Tables& tables, const Tuple4&) { return tables.routes4; }
const PrefixMap6& routes_of(const Tables& tables, const Tuple6&) { return tables.routes6; }

template <typename Address>
AddressBytes address_bytes_of(const Address& address) {
  AddressBytes bytes{};
  std::memcpy(bytes.data(), &address, sizeof(address));
  return bytes;
}

bool is_tunnel(const Parsed& parsed) {
  return parsed.protocol == k_ipip ||
         (parsed.protocol == protocol::k_udp && parsed.destination_port == k_vxlan_port);
}

// The type of the query that began the flow: a known flow may be asked about again when an answer
// comes (RFC 792, RFC 4443 section 4).
uint8_t opening_type(const Parsed& parsed) {
  if (parsed.protocol == protocol::k_icmpv6)
    return parsed.icmp_type == 129 ? uint8_t{128} : parsed.icmp_type;
  switch (parsed.icmp_type) {
    case 0:
      return 8;
    case 14:
    case 16:
    case 18:
      return static_cast<uint8_t>(parsed.icmp_type - 1);
    default:
      return parsed.icmp_type;
  }
}

}  // namespace

template <typename Tuple>
FirstPackets<Tuple>::FirstPackets(Worker& worker, rte_mbuf** packets, unsigned count)
    : worker_(worker), tables_(worker.tables), packets_(packets), count_(count) {
  for (unsigned i = 0; i < count_; ++i) begin(i);
}

template <typename Tuple>
void FirstPackets<Tuple>::begin(unsigned i) {
  const PacketMeta& about = meta(packets_[i]);
  Question& question = questions_[i];
  question = {};
  if (about.session != 0) {
    const SessionRef ref{about.session};
    const Record& record = worker_.sessions<Tuple>()[ref];
    question.is_known = true;
    question.before = record.tuple[0];
    question.after = reversed(record.tuple[1]);
    return;
  }
  question.before = question.after = tuple_of<Tuple>(packets_[i]);
  if (about.parsed.protocol == protocol::k_tcp && !opens_connection(about.parsed.tcp_flags))
    question.reason = DropReason::tcp_out_of_state;
}

template <typename Tuple>
auto FirstPackets<Tuple>::routes_to(const auto& address_of) const -> Routes {
  using Map = std::remove_cvref_t<decltype(routes_of(tables_, Tuple{}))>;
  typename Map::Address keys[k_most_batch];
  Routes found;
  for (unsigned i = 0; i < count_; ++i) keys[i] = key_of(address_of(questions_[i]));
  routes_of(tables_, Tuple{}).lookup_many({keys, count_}, found.data());
  return found;
}

template <typename Tuple>
void FirstPackets<Tuple>::find_sources() {
  const Routes found = routes_to([](const Question& each) { return each.before.source; });
  for (unsigned i = 0; i < count_; ++i) {
    Question& question = questions_[i];
    question.from = static_cast<AdjacencyIndex>(found[i]);
    if (question.reason == DropReason::none) question.reason = check_source(i);
  }
}

template <typename Tuple>
DropReason FirstPackets<Tuple>::check_source(unsigned i) const {
  const Question& question = questions_[i];
  if (question.is_known) return DropReason::none;  // complete_known looks at both ends
  const PacketMeta& about = meta(packets_[i]);
  const DropReason reason = vector::check_source(tables_, about, question.from);
  if (reason != DropReason::none) return reason;
  const bool from_workload = tables_.interfaces[about.interface]->is_workload;
  return from_workload && is_tunnel(about.parsed) ? DropReason::tunnel_from_workload
                                                  : DropReason::none;
}

template <typename Tuple>
void FirstPackets<Tuple>::choose_backends() {
  std::array<FlowTuple, k_most_batch> flows;
  std::array<Choice, k_most_batch> choices;
  std::array<uint16_t, k_most_batch> asked;
  unsigned count = 0;
  for (unsigned i = 0; i < count_; ++i) {
    const Question& question = questions_[i];
    const uint8_t proto = meta(packets_[i]).parsed.protocol;
    if (question.reason != DropReason::none || question.is_known) continue;
    asked[count] = static_cast<uint16_t>(i);
    flows[count++] = {.client = address_bytes_of(question.before.source),
                      .service = address_bytes_of(question.before.destination),
                      .client_port = big_endian(question.before.source_port),
                      .service_port = policy::has_ports(proto)
                                          ? big_endian(question.before.destination_port)
                                          : uint16_t{0},
                      .protocol = proto,
                      .family = is_v4(Tuple{}) ? uint8_t{4} : uint8_t{6}};
  }
  if (count == 0) return;
  tables_.services->choose({flows.data(), count}, worker_.now_ms, &worker_.services,
                           {choices.data(), count});
  for (unsigned k = 0; k < count; ++k) {
    Question& question = questions_[asked[k]];
    const Choice& choice = choices[k];
    if (choice.result == Choice::Result::not_a_service) continue;
    question.reason = drop_reason(choice.result);
    if (choice.result != Choice::Result::chosen) continue;
    question.is_service = true;
    question.masquerade = choice.masquerade;
    question.backend = choice.backend;
    std::memcpy(&question.after.destination, choice.address.data(),
                sizeof(question.after.destination));
    question.after.destination_port = big_endian(choice.port);
  }
}

template <typename Tuple>
void FirstPackets<Tuple>::find_destinations() {
  const Routes found = routes_to([](const Question& each) { return each.after.destination; });
  for (unsigned i = 0; i < count_; ++i) {
    Question& question = questions_[i];
    question.to = static_cast<AdjacencyIndex>(found[i]);
    if (question.reason != DropReason::none) continue;
    switch (tables_.adjacencies[question.to]->kind) {
      case Adjacency::Kind::none:
        question.reason = DropReason::no_route;
        break;
      case Adjacency::Kind::unreachable:
        question.reason = DropReason::unreachable;
        break;
      case Adjacency::Kind::service:
        question.reason = DropReason::service_no_port;
        break;
      default:
        break;
    }
    // A workload that reaches itself through a service would answer itself directly.
    if (question.is_service && question.from == question.to) question.masquerade = true;
  }
}

template <typename Tuple>
void FirstPackets<Tuple>::ask_policy() {
  std::array<Flow, k_most_batch> flows;
  std::array<FlowJudgement, k_most_batch> judgements;
  std::array<uint16_t, k_most_batch> asked;
  unsigned count = 0;
  const bool ask_known = tables_.policy_change_applies_to == PolicyChangeAppliesTo::all_flows;
  for (unsigned i = 0; i < count_; ++i) {
    const Question& question = questions_[i];
    if (question.reason != DropReason::none) continue;
    if (question.is_known && !ask_known && !has_other_ends(i)) continue;
    const Parsed& parsed = meta(packets_[i]).parsed;
    asked[count] = static_cast<uint16_t>(i);
    flows[count++] = {.family = is_v4(Tuple{}) ? uint8_t{4} : uint8_t{6},
                      .protocol = parsed.protocol,
                      .icmp_type = is_answer(i) ? opening_type(parsed) : parsed.icmp_type,
                      .icmp_code = parsed.icmp_code,
                      .source_port = big_endian(question.before.source_port),
                      .destination_port = big_endian(question.after.destination_port),
                      .source = reinterpret_cast<const uint8_t*>(&question.before.source),
                      .destination = reinterpret_cast<const uint8_t*>(&question.after.destination),
                      .source_endpoint = tables_.adjacencies[question.from]->endpoint,
                      .destination_endpoint = tables_.adjacencies[question.to]->endpoint};
  }
  if (count == 0) return;
  tables_.policy->judge({flows.data(), count}, {judgements.data(), count});
  for (unsigned k = 0; k < count; ++k) {
    const FlowJudgement& judgement = judgements[k];
    worker_.count_rules(judgement);
    if (!judgement.egress.allowed)
      questions_[asked[k]].reason = DropReason::policy_denied_egress;
    else if (!judgement.ingress.allowed)
      questions_[asked[k]].reason = DropReason::policy_denied_ingress;
  }
}

// Whether the packet goes against its flow's forward direction.
template <typename Tuple>
bool FirstPackets<Tuple>::is_answer(unsigned i) const {
  const SessionRef ref{meta(packets_[i]).session};
  return questions_[i].is_known && ref.direction() == FlowDirection::reverse;
}

// Whether a known flow has another workload at one of its ends than when it was judged.
template <typename Tuple>
bool FirstPackets<Tuple>::has_other_ends(unsigned i) const {
  const Record& record = worker_.sessions<Tuple>()[SessionRef{meta(packets_[i]).session}];
  const auto differ = [this](AdjacencyIndex before, AdjacencyIndex now) {
    const auto is_workload = [this](AdjacencyIndex index) {
      return tables_.adjacencies[index]->kind == Adjacency::Kind::workload;
    };
    return before != now && (is_workload(before) || is_workload(now));
  };
  return differ(record.adjacency[0], questions_[i].to) ||
         differ(record.adjacency[1], questions_[i].from);
}

template <typename Tuple>
bool FirstPackets<Tuple>::is_free(const Tuple& reply, uint8_t proto) const {
  const auto& table = worker_.sessions<Tuple>();
  return !table.find(table.hash(reply, proto), reply, proto);
}

// Puts the node's address in place of the client's, and another port where the client's is taken.
template <typename Tuple>
DropReason FirstPackets<Tuple>::masquerade(Tuple& after, const PacketMeta& about) const {
  const auto& own = *tables_.node_addresses[0];
  if (!own.has(after)) return DropReason::no_masquerade_address;
  own.put(after.source);
  const uint8_t proto = about.parsed.protocol;
  // Each worker has ports of its own: it cannot know which ones the others have taken.
  const uint32_t workers = tables_.workers;
  const auto is_ours = [&] { return big_endian(after.source_port) % workers == worker_.index; };
  const uint32_t choices = (65536 - k_first_masquerade_port) / workers - 1;
  for (uint32_t tries = 0; tries < k_port_tries; ++tries) {
    if (is_ours() && is_free(reversed(after), proto)) return DropReason::none;
    if (!policy::has_ports(proto) && !is_icmp(proto)) break;
    const uint32_t choice = (about.hash_low + tries * k_port_step) % choices;
    const uint32_t port =
        (k_first_masquerade_port / workers + 1 + choice) * workers + worker_.index;
    after.source_port = big_endian(static_cast<uint16_t>(port));
    if (is_icmp(proto)) after.destination_port = after.source_port;  // both are the identifier
  }
  return DropReason::service_snat_ports_exhausted;
}

template <typename Tuple>
Session<Tuple>* FirstPackets<Tuple>::create(Question& question, PacketMeta& about) {
  const uint8_t proto = about.parsed.protocol;
  if (question.masquerade) question.reason = masquerade(question.after, about);
  if (question.reason != DropReason::none) return nullptr;
  if (!is_free(reversed(question.after), proto)) {
    question.reason = DropReason::flow_conflict;
    return nullptr;
  }
  uint16_t flags = question.is_service ? uint16_t{k_service} : uint16_t{0};
  const Tuple reply = reversed(question.after);
  if (!(question.after == question.before)) {
    flags |= k_translated;
    if (owner_of(tables_.flow_key.hash(reply, proto), tables_.workers) != worker_.index)
      flags |= k_has_stub;
  }
  Record* record = worker_.sessions<Tuple>().insert(question.before, reply, proto, flags);
  if (!record)
    question.reason = DropReason::session_table_full;
  else if (question.is_service)
    worker_.sessions<Tuple>().backend(*record) = question.backend;
  return record;
}

template <typename Tuple>
FirstPacketResult FirstPackets<Tuple>::complete(unsigned i) {
  Question& question = questions_[i];
  PacketMeta& about = meta(packets_[i]);
  if (question.is_known) return complete_known(question, about);
  auto& table = worker_.sessions<Tuple>();
  const uint8_t proto = about.parsed.protocol;
  // An earlier packet of the batch may have begun the flow, and this one may be the answer.
  if (const auto known = table.find(about.hash(), question.before, proto))
    return follow(known, about);
  if (question.reason != DropReason::none) return {.reason = question.reason};
  about.adjacency = question.to;
  if (tables_.adjacencies[question.to]->kind == Adjacency::Kind::local) return {.for_us = true};

  Record* record = create(question, about);
  if (!record) return {.reason = question.reason};
  record->adjacency[0] = question.to;
  record->adjacency[1] = question.from;
  if (!worker_.admit(*record)) {
    table.erase(*record);
    return {.reason = DropReason::session_endpoint_limit};
  }
  record->epoch = worker_.epoch;
  if (is_icmp(proto)) record->state = icmp_opener(about.parsed);
  if (record->flags & k_translated) set_checksum_deltas(*record);
  return follow(table.ref(*record, FlowDirection::forward), about);
}

template <typename Tuple>
FirstPacketResult FirstPackets<Tuple>::follow(SessionRef ref, PacketMeta& about) {
  Record& record = worker_.sessions<Tuple>()[ref];
  const FlowDirection direction = ref.direction();
  if (!worker_.came_the_right_way(about, record.adjacency[1 - static_cast<size_t>(direction)]))
    return {.reason = DropReason::spoofed_source};
  if (is_icmp(record.protocol) && !continues_query(record.state, direction, about.parsed))
    return {.reason = DropReason::flow_conflict};
  if (record.protocol == protocol::k_tcp)
    record.state = after_segment(record.state, direction, about.parsed.tcp_flags);
  record.last_seen = worker_.seen_now();
  record.count(direction, about.parsed.l3_length);
  about.session = ref.value;
  about.adjacency = record.adjacency[static_cast<size_t>(direction)];
  return {};
}

template <typename Tuple>
FirstPacketResult FirstPackets<Tuple>::complete_known(Question& question, PacketMeta& about) {
  const SessionRef ref{about.session};
  auto& table = worker_.sessions<Tuple>();
  Record& record = table[ref];
  const bool is_live = (record.flags & k_live) != 0;  // no: an earlier packet of the batch ended it
  if (question.reason != DropReason::none) {
    if (is_live) worker_.forget(record);
    return {.reason = question.reason};
  }
  if (!is_live) return {.reason = DropReason::tcp_out_of_state};
  worker_.move(record, question.to, question.from);
  record.epoch = worker_.epoch;
  return follow(ref, about);
}

template class FirstPackets<Tuple4>;
template class FirstPackets<Tuple6>;

}  // namespace margay::vector
