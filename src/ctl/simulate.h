#pragma once

// Verdicts for many flows: JSON lines in, JSON lines out.

#include <iosfwd>

#include "ctl/flow.h"

namespace margay::ctl {

struct SimulateCounts {
  size_t queries = 0;
  size_t errors = 0;
};

// One answer line for each line that is not blank, in order. Their fields: docs/guide/explain.md.
//   {"id":…,"from":"<namespace>/<pod>, node/<name> or <IP>","to":…,"protocol":"tcp","port":…,…}
//   {"id":…,"verdict":"allow|deny","egress":{"verdict":…,"policy":…,"rule":…,"tier":…},"ingress":…}
// A side that is no known endpoint is null; "host" says what host endpoints decided, where there
// are any, and "staged" what would become of the flow if the staged policies were enforced.
// `trace`: everything that was looked at, as explain_json() says it. A line that cannot be
// answered:
//   {"id":…,"error":"line 3: …"}
SimulateCounts simulate(const FlowJudge& judge, std::istream& queries, std::ostream& answers,
                        bool trace = false);

}  // namespace margay::ctl
