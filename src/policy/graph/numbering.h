#pragma once

// Dense numbers for names, so that what is known of each stands in a table and is found without its
// name. A number is used again once its name is gone.

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace margay::policy {

class Numbering {
 public:
  using Number = uint32_t;

  // The name's number; true: it is new.
  std::pair<Number, bool> assign(const std::string& name) {
    const Number next = free_.empty() ? static_cast<Number>(numbers_.size()) : free_.back();
    const auto [known, is_new] = numbers_.try_emplace(name, next);
    if (is_new && !free_.empty()) free_.pop_back();
    return {known->second, is_new};
  }
  std::optional<Number> find(const std::string& name) const {
    const auto known = numbers_.find(name);
    return known == numbers_.end() ? std::nullopt : std::optional(known->second);
  }
  void release(const std::string& name) {
    const auto known = numbers_.find(name);
    free_.push_back(known->second);
    numbers_.erase(known);
  }
  size_t size() const { return numbers_.size(); }

 private:
  boost::unordered_flat_map<std::string, Number> numbers_;
  std::vector<Number> free_;
};

}  // namespace margay::policy
