#pragma once

// Times as Kubernetes writes them in JSON (RFC 3339), over all the years that form has.
// base/clock.h is about the machine's time, whose nanoseconds reach no further than the year 2262.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace margay::apiserver {

using Timestamp = std::chrono::sys_time<std::chrono::microseconds>;

// "2021-04-30T12:00:00Z", "2021-04-30T14:00:00.5+02:00". What is below a microsecond is cut off.
// Nothing when it is no such time.
std::optional<Timestamp> parse_timestamp(std::string_view text);

// In UTC: meta/v1 Time, to the second, and MicroTime, always with six digits.
std::string to_time(Timestamp time);
std::string to_micro_time(Timestamp time);

// Whether RFC 3339 has a form for it: the years 1 to 9999.
bool is_writable(Timestamp time);

}  // namespace margay::apiserver
