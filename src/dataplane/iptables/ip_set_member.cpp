#include <fmt/format.h>

#include <array>
#include <charconv>
#include <utility>

#include "dataplane/iptables/ip_sets.h"

namespace margay::dataplane::iptables {
namespace {

using base::Result;
using policy::Prefix;
using policy::SetMember;
using policy::SetType;

constexpr std::array<std::pair<uint8_t, std::string_view>, 4> k_protocols{
    {{policy::k_tcp, "tcp"},
     {policy::k_udp, "udp"},
     {policy::k_sctp, "sctp"},
     {policy::k_udplite, "udplite"}}};

std::string protocol_text(uint8_t number) {
  for (const auto& [known, name] : k_protocols)
    if (known == number) return std::string(name);
  return std::to_string(number);
}

template <typename Number>
Result<Number> parse_number(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty())
    return base::fail(base::ErrorCode::invalid, fmt::format("\"{}\" is not a number", text));
  return number;
}

Result<uint8_t> parse_protocol(std::string_view text) {
  for (const auto& [number, name] : k_protocols)
    if (name == text) return number;
  return parse_number<uint8_t>(text);
}

}  // namespace

std::string to_text(SetType type, const SetMember& member) {
  if (type == SetType::nets) return member.net.to_string();
  return fmt::format("{},{}:{}", member.net.address().to_string(), protocol_text(member.protocol),
                     member.port);
}

Result<SetMember> parse_member(SetType type, std::string_view text) {
  SetMember member;
  const size_t comma = text.find(',');
  MARGAY_TRY(member.net, Prefix::parse(text.substr(0, comma)));
  if (type == SetType::nets) return member;
  const size_t colon = text.rfind(':');
  if (comma == std::string_view::npos || colon == std::string_view::npos || colon < comma)
    return base::fail(base::ErrorCode::invalid,
                      fmt::format("set member \"{}\": must be address,protocol:port", text));
  MARGAY_TRY(member.protocol, parse_protocol(text.substr(comma + 1, colon - comma - 1)));
  MARGAY_TRY(member.port, parse_number<uint16_t>(text.substr(colon + 1)));
  return member;
}

}  // namespace margay::dataplane::iptables
