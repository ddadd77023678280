#include "k8s/converter.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace margay::k8s {
namespace {

std::string name_of(const store::Key& object) { return object.ns + '/' + object.name; }

}  // namespace

std::optional<ModelKey> Converter::place_of(const store::Key& object) const {
  const auto placed = placed_.find(object.resource);
  if (placed == placed_.end()) return std::nullopt;
  const auto name = placed->second.names.find(name_of(object));
  if (!name) return std::nullopt;
  const base::Symbol qualifier = placed->second.qualifiers[*name];
  if (qualifier == k_stranger) return strangers_.at(object);
  return key_named_for(object, qualifiers_.text(qualifier));
}

std::optional<store::Key> Converter::owner_of(const ModelKey& key) const {
  if (auto first = namesake_of(key); first && place_of(*first) == key) return first;
  const auto claims = claims_.find(key);
  if (claims == claims_.end()) return std::nullopt;
  return claims->second.begin()->first;
}

// An object that has no place yet.
void Converter::place(const store::Key& object, const policy::ModelChange& change) {
  const ModelKey key = key_of(change);
  const std::string_view qualifier = qualifier_of(key);
  const bool is_namesake = key_named_for(object, qualifier) == key;
  Placed& placed = placed_[object.resource];
  const base::Symbol name = placed.names.acquire(name_of(object));
  if (name >= placed.qualifiers.size()) placed.qualifiers.resize(name + 1);
  placed.qualifiers[name] = is_namesake ? qualifiers_.acquire(qualifier) : k_stranger;
  if (is_namesake) return;
  strangers_.emplace(object, key);
  claims_[key].emplace(object, change);
}

void Converter::unplace(const store::Key& object, const ModelKey& key) {
  Placed& placed = placed_.at(object.resource);
  const base::Symbol name = placed.names.find(name_of(object)).value();
  placed.names.release(name);
  if (placed.qualifiers[name] != k_stranger) return qualifiers_.release(placed.qualifiers[name]);
  strangers_.erase(object);
  const auto claims = claims_.find(key);
  claims->second.erase(object);
  if (claims->second.empty()) claims_.erase(claims);
}

Converter::Changes Converter::set(const store::Key& object, Reading reading) {
  if (!reading.change) return remove(object);
  address_claims_.set(object, reading);
  Changes changes = replace(object, *std::move(reading.change));
  review_claims(changes);
  return changes;
}

Converter::Changes Converter::remove(const store::Key& object) {
  address_claims_.remove_pod(object);
  const auto key = place_of(object);
  if (!key) return {};
  Changes changes = take_out(object, *key);
  review_claims(changes);
  return changes;
}

void Converter::review_claims(Changes& changes) {
  for (auto& [pod, change] : address_claims_.take_reviewed())
    std::ranges::move(replace(pod, std::move(change)), std::back_inserter(changes));
}

Converter::Changes Converter::replace(const store::Key& object, policy::ModelChange change) {
  Changes changes;
  if (const auto before = place_of(object)) {
    if (*before == key_of(change))
      unplace(object, *before);
    else
      changes = take_out(object, *before);
  }
  place(object, change);
  if (!shadowed_by(object)) changes.push_back(std::move(change));
  return changes;
}

Converter::Changes Converter::take_out(const store::Key& object, const ModelKey& key) {
  if (const auto* cidr = std::get_if<policy::Prefix>(&key))
    address_claims_.remove_block(object, *cidr);
  const bool was_owner = owner_of(key) == object;
  unplace(object, key);
  if (!was_owner) return {};
  const auto next = owner_of(key);
  return {next ? claims_.at(key).at(*next) : removal_of(key)};
}

std::optional<store::Key> Converter::shadowed_by(const store::Key& object) const {
  const auto placed = placed_.find(object.resource);
  if (placed == placed_.end()) return std::nullopt;
  const auto name = placed->second.names.find(name_of(object));
  // What a key is named for has it.
  if (!name || placed->second.qualifiers[*name] != k_stranger) return std::nullopt;
  auto owner = owner_of(strangers_.at(object));
  if (owner == object) return std::nullopt;
  return owner;
}

}  // namespace margay::k8s
