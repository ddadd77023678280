#include "dataplane/nftables/set_elements.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace margay::dataplane::nftables {

using policy::Prefix;
using policy::SetMember;
using policy::SetType;

void SetElements::set(const std::string& name, SetType type, const policy::SetMembers& members) {
  const auto [found, is_new] = desired_.try_emplace(name);
  auto& set = found->second;
  refused_.erase(name);
  if (is_new || set.type != type) {
    set = Desired{.type = type};
    auto& pending = pending_[name];
    pending.clear();
    if (const auto kernel = kernel_.find(name); kernel != kernel_.end())
      pending = kernel->second.elements;
    superfluous_.erase(name);
  }
  std::vector<SetMember> removed;
  for (const auto& member : set.members)
    if (!members.contains(member)) removed.push_back(member);
  for (const auto& member : removed) erase(name, set, member);
  for (const auto& member : members)
    if (member.net.family() == family_) insert(name, set, member);
}

void SetElements::change(const std::string& name, const std::vector<SetMember>& added,
                         const std::vector<SetMember>& removed) {
  const auto found = desired_.find(name);
  if (found == desired_.end()) {
    spdlog::error("members given for the unknown set {}", name);
    return;
  }
  for (const auto& member : removed) erase(name, found->second, member);
  for (const auto& member : added)
    if (member.net.family() == family_) insert(name, found->second, member);
}

void SetElements::insert(const std::string& name, Desired& set, const SetMember& member) {
  if (!set.members.insert(member).second) return;
  ++set.of_length.at(member.net.length());
  touch(name, set, member);
}

void SetElements::erase(const std::string& name, Desired& set, const SetMember& member) {
  if (set.members.erase(member) == 0) return;
  --set.of_length.at(member.net.length());
  touch(name, set, member);
}

// With a net, those within it may be elements no longer, or again.
void SetElements::touch(const std::string& name, const Desired& set, const SetMember& member) {
  auto& pending = pending_[name];
  pending.insert(member);
  if (set.type != SetType::nets || member.net.is_single()) return;
  for (auto within = set.members.upper_bound(member);
       within != set.members.end() && member.net.contains(within->net); ++within)
    pending.insert(*within);
}

bool SetElements::is_element(const Desired& set, const SetMember& member) {
  if (!set.members.contains(member)) return false;
  if (set.type != SetType::nets) return true;
  for (unsigned length = 0; length < member.net.length(); ++length)
    if (set.of_length.at(length) > 0 &&
        set.members.contains({.net = Prefix(member.net.address(), length)}))
      return false;
  return true;
}

void SetElements::remove(const std::string& name) {
  desired_.erase(name);
  pending_.erase(name);
  refused_.erase(name);
  if (kernel_.contains(name)) superfluous_.insert(name);
}

void SetElements::learn(std::map<std::string, KernelSet> kernel) {
  kernel_ = std::move(kernel);
  pending_.clear();
  superfluous_.clear();
  for (const auto& [name, set] : desired_) pending_[name] = set.members;
  for (const auto& [name, set] : kernel_) {
    if (desired_.contains(name))
      pending_[name].insert(set.elements.begin(), set.elements.end());
    else
      superfluous_.insert(name);
  }
}

std::vector<SetElements::Difference> SetElements::differences() const {
  std::vector<Difference> out;
  for (const auto& [name, pending] : pending_) {
    if (refused_.contains(name)) continue;
    const auto& set = desired_.at(name);
    const auto kernel = kernel_.find(name);
    Difference difference{.name = name, .type = set.type};
    const bool is_there = kernel != kernel_.end();
    difference.rebuild = is_there && kernel->second.type != set.type;
    difference.create = !is_there || difference.rebuild;
    const Elements none;
    const auto& have = difference.create ? none : kernel->second.elements;
    for (const auto& member : difference.create ? set.members : pending) {
      const bool wanted = is_element(set, member);
      if (wanted != have.contains(member))
        (wanted ? difference.added : difference.removed).push_back(member);
    }
    if (difference.create || !difference.added.empty() || !difference.removed.empty())
      out.push_back(std::move(difference));
  }
  return out;
}

std::set<std::string> SetElements::superfluous() const { return superfluous_; }

void SetElements::assume_written(bool removed) {
  for (const auto& difference : differences()) {
    auto& kernel = kernel_[difference.name];
    if (difference.create) kernel = {};
    kernel.type = difference.type;
    for (const auto& member : difference.removed) kernel.elements.erase(member);
    kernel.elements.insert(difference.added.begin(), difference.added.end());
  }
  std::erase_if(pending_, [&](const auto& entry) { return !refused_.contains(entry.first); });
  if (!removed) return;
  for (const auto& name : superfluous_) kernel_.erase(name);
  superfluous_.clear();
}

void SetElements::refuse(const std::string& name, std::string reason) {
  refused_.insert_or_assign(name, std::move(reason));
}

void SetElements::allow_all() { refused_.clear(); }

}  // namespace margay::dataplane::nftables
