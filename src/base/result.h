#pragma once

// How anything that can fail for a reason outside the program says so.
//
// A function that can fail returns Result<T>; the caller handles the Error, returns it, or logs it
// once with what the user can do. Exceptions are for bugs.

#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace margay::base {

enum class ErrorCode {
  invalid,         // the caller's input breaks a rule: say which
  not_found,       // the thing asked for does not exist
  already_exists,  // create of a name that is taken
  conflict,        // compare-and-swap lost, or the state forbids it now
  too_old,         // a revision that history no longer reaches (HTTP 410, etcd "compacted")
  too_large,       // beyond a documented limit
  unauthorized,    // who are you
  forbidden,       // we know you, and no
  unsupported,     // valid, but not something this build or kernel can do
  unavailable,     // not now; the same call may succeed later
  timeout,         // no answer within the deadline; the effect is unknown
  internal,        // a bug, or a broken invariant in what was read
};

// The stable lower-case name, as used in logs.
std::string_view to_string(ErrorCode code);

// One broken rule in the user's input.
struct FieldError {
  // Kubernetes' names for what is wrong (apimachinery field.ErrorType), which clients switch on.
  enum class Type { invalid, required, not_supported, duplicate, forbidden, unknown, too_long };

  Type type = Type::invalid;
  std::string path;    // "spec.ingress[2].source.nets[0]"
  std::string value;   // the offending value as JSON text; empty when there is none to show
  std::string detail;  // the rule: "must be a valid CIDR"

  // "spec.order: Invalid value: \"x\": must be a number"
  std::string message() const;

  bool operator==(const FieldError&) const = default;
};

std::string_view to_string(FieldError::Type type);
// Kubernetes' machine-readable cause ("FieldValueInvalid", "FieldValueRequired", ...).
std::string_view cause_reason(FieldError::Type type);

struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;             // a sentence a user can act on, without a final dot
  std::vector<FieldError> fields;  // for bad input: every broken rule, not just the first

  // The same error, told from further out: "<context>: <message>".
  Error wrap(std::string_view context) &&;
  Error wrap(std::string_view context) const&;
};

template <typename T = void>
using Result = std::expected<T, Error>;

// return fail(ErrorCode::not_found, "pool \"a\" does not exist");
inline std::unexpected<Error> fail(ErrorCode code, std::string message) {
  return std::unexpected(Error{code, std::move(message), {}});
}
inline std::unexpected<Error> fail(Error error) { return std::unexpected(std::move(error)); }
// An `invalid` error made of field errors; its message joins theirs.
std::unexpected<Error> fail(std::vector<FieldError> fields);
// From errno: picks the code that fits, and says strerror.
std::unexpected<Error> fail_errno(std::string_view what, int error_number);

}  // namespace margay::base

// MARGAY_TRY(value, expression): value = *expression, or return its error from this function.
// MARGAY_CHECK(expression): the same for a Result<void> (or a result nobody needs).
#define MARGAY_CONCAT_(a, b) a##b
#define MARGAY_CONCAT(a, b) MARGAY_CONCAT_(a, b)
#define MARGAY_TRY_(temporary, declaration, ...)                        \
  auto temporary = (__VA_ARGS__);                                       \
  if (!temporary) return std::unexpected(std::move(temporary).error()); \
  declaration = *std::move(temporary)
#define MARGAY_TRY(declaration, ...) \
  MARGAY_TRY_(MARGAY_CONCAT(margay_try_, __LINE__), declaration, __VA_ARGS__)
#define MARGAY_CHECK(...)                                 \
  if (auto margay_check_ = (__VA_ARGS__); !margay_check_) \
  return std::unexpected(std::move(margay_check_).error())
