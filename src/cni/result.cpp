#include "cni/result.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "api/json_path.h"
#include "cni/config.h"

namespace margay::cni {
namespace {

using base::ErrorCode;
using base::IPAddress;
using base::Prefix;
using base::Result;

json::object encode(const Interface& interface) {
  json::object object{{"name", interface.name}};
  if (!interface.mac.empty()) object["mac"] = interface.mac;
  if (!interface.sandbox.empty()) object["sandbox"] = interface.sandbox;
  return object;
}

Result<> parse_address(const json::value& entry, Addressing& into) {
  if (!entry.is_object()) return base::fail(ErrorCode::invalid, "ips: not objects");
  const std::string text = std::string(api::text_at(entry.get_object(), {"address"}));
  const auto address = IPAddress::parse(text.substr(0, text.find('/')));
  if (!address || !Prefix::parse(text)) {
    return base::fail(ErrorCode::invalid, fmt::format("ips: \"{}\" is not an address", text));
  }
  into.addresses.push_back(*address);
  const auto index = api::integer_at(entry.get_object(), {"interface"});
  if (index && *index >= 0) into.address_interface = static_cast<size_t>(*index);
  return {};
}

}  // namespace

std::string Addressing::to_json(std::string_view version) const {
  json::object result{{"cniVersion", version}};
  json::array listed;
  for (const auto& interface : interfaces) listed.push_back(encode(interface));
  if (!listed.empty()) result["interfaces"] = std::move(listed);
  json::array ips;
  for (const auto& address : addresses) {
    json::object ip;
    if (version != "1.0.0") ip["version"] = address.is_v4() ? "4" : "6";
    if (address_interface) ip["interface"] = *address_interface;
    ip["address"] = Prefix(address).to_string();
    ips.push_back(std::move(ip));
  }
  result["ips"] = std::move(ips);
  result["dns"] = json::object{};
  return json::serialize(result);
}

Result<Addressing> Addressing::parse(const json::value& result) {
  if (!result.is_object()) return base::fail(ErrorCode::invalid, "a result must be an object");
  Addressing parsed;
  for (const auto& entry : api::list_at(result.get_object(), {"interfaces"})) {
    if (!entry.is_object()) return base::fail(ErrorCode::invalid, "interfaces: not objects");
    const auto& object = entry.get_object();
    const auto text = [&](std::string_view name) {
      return std::string(api::text_at(object, {name}));
    };
    parsed.interfaces.push_back({text("name"), text("mac"), text("sandbox")});
  }
  for (const auto& entry : api::list_at(result.get_object(), {"ips"})) {
    MARGAY_CHECK(parse_address(entry, parsed));
  }
  return parsed;
}

std::string supported_versions(std::string_view version) {
  json::array versions;
  for (const auto& supported : k_versions) versions.push_back(json::value(supported));
  return json::serialize(
      json::object{{"cniVersion", is_supported(version) ? version : k_newest_version},
                   {"supportedVersions", std::move(versions)}});
}

}  // namespace margay::cni
