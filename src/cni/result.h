#pragma once

// What a plugin answers to ADD (https://www.cni.dev/docs/spec/#add-success), in the format of each
// version of the specification: 1.0.0 has no "version" in ips.

#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/result.h"

namespace margay::cni {

struct Interface {
  std::string name;
  std::string mac;
  std::string sandbox;  // path of the network namespace; empty: the host's
  bool operator==(const Interface&) const = default;
};

struct Addressing {
  std::vector<Interface> interfaces;
  std::vector<base::IPAddress> addresses;   // with the full length: /32 or /128
  std::optional<size_t> address_interface;  // the index of the interface that has them
  bool operator==(const Addressing&) const = default;

  std::string to_json(std::string_view version) const;
  // A result of any version. `invalid` with the field that is wrong.
  static base::Result<Addressing> parse(const boost::json::value& result);
};

// The answer to VERSION.
std::string supported_versions(std::string_view version);

}  // namespace margay::cni
