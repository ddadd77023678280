#pragma once

// Templates of Go's text/template (https://pkg.go.dev/text/template), as calicoctl runs them over
// its answers: actions, pipelines, variables, if, with and range, the built-in functions, and
// calicoctl's own join, joinAndTruncate and config. There is no define, template or block.
//
// Fields are named as in Calico's Go types: .ObjectMeta.Name, .Spec.NATOutgoing, .Items.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ctl/printer.h"
#include "ctl/resource_type.h"

namespace margay::ctl {

// The dot is the list of answers. `invalid`, with the line, where the template cannot be read or
// asks for what is not there.
base::Result<std::string> run_go_template(std::string_view text, const std::vector<Shown>& shown,
                                          const TableFacts& facts);

}  // namespace margay::ctl
