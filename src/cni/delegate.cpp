#include "cni/delegate.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <filesystem>

#include "api/codec.h"
#include "api/json_path.h"
#include "api/kubernetes.h"
#include "base/process.h"
#include "cni/result.h"
#include "store/store.h"

extern char** environ;

namespace margay::cni {
namespace {

using base::IPAddress;
using base::IPFamily;
using base::Prefix;

constexpr std::string_view k_pod_cidr = "usePodCidr";
constexpr std::string_view k_pod_cidr_v6 = "usePodCidrIPv6";

CniResult<std::string> find_program(const Arguments& arguments, const std::string& name) {
  if (name.find('/') != name.npos) {
    return fail(Code::invalid_configuration, fmt::format("ipam.type: \"{}\" is not a name", name));
  }
  for (const auto& folder : arguments.plugin_folders) {
    const auto path = std::filesystem::path(folder) / name;
    std::error_code error;
    if (std::filesystem::is_regular_file(path, error)) return path.string();
  }
  return fail(Code::delegate, fmt::format("IPAM plugin {} is not in CNI_PATH", name));
}

CniResult<std::string> pod_cidr(store::Store& store, const std::string& node, IPFamily family) {
  MARGAY_TRY(const auto entry, as(Code::datastore, store.get({"nodes", {}, node})));
  MARGAY_TRY(const auto value, as(Code::datastore, api::parse_json(entry.value)));
  MARGAY_TRY(const auto object, as(Code::datastore, api::decode<api::kubernetes::Node>(value)));
  auto cidrs = object.pod_cidrs;
  if (cidrs.empty() && !object.pod_cidr.empty()) cidrs.push_back(object.pod_cidr);
  for (const auto& text : cidrs) {
    const auto cidr = Prefix::parse(text);
    if (cidr && cidr->family() == family) return text;
  }
  return fail(Code::delegate, fmt::format("node {} has no {} pod CIDR", node,
                                          family == IPFamily::v4 ? "IPv4" : "IPv6"));
}

// Replaces the magic subnets wherever host-local has subnets: in ipam, and in its ranges.
CniResult<> fill_in_pod_cidrs(store::Store& store, const std::string& node, json::value& value) {
  if (value.is_array()) {
    for (auto& element : value.get_array()) {
      MARGAY_CHECK(fill_in_pod_cidrs(store, node, element));
    }
    return {};
  }
  if (!value.is_object()) return {};
  for (auto& [name, member] : value.get_object()) {
    if (name != "subnet") {
      MARGAY_CHECK(fill_in_pod_cidrs(store, node, member));
      continue;
    }
    if (member != json::value(k_pod_cidr) && member != json::value(k_pod_cidr_v6)) continue;
    const bool v4 = member == json::value(k_pod_cidr);
    MARGAY_TRY(member, pod_cidr(store, node, v4 ? IPFamily::v4 : IPFamily::v6));
  }
  return {};
}

std::vector<std::string> environment_for(std::string_view command) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!std::string_view(*entry).starts_with("CNI_COMMAND=")) all.emplace_back(*entry);
  }
  all.push_back(fmt::format("CNI_COMMAND={}", command));
  return all;
}

CniError error_of(const std::string& program, const base::Output& output) {
  const auto value = api::parse_json(output.out);
  const json::object object = value && value->is_object() ? value->get_object() : json::object();
  const auto code = api::integer_at(object, {"code"});
  const auto message = api::text_at(object, {"msg"});
  if (!code || message.empty()) {
    return {Code::delegate, fmt::format("{} ended with status {}", program, output.status),
            output.err};
  }
  return {static_cast<Code>(*code), fmt::format("{}: {}", program, message), output.err};
}

CniResult<std::string> run(store::Store& store, const NetworkConfig& config,
                           const Arguments& arguments, const std::string& node,
                           std::string_view command) {
  MARGAY_TRY(const std::string program, find_program(arguments, config.ipam.type));
  json::object document = config.document;
  if (config.ipam.type == "host-local" && document.contains("ipam")) {
    MARGAY_CHECK(fill_in_pod_cidrs(store, node, document["ipam"]));
  }
  const auto output = base::run({.argv = {program},
                                 .input = json::serialize(document),
                                 .environment = environment_for(command)});
  if (!output) return fail(output.error(), Code::delegate);
  if (output->status != 0) return std::unexpected(error_of(program, *output));
  return output->out;
}

}  // namespace

CniResult<std::vector<IPAddress>> delegate_add(store::Store& store, const NetworkConfig& config,
                                               const Arguments& arguments,
                                               const std::string& node) {
  MARGAY_TRY(const std::string out, run(store, config, arguments, node, "ADD"));
  const auto value = api::parse_json(out);
  if (!value) return fail(Code::decoding_failure, config.ipam.type + ": " + value.error().message);
  const auto result = Addressing::parse(*value);
  if (!result) return fail(Code::delegate, config.ipam.type + ": " + result.error().message);
  if (result->addresses.empty())
    return fail(Code::delegate, config.ipam.type + ": gave no address");
  return result->addresses;
}

CniResult<> delegate_del(store::Store& store, const NetworkConfig& config,
                         const Arguments& arguments, const std::string& node) {
  MARGAY_CHECK(run(store, config, arguments, node, "DEL"));
  return {};
}

CniResult<> delegate_check(store::Store& store, const NetworkConfig& config,
                           const Arguments& arguments, const std::string& node) {
  MARGAY_CHECK(run(store, config, arguments, node, "CHECK"));
  return {};
}

}  // namespace margay::cni
