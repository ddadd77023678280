#pragma once

// Verdicts for many flows: JSON lines in, JSON lines out.

#include <iosfwd>

#include "ctl/flow.h"

namespace margay::ctl {

struct SimulateCounts {
  size_t queries = 0;
  size_t errors = 0;
};

// One answer line for each line that is not blank, in order:
//   {"id":…,"from":"<namespace>/<pod>" or
//   "<IP>","to":…,"protocol":"tcp|udp|sctp|icmp|icmpv6|<number>",
//    "sport":…,"port":…,"icmpType":…,"icmpCode":…,"ipVersion":4}
//   {"id":…,"verdict":"allow|deny","egress":{"verdict":…,"policy":…,"rule":…},"ingress":{…}}
// A side that is not a known endpoint is null. A line that cannot be answered:
//   {"id":…,"error":"line 3: …"}
SimulateCounts simulate(const FlowJudge& judge, std::istream& queries, std::ostream& answers);

}  // namespace margay::ctl
