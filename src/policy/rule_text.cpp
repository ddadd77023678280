#include "policy/rule_text.h"

#include <fmt/format.h>

#include <string_view>

namespace margay::policy {
namespace {

std::string_view name(Action action) {
  switch (action) {
    case Action::allow:
      return "allow";
    case Action::deny:
      return "deny";
    case Action::pass:
      return "pass";
    case Action::log:
      return "log";
  }
  return "";
}

std::string text(const std::string& value) { return value; }
std::string text(const Prefix& net) { return net.to_string(); }
std::string text(PortRange range) { return fmt::format("{}-{}", range.first, range.last); }

// " name=a,b,c", or nothing for an empty list.
template <typename T>
void append(std::string& out, std::string_view side, std::string_view field,
            const std::vector<T>& values) {
  if (values.empty()) return;
  out += fmt::format(" {}.{}=", side, field);
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out += ',';
    out += text(values[i]);
  }
}

void append(std::string& out, std::string_view side, const ProgramEntity& entity) {
  append(out, side, "nets", entity.nets);
  append(out, side, "not_nets", entity.not_nets);
  append(out, side, "sets", entity.sets);
  append(out, side, "not_sets", entity.not_sets);
  append(out, side, "ports", entity.ports);
  append(out, side, "port_sets", entity.port_sets);
  append(out, side, "not_ports", entity.not_ports);
  append(out, side, "not_port_sets", entity.not_port_sets);
}

void append(std::string& out, std::string_view field, const std::optional<ICMPMatch>& icmp) {
  if (!icmp) return;
  out += fmt::format(" {}={}", field, icmp->type);
  if (icmp->code) out += fmt::format("/{}", *icmp->code);
}

}  // namespace

std::string rule_text(const ProgramRule& rule) {
  std::string out(name(rule.action));
  if (rule.never_matches) return out + " never";
  if (rule.family) out += fmt::format(" family={}", static_cast<int>(*rule.family));
  if (rule.protocol) out += fmt::format(" protocol={}", *rule.protocol);
  if (rule.not_protocol) out += fmt::format(" not_protocol={}", *rule.not_protocol);
  append(out, "icmp", rule.icmp);
  append(out, "not_icmp", rule.not_icmp);
  append(out, "source", rule.source);
  append(out, "destination", rule.destination);
  return out;
}

}  // namespace margay::policy
