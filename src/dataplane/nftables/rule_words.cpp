// Rules in nft's words (nft(8)), for messages: what is programmed are expressions.

#include <fmt/format.h>

#include "dataplane/nftables/names.h"
#include "dataplane/nftables/rule_expressions.h"
#include "policy/protocol.h"

namespace margay::dataplane::nftables {
namespace {

using policy::IPFamily;

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

const char* ip(IPFamily family) { return family == IPFamily::v4 ? "ip" : "ip6"; }
const char* no(bool negated) { return negated ? "!= " : ""; }
char initial(Side side) { return side == Side::source ? 's' : 'd'; }

std::string words(const Match& match, IPFamily family) {
  return std::visit(
      Overloaded{
          [](const InterfaceMatch& m) {
            return fmt::format("{}ifname {}{}", m.comes_in ? "i" : "o", m.name,
                               m.begins ? "*" : "");
          },
          [](const MarkMatch& m) {
            return fmt::format("meta mark & {0:#x} == {1:#x}", m.bits, m.set ? m.bits : 0);
          },
          [](FlowMatch m) {
            switch (m) {
              case FlowMatch::established:
                return std::string("ct state established,related");
              case FlowMatch::invalid:
                return std::string("ct state invalid");
              case FlowMatch::translated:
                return std::string("ct status dnat");
              case FlowMatch::not_translated:
                break;
            }
            return std::string("ct status ! dnat");
          },
          [](const ProtocolMatch& m) {
            return fmt::format("meta l4proto {}{}", no(m.negated), m.number);
          },
          [&](const NetMatch& m) {
            return fmt::format("{} {}addr {}{}", ip(family), initial(m.side), no(m.negated),
                               m.net.to_string());
          },
          [&](const SetMatch& m) {
            const auto set = kernel_set_name(family, m.id);
            if (m.type == policy::SetType::nets)
              return fmt::format("{} {}addr {}@{}", ip(family), initial(m.side), no(m.negated),
                                 set);
            return fmt::format("{0} {1}addr . meta l4proto . th {1}port {2}@{3}", ip(family),
                               initial(m.side), no(m.negated), set);
          },
          [](const PortsMatch& m) {
            std::string ports;
            for (const auto& range : m.ports)
              ports += fmt::format("{}{}", ports.empty() ? "" : ", ",
                                   range.first == range.last
                                       ? fmt::format("{}", range.first)
                                       : fmt::format("{}-{}", range.first, range.last));
            return fmt::format("th {}port {}{{ {} }}", initial(m.side), no(m.negated), ports);
          },
          [](const IcmpMatch& m) {
            return fmt::format("icmp type {}{}{}", no(m.negated), m.icmp.type,
                               m.icmp.code ? fmt::format(" code {}", *m.icmp.code) : "");
          },
          [](const AddressTypeMatch& m) {
            using Type = AddressTypeMatch::Type;
            const char* type = m.type == Type::local       ? "local"
                               : m.type == Type::multicast ? "multicast"
                                                           : "broadcast";
            return fmt::format("fib {}addr{} type {}{}", initial(m.side),
                               m.of_way_out ? " . oif" : "", no(m.negated), type);
          },
          [](const SpoofedMatch&) { return std::string("fib saddr . mark . iif oif missing"); },
      },
      match);
}

std::string words(const Target& target) {
  return std::visit(
      Overloaded{
          [](Verdict verdict) {
            switch (verdict) {
              case Verdict::accept:
                return std::string("accept");
              case Verdict::drop:
                break;
              case Verdict::reject:
                return std::string("reject");
              case Verdict::return_to_caller:
                return std::string("return");
              case Verdict::no_track:
                return std::string("notrack");
            }
            return std::string("drop");
          },
          [](const Jump& jump) {
            return fmt::format("{} {}", jump.returns ? "jump" : "goto", jump.chain);
          },
          [](const ChangeMark& mark) {
            return mark.set ? fmt::format("meta mark set mark or {:#x}", mark.bits)
                            : fmt::format("meta mark set mark and {:#x}", ~mark.bits);
          },
          [](const Log& log) { return fmt::format("log prefix \"{}\" level notice", log.prefix); },
          [](const SourceNat& nat) {
            return nat.address ? "snat to " + nat.address->to_string() : std::string("masquerade");
          },
          [](const DestinationNat& nat) { return "dnat to " + nat.address.to_string(); },
      },
      target);
}

}  // namespace

std::string describe(const PacketRule& rule, IPFamily family) {
  std::string text;
  for (const auto& match : rule.matches) text += words(match, family) + " ";
  return text + words(rule.target);
}

}  // namespace margay::dataplane::nftables
