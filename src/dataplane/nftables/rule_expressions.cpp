#include "dataplane/nftables/rule_expressions.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "dataplane/nftables/batch.h"
#include "dataplane/nftables/names.h"

namespace margay::dataplane::nftables {
namespace {

using policy::IPFamily;
using policy::PortRange;

// What ct's state expression has in its register: a bit for each state.
constexpr uint32_t state_bit(uint32_t info) { return 1U << (info % IP_CT_IS_REPLY + 1); }
constexpr uint32_t k_invalid = 1, k_untracked = 1U << 6;
constexpr uint32_t k_established = state_bit(IP_CT_ESTABLISHED),
                   k_related = state_bit(IP_CT_RELATED);
// Of the headers, in bytes (RFC 791, RFC 8200; ports and ICMP type stand at the same places in
// all).
struct Place {
  uint32_t offset, size;
};
constexpr Place k_icmp_type{0, 1}, k_icmp_code{1, 1}, k_source_port{0, 2}, k_destination_port{2, 2};

Place address_place(IPFamily family, Side side) {
  const bool source = side == Side::source;
  if (family == IPFamily::v4) return {source ? 12U : 16U, 4};
  return {source ? 8U : 24U, 16};
}
Place port_place(Side side) { return side == Side::source ? k_source_port : k_destination_port; }

// 32-bit registers in a row: what is looked up together stands side by side.
constexpr uint32_t k_register = NFT_REG32_00;
constexpr uint32_t k_register_size = 4;

using Bytes = std::vector<uint8_t>;

template <typename Number>
Bytes raw(Number number) {
  Bytes bytes(sizeof number);
  std::memcpy(bytes.data(), &number, sizeof number);
  return bytes;
}
Bytes port_bytes(uint16_t port) { return raw(htons(port)); }

class Writer {
 public:
  void payload(uint32_t base, Place place, uint32_t to = k_register) {
    expression("payload", [&] {
      out_.put_u32(NFTA_PAYLOAD_DREG, to);
      out_.put_u32(NFTA_PAYLOAD_BASE, base);
      out_.put_u32(NFTA_PAYLOAD_OFFSET, place.offset);
      out_.put_u32(NFTA_PAYLOAD_LEN, place.size);
    });
  }
  void meta(uint32_t key, uint32_t to = k_register) {
    expression("meta", [&] {
      out_.put_u32(NFTA_META_DREG, to);
      out_.put_u32(NFTA_META_KEY, key);
    });
  }
  void set_meta(uint32_t key) {
    expression("meta", [&] {
      out_.put_u32(NFTA_META_SREG, k_register);
      out_.put_u32(NFTA_META_KEY, key);
    });
  }
  void ct(uint32_t key) {
    expression("ct", [&] {
      out_.put_u32(NFTA_CT_DREG, k_register);
      out_.put_u32(NFTA_CT_KEY, key);
    });
  }
  void fib(uint32_t result, uint32_t flags) {
    expression("fib", [&] {
      out_.put_u32(NFTA_FIB_DREG, k_register);
      out_.put_u32(NFTA_FIB_RESULT, result);
      out_.put_u32(NFTA_FIB_FLAGS, flags);
    });
  }
  // register = register & mask ^ flip
  void bitwise(const Bytes& mask, const Bytes& flip) {
    expression("bitwise", [&] {
      out_.put_u32(NFTA_BITWISE_SREG, k_register);
      out_.put_u32(NFTA_BITWISE_DREG, k_register);
      out_.put_u32(NFTA_BITWISE_LEN, static_cast<uint32_t>(mask.size()));
      value(NFTA_BITWISE_MASK, mask);
      value(NFTA_BITWISE_XOR, flip);
    });
  }
  void compare(const Bytes& with, bool equal = true) {
    expression("cmp", [&] {
      out_.put_u32(NFTA_CMP_SREG, k_register);
      out_.put_u32(NFTA_CMP_OP, equal ? NFT_CMP_EQ : NFT_CMP_NEQ);
      value(NFTA_CMP_DATA, with);
    });
  }
  void range(const Bytes& from, const Bytes& to, bool inside) {
    expression("range", [&] {
      out_.put_u32(NFTA_RANGE_SREG, k_register);
      out_.put_u32(NFTA_RANGE_OP, inside ? NFT_RANGE_EQ : NFT_RANGE_NEQ);
      value(NFTA_RANGE_FROM_DATA, from);
      value(NFTA_RANGE_TO_DATA, to);
    });
  }
  // Any of the bits, or none of them.
  void bits(uint32_t which, bool any) {
    bitwise(raw(which), raw(uint32_t{0}));
    compare(raw(uint32_t{0}), !any);
  }
  void lookup(const std::string& set, bool negated) {
    expression("lookup", [&] {
      out_.put_text(NFTA_LOOKUP_SET, set);
      out_.put_u32(NFTA_LOOKUP_SREG, k_register);
      if (negated) out_.put_u32(NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
    });
  }
  void look_up_verdict(const std::string& map) {
    expression("lookup", [&] {
      out_.put_text(NFTA_LOOKUP_SET, map);
      out_.put_u32(NFTA_LOOKUP_SREG, k_register);
      out_.put_u32(NFTA_LOOKUP_DREG, NFT_REG_VERDICT);
    });
  }
  void verdict(int32_t code, const std::string& chain = "") {
    expression("immediate", [&] {
      out_.put_u32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
      out_.nest(NFTA_IMMEDIATE_DATA, [&] {
        out_.nest(NFTA_DATA_VERDICT, [&] {
          out_.put_u32(NFTA_VERDICT_CODE, static_cast<uint32_t>(code));
          if (!chain.empty()) out_.put_text(NFTA_VERDICT_CHAIN, chain);
        });
      });
    });
  }
  void load(uint32_t to, const Bytes& bytes) {
    expression("immediate", [&] {
      out_.put_u32(NFTA_IMMEDIATE_DREG, to);
      value(NFTA_IMMEDIATE_DATA, bytes);
    });
  }
  void expression(const char* name, const std::function<void()>& fill) {
    out_.nest(NFTA_LIST_ELEM, [&] {
      out_.put_text(NFTA_EXPR_NAME, name);
      out_.nest(NFTA_EXPR_DATA, fill);
    });
  }
  AttributeWriter& out() { return out_; }
  const Bytes& bytes() const { return out_.bytes(); }

 private:
  void value(uint16_t type, const Bytes& bytes) {
    out_.nest(type, [&] { out_.put(NFTA_DATA_VALUE, bytes); });
  }

  AttributeWriter out_;
};

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

Bytes address_bytes(const policy::IPAddress& address) {
  const auto bytes = address.bytes();
  return {bytes.begin(), bytes.end()};
}

void write(Writer& out, const InterfaceMatch& match) {
  out.meta(match.comes_in ? NFT_META_IIFNAME : NFT_META_OIFNAME);
  Bytes name(match.name.begin(), match.name.end());
  if (!match.begins) name.resize(k_interface_name_size);
  out.compare(name);
}

void write(Writer& out, const MarkMatch& match) {
  out.meta(NFT_META_MARK);
  out.bitwise(raw(match.bits), raw(uint32_t{0}));
  out.compare(raw(match.set ? match.bits : 0U));
}

void write(Writer& out, const NetMatch& match, IPFamily family) {
  const Place place = address_place(family, match.side);
  out.payload(NFT_PAYLOAD_NETWORK_HEADER, place);
  if (match.net.length() < 8 * place.size) {
    Bytes mask(place.size, 0);
    for (unsigned bit = 0; bit < match.net.length(); ++bit)
      mask[bit / 8] = static_cast<uint8_t>(mask[bit / 8] | 0x80U >> bit % 8);
    out.bitwise(mask, Bytes(place.size, 0));
  }
  out.compare(address_bytes(match.net.address()), !match.negated);
}

void write(Writer& out, const SetMatch& match, IPFamily family) {
  const Place place = address_place(family, match.side);
  out.payload(NFT_PAYLOAD_NETWORK_HEADER, place);
  if (match.type == policy::SetType::named_ports) {
    const uint32_t behind = k_register + place.size / k_register_size;
    out.meta(NFT_META_L4PROTO, behind);
    out.payload(NFT_PAYLOAD_TRANSPORT_HEADER, port_place(match.side), behind + 1);
  }
  out.lookup(kernel_set_name(family, match.id), match.negated);
}

void write_port(Writer& out, const PortRange& range, bool inside) {
  if (range.first == range.last)
    out.compare(port_bytes(range.first), inside);
  else
    out.range(port_bytes(range.first), port_bytes(range.last), inside);
}

void write(Writer& out, const IcmpMatch& match) {
  // "Not this type and code" is one comparison of both.
  const bool both = match.icmp.code.has_value();
  out.payload(NFT_PAYLOAD_TRANSPORT_HEADER, {k_icmp_type.offset, both ? 2U : 1U});
  Bytes bytes{match.icmp.type};
  if (both) bytes.push_back(*match.icmp.code);
  out.compare(bytes, !match.negated);
}

void write(Writer& out, const AddressTypeMatch& match) {
  using Type = AddressTypeMatch::Type;
  uint32_t flags = match.side == Side::source ? NFTA_FIB_F_SADDR : NFTA_FIB_F_DADDR;
  if (match.of_way_out) flags |= NFTA_FIB_F_OIF;
  out.fib(NFT_FIB_RESULT_ADDRTYPE, flags);
  const uint32_t type = match.type == Type::local       ? RTN_LOCAL
                        : match.type == Type::multicast ? RTN_MULTICAST
                                                        : RTN_BROADCAST;
  out.compare(raw(type), !match.negated);
}

using Step = std::function<void(Writer&)>;

// The ways in which a packet may match, of which at most one holds.
std::vector<Step> steps_of(const Match& match, IPFamily family) {
  using Steps = std::vector<Step>;
  return std::visit(Overloaded{
                        [](const FlowMatch& flow) -> Steps {
                          const auto state = [](uint32_t bits) {
                            return [bits](Writer& out) {
                              out.ct(NFT_CT_STATE);
                              out.bits(bits, true);
                            };
                          };
                          const auto translated = [](bool is) {
                            return [is](Writer& out) {
                              out.ct(NFT_CT_STATUS);
                              out.bits(IPS_DST_NAT, is);
                            };
                          };
                          switch (flow) {
                            case FlowMatch::established:
                              return {state(k_established | k_related)};
                            case FlowMatch::invalid:
                              return {state(k_invalid)};
                            case FlowMatch::translated:
                              return {translated(true)};
                            case FlowMatch::not_translated:
                              break;
                          }
                          // The status of no flow is not a number, but the end of the rule.
                          return {state(k_invalid | k_untracked), translated(false)};
                        },
                        [](const PortsMatch& match_) -> Steps {
                          Steps steps;
                          const auto place = port_place(match_.side);
                          if (match_.negated)
                            return {[place, ports = match_.ports](Writer& out) {
                              out.payload(NFT_PAYLOAD_TRANSPORT_HEADER, place);
                              for (const auto& range : ports) write_port(out, range, false);
                            }};
                          for (const auto& range : match_.ports)
                            steps.emplace_back([place, range](Writer& out) {
                              out.payload(NFT_PAYLOAD_TRANSPORT_HEADER, place);
                              write_port(out, range, true);
                            });
                          return steps;
                        },
                        [](const ProtocolMatch& match_) -> Steps {
                          return {[match_](Writer& out) {
                            out.meta(NFT_META_L4PROTO);
                            out.compare({match_.number}, !match_.negated);
                          }};
                        },
                        [](const SpoofedMatch&) -> Steps {
                          return {[](Writer& out) {
                            out.fib(NFT_FIB_RESULT_OIF, NFTA_FIB_F_SADDR | NFTA_FIB_F_MARK |
                                                            NFTA_FIB_F_IIF | NFTA_FIB_F_PRESENT);
                            out.compare(raw(uint32_t{0}));
                          }};
                        },
                        [family](const NetMatch& match_) -> Steps {
                          return {[=](Writer& out) { write(out, match_, family); }};
                        },
                        [family](const SetMatch& match_) -> Steps {
                          return {[=](Writer& out) { write(out, match_, family); }};
                        },
                        [](const auto& match_) -> Steps {
                          return {[match_](Writer& out) { write(out, match_); }};
                        },
                    },
                    match);
}

void write_nat(Writer& out, const SourceNat& nat, IPFamily family) {
  uint32_t next = k_register;
  const uint32_t address = next;
  if (nat.address) {
    const auto bytes = address_bytes(*nat.address);
    out.load(address, bytes);
    next += static_cast<uint32_t>(bytes.size()) / k_register_size;
  }
  if (nat.ports) {
    out.load(next, port_bytes(nat.ports->first));
    out.load(next + 1, port_bytes(nat.ports->last));
  }
  const uint32_t flags = (nat.random ? NF_NAT_RANGE_PROTO_RANDOM_FULLY : 0U) |
                         (nat.ports ? NF_NAT_RANGE_PROTO_SPECIFIED : 0U);
  auto& attributes = out.out();
  if (!nat.address) {
    out.expression("masq", [&] {
      if (flags != 0) attributes.put_u32(NFTA_MASQ_FLAGS, flags);
      if (!nat.ports) return;
      attributes.put_u32(NFTA_MASQ_REG_PROTO_MIN, next);
      attributes.put_u32(NFTA_MASQ_REG_PROTO_MAX, next + 1);
    });
    return;
  }
  out.expression("nat", [&] {
    attributes.put_u32(NFTA_NAT_TYPE, NFT_NAT_SNAT);
    attributes.put_u32(NFTA_NAT_FAMILY,
                       family == IPFamily::v4 ? uint8_t{NFPROTO_IPV4} : uint8_t{NFPROTO_IPV6});
    attributes.put_u32(NFTA_NAT_REG_ADDR_MIN, address);
    if (nat.ports) {
      attributes.put_u32(NFTA_NAT_REG_PROTO_MIN, next);
      attributes.put_u32(NFTA_NAT_REG_PROTO_MAX, next + 1);
    }
    if (flags != 0) attributes.put_u32(NFTA_NAT_FLAGS, flags);
  });
}

void write_target(Writer& out, const Target& target, IPFamily family, const std::string& prefix) {
  auto& attributes = out.out();
  std::visit(Overloaded{
                 [&](Verdict verdict) {
                   switch (verdict) {
                     case Verdict::accept:
                       return out.verdict(NF_ACCEPT);
                     case Verdict::drop:
                       return out.verdict(NF_DROP);
                     case Verdict::return_to_caller:
                       return out.verdict(NFT_RETURN);
                     case Verdict::no_track:
                       return out.expression("notrack", [] {});
                     case Verdict::reject:
                       break;
                   }
                   // Port unreachable: ICMP code 3 (RFC 792), ICMPv6 code 4 (RFC 4443).
                   out.expression("reject", [&] {
                     attributes.put_u32(NFTA_REJECT_TYPE, NFT_REJECT_ICMP_UNREACH);
                     attributes.put_u8(NFTA_REJECT_ICMP_CODE, family == IPFamily::v4 ? 3 : 4);
                   });
                 },
                 [&](const Jump& jump) {
                   out.verdict(jump.returns ? NFT_JUMP : NFT_GOTO, prefix + jump.chain);
                 },
                 [&](const ChangeMark& mark) {
                   out.meta(NFT_META_MARK);
                   out.bitwise(raw(~mark.bits), raw(mark.set ? mark.bits : 0U));
                   out.set_meta(NFT_META_MARK);
                 },
                 [&](const Log& log) {
                   out.expression("log", [&] {
                     attributes.put_text(NFTA_LOG_PREFIX, log.prefix);
                     attributes.put_u32(NFTA_LOG_LEVEL, NFT_LOGLEVEL_NOTICE);
                   });
                 },
                 [&](const SourceNat& nat) { write_nat(out, nat, family); },
                 [&](const DestinationNat& nat) {
                   out.load(k_register, address_bytes(nat.address));
                   out.expression("nat", [&] {
                     attributes.put_u32(NFTA_NAT_TYPE, NFT_NAT_DNAT);
                     attributes.put_u32(NFTA_NAT_FAMILY, family == IPFamily::v4
                                                             ? uint8_t{NFPROTO_IPV4}
                                                             : uint8_t{NFPROTO_IPV6});
                     attributes.put_u32(NFTA_NAT_REG_ADDR_MIN, k_register);
                   });
                 },
             },
             target);
}

}  // namespace

std::vector<Expressions> to_expressions(const PacketRule& rule, IPFamily family,
                                        const std::string& chain_prefix) {
  std::vector<Writer> rules(1);
  for (const auto& match : rule.matches) {
    const auto steps = steps_of(match, family);
    std::vector<Writer> longer;
    for (const auto& so_far : rules)
      for (const auto& step : steps) {
        longer.push_back(so_far);
        step(longer.back());
      }
    rules = std::move(longer);
  }
  std::vector<Expressions> out;
  out.reserve(rules.size());
  for (auto& one : rules) {
    write_target(one, rule.target, family, chain_prefix);
    out.push_back(one.bytes());
  }
  return out;
}

Expressions dispatch_expressions(bool comes_in, const std::string& map) {
  Writer out;
  out.meta(comes_in ? NFT_META_IIFNAME : NFT_META_OIFNAME);
  out.look_up_verdict(map);
  return out.bytes();
}

void add_sets(const PacketRule& rule, IPFamily family, std::set<std::string>& names) {
  for (const auto& match : rule.matches)
    if (const auto* set = std::get_if<SetMatch>(&match))
      names.insert(kernel_set_name(family, set->id));
}

}  // namespace margay::dataplane::nftables
