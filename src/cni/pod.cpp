#include "cni/pod.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <functional>
#include <map>
#include <thread>

#include "api/codec.h"
#include "api/json_path.h"
#include "base/backoff.h"
#include "store/store.h"

namespace margay::cni {
namespace {

namespace json = boost::json;
using base::ErrorCode;
using base::IPAddress;

constexpr std::string_view k_prefix = "cni.projectcalico.org/";
constexpr int k_attempts = 10;

using Annotations = std::map<std::string, std::string, std::less<>>;

store::Key key_of(const PodIdentity& pod) { return {"pods", pod.ns, pod.name}; }

struct Object {
  json::object content;
  store::Revision revision = 0;

  std::string uid() const { return std::string(api::text_at(content, {"metadata", "uid"})); }
  // Ours, without their prefix.
  Annotations annotations() const {
    Annotations all;
    for (const auto& [name, value] : api::object_at(content, {"metadata", "annotations"})) {
      const std::string_view text(name.data(), name.size());
      if (!text.starts_with(k_prefix) || !value.is_string()) continue;
      all.emplace(text.substr(k_prefix.size()), std::string(value.get_string()));
    }
    return all;
  }
};

base::Result<Object> get(store::Store& store, const store::Key& key) {
  MARGAY_TRY(const auto entry, store.get(key));
  MARGAY_TRY(auto value, api::parse_json(entry.value));
  if (!value.is_object()) {
    return base::fail(ErrorCode::internal, key.resource + " " + key.name + ": not an object");
  }
  return Object{std::move(value.get_object()), entry.revision};
}

// A static pod's kubelet knows it by the UID of its own, the API server by the mirror's, which
// names the other (https://kubernetes.io/docs/tasks/configure-pod-container/static-pod/).
bool is_mirror_of(const Object& object, const std::string& uid) {
  return api::text_at(object.content, {"metadata", "annotations", "kubernetes.io/config.mirror"}) ==
         uid;
}

CniResult<Object> get_pod(store::Store& store, const PodIdentity& pod) {
  auto object = get(store, key_of(pod));
  if (!object && object.error().code == ErrorCode::not_found) {
    return fail(Code::pod_unknown, fmt::format("there is no pod {}/{}", pod.ns, pod.name));
  }
  if (!object) return fail(object.error(), Code::datastore);
  if (!pod.uid.empty() && !object->uid().empty() && object->uid() != pod.uid &&
      !is_mirror_of(*object, pod.uid)) {
    return fail(Code::pod_unknown, fmt::format("pod {}/{} is another by now: its UID is {}, not {}",
                                               pod.ns, pod.name, object->uid(), pod.uid));
  }
  return *std::move(object);
}

std::unexpected<CniError> wrong(std::string_view annotation, std::string_view text,
                                std::string_view rule) {
  return fail(Code::failed,
              fmt::format("annotation {}{}: \"{}\" {}", k_prefix, annotation, text, rule));
}

// A JSON list of strings, as all lists in annotations are.
CniResult<std::vector<std::string>> list_in(const Annotations& annotations, const char* name) {
  std::vector<std::string> list;
  const auto found = annotations.find(name);
  if (found == annotations.end() || found->second.empty()) return list;
  const auto value = api::parse_json(found->second);
  if (!value || !value->is_array())
    return wrong(name, found->second, "is not a JSON list of strings");
  for (const auto& element : value->get_array()) {
    if (!element.is_string()) return wrong(name, found->second, "is not a JSON list of strings");
    list.emplace_back(element.get_string());
  }
  return list;
}

CniResult<std::vector<IPAddress>> addresses_in(const Annotations& annotations, const char* name) {
  MARGAY_TRY(const auto texts, list_in(annotations, name));
  std::vector<IPAddress> addresses;
  for (const auto& text : texts) {
    const auto address = IPAddress::parse(text);
    if (!address) return wrong(name, text, "is not an IP address");
    const auto same_family = std::ranges::find(addresses, address->family(), &IPAddress::family);
    if (same_family != addresses.end()) {
      return wrong(name, text, "is a second address of its family; one of each is possible");
    }
    addresses.push_back(*address);
  }
  return addresses;
}

std::string value_in(const Annotations& annotations, const char* name) {
  const auto found = annotations.find(name);
  return found == annotations.end() ? "" : found->second;
}

// Whether what the pod says of its address is this container's doing.
bool is_of(const Annotations& annotations, const std::string& container_id,
           const std::vector<IPAddress>& addresses) {
  const std::string id = value_in(annotations, "containerID");
  if (!id.empty()) return id == container_id;
  const auto address = base::Prefix::parse(value_in(annotations, "podIP"));
  return address && std::ranges::any_of(addresses, [&](const IPAddress& mine) {
           return *address == base::Prefix(mine);
         });
}

CniResult<PodWishes> wishes_of(const Annotations& pod, const Annotations& ns) {
  PodWishes wishes;
  MARGAY_TRY(wishes.ipv4_pools, list_in(pod.contains("ipv4pools") ? pod : ns, "ipv4pools"));
  MARGAY_TRY(wishes.ipv6_pools, list_in(pod.contains("ipv6pools") ? pod : ns, "ipv6pools"));
  MARGAY_TRY(wishes.addresses, addresses_in(pod, "ipAddrs"));
  MARGAY_TRY(wishes.addresses_no_ipam, addresses_in(pod, "ipAddrsNoIpam"));
  if (!wishes.addresses.empty() && !wishes.addresses_no_ipam.empty()) {
    return fail(Code::failed,
                fmt::format("annotations {0}ipAddrs and {0}ipAddrsNoIpam exclude each "
                            "other",
                            k_prefix));
  }
  wishes.floating_ips = pod.contains("floatingIPs");
  if (const auto mac = pod.find("hwAddr"); mac != pod.end()) {
    const auto parsed = net::MacAddress::parse(mac->second);
    if (!parsed) return wrong("hwAddr", mac->second, "is not a MAC address");
    wishes.mac = *parsed;
  }
  if (const auto id = pod.find("containerID"); id != pod.end()) wishes.container_id = id->second;
  return wishes;
}

// Of the pod as it was read, so that of what is set nothing depends on what is not so any more.
std::string patch_of(const Object& pod, const Annotations& values) {
  json::object annotations;
  for (const auto& [name, value] : values) annotations[std::string(k_prefix) + name] = value;
  json::object metadata{{"resourceVersion", std::to_string(pod.revision)},
                        {"annotations", std::move(annotations)}};
  return api::to_json(json::object{{"metadata", std::move(metadata)}});
}

// Reads and writes by compare-and-swap. The write is one of the pod's status, as Calico's plugin
// does it: its manifests let the plugin patch pods/status, and not the pod. `change` says what to
// set; nothing: leave it.
using Change = std::function<std::optional<Annotations>(const Annotations& current)>;

CniResult<> edit(store::Store& store, const PodIdentity& pod, const Change& change) {
  base::Backoff backoff(base::Backoff::Options{.initial = std::chrono::milliseconds(10),
                                               .max = std::chrono::milliseconds(200)});
  for (int attempt = 0; attempt < k_attempts; ++attempt) {
    MARGAY_TRY(Object object, get_pod(store, pod));
    const auto values = change(object.annotations());
    if (!values) return {};
    const auto written = store.patch_status(key_of(pod), patch_of(object, *values));
    if (written) return {};
    if (written.error().code != ErrorCode::conflict) return fail(written.error(), Code::datastore);
    std::this_thread::sleep_for(backoff.next());
  }
  return fail(Code::try_again_later,
              fmt::format("pod {}/{}: changed by others each time", pod.ns, pod.name));
}

}  // namespace

CniResult<PodWishes> read_pod(store::Store& store, const PodIdentity& pod) {
  MARGAY_TRY(const Object object, get_pod(store, pod));
  const auto ns = get(store, {"namespaces", {}, pod.ns});
  if (!ns && ns.error().code != ErrorCode::not_found) return fail(ns.error(), Code::datastore);
  return wishes_of(object.annotations(), ns ? ns->annotations() : Annotations{});
}

CniResult<> annotate_pod(store::Store& store, const PodIdentity& pod,
                         const std::vector<IPAddress>& addresses, const std::string& container_id) {
  std::string all;
  for (const auto& address : addresses) {
    all += (all.empty() ? "" : ",") + base::Prefix(address).to_string();
  }
  const Annotations wanted{
      {"podIP", all.substr(0, all.find(','))}, {"podIPs", all}, {"containerID", container_id}};
  return edit(store, pod, [&](const Annotations& current) -> std::optional<Annotations> {
    const bool there = std::ranges::all_of(wanted, [&](const auto& pair) {
      const auto found = current.find(pair.first);
      return found != current.end() && found->second == pair.second;
    });
    return there ? std::nullopt : std::optional(wanted);
  });
}

CniResult<> clear_pod(store::Store& store, const PodIdentity& pod, const std::string& container_id,
                      const std::vector<IPAddress>& addresses) {
  const auto done = edit(store, pod, [&](const Annotations& current) -> std::optional<Annotations> {
    if (!is_of(current, container_id, addresses)) return std::nullopt;
    return Annotations{{"podIP", ""}, {"podIPs", ""}, {"containerID", ""}};
  });
  if (!done && done.error().code == Code::pod_unknown) return {};
  return done;
}

}  // namespace margay::cni
