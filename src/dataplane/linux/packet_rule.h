#pragma once

// Rules for packets as values: what is decided, in which order, said once for all data planes of
// the Linux kernel. iptables and nftables each put them into their own words
// (iptables/rule_text.h, nftables/rule_expressions.h).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "policy/program.h"

namespace margay::dataplane::linux_host {

// Where rules stand on a packet's way; what iptables calls tables.
enum class Layer : uint8_t { raw, mangle, filter, nat };

inline constexpr uint8_t k_ipip = 4;  // protocol number: IPv4 in IP (RFC 2003)

enum class Side : uint8_t { source, destination };

// The interface a packet came in or goes out by.
struct InterfaceMatch {
  bool comes_in = true;
  std::string name;
  bool begins = false;  // `name` is the beginning of a name
  bool operator==(const InterfaceMatch&) const = default;
};
// The bits are all set, or all clear.
struct MarkMatch {
  uint32_t bits = 0;
  bool set = true;
  bool operator==(const MarkMatch&) const = default;
};
// What connection tracking knows of it.
enum class FlowMatch : uint8_t {
  established,     // or related to a flow that is
  invalid,         // none that it could be part of
  translated,      // its destination is rewritten
  not_translated,  // also when there is no flow
};
struct ProtocolMatch {
  uint8_t number = 0;
  bool negated = false;
  bool operator==(const ProtocolMatch&) const = default;
};
struct NetMatch {
  Side side = Side::source;
  policy::Prefix net;
  bool negated = false;
  bool operator==(const NetMatch&) const = default;
};
// By the set's id. Of named ports, the side's address, the protocol and the side's port.
struct SetMatch {
  Side side = Side::source;
  std::string id;
  policy::SetType type = policy::SetType::nets;
  bool negated = false;
  bool operator==(const SetMatch&) const = default;
};
// Any of them, or none. Behind the match of a protocol that has ports.
struct PortsMatch {
  Side side = Side::source;
  std::vector<policy::PortRange> ports;  // merged (policy/port_ranges.h)
  bool negated = false;
  bool operator==(const PortsMatch&) const = default;
};
// Behind the match of the family's ICMP.
struct IcmpMatch {
  policy::ICMPMatch icmp;
  bool negated = false;
  bool operator==(const IcmpMatch&) const = default;
};
// What the kernel's routes say an address is.
struct AddressTypeMatch {
  enum class Type : uint8_t { local, multicast, broadcast };
  Side side = Side::source;
  Type type = Type::local;
  bool negated = false;
  bool of_way_out = false;  // of the interface it leaves by, not of the host as a whole
  bool operator==(const AddressTypeMatch&) const = default;
};
// The way back to its source is not the interface that it came in by (strict, with its mark).
struct SpoofedMatch {
  bool operator==(const SpoofedMatch&) const = default;
};

using Match = std::variant<InterfaceMatch, MarkMatch, FlowMatch, ProtocolMatch, NetMatch, SetMatch,
                           PortsMatch, IcmpMatch, AddressTypeMatch, SpoofedMatch>;

enum class Verdict : uint8_t { accept, drop, reject, return_to_caller, no_track };
struct Jump {
  std::string chain;
  bool returns = true;  // false: what the chain leaves undecided is the caller's caller's
  bool operator==(const Jump&) const = default;
};
struct ChangeMark {
  uint32_t bits = 0;
  bool set = true;
  bool operator==(const ChangeMark&) const = default;
};
struct Log {
  std::string prefix;
  bool operator==(const Log&) const = default;
};
struct SourceNat {
  std::optional<policy::IPAddress> address;  // unset: that of the interface it leaves by
  std::optional<policy::PortRange> ports;
  bool random = true;  // the port is not to be guessed
  bool operator==(const SourceNat&) const = default;
};
struct DestinationNat {
  policy::IPAddress address;
  bool operator==(const DestinationNat&) const = default;
};

using Target = std::variant<Verdict, Jump, ChangeMark, Log, SourceNat, DestinationNat>;

// All matches must hold.
struct PacketRule {
  std::vector<Match> matches;
  Target target;
  std::string comment;  // for people who read the rules; may be empty
  bool operator==(const PacketRule&) const = default;
};

struct PacketChain {
  std::string name;
  std::vector<PacketRule> rules;
  // It is made of somebody's rules and jumps nowhere: when the kernel refuses one of them, the
  // chain drops every packet instead, and the rest is none the worse.
  bool stands_alone = false;
  bool operator==(const PacketChain&) const = default;
};

inline Match in_by(std::string name) { return InterfaceMatch{true, std::move(name)}; }
inline Match in_by_any(std::string prefix) { return InterfaceMatch{true, std::move(prefix), true}; }
inline Match out_by(std::string name) { return InterfaceMatch{false, std::move(name)}; }
inline Match out_by_any(std::string prefix) {
  return InterfaceMatch{false, std::move(prefix), true};
}
inline Match has_mark(uint32_t bits) { return MarkMatch{bits, true}; }
inline Match lacks_mark(uint32_t bits) { return MarkMatch{bits, false}; }
inline Match protocol_is(uint8_t number) { return ProtocolMatch{number}; }
inline Match port_is(Side side, uint16_t port) { return PortsMatch{side, {{port, port}}}; }
inline Match address_is(AddressTypeMatch::Type type, Side side) {
  return AddressTypeMatch{side, type};
}

inline Target jump(std::string_view chain) { return Jump{std::string(chain)}; }
inline Target go_to(std::string_view chain) { return Jump{std::string(chain), false}; }
inline Target set_mark(uint32_t bits) { return ChangeMark{bits, true}; }
inline Target clear_mark(uint32_t bits) { return ChangeMark{bits, false}; }

}  // namespace margay::dataplane::linux_host
