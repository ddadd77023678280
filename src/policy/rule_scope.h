#pragma once

// What can be said of a rule before any packet is seen: the only family it can match, or that it
// can match nothing. The evaluator and the compiler agree by asking here.

#include <optional>
#include <string_view>

#include "policy/model.h"

namespace margay::policy {

struct RuleScope {
  std::optional<IPFamily> family;  // of the packets it can match; unset: both
  // Why no packet matches, as the field to blame; empty when one may:
  // * "never": the conversion found so (Rule::never_matches)
  // * "http": application-layer conditions are not a packet data plane's to judge. A Deny is kept
  //   without them, so that the doubt closes rather than opens
  // * "ports", "icmp": these conditions need a rule whose protocol has ports, or ICMP types
  // * "nets": of both families, or of another than ipVersion or the ICMP version asks for
  std::string_view never;
};

RuleScope scope_of(const Rule& rule);

}  // namespace margay::policy
