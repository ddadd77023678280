#pragma once

// Who asks, however that was found out: by certificate, bearer token or front proxy.

#include <boost/json/object.hpp>
#include <map>
#include <string>
#include <vector>

namespace margay::apiserver {

struct User {
  std::string name;
  std::vector<std::string> groups = {};
  std::string uid = {};
  std::map<std::string, std::vector<std::string>> extra = {};
};

// authentication.k8s.io/v1 UserInfo.
boost::json::object user_info(const User& user);

}  // namespace margay::apiserver
