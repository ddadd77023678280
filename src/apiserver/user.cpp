#include "apiserver/user.h"

#include <boost/json/array.hpp>

#include "base/utf8.h"

namespace margay::apiserver {

namespace json = boost::json;

json::object user_info(const User& user) {
  const auto strings = [](const std::vector<std::string>& values) {
    json::array out;
    for (const auto& value : values) out.push_back(json::string(base::to_utf8(value)));
    return out;
  };
  json::object out{{"username", base::to_utf8(user.name)}};
  if (!user.uid.empty()) out["uid"] = base::to_utf8(user.uid);
  out["groups"] = strings(user.groups);
  if (user.extra.empty()) return out;
  json::object extra;
  for (const auto& [name, values] : user.extra) extra[base::to_utf8(name)] = strings(values);
  out["extra"] = std::move(extra);
  return out;
}

}  // namespace margay::apiserver
