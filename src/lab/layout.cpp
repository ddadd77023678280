#include "lab/layout.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>

#include "api/codec.h"
#include "api/fields.h"
#include "base/file.h"

namespace margay::lab {

namespace json = boost::json;
using base::ErrorCode;
using base::fail;
using base::IPAddress;
using base::Result;

namespace {

// FNV-1a: short, and the same on every run.
uint32_t hash(std::string_view text) {
  uint32_t hash = 2166136261U;
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 16777619U;
  return hash;
}

}  // namespace

Result<Layout> Layout::at(const std::string& directory) {
  if (directory.empty()) return fail(ErrorCode::invalid, "the lab's directory has no name");
  std::error_code error;
  auto path = std::filesystem::weakly_canonical(std::filesystem::absolute(directory), error);
  if (error) return base::fail_errno("directory " + directory, error.value());
  if (!path.has_filename()) path = path.parent_path();  // "a/" is "a"
  if (path == path.root_path()) {
    return fail(ErrorCode::invalid, "the root directory cannot be a lab's directory");
  }
  std::string id = fmt::format("{:08x}", hash(path.string()));
  return Layout{std::move(path), std::move(id)};
}

std::string node_name(int number) { return fmt::format("node{}", number); }

Result<int> node_number(std::string_view name) {
  for (int number = 1; number <= k_max_nodes; ++number) {
    if (node_name(number) == name) return number;
  }
  return fail(ErrorCode::invalid, fmt::format("\"{}\" is not a node of a lab", name));
}

UnderlayAddress underlay_v4(int node_number) {
  const auto host = static_cast<uint32_t>(node_number == 0 ? 1 : 10 + node_number);
  return {IPAddress::v4(0xac12'0000U + host), 24};  // 172.18.0.0
}

UnderlayAddress underlay_v6(int node_number) {
  const auto host = static_cast<uint64_t>(node_number == 0 ? 1 : 10 + node_number);
  constexpr IPAddress k_network = IPAddress::v6({0xfd, 0x00, 0x01, 0x72, 0x00, 0x18});
  return {k_network.plus(host), 64};
}

Result<> Settings::save(const Layout& layout) const {
  const json::object object{{"nodes", nodes},
                            {"dataplane", dataplane},
                            {"ipv6", ipv6},
                            {"record", record},
                            {"apiPort", api_port}};
  return base::write_file(layout.settings_file(), json::serialize(object) + "\n");
}

Result<Settings> Settings::load(const Layout& layout) {
  auto text = base::read_file(layout.settings_file());
  if (!text && text.error().code == ErrorCode::not_found) {
    return fail(ErrorCode::not_found,
                "no lab in " + layout.directory.string() + " (`margay lab up` makes one)");
  }
  MARGAY_CHECK(text);
  const auto value = api::parse_json(*text);
  if (!value) return fail(value.error().wrap(layout.settings_file().string()));
  api::Fields::Errors errors;
  api::Fields fields(*value, {}, errors);
  Settings settings;
  settings.nodes = static_cast<int>(fields.number("nodes", 1, k_max_nodes, true).value_or(0));
  settings.dataplane = fields.text("dataplane", true).value_or("");
  settings.ipv6 = fields.flag("ipv6");
  settings.record = fields.flag("record");
  settings.api_port = static_cast<uint16_t>(fields.number("apiPort", 0, 65535, true).value_or(0));
  if (errors.empty()) return settings;
  return fail(fail(std::move(errors)).error().wrap(layout.settings_file().string()));
}

}  // namespace margay::lab
