#include "cni/arguments.h"
#include "base/text.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <map>

namespace margay::cni {
namespace {

using base::IPAddress;

constexpr size_t k_longest_interface_name = 15;
constexpr size_t k_host_name_digits = 11;

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_container_id(std::string_view id) {
  return !id.empty() && is_alphanumeric(id[0]) && std::ranges::all_of(id, [](char c) {
    return is_alphanumeric(c) || c == '_' || c == '.' || c == '-';
  });
}

bool is_interface_name(std::string_view name) {
  return !name.empty() && name.size() <= k_longest_interface_name && name != "." && name != ".." &&
         std::ranges::none_of(name, [](char c) {
           return c == '/' || c == ':' || static_cast<unsigned char>(c) <= ' ';
         });
}

CniResult<std::map<std::string, std::string>> parse_pairs(std::string_view text) {
  std::map<std::string, std::string> pairs;
  for (const auto part : base::split(text, ';')) {
    if (part.empty()) continue;
    const std::string pair(part);
    const size_t equals = pair.find('=');
    if (equals == pair.npos) {
      return fail(Code::invalid_environment,
                  fmt::format("CNI_ARGS: \"{}\" is not KEY=VALUE", pair));
    }
    pairs[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return pairs;
}

CniResult<Operation> parse_operation(std::string_view name) {
  if (name == "ADD") return Operation::add;
  if (name == "DEL") return Operation::del;
  if (name == "CHECK") return Operation::check;
  if (name == "VERSION") return Operation::version;
  return fail(Code::invalid_environment,
              fmt::format("CNI_COMMAND: \"{}\" is not ADD, DEL, CHECK or VERSION", name));
}

}  // namespace

CniResult<Arguments> parse_arguments(const Environment& environment) {
  const auto value = [&](const char* name) -> std::string {
    const char* found = environment(name);
    return found == nullptr ? "" : found;
  };
  Arguments arguments;
  MARGAY_TRY(arguments.operation, parse_operation(value("CNI_COMMAND")));
  if (arguments.operation == Operation::version) return arguments;

  arguments.container_id = value("CNI_CONTAINERID");
  if (!is_container_id(arguments.container_id)) {
    return fail(
        Code::invalid_environment,
        fmt::format("CNI_CONTAINERID: \"{}\" is not a container id", arguments.container_id));
  }
  arguments.network_namespace = value("CNI_NETNS");
  if (arguments.network_namespace.empty() && arguments.operation != Operation::del) {
    return fail(Code::invalid_environment, "CNI_NETNS: required");
  }
  arguments.interface_name = value("CNI_IFNAME");
  if (!is_interface_name(arguments.interface_name)) {
    return fail(
        Code::invalid_environment,
        fmt::format("CNI_IFNAME: \"{}\" is not an interface name", arguments.interface_name));
  }
  const auto path = value("CNI_PATH");
  for (const auto folder : base::split(path, ':'))
    if (!folder.empty()) arguments.plugin_folders.emplace_back(folder);
  if (arguments.plugin_folders.empty()) {
    return fail(Code::invalid_environment, "CNI_PATH: required");
  }

  MARGAY_TRY(const auto pairs, parse_pairs(value("CNI_ARGS")));
  const auto argument = [&](const char* name) {
    const auto found = pairs.find(name);
    return found == pairs.end() ? std::string() : found->second;
  };
  if (pairs.contains("K8S_POD_NAME") && pairs.contains("K8S_POD_NAMESPACE")) {
    arguments.pod = {argument("K8S_POD_NAMESPACE"), argument("K8S_POD_NAME"),
                     argument("K8S_POD_UID")};
  }
  if (pairs.contains("IP")) {
    const auto address = IPAddress::parse(argument("IP"));
    if (!address)
      return fail(Code::invalid_environment, "CNI_ARGS: IP: " + address.error().message);
    arguments.wanted_address = *address;
  }
  return arguments;
}

std::string host_interface_name(const PodIdentity& pod) {
  const std::string text = pod.ns + "." + pod.name;
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return "cali" + base::hex(digest).substr(0, k_host_name_digits);
}

std::string handle_id(std::string_view network, std::string_view container_id) {
  return fmt::format("{}.{}", network, container_id);
}

}  // namespace margay::cni
