#include "lab/pod.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/value_to.hpp>

#include "api/codec.h"
#include "api/json_path.h"

namespace margay::lab {
namespace {

using api::flag_at;
using api::integer_at;
using api::list_at;
using api::object_at;
using api::text_at;
using base::ErrorCode;
using base::fail;
using base::Result;

std::string text(const json::object& parent, std::string_view name) {
  return std::string(text_at(parent, {name}));
}

template <typename Map>
Map texts_at(const json::object& parent, std::string_view name) {
  Map out;
  for (const auto& [key, value] : object_at(parent, {name})) {
    if (value.is_string()) out.emplace(key, json::value_to<std::string>(value));
  }
  return out;
}

Result<ServedPort> read_port(const json::object& port) {
  std::string protocol = text(port, "protocol");
  std::ranges::transform(protocol, protocol.begin(),
                         [](unsigned char c) { return std::tolower(c); });
  return ServedPort::parse((protocol.empty() ? "tcp" : protocol) + ":" +
                           std::to_string(integer_at(port, {"containerPort"}).value_or(0)));
}

Result<PodView::Container> read_container(const json::object& container) {
  PodView::Container out{text(container, "name"), text(container, "image"), {}};
  for (const auto& port : list_at(container, {"ports"})) {
    if (!port.is_object()) return fail(ErrorCode::invalid, "ports[]: an object is required");
    MARGAY_TRY(const auto served, read_port(port.get_object()));
    out.ports.push_back(served);
  }
  return out;
}

}  // namespace

Result<json::object> parse_object(const std::string& text) {
  MARGAY_TRY(auto value, api::parse_json(text));
  if (!value.is_object()) return fail(ErrorCode::invalid, "not an object");
  return std::move(value.get_object());
}

std::vector<ServedPort> PodView::ports() const {
  std::vector<ServedPort> all;
  for (const auto& container : containers) {
    all.insert(all.end(), container.ports.begin(), container.ports.end());
  }
  std::ranges::sort(all);
  const auto repeated = std::ranges::unique(all);
  all.erase(repeated.begin(), repeated.end());
  return all;
}

Result<PodView> PodView::read(const json::object& pod) {
  const auto& metadata = object_at(pod, {"metadata"});
  const auto& spec = object_at(pod, {"spec"});
  const auto& status = object_at(pod, {"status"});
  PodView out{.ns = text(metadata, "namespace"),
              .name = text(metadata, "name"),
              .uid = text(metadata, "uid"),
              .service_account = text(spec, "serviceAccountName"),
              .labels = texts_at<decltype(labels)>(metadata, "labels"),
              .node_name = text(spec, "nodeName"),
              .node_selector = texts_at<decltype(node_selector)>(spec, "nodeSelector"),
              .host_network = flag_at(spec, {"hostNetwork"}),
              .deleting = !text(metadata, "deletionTimestamp").empty(),
              .phase = text(status, "phase")};
  if (out.ns.empty() || out.name.empty() || out.uid.empty()) {
    return fail(ErrorCode::invalid, "pod without metadata.namespace, name or uid");
  }
  for (const auto& entry : list_at(status, {"podIPs"})) {
    if (entry.is_object()) out.addresses.push_back(text(entry.get_object(), "ip"));
  }
  for (const auto& container : list_at(spec, {"containers"})) {
    if (!container.is_object()) continue;
    auto read = read_container(container.get_object());
    if (!read) return fail(std::move(read).error().wrap("pod " + out.id()));
    out.containers.push_back(*std::move(read));
  }
  return out;
}

}  // namespace margay::lab
