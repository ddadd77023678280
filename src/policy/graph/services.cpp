#include "policy/graph/services.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace margay::policy {

void Services::claim(const Service& service, bool held) {
  const Claimant claimant{service.created, service.key};
  for (const ProgramServicePort& port : program_of(service, {}, view_).ports)
    for (const ProgramFrontend& frontend : port.frontends) {
      const FrontendKey key = key_of(port, frontend);
      auto& claimants = claims_[key];
      if (held)
        claimants.insert(claimant);
      else
        claimants.erase(claimant);
      for (const Claimant& each : claimants) changed_.insert(each.key);
      if (claimants.empty()) claims_.erase(key);
    }
}

void Services::set_service(const Service& service) {
  remove_service(service.key);
  services_.emplace(service.key, service);
  claim(service, true);
  changed_.insert(service.key);
}

void Services::remove_service(const ServiceKey& key) {
  const auto known = services_.extract(key);
  if (known.empty()) return;
  claim(known.mapped(), false);
  changed_.insert(key);
}

void Services::set_slice(const EndpointSlice& slice) {
  remove_slice(slice.key);
  slices_.emplace(slice.key, slice);
  slices_of_[slice.service].insert(slice.key);
  changed_.insert(slice.service);
}

void Services::remove_slice(const EndpointSliceKey& key) {
  const auto known = slices_.extract(key);
  if (known.empty()) return;
  const ServiceKey& service = known.mapped().service;
  changed_.insert(service);
  auto& keys = slices_of_.at(service);
  keys.erase(key);
  if (keys.empty()) slices_of_.erase(service);
}

void Services::set_zone(const std::string& node, const std::string& zone) {
  if (node != view_.node || zone == view_.zone) return;
  view_.zone = zone;
  for (const auto& [key, service] : services_)
    if (service.prefers_zone) changed_.insert(key);
}

void Services::resolve() {
  for (const ServiceKey& key : std::exchange(changed_, {})) resolve(key);
}

void Services::resolve(const ServiceKey& key) {
  const auto service = services_.find(key);
  if (service == services_.end()) {
    programs_.erase(key);
    unprogrammed_.erase(key);
    return;
  }
  std::vector<const EndpointSlice*> slices;
  if (const auto keys = slices_of_.find(key); keys != slices_of_.end())
    for (const EndpointSliceKey& slice : keys->second) slices.push_back(&slices_.at(slice));

  ProgramService program = program_of(service->second, slices, view_);
  std::vector<std::string> reasons;
  for (ProgramServicePort& port : program.ports)
    std::erase_if(port.frontends, [&](const ProgramFrontend& frontend) {
      const FrontendKey claimed = key_of(port, frontend);
      const ServiceKey& owner = claims_.at(claimed).begin()->key;
      if (owner == key) return false;
      reasons.push_back(fmt::format("{} is that of {}", to_string(claimed), owner.id()));
      return true;
    });
  std::erase_if(program.ports,
                [](const ProgramServicePort& port) { return port.frontends.empty(); });

  const bool has_frontends = !program.ports.empty();
  programs_.assign(key, has_frontends ? std::optional(std::move(program)) : std::nullopt);
  unprogrammed_.assign(key, reasons.empty()
                                ? std::nullopt
                                : std::optional(Unprogrammed{
                                      .key = key,
                                      .partly = has_frontends,
                                      .reason = fmt::format("{}", fmt::join(reasons, "; "))}));
}

}  // namespace margay::policy
