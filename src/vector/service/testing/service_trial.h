#pragma once

// Random changes and flows through ServiceTable and ServiceModel side by side.

#include <fmt/format.h>

#include <array>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "vector/service/service_table.h"
#include "vector/service/testing/random_services.h"
#include "vector/service/testing/service_model.h"

namespace margay::vector::testing {

struct TrialReport {
  uint64_t mismatches = 0;
  std::string description;  // of the first
  uint64_t changes = 0, evictions = 0, bound = 0;
  std::array<uint64_t, 5> results{};  // by Choice::Result
};

class ServiceTrial {
 public:
  // With `affinity_clients` fewer than the trial's 48 x 6, clients are forgotten early: then
  // the Maglev choice is right as well.
  ServiceTrial(uint64_t seed, uint32_t affinity_clients)
      : random_(seed),
        limits_{
            .services = 16, .backends = 256, .frontends = 64, .affinity_clients = affinity_clients},
        rcu_(1),
        worker_(limits_, seed),
        table_(&rcu_, limits_, {&worker_}) {
    rcu_.online(0);
  }
  ~ServiceTrial() { rcu_.offline(0); }

  TrialReport run(uint64_t operations) {
    for (uint64_t done = 0; done < operations;) {
      if (random_.below(4) == 0) rcu_.quiescent(0);
      now_ms_ += random_.below(200);
      if (random_.below(4) == 0) {
        change();
        ++done;
      }
      const auto flows = some_flows();
      std::vector<Choice> choices(flows.size());
      if (flows.size() == 1) {
        choices[0] = table_.choose(flows[0], now_ms_, &worker_);
      } else {
        table_.choose(flows, now_ms_, &worker_, choices);
      }
      for (size_t i = 0; i < flows.size(); ++i) check(flows[i], choices[i]);
      done += flows.size();
    }
    check_listing();
    report_.evictions = worker_.affinity.evictions();
    return report_;
  }

 private:
  void change() {
    ++report_.changes;
    if (random_.one_in(5)) {
      const auto gone = random_.name();
      const bool known = model_.services().contains(gone);
      if (table_.remove_service(gone) != known) mismatch("remove_service of " + gone);
      model_.remove(gone);
      counts_.erase(gone);
      for (auto& [number, owner] : numbers_)
        if (owner.first == gone) dead_.insert(number);
    } else {
      set(random_.config());
    }
    check_alive();
    if (random_.one_in(64)) check_listing();
  }

  void set(const ServiceConfig& config) {
    const bool is_valid = validate(config).has_value();
    if (table_.set_service(config).has_value() != is_valid) mismatch("set_service " + config.name);
    if (!is_valid) return;
    model_.set(config);
    for (const auto& [number, owner] : numbers_)
      if (owner.first == config.name && !has_backend(config, owner.second)) dead_.insert(number);
  }

  static bool has_backend(const ServiceConfig& config, const BackendIdentity& identity) {
    return std::ranges::count(config.backends, identity, &Backend::identity) != 0;
  }

  std::vector<FlowTuple> some_flows() {
    std::vector<FlowTuple> flows(random_.one_in(3) ? 1 : 1 + random_.below(32));
    for (auto& each : flows) each = random_.flow();
    return flows;
  }

  void check(const FlowTuple& flow, const Choice& choice) {
    const auto expected = model_.judge(flow, now_ms_);
    ++report_.results[static_cast<size_t>(choice.result)];
    if (choice.result != expected.result)
      return mismatch(
          fmt::format("result {} instead of {}", int(choice.result), int(expected.result)));
    if (!expected.service.empty()) {
      auto& counts = counts_[expected.service];
      ++(choice.result == Choice::Result::chosen ? counts.flows : counts.refused);
    }
    if (choice.result != Choice::Result::chosen) return;

    const BackendIdentity backend{
        *base::IPAddress::from_bytes({choice.address.data(), flow.family == 4 ? 4U : 16U}),
        choice.port};
    const auto told = fmt::format("{} for {}", backend.address.to_string(), expected.service);
    if (std::ranges::count(expected.allowed, backend) == 0) mismatch("not allowed: " + told);
    const bool forgotten = worker_.affinity.evictions() != 0 && backend == expected.by_hash;
    if (backend != expected.bound.value_or(expected.by_hash) && !forgotten)
      mismatch((expected.bound ? "affinity lost: " : "not Maglev's choice: ") + told);
    if (choice.masquerade != expected.masquerade) mismatch("masquerade: " + told);
    if (!table_.is_alive(choice.backend)) mismatch("chosen, but not alive: " + told);
    if (expected.bound) ++report_.bound;
    model_.chosen(flow, expected.service, backend, now_ms_);
    const auto [known, is_new] = numbers_.insert({choice.backend, {expected.service, backend}});
    if (!is_new && known->second != std::pair(expected.service, backend))
      mismatch("number of another backend: " + told);
  }

  // A number that died may come back only when its count has gone round: forget it by then.
  void check_alive() {
    for (const auto& [number, owner] : numbers_)
      if (table_.is_alive(number) == dead_.contains(number))
        mismatch(
            fmt::format("is_alive of {} of {}", owner.second.address.to_string(), owner.first));
    if (dead_.size() < 256) return;
    for (const auto each : dead_) numbers_.erase(each);
    dead_.clear();
  }

  void check_listing() {
    const auto listed = table_.list();
    if (listed.size() != model_.services().size()) mismatch("services listed");
    for (const auto& each : listed) {
      for (const auto& [frontend, has_it] : each.frontends) {
        FlowTuple flow{.service = address_bytes(frontend.address),
                       .service_port = frontend.port,
                       .protocol = frontend.protocol,
                       .family = static_cast<uint8_t>(frontend.address.family())};
        if (has_it != (model_.owner(flow)->name == each.name)) mismatch("owner of a frontend");
      }
      if (each.counts != counts_[each.name]) mismatch("counts of " + each.name);
    }
  }

  void mismatch(const std::string& what) {
    if (report_.mismatches++ == 0)
      report_.description = fmt::format("after {} changes: {}", report_.changes, what);
  }

  RandomServices random_;
  ServiceLimits limits_;
  Rcu rcu_;
  ServiceWorker worker_;
  ServiceTable table_;
  ServiceModel model_;
  std::map<uint32_t, std::pair<std::string, BackendIdentity>> numbers_;
  std::set<uint32_t> dead_;
  std::map<std::string, ServiceCounts> counts_;
  uint64_t now_ms_ = 0;
  TrialReport report_;
};

// An operation is a flow or a change of configuration.
inline TrialReport run_service_trial(uint64_t seed, uint64_t operations,
                                     uint32_t affinity_clients = 4096) {
  return ServiceTrial(seed, affinity_clients).run(operations);
}

}  // namespace margay::vector::testing
