#pragma once

// Keys of the model, and the objects that they are named for: pod shop/web for the endpoint
// {node-a, k8s, shop/web, eth0}, NetworkPolicy shop/web for the policy {default, shop, web}.
// Others may claim such a key (a WorkloadEndpoint, a policy called default.web); some keys, as
// those of blocks, are named for no object.

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "policy/model.h"
#include "store/store.h"

namespace margay::k8s {

namespace detail {
template <typename>
struct KeysOf;
template <typename... Changes>
struct KeysOf<std::variant<Changes...>> {
  using Type = std::variant<decltype(Changes::key)...>;
};
}  // namespace detail

// The alternatives are those of ModelChange, in its order.
using ModelKey = detail::KeysOf<policy::ModelChange>::Type;

ModelKey key_of(const policy::ModelChange& change);
policy::ModelChange removal_of(const ModelKey& key);

// What is in a key besides the name of an object: a workload's or host endpoint's node, a policy's
// tier. Lives as long as the key.
std::string_view qualifier_of(const ModelKey& key);
// The key of this qualifier that is named for an object; nothing when objects of the resource give
// no key their name.
std::optional<ModelKey> key_named_for(const store::Key& object, std::string_view qualifier);
// The object that the key is named for; nothing when it is named for none. The reverse:
// key_named_for(*namesake_of(key), qualifier_of(key)) == key.
std::optional<store::Key> namesake_of(const ModelKey& key);

}  // namespace margay::k8s
