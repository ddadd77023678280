#include "node/interface_exclusion.h"

#include <re2/re2.h>

#include <algorithm>

namespace margay::node {

using dataplane::Interface;

class InterfaceExclusion::Patterns {
 public:
  explicit Patterns(const std::vector<std::string>& texts) {
    for (const auto& text : texts) patterns_.push_back(std::make_unique<RE2>(text, RE2::Quiet));
  }
  bool match(const std::string& name) const {
    return std::ranges::any_of(
        patterns_, [&](const auto& pattern) { return RE2::PartialMatch(name, *pattern); });
  }

 private:
  std::vector<std::unique_ptr<RE2>> patterns_;
};

InterfaceExclusion::InterfaceExclusion(const std::vector<std::string>& patterns, Of what,
                                       dataplane::InterfaceSource::Listener& next)
    : patterns_(std::make_unique<const Patterns>(patterns)), what_(what), next_(next) {}
InterfaceExclusion::~InterfaceExclusion() = default;

void InterfaceExclusion::on_interfaces(const std::vector<Interface>& all) {
  std::vector<Interface> kept;
  for (auto interface : all) {
    const bool is_excluded = patterns_->match(interface.name);
    if (is_excluded && what_ == Of::interfaces) continue;
    if (is_excluded) interface.addresses.clear();
    kept.push_back(std::move(interface));
  }
  next_.on_interfaces(kept);
}

void InterfaceExclusion::on_interface(const Interface& interface) {
  if (!patterns_->match(interface.name)) return next_.on_interface(interface);
  if (what_ == Of::interfaces) return;
  Interface without = interface;
  without.addresses.clear();
  next_.on_interface(without);
}

void InterfaceExclusion::on_interface_removed(const std::string& name) {
  if (what_ == Of::addresses || !patterns_->match(name)) next_.on_interface_removed(name);
}

}  // namespace margay::node
