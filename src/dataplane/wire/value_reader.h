#pragma once

// Reads the small values of messages, and remembers the first that is wrong, so that reading a
// large message is a list of fields: read them all, then ask outcome().

#include <fmt/format.h>

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "dataplane/endpoint_status.h"
#include "dataplane/wire/dataplane.pb.h"
#include "policy/program.h"

namespace margay::dataplane::wire {

class ValueReader {
 public:
  // The value, or what was wrong in it: told with `context` before it.
  template <typename T>
  base::Result<T> finish(T value, std::string_view context) && {
    if (!outcome_) return base::fail(outcome_.error().wrap(context));
    return value;
  }

  void refuse(std::string message) {
    if (outcome_) outcome_ = base::fail(base::ErrorCode::invalid, std::move(message));
  }

  template <typename T>
  T number(uint32_t value, const char* what) {
    if (value > std::numeric_limits<T>::max())
      refuse(fmt::format("{}: {} is too large", what, value));
    return static_cast<T>(value);
  }
  // Enumerators count from zero to `last`.
  template <typename Enum>
  Enum enumerator(uint32_t value, Enum last, const char* what) {
    if (value > static_cast<uint32_t>(last))
      refuse(fmt::format("{}: {} is none that this version knows", what, value));
    return static_cast<Enum>(value);
  }
  base::IPFamily family(uint32_t value, const char* what) {
    if (value != 4 && value != 6) refuse(fmt::format("{}: {} is neither 4 nor 6", what, value));
    return value == 6 ? base::IPFamily::v6 : base::IPFamily::v4;
  }
  base::IPAddress address(const std::string& octets, const char* what) {
    const auto address = base::IPAddress::from_bytes(
        {reinterpret_cast<const uint8_t*>(octets.data()), octets.size()});
    if (!address) refuse(fmt::format("{}: an address has 4 or 16 bytes", what));
    return address.value_or(base::IPAddress{});
  }
  std::optional<base::IPAddress> optional_address(const std::string& octets, const char* what) {
    if (octets.empty()) return std::nullopt;
    return address(octets, what);
  }
  base::Prefix prefix(const proto::Prefix& message, const char* what) {
    const base::IPAddress base = address(message.address(), what);
    if (message.length() > base.bits())
      refuse(fmt::format("{}: a length of {}", what, message.length()));
    return {base, message.length()};
  }

  static policy::WorkloadKey key(const proto::WorkloadKey& message) {
    return {message.node(), message.orchestrator(), message.workload(), message.endpoint()};
  }
  static policy::HostEndpointKey key(const proto::HostEndpointKey& message) {
    return {message.node(), message.name()};
  }
  // Of a message that has `workload` and `host` as alternatives.
  template <typename Message>
  EndpointKey endpoint(const Message& message) {
    if (message.has_workload()) return key(message.workload());
    if (!message.has_host()) refuse("endpoint: none is named");
    return key(message.host());
  }

 private:
  base::Result<> outcome_;
};

}  // namespace margay::dataplane::wire
