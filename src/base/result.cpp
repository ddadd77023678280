#include "base/result.h"

#include <cerrno>
#include <system_error>

namespace margay::base {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid:
      return "invalid";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::already_exists:
      return "already_exists";
    case ErrorCode::conflict:
      return "conflict";
    case ErrorCode::too_old:
      return "too_old";
    case ErrorCode::too_large:
      return "too_large";
    case ErrorCode::unauthorized:
      return "unauthorized";
    case ErrorCode::forbidden:
      return "forbidden";
    case ErrorCode::unsupported:
      return "unsupported";
    case ErrorCode::unavailable:
      return "unavailable";
    case ErrorCode::timeout:
      return "timeout";
    case ErrorCode::internal:
      return "internal";
  }
  return "internal";
}

std::string_view to_string(FieldError::Type type) {
  switch (type) {
    case FieldError::Type::invalid:
      return "Invalid value";
    case FieldError::Type::required:
      return "Required value";
    case FieldError::Type::not_supported:
      return "Unsupported value";
    case FieldError::Type::duplicate:
      return "Duplicate value";
    case FieldError::Type::forbidden:
      return "Forbidden";
    case FieldError::Type::unknown:
      return "Unknown field";
    case FieldError::Type::too_long:
      return "Too long";
  }
  return "Invalid value";
}

std::string_view cause_reason(FieldError::Type type) {
  switch (type) {
    case FieldError::Type::invalid:
      return "FieldValueInvalid";
    case FieldError::Type::required:
      return "FieldValueRequired";
    case FieldError::Type::not_supported:
      return "FieldValueNotSupported";
    case FieldError::Type::duplicate:
      return "FieldValueDuplicate";
    case FieldError::Type::forbidden:
      return "FieldValueForbidden";
    case FieldError::Type::unknown:
      return "FieldValueInvalid";
    case FieldError::Type::too_long:
      return "FieldValueTooLong";
  }
  return "FieldValueInvalid";
}

std::string FieldError::message() const {
  std::string text = path;
  text += ": ";
  text += to_string(type);
  if (!value.empty()) text += ": " + value;
  if (!detail.empty()) text += ": " + detail;
  return text;
}

Error Error::wrap(std::string_view context) && {
  message.insert(0, std::string(context) + ": ");
  return std::move(*this);
}

Error Error::wrap(std::string_view context) const& { return Error(*this).wrap(context); }

std::unexpected<Error> fail(std::vector<FieldError> fields) {
  Error error{ErrorCode::invalid, {}, std::move(fields)};
  const bool list = error.fields.size() > 1;
  for (const auto& field : error.fields) {
    if (!error.message.empty()) error.message += ", ";
    error.message += field.message();
  }
  if (list) error.message = "[" + error.message + "]";
  return std::unexpected(std::move(error));
}

std::unexpected<Error> fail_errno(std::string_view what, int error_number) {
  ErrorCode code = ErrorCode::internal;
  switch (error_number) {
    case ENOENT:
    case ENODEV:
    case ESRCH:
      code = ErrorCode::not_found;
      break;
    case EEXIST:
      code = ErrorCode::already_exists;
      break;
    case EPERM:
    case EACCES:
      code = ErrorCode::forbidden;
      break;
    case EINVAL:
      code = ErrorCode::invalid;
      break;
    case EOPNOTSUPP:
    case ENOSYS:
      code = ErrorCode::unsupported;
      break;
    case ETIMEDOUT:
      code = ErrorCode::timeout;
      break;
    case EAGAIN:
    case EBUSY:
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case ENOBUFS:
      code = ErrorCode::unavailable;
      break;
    default:
      break;
  }
  return fail(code, std::string(what) + ": " + std::system_category().message(error_number));
}

}  // namespace margay::base
