#include "apiserver/user.h"

#include <boost/json/array.hpp>

namespace margay::apiserver {

namespace json = boost::json;

json::object user_info(const User& user) {
  const auto strings = [](const std::vector<std::string>& values) {
    json::array out;
    for (const auto& value : values) out.push_back(json::string(value));
    return out;
  };
  json::object out{{"username", user.name}};
  if (!user.uid.empty()) out["uid"] = user.uid;
  out["groups"] = strings(user.groups);
  if (user.extra.empty()) return out;
  json::object extra;
  for (const auto& [name, values] : user.extra) extra[name] = strings(values);
  out["extra"] = std::move(extra);
  return out;
}

}  // namespace margay::apiserver
