#include "lab/node_files.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "api/codec.h"
#include "base/file.h"

namespace margay::lab {
namespace {

namespace json = boost::json;
using base::ErrorCode;
using base::fail;
using base::Result;

// Both are written by the API server (apiserver/state_dir.h).
std::filesystem::path admin_kubeconfig(const Layout& layout) {
  return layout.apiserver() / "kubeconfig";
}
std::filesystem::path agent_kubeconfig(const Layout& layout) {
  return layout.apiserver() / "agent.kubeconfig";
}

// The agents' kubeconfig, with the API server's address as nodes see it. The certificate names the
// address the server was told to listen on, so that is what clients are told to expect.
Result<std::string> underlay_kubeconfig(const Layout& layout) {
  const auto path = agent_kubeconfig(layout);
  MARGAY_TRY(const auto text, base::read_file(path));
  MARGAY_TRY(auto documents, api::parse_yaml(text));
  try {
    auto& clusters = documents.at(0).as_object().at("clusters").as_array();
    for (auto& entry : clusters) {
      auto& cluster = entry.as_object().at("cluster").as_object();
      cluster["server"] =
          fmt::format("https://{}:{}", underlay_v4(0).address.to_string(), k_api_port);
      cluster["tls-server-name"] = "127.0.0.1";
    }
  } catch (const std::exception& wrong) {
    return fail(ErrorCode::invalid, path.string() + ": " + wrong.what());
  }
  return api::to_json(documents.at(0)) + "\n";
}

json::object cni_configuration(const Layout& layout, const Settings& settings,
                               const std::string& node) {
  const json::object plugin{
      {"type", "calico"},
      {"log_level", "info"},
      {"log_file_path", layout.log_of("cni-" + node).string()},
      {"datastore_type", "kubernetes"},
      {"nodename", node},
      {"ipam",
       {{"type", "calico-ipam"},
        {"assign_ipv4", "true"},
        {"assign_ipv6", settings.ipv6 ? "true" : "false"}}},
      {"policy", {{"type", "k8s"}}},
      {"kubernetes", {{"kubeconfig", layout.node_kubeconfig(node).string()}}}};
  return {{"name", "k8s-pod-network"}, {"cniVersion", "0.3.1"}, {"plugins", json::array{plugin}}};
}

}  // namespace

bool has_credentials(const Layout& layout) {
  return exists(admin_kubeconfig(layout)) && exists(agent_kubeconfig(layout));
}

Result<> link_cni_plugins(const Layout& layout, const std::string& binary) {
  MARGAY_CHECK(base::make_directories(layout.cni_bin()));
  for (const char* name : {"calico", "calico-ipam"}) {
    std::error_code error;
    std::filesystem::create_symlink(binary, layout.cni_bin() / name, error);
    if (error && error != std::errc::file_exists) {
      return base::fail_errno(fmt::format("link {}", name), error.value());
    }
  }
  return {};
}

Result<> write_kubeconfig(const Layout& layout) {
  MARGAY_TRY(const auto text, base::read_file(admin_kubeconfig(layout)));
  return base::write_file(layout.kubeconfig(), text);
}

Result<> write_node_files(const Layout& layout, const Settings& settings, int node_number) {
  const std::string node = node_name(node_number);
  MARGAY_TRY(const auto kubeconfig, underlay_kubeconfig(layout));
  MARGAY_CHECK(base::write_file(layout.node_kubeconfig(node), kubeconfig));
  MARGAY_CHECK(base::make_directories(layout.pods(node)));
  return base::write_file(layout.cni_config(node),
                          api::to_json(cni_configuration(layout, settings, node)) + "\n");
}

}  // namespace margay::lab
