#include "dataplane/linux/names.h"

#include <algorithm>

#include "policy/digest.h"

namespace margay::dataplane::linux_host {
namespace {

constexpr size_t k_chain_length = 28;
constexpr size_t k_set_length = 31;

std::string hashed_name(std::string prefix, std::string_view name) {
  prefix += '_';
  return prefix + policy::digest(name, k_chain_length - prefix.size());
}

// What needs no quoting: names come from objects that others may have written.
bool is_plain(std::string_view name) {
  return std::ranges::all_of(name, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("._-").contains(c);
  });
}

// The name itself where it fits, is plain and cannot be taken for a hash; else "_" and as much of
// its hash as fits.
std::string limited(std::string_view prefix, std::string_view name) {
  std::string whole = std::string(prefix).append(name);
  if (whole.size() <= k_chain_length && !name.starts_with('_') && is_plain(name)) return whole;
  return hashed_name(std::string(prefix), name);
}

}  // namespace

std::string policy_chain(Direction direction, const policy::PolicyKey& key) {
  const std::string_view prefix = direction == Direction::ingress ? "cali-pi-" : "cali-po-";
  return hashed_name(std::string(prefix), key.tier + "/" + key.id());
}

std::string profile_chain(Direction direction, std::string_view profile) {
  return limited(direction == Direction::ingress ? "cali-pri-" : "cali-pro-", profile);
}

std::string from_workload_chain(std::string_view interface_name) {
  return limited("cali-fw-", interface_name);
}

std::string to_workload_chain(std::string_view interface_name) {
  return limited("cali-tw-", interface_name);
}

std::string host_chain(Direction direction, bool forward, std::string_view interface_name) {
  const bool comes_in = direction == Direction::ingress;
  if (forward) return limited(comes_in ? "cali-fhfw-" : "cali-thfw-", interface_name);
  return limited(comes_in ? "cali-fh-" : "cali-th-", interface_name);
}

std::string branch_chain(std::string_view dispatch, std::string_view characters) {
  return limited(std::string(dispatch) + "-", characters);
}

std::string set_prefix(IPFamily family) { return family == IPFamily::v4 ? "cali40" : "cali60"; }

std::string temporary_set_prefix(IPFamily family) {
  return family == IPFamily::v4 ? "cali4t" : "cali6t";
}

std::string set_name(IPFamily family, std::string_view id) {
  std::string name = set_prefix(family).append(id);
  if (name.size() > k_set_length) name.resize(k_set_length);
  return name;
}

}  // namespace margay::dataplane::linux_host
