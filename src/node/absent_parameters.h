#pragma once

// Felix's parameters that have no effect here, and why: the part that they set is not there, or
// there is nothing that they could mean in this agent.

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace margay::node {

// By Felix's name: why, as one reads it in a sentence ("there is no WireGuard").
std::map<std::string, std::string> absent_parameters();

// What to tell whoever has set it. Nothing where the value asks for what is so anyhow (`bpfEnabled`
// false). A name that Felix does not have is not known, which is told.
std::optional<std::string> warning_of_absent(std::string_view name, std::string_view value);

}  // namespace margay::node
