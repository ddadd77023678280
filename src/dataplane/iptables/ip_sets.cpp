#include "dataplane/iptables/ip_sets.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>

#include "dataplane/iptables/linux_names.h"

namespace margay::dataplane::iptables {
namespace {

using base::Result;
using policy::IPFamily;
using policy::SetMember;
using policy::SetType;

// Of reading all sets and writing what differs, in one apply_updates(): a second each where there
// are many.
constexpr int k_most_rounds = 16;
// What ipset says when the kernel has no place for another (65,534 in a network namespace).
constexpr std::string_view k_no_place = "maximal number of sets";

const char* type_name(SetType type) { return type == SetType::nets ? "hash:net" : "hash:ip,port"; }

// None: of a type that we never make.
std::optional<SetType> type_named(std::string_view text) {
  for (const auto type : {SetType::nets, SetType::named_ports})
    if (text == type_name(type)) return type;
  return std::nullopt;
}

std::string_view word(std::string_view text, size_t index) {
  for (; index > 0; --index) {
    const size_t space = text.find(' ');
    if (space == std::string_view::npos) return {};
    text.remove_prefix(space + 1);
  }
  return text.substr(0, text.find(' '));
}

size_t number_after(std::string_view text, std::string_view label) {
  const size_t at = text.find(label);
  size_t number = 0;
  if (at != std::string_view::npos)
    std::from_chars(text.data() + at + label.size(), text.data() + text.size(), number);
  return number;
}

}  // namespace

IPSets::IPSets(IPFamily family, Commands& commands, size_t max_size)
    : family_(family), commands_(commands), max_size_(max_size) {}

void IPSets::set(std::string_view id, SetType type, const policy::SetMembers& members) {
  Set fresh{.type = type};
  for (const auto& member : members)
    if (member.net.family() == family_) fresh.members.insert(fresh.members.end(), member);
  const std::string name = set_name(family_, id);
  const auto [existing, is_new] = desired_.try_emplace(name);
  auto& old = existing->second;
  if (!is_new && old.type == type) {
    std::vector<SetMember> added, removed;
    std::ranges::set_difference(fresh.members, old.members, std::back_inserter(added));
    std::ranges::set_difference(old.members, fresh.members, std::back_inserter(removed));
    // Adds alone or removes alone are never half of something else.
    if (added.empty() || removed.empty()) return change(id, added, removed);
  }
  old = std::move(fresh);
  pending_[name] = {.rewrite = true};
}

void IPSets::change(std::string_view id, const std::vector<SetMember>& added,
                    const std::vector<SetMember>& removed) {
  const std::string name = set_name(family_, id);
  const auto set = desired_.find(name);
  if (set == desired_.end()) {
    spdlog::error("members given for the unknown set {}", id);
    return;
  }
  auto& members = set->second.members;
  auto& pending = pending_[name];
  for (const auto& member : removed) {
    if (members.erase(member) == 0) continue;
    pending.added.erase(member);
    pending.removed.insert(member);
  }
  for (const auto& member : added) {
    if (member.net.family() != family_ || !members.insert(member).second) continue;
    pending.removed.erase(member);
    pending.added.insert(member);
  }
}

void IPSets::remove(std::string_view id) {
  const std::string name = set_name(family_, id);
  desired_.erase(name);
  pending_.erase(name);
}

Result<> IPSets::apply_updates() {
  refused_.clear();
  if (auto written = write_updates(); !written) {
    refused_.clear();
    return written;
  }
  std::erase_if(*kernel_, [&](const auto& entry) {
    return entry.first.starts_with(temporary_set_prefix(family_));
  });
  for (const auto& [name, pending] : pending_) {
    if (refused_.contains(name)) continue;
    const auto& set = desired_.at(name);
    auto& header = (*kernel_)[name];
    header = {.type = set.type, .capacity = std::max(header.capacity, max_size_)};
  }
  pending_.clear();
  if (refused_.empty()) return {};
  resync();  // how far those came is not known
  return base::fail(base::ErrorCode::unavailable,
                    fmt::format("set {}: {}", refused_.begin()->first, refused_.begin()->second));
}

// One set that fails does not keep the others from being written. The first time it does, another
// program may have changed it under us: it is judged by what is there. Where the kernel has no
// place for more sets, or many fail, the rest of them are refused together.
Result<> IPSets::write_updates() {
  for (const auto& [name, set] : desired_)
    if (set.members.size() > max_size_)
      refused_[name] =
          fmt::format("{} members, and maxIpsetSize is {}", set.members.size(), max_size_);
  std::set<std::string> failed_once;
  for (int round = 1;; ++round) {
    if (!kernel_) MARGAY_CHECK(load());
    const auto changes = difference();
    std::string input;
    for (const auto& change : changes) input += change.lines;
    if (input.empty()) return {};
    auto written = commands_.restore_sets(input);
    if (written) return {};
    const std::string& message = written.error().message;
    const auto there = *std::exchange(kernel_, std::nullopt);
    auto line = static_cast<ptrdiff_t>(number_after(message, "line "));
    const auto at_fault = std::ranges::find_if(changes, [&](const Change& change) {
      const auto lines = std::ranges::count(change.lines, '\n');
      if (line > 0 && line <= lines) return true;
      line -= lines;
      return false;
    });
    if (at_fault == changes.end() || at_fault->set.empty()) return written;
    const bool has_no_place = message.contains(k_no_place);
    if (has_no_place || round >= k_most_rounds || !failed_once.insert(at_fault->set).second)
      refused_[at_fault->set] = message;
    for (auto change = at_fault; change != changes.end(); ++change)
      if (round >= k_most_rounds || (has_no_place && !there.contains(change->set)))
        refused_[change->set] = message;
  }
}

// Replaces all that is pending by the difference between what is read and what is desired.
Result<> IPSets::load() {
  MARGAY_TRY(const std::string saved, commands_.save_sets());
  std::map<std::string, Header> kernel;
  std::map<std::string, Members> members;
  std::set<std::string> unreadable;  // with members that we never write
  const std::string owned = set_prefix(family_), temporary = temporary_set_prefix(family_);
  for (size_t at = 0; at < saved.size();) {
    const size_t end = std::min(saved.find('\n', at), saved.size());
    const std::string_view line(saved.data() + at, end - at);
    at = end + 1;
    const std::string_view name = word(line, 1);
    if (!name.starts_with(owned) && !name.starts_with(temporary)) continue;
    if (line.starts_with("create ")) {
      kernel[std::string(name)] = {.type = type_named(word(line, 2)),
                                   .capacity = number_after(line, " maxelem ")};
    } else if (line.starts_with("add ")) {
      const std::string key(name);
      const auto type = kernel[key].type;
      if (!type) continue;
      if (const auto member = parse_member(*type, word(line, 2)))
        members[key].insert(*member);
      else
        unreadable.insert(key);
    }
  }
  pending_.clear();
  for (const auto& [name, set] : desired_) {
    const auto header = kernel.find(name);
    auto& pending = pending_[name];
    pending.rewrite =
        header == kernel.end() || header->second.type != set.type || unreadable.contains(name);
    if (pending.rewrite) continue;
    auto& there = members[name];
    std::ranges::set_difference(set.members, there,
                                std::inserter(pending.added, pending.added.end()));
    std::ranges::set_difference(there, set.members,
                                std::inserter(pending.removed, pending.removed.end()));
  }
  kernel_ = std::move(kernel);
  return {};
}

Result<Differences> IPSets::differences() {
  MARGAY_CHECK(load());
  Differences out;
  const auto add = [&](const std::string& name, std::string problem) {
    out.push_back({StateKind::sets, "set " + name, std::move(problem)});
  };
  for (const auto& [name, pending] : pending_) {
    const auto type = desired_.at(name).type;
    if (pending.rewrite) add(name, kernel_->contains(name) ? "is of another kind" : "missing");
    for (const auto& member : pending.added) add(name, "lacks " + to_text(type, member));
    for (const auto& member : pending.removed)
      add(name, fmt::format("has {}, which is not wanted", to_text(type, member)));
  }
  for (const auto& [name, header] : *kernel_)
    if (!desired_.contains(name)) add(name, "not wanted");
  return out;
}

std::vector<IPSets::Change> IPSets::difference() const {
  std::vector<Change> changes(1);
  // Left by a run that ended in the middle of a swap; no rule ever names one.
  for (const auto& [name, header] : *kernel_)
    if (name.starts_with(temporary_set_prefix(family_)))
      changes[0].lines += fmt::format("destroy {}\n", name);
  for (const auto& [name, pending] : pending_) {
    if (refused_.contains(name)) continue;
    changes.push_back({.set = name});
    add_difference(name, pending, changes.back().lines);
  }
  return changes;
}

void IPSets::add_difference(const std::string& name, const Pending& pending,
                            std::string& input) const {
  const Set& set = desired_.at(name);
  const auto header = kernel_->find(name);
  if (header == kernel_->end()) {
    add_filled(name, set, input);
    return;
  }
  if (header->second.type != set.type) {  // works only while no rule names it, and says so
    input += fmt::format("destroy {}\n", name);
    add_filled(name, set, input);
    return;
  }
  if (pending.rewrite || header->second.capacity < set.members.size()) {
    const std::string beside = temporary_set_prefix(family_) + "0";
    add_filled(beside, set, input);
    input += fmt::format("swap {} {}\ndestroy {}\n", beside, name, beside);
    return;
  }
  for (const auto& member : pending.added)
    input += fmt::format("add {} {}\n", name, to_text(set.type, member));
  for (const auto& member : pending.removed)
    input += fmt::format("del {} {}\n", name, to_text(set.type, member));
}

void IPSets::add_filled(const std::string& name, const Set& set, std::string& input) const {
  input += fmt::format("create {} {} family {} maxelem {}\n", name, type_name(set.type),
                       family_ == IPFamily::v4 ? "inet" : "inet6", max_size_);
  for (const auto& member : set.members)
    input += fmt::format("add {} {}\n", name, to_text(set.type, member));
}

bool IPSets::has_removals() const {
  return kernel_ && std::ranges::any_of(*kernel_, [&](const auto& entry) {
           return !desired_.contains(entry.first);
         });
}

Result<> IPSets::apply_removals() {
  if (!kernel_) return {};
  std::vector<std::string> names;
  for (const auto& [name, header] : *kernel_)
    if (!desired_.contains(name)) names.push_back(name);
  while (!names.empty()) {
    std::string input;
    for (const auto& name : names) input += fmt::format("destroy {}\n", name);
    const auto written = commands_.restore_sets(input);
    // Line N could not be destroyed; those before it are gone, those after it not yet tried.
    const size_t line = written ? names.size() + 1 : number_after(written.error().message, "line ");
    if (line == 0 || (!written && line > names.size())) {
      resync();
      return written;
    }
    for (size_t i = 0; i + 1 < line; ++i) kernel_->erase(names[i]);
    if (!written)
      spdlog::debug("set {} stays for now: {}", names[line - 1], written.error().message);
    names.erase(names.begin(),
                names.begin() + static_cast<ptrdiff_t>(std::min(line, names.size())));
  }
  return {};
}

}  // namespace margay::dataplane::iptables
