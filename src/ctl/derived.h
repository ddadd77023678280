#pragma once

// The objects of projectcalico.org/v3 that stand for objects of Kubernetes, as Calico v3.19 derives
// them: Node from Node, WorkloadEndpoint from Pod, Profile from Namespace and ServiceAccount. Pure
// functions of one object; `invalid`, naming the fields, where it cannot be read. The
// resourceVersions of profiles are v3.19's: "7/" of a namespace, "/7" of a service account.

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace margay::ctl {

namespace json = boost::json;

inline constexpr std::string_view k_default_allow = "projectcalico-default-allow";

// An annotation of derived nodes: which of their labels are Kubernetes'.
inline constexpr std::string_view k_kube_labels = "projectcalico.org/kube-labels";

json::object derived_node(const json::object& node);
// Nothing where the pod has no endpoint: it is on the host's network, or on no node yet.
base::Result<std::optional<json::object>> derived_endpoint(const json::object& pod);
base::Result<json::object> namespace_profile(const json::object& ns);
base::Result<json::object> service_account_profile(const json::object& account);
// The profile that allows everything, which is always there.
json::object default_allow_profile();

// "node--1-k8s-web-eth0": names of WorkloadEndpoints, of which "-" separates the parts and "--"
// stands for a dash within one.
std::string endpoint_name(std::string_view node, std::string_view pod);
struct EndpointName {
  std::string node, pod;
};
// Nothing where the name is not that of a pod's endpoint.
std::optional<EndpointName> parse_endpoint_name(std::string_view name);

}  // namespace margay::ctl
