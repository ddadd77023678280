#pragma once

// The types of Felix's parameters: how a value of each is written, and what is said against one
// that is not (Calico v3.19, "Configuring Felix"; none of the table of parameters is here:
// node/parameters.cpp). Each parser is bound to the member that it sets.

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "node/parameters.h"

namespace margay::node {

struct Parser {
  std::function<base::Result<>(std::string_view text, Parameters& into)> parse;
  // Sets the zero value of its type, which "none" means; empty: there is no such value.
  std::function<void(Parameters& into)> set_zero;
};

template <typename T>
using Member = T Parameters::*;

std::string lower_case(std::string_view text);

template <typename T, typename Parse>
Parser parser(Member<T> member, Parse parse) {
  return {std::move(parse), [member](Parameters& into) { into.*member = T{}; }};
}

// "true", "1", "yes", "y", "t", or the contrary.
base::Result<bool> to_boolean(std::string_view text);
// Decimal, or hexadecimal behind "0x".
base::Result<int64_t> to_integer(std::string_view text, int64_t least, int64_t most);

Parser boolean(Member<bool> member);
Parser text(Member<std::string> member, base::Result<> (*check)(std::string_view text) = nullptr);
Parser regular_expression(Member<std::string> member);  // in Go's syntax
// A plain number is of `unit`; FelixConfiguration writes Go durations ("1m30s", "500ms").
Parser duration(Member<std::chrono::milliseconds> member,
                std::chrono::milliseconds unit = std::chrono::seconds(1));
Parser ipv4_address(Member<std::optional<base::IPAddress>> member);
Parser mac_address(Member<std::optional<net::MacAddress>> member);

template <typename T>
Parser integer(Member<T> member, int64_t least, int64_t most) {
  Parser made = parser(member, [=](std::string_view text, Parameters& into) -> base::Result<> {
    MARGAY_TRY(const int64_t value, to_integer(text, least, most));
    into.*member = static_cast<T>(value);
    return {};
  });
  if (least > 0) made.set_zero = {};
  return made;
}

// Compared without letter case, stored as listed. `zero`: what "none" means.
template <typename T>
Parser one_of(Member<T> member, std::vector<std::pair<std::string, T>> choices, T zero = {}) {
  Parser made = parser(member,
                       [member, choices = std::move(choices)](std::string_view value,
                                                              Parameters& into) -> base::Result<> {
                         std::string names;
                         for (const auto& [name, meaning] : choices) {
                           if (lower_case(name) == lower_case(value)) {
                             into.*member = meaning;
                             return {};
                           }
                           names += (names.empty() ? "" : ", ") + name;
                         }
                         return base::fail(base::ErrorCode::invalid, "must be one of " + names);
                       });
  made.set_zero = [member, zero = std::move(zero)](Parameters& into) { into.*member = zero; };
  return made;
}
Parser one_of(Member<std::string> member, const std::vector<std::string>& names);

// Of one parameter each.
Parser interface_prefixes();
Parser excluded_interfaces();  // names, or regular expressions between slashes
Parser mark_mask();
Parser route_protocol();
Parser nat_port_range();
Parser failsafes(std::vector<policy::Failsafe> policy::Failsafes::* side);  // "none": none
Parser external_nodes();
Parser feature_overrides();
Parser datastore_type();  // sets nothing: there is one that this agent can read

}  // namespace margay::node
