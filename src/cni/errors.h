#pragma once

// CNI errors (https://www.cni.dev/docs/spec/#error): an object on standard output, and exit
// status 1.

#include <string>
#include <string_view>

#include "base/result.h"

namespace margay::cni {

enum class Code : int {
  incompatible_version = 1,
  unsupported_field = 2,
  container_unknown = 3,  // its network namespace is not there
  invalid_environment = 4,
  io_failure = 5,
  decoding_failure = 6,  // not JSON
  invalid_configuration = 7,
  try_again_later = 11,
  // Our own:
  failed = 100,
  no_addresses = 101,  // the pools serve none, or are used up
  datastore = 102,     // the API server refused
  network = 103,       // the kernel refused
  pod_unknown = 104,   // the API server has no such pod, or another of that name
  not_as_added = 105,  // CHECK: what ADD made is not there any more
  delegate = 106,      // another plugin could not be run
};

struct CniError {
  Code code = Code::failed;
  std::string message;
  std::string details;

  std::string to_json(std::string_view version) const;
};

// A base::Error carries its CNI code through code that knows nothing of CNI, by these rules: when
// the datastore can't be reached it is worth another try; all else is `otherwise`.
CniError to_cni_error(const base::Error& error, Code otherwise);

template <typename T = void>
using CniResult = std::expected<T, CniError>;

inline std::unexpected<CniError> fail(Code code, std::string message) {
  return std::unexpected(CniError{code, std::move(message), {}});
}
inline std::unexpected<CniError> fail(const base::Error& error, Code otherwise) {
  return std::unexpected(to_cni_error(error, otherwise));
}

// The value of a base::Result, or its error under a CNI code.
template <typename T>
CniResult<T> as(Code otherwise, base::Result<T> result) {
  if (!result) return fail(result.error(), otherwise);
  if constexpr (std::is_void_v<T>) {
    return {};
  } else {
    return *std::move(result);
  }
}

}  // namespace margay::cni
