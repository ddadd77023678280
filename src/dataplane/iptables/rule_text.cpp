#include "dataplane/iptables/rule_text.h"

#include <fmt/format.h>

#include "dataplane/iptables/linux_names.h"

namespace margay::dataplane::iptables {
namespace {

using policy::IPFamily;

constexpr size_t k_multiport_slots = 15;

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

const char* direction_of(Side side) { return side == Side::source ? "src" : "dst"; }
const char* no(bool negated) { return negated ? "! " : ""; }

std::string text_of(FlowMatch flow) {
  switch (flow) {
    case FlowMatch::established:
      return "-m conntrack --ctstate RELATED,ESTABLISHED";
    case FlowMatch::invalid:
      return "-m conntrack --ctstate INVALID";
    case FlowMatch::translated:
      return "-m conntrack --ctstate DNAT";
    case FlowMatch::not_translated:
      return "-m conntrack ! --ctstate DNAT";
  }
  return "";
}

std::string text_of(const SetMatch& match, IPFamily family) {
  const char* side = direction_of(match.side);
  const std::string fields =
      match.type == policy::SetType::nets ? std::string(side) : fmt::format("{0},{0}", side);
  return fmt::format("-m set {}--match-set {} {}", no(match.negated), set_name(family, match.id),
                     fields);
}

std::string text_of(const IcmpMatch& match, IPFamily family) {
  const bool v4 = family == IPFamily::v4;
  std::string text = fmt::format("-m {} {}--{}-type {}", v4 ? "icmp" : "icmp6", no(match.negated),
                                 v4 ? "icmp" : "icmpv6", match.icmp.type);
  if (match.icmp.code) text += fmt::format("/{}", *match.icmp.code);
  return text;
}

std::string text_of(const AddressTypeMatch& match) {
  using Type = AddressTypeMatch::Type;
  const char* type = match.type == Type::local       ? "LOCAL"
                     : match.type == Type::multicast ? "MULTICAST"
                                                     : "BROADCAST";
  return fmt::format("-m addrtype {}--{}-type {}{}", no(match.negated), direction_of(match.side),
                     type, match.of_way_out ? " --limit-iface-out" : "");
}

// What a match may be, each as good as the other.
std::vector<std::string> alternatives(const Match& match, IPFamily family) {
  using Texts = std::vector<std::string>;
  return std::visit(
      Overloaded{
          [](const InterfaceMatch& m) {
            return Texts{
                fmt::format("-{} {}{}", m.comes_in ? "i" : "o", m.name, m.begins ? "+" : "")};
          },
          [](const MarkMatch& m) {
            return Texts{m.set ? fmt::format("-m mark --mark {0:#x}/{0:#x}", m.bits)
                               : fmt::format("-m mark --mark 0x0/{:#x}", m.bits)};
          },
          [](FlowMatch m) { return Texts{text_of(m)}; },
          [](const ProtocolMatch& m) {
            return Texts{fmt::format("{}-p {}", no(m.negated), m.number)};
          },
          [](const NetMatch& m) {
            return Texts{fmt::format("{}-{} {}", no(m.negated), m.side == Side::source ? "s" : "d",
                                     m.net.to_string())};
          },
          [&](const SetMatch& m) { return Texts{text_of(m, family)}; },
          [](const PortsMatch& m) {
            const char* option = m.side == Side::source ? "--sports" : "--dports";
            Texts lists = multiport_lists(m.ports);
            for (auto& list : lists)
              list = fmt::format("-m multiport {}{} {}", no(m.negated), option, list);
            return m.negated ? Texts{fmt::format("{}", fmt::join(lists, " "))} : lists;
          },
          [&](const IcmpMatch& m) { return Texts{text_of(m, family)}; },
          [](const AddressTypeMatch& m) { return Texts{text_of(m)}; },
          [](const SpoofedMatch&) { return Texts{"-m rpfilter --validmark --invert"}; },
      },
      match);
}

std::string text_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::accept:
      return "-j ACCEPT";
    case Verdict::drop:
      break;
    case Verdict::reject:
      return "-j REJECT";
    case Verdict::return_to_caller:
      return "-j RETURN";
    case Verdict::no_track:
      return "-j CT --notrack";
  }
  return "-j DROP";
}

std::string text_of(const SourceNat& nat) {
  std::string text = nat.address ? "-j SNAT --to-source " + nat.address->to_string()
                                 : std::string("-j MASQUERADE");
  if (nat.ports)
    text += fmt::format("{}{}-{}", nat.address ? ":" : " --to-ports ", nat.ports->first,
                        nat.ports->last);
  if (nat.random) text += " --random-fully";
  return text;
}

std::string text_of(const Target& target) {
  return std::visit(
      Overloaded{
          [](Verdict verdict) { return text_of(verdict); },
          [](const Jump& jump) {
            return fmt::format("-{} {}", jump.returns ? "j" : "g", jump.chain);
          },
          [](const ChangeMark& mark) {
            return mark.set ? fmt::format("-j MARK --set-xmark {0:#x}/{0:#x}", mark.bits)
                            : fmt::format("-j MARK --set-xmark 0x0/{:#x}", mark.bits);
          },
          [](const Log& log) {
            return fmt::format("-j LOG --log-prefix {} --log-level 5", quoted(log.prefix));
          },
          [](const SourceNat& nat) { return text_of(nat); },
          [](const DestinationNat& nat) {
            return "-j DNAT --to-destination " + nat.address.to_string();
          },
      },
      target);
}

}  // namespace

std::vector<Rule> to_text(const PacketRule& rule, IPFamily family) {
  std::vector<std::string> texts{""};
  for (const auto& match : rule.matches) {
    std::vector<std::string> longer;
    for (const auto& text : texts)
      for (const auto& more : alternatives(match, family))
        longer.push_back(text.empty() ? more : text + " " + more);
    texts = std::move(longer);
  }
  std::vector<Rule> rules;
  rules.reserve(texts.size());
  for (auto& text : texts) rules.push_back({std::move(text), text_of(rule.target), rule.comment});
  return rules;
}

Chain to_text(const PacketChain& chain, IPFamily family) {
  Chain text{.name = chain.name, .stands_alone = chain.stands_alone};
  for (const auto& rule : chain.rules)
    for (auto& one : to_text(rule, family)) text.rules.push_back(std::move(one));
  return text;
}

std::vector<std::string> multiport_lists(const std::vector<policy::PortRange>& ports) {
  std::vector<std::string> out;
  size_t used = k_multiport_slots;
  for (const auto& range : ports) {
    const bool single = range.first == range.last;
    const size_t slots = single ? 1 : 2;
    if (used + slots > k_multiport_slots) {
      out.emplace_back();
      used = 0;
    }
    if (used > 0) out.back() += ',';
    out.back() +=
        single ? fmt::format("{}", range.first) : fmt::format("{}:{}", range.first, range.last);
    used += slots;
  }
  return out;
}

}  // namespace margay::dataplane::iptables
