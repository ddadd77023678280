#pragma once

// Which class an (address, protocol, port) is of: the sets of named ports that contain it.
// Otherwise as AddressClasses.

#include <cstdint>
#include <vector>

#include "policy/program.h"
#include "vector/classifier/named_port_table.h"
#include "vector/classifier/staged_classes.h"

namespace margay::vector {

class NamedPortClasses {
 public:
  explicit NamedPortClasses(Rcu& rcu) : table_(rcu), classes_(sets_, table_) {}

  // Workers. A class or a transition.
  const NamedPortTable& table() const { return table_; }
  uint32_t resolve(uint32_t value, uint64_t generation) const {
    return classes_.resolve(value, generation);
  }

  // Control thread. Idempotent.
  void add(uint32_t atom, const policy::SetMember& member) {
    const auto [node, is_new] = classes_.nodes().try_emplace(member);
    if (is_new) {
      sets_.ref(node->second.own);
      sets_.ref(node->second.effective);
    }
    change(node, sets_.with(node->second.own, atom));
  }
  void remove(uint32_t atom, const policy::SetMember& member) {
    const auto node = classes_.nodes().find(member);
    if (node != classes_.nodes().end()) change(node, sets_.without(node->second.own, atom));
  }

  void stage(uint64_t generation, auto use) {
    classes_.stage(generation, [](const policy::SetMember&) { return 0; }, use);
  }
  std::vector<uint32_t> commit(uint64_t generation) { return classes_.commit(generation); }
  void release(const std::vector<uint32_t>& spent) { classes_.release(spent); }

  AtomSets& sets() { return sets_; }
  const AtomSets& sets() const { return sets_; }
  size_t members() { return classes_.nodes().size(); }
  size_t transitions() const { return classes_.transitions(); }

 private:
  using Classes = StagedClasses<policy::SetMember, NamedPortTable>;

  void change(Classes::Node node, uint32_t set) {
    classes_.set_own(node, set);
    classes_.set_effective(node, sets_.ref(set));
  }

  AtomSets sets_;
  NamedPortTable table_;
  Classes classes_;
};

}  // namespace margay::vector
