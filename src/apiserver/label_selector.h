#pragma once

// Kubernetes label selectors in query form: "app=web,tier in (a, b),!legacy".
// (https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors)

#include <boost/json/object.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace margay::apiserver {

struct LabelRequirement {
  enum class Op : uint8_t { in, not_in, exists, not_exists, greater, less };
  std::string key;
  Op op = Op::exists;
  std::vector<std::string> values;  // in, not_in: sorted; greater, less: one decimal number
  bool operator==(const LabelRequirement&) const = default;
};

class LabelSelector {
 public:
  LabelSelector() = default;  // everything
  static base::Result<LabelSelector> parse(std::string_view text);

  bool empty() const { return requirements_.empty(); }
  // `labels`: metadata.labels, or null when the object has none.
  bool matches(const boost::json::object* labels) const;
  const std::vector<LabelRequirement>& requirements() const { return requirements_; }
  size_t terms() const;  // requirements and values

 private:
  std::vector<LabelRequirement> requirements_;  // all must hold
};

}  // namespace margay::apiserver
