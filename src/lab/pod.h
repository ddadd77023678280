#pragma once

// What the lab reads of a pod's JSON. The object is kept whole, since updates send it back whole.

#include <boost/json/object.hpp>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "lab/serve.h"

namespace margay::lab {

namespace json = boost::json;

// `invalid` when the text is not a JSON object.
base::Result<json::object> parse_object(const std::string& text);

struct PodView {
  struct Container {
    std::string name;
    std::string image;
    std::vector<ServedPort> ports;
  };
  std::string ns, name, uid, service_account;
  std::map<std::string, std::string, std::less<>> labels;
  std::string node_name;  // empty: not scheduled
  std::map<std::string, std::string> node_selector;
  bool host_network = false;
  bool deleting = false;  // deletionTimestamp is set
  std::string phase;
  std::vector<std::string> addresses;  // status.podIPs
  std::vector<Container> containers;

  std::string id() const { return ns + "/" + name; }
  bool finished() const { return phase == "Succeeded" || phase == "Failed"; }
  // Of all containers, each once.
  std::vector<ServedPort> ports() const;

  // Errors name the field.
  static base::Result<PodView> read(const json::object& pod);
};

}  // namespace margay::lab
