#include "node/node_object.h"

#include <boost/json/array.hpp>

#include "api/codec.h"

namespace margay::node {
namespace {

namespace json = boost::json;
using base::ErrorCode;
using base::fail;
using base::Result;

bool lost_a_race(ErrorCode code) {
  return code == ErrorCode::conflict || code == ErrorCode::already_exists ||
         code == ErrorCode::not_found;
}

}  // namespace

json::object& child(json::object& object, std::string_view name) {
  json::value& value = object[name];
  return value.is_object() ? value.as_object() : value.emplace_object();
}

Result<> edit_node(store::Store& store, const std::string& name,
                   const std::function<void(json::object&)>& edit) {
  const store::Key key{"nodes.projectcalico.org", "", name};
  constexpr int k_attempts = 10;
  for (int attempt = 0; attempt < k_attempts; ++attempt) {
    const auto existing = store.get(key);
    if (!existing && existing.error().code != ErrorCode::not_found) return fail(existing.error());
    json::object node;
    if (existing) {
      MARGAY_TRY(json::value value, api::parse_json(existing->value));
      if (value.is_object()) node = std::move(value.as_object());
    }
    const json::object before = node;
    node["apiVersion"] = "projectcalico.org/v3";
    node["kind"] = "Node";
    child(node, "metadata")["name"] = name;
    json::object& spec = child(node, "spec");
    if (!spec.contains("orchRefs"))
      spec["orchRefs"] = json::array{{{"nodeName", name}, {"orchestrator", "k8s"}}};
    edit(node);
    if (node == before) return {};

    const std::string text = api::to_json(node);
    const auto written =
        existing ? store.update(key, text, existing->revision) : store.create(key, text);
    if (written) return {};
    if (!lost_a_race(written.error().code)) return fail(written.error().wrap("write node " + name));
  }
  return fail(ErrorCode::unavailable, "write node " + name + ": others keep changing it");
}

}  // namespace margay::node
