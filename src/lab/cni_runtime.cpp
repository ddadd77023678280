#include "lab/cni_runtime.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_to.hpp>
#include <ranges>

#include "api/codec.h"
#include "api/json_path.h"
#include "base/file.h"
#include "base/process.h"

extern char** environ;

namespace margay::lab {
namespace {

namespace json = boost::json;
using base::ErrorCode;
using base::fail;
using base::IPAddress;
using base::Result;

constexpr const char* k_interface = "eth0";
constexpr std::chrono::seconds k_timeout{30};

std::string member(const json::object& object, std::string_view name) {
  return std::string(api::text_at(object, {name}));
}

struct NetworkList {
  std::string name;
  std::string version;
  std::vector<json::object> plugins;
};

Result<NetworkList> read_list(const std::filesystem::path& path) {
  MARGAY_TRY(const auto text, base::read_file(path));
  MARGAY_TRY(const auto value, api::parse_json(text));
  const auto* list = value.if_object();
  const auto* plugins = list != nullptr ? list->if_contains("plugins") : nullptr;
  if (plugins == nullptr || !plugins->is_array()) {
    return fail(ErrorCode::invalid, path.string() + ": plugins: a list is required");
  }
  NetworkList out{member(*list, "name"), member(*list, "cniVersion"), {}};
  for (const auto& plugin : plugins->get_array()) {
    if (!plugin.is_object() || member(plugin.get_object(), "type").empty()) {
      return fail(ErrorCode::invalid, path.string() + ": plugins[].type is required");
    }
    out.plugins.push_back(plugin.get_object());
  }
  return out;
}

std::vector<std::string> environment_of(const char* command, const CniContainer& container,
                                        const std::filesystem::path& plugins) {
  std::vector<std::string> out;
  for (char** entry = environ; *entry != nullptr; ++entry) out.emplace_back(*entry);
  out.push_back(fmt::format("CNI_COMMAND={}", command));
  out.push_back("CNI_CONTAINERID=" + container.id);
  out.push_back("CNI_NETNS=" + container.network_namespace);
  out.push_back(fmt::format("CNI_IFNAME={}", k_interface));
  out.push_back("CNI_PATH=" + plugins.string());
  out.push_back(
      fmt::format("CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE={};K8S_POD_NAME={};"
                  "K8S_POD_INFRA_CONTAINER_ID={};K8S_POD_UID={}",
                  container.pod_namespace, container.pod_name, container.id, container.pod_uid));
  return out;
}

// A plugin that fails prints an error object; one that was killed prints nothing.
base::Error plugin_error(const std::string& what, const base::Output& output) {
  const auto value = api::parse_json(output.out);
  if (value && value->is_object() && value->get_object().contains("msg")) {
    const auto& error = value->get_object();
    const auto details = member(error, "details");
    const auto code = error.contains("code") ? json::serialize(error.at("code")) : "?";
    return {ErrorCode::unavailable,
            fmt::format("{}: {}{}{} (code {})", what, member(error, "msg"),
                        details.empty() ? "" : ": ", details, code),
            {}};
  }
  return {ErrorCode::unavailable,
          fmt::format("{}: status {}: {}", what, output.status, output.err),
          {}};
}

Result<std::string> run_plugin(const char* command, json::object configuration,
                               const NetworkList& list, const CniContainer& container,
                               const std::filesystem::path& plugins) {
  const std::string type = member(configuration, "type");
  configuration["name"] = list.name;
  configuration["cniVersion"] = list.version;
  MARGAY_TRY(auto output, base::run({.argv = {plugins / type},
                                     .input = json::serialize(configuration),
                                     .environment = environment_of(command, container, plugins),
                                     .timeout = k_timeout}));
  if (output.status != 0) {
    return fail(plugin_error(fmt::format("CNI plugin {}, {}", type, command), output));
  }
  return std::move(output.out);
}

// "ips" of a result, of any version of the specification: [{"address": "10.0.0.1/32"}].
Result<std::vector<IPAddress>> addresses_of(const json::value& result) {
  std::vector<IPAddress> addresses;
  if (!result.is_object() || api::list_at(result.get_object(), {"ips"}).empty()) {
    return fail(ErrorCode::invalid, "the CNI result has no addresses");
  }
  for (const auto& entry : api::list_at(result.get_object(), {"ips"})) {
    if (!entry.is_object()) return fail(ErrorCode::invalid, "ips[]: an object is required");
    const auto text = member(entry.get_object(), "address");
    MARGAY_TRY(const auto address, IPAddress::parse(text.substr(0, text.find('/'))));
    addresses.push_back(address);
  }
  return addresses;
}

}  // namespace

Result<std::vector<IPAddress>> CniRuntime::add(const CniContainer& container) const {
  MARGAY_TRY(const auto list, read_list(configuration_));
  json::value previous;
  for (auto plugin : list.plugins) {
    if (!previous.is_null()) plugin["prevResult"] = previous;
    MARGAY_TRY(const auto out, run_plugin("ADD", std::move(plugin), list, container, plugins_));
    MARGAY_TRY(previous, api::parse_json(out));
  }
  return addresses_of(previous);
}

Result<> CniRuntime::del(const CniContainer& container) const {
  MARGAY_TRY(const auto list, read_list(configuration_));
  for (const auto& plugin : list.plugins | std::views::reverse) {
    MARGAY_CHECK(run_plugin("DEL", plugin, list, container, plugins_));
  }
  return {};
}

}  // namespace margay::lab
