#include "cni/errors.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace margay::cni {

std::string CniError::to_json(std::string_view version) const {
  boost::json::object object{
      {"cniVersion", version}, {"code", static_cast<int>(code)}, {"msg", message}};
  if (!details.empty()) object["details"] = details;
  return boost::json::serialize(object);
}

CniError to_cni_error(const base::Error& error, Code otherwise) {
  using base::ErrorCode;
  const bool passing = error.code == ErrorCode::unavailable || error.code == ErrorCode::timeout;
  return {passing ? Code::try_again_later : otherwise, error.message,
          std::string(base::to_string(error.code))};
}

}  // namespace margay::cni
