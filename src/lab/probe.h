#pragma once

// Who reaches whom, found out by real connections from sockets in the pods' own namespaces.

#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "lab/serve.h"
#include "net/network_namespace.h"

namespace margay::lab {

struct Attempt {
  std::string from;  // "namespace/pod"
  std::string to;
  ServedPort port;  // TCP or UDP
  base::IPAddress address;
};

struct Outcome {
  enum class Result : uint8_t {
    allow,  // `to` answered, and said that it is `to`
    deny,   // nothing came back in time
    error,  // something else: refused, unreachable, another pod answered
  };
  Attempt attempt;
  Result result = Result::deny;
  std::string detail;  // of an error: what happened
};

std::string_view to_string(Outcome::Result result);

// Pod ("namespace/pod") -> its network namespace. Every `from` must be there.
using PodNamespaces = std::map<std::string, net::NetworkNamespace, std::less<>>;

// Makes all attempts at once, each with `timeout` from then on. One outcome an attempt, in order.
// An Error only when probing itself is impossible. Blocks; one call at a time.
base::Result<std::vector<Outcome>> probe(std::span<const Attempt> attempts,
                                         const PodNamespaces& namespaces,
                                         std::chrono::milliseconds timeout);

}  // namespace margay::lab
