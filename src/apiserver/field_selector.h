#pragma once

// Field selectors: "metadata.name=a,status.phase!=Running". Every kind has metadata.name and
// (namespaced kinds) metadata.namespace; a few have more, as in Kubernetes. Other fields are
// refused, never ignored.

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/kind.h"
#include "base/result.h"

namespace margay::apiserver {

struct FieldRequirement {
  std::string path;
  bool equal = true;
  std::string value;
  bool operator==(const FieldRequirement&) const = default;
};

class FieldSelector {
 public:
  FieldSelector() = default;  // everything
  static base::Result<FieldSelector> parse(const api::Kind& kind, std::string_view text);

  bool empty() const { return requirements_.empty(); }
  bool matches(const boost::json::object& object) const;
  // Takes "<path>=value" out of the selector when it has one: for what a store can look up.
  std::optional<std::string> extract(std::string_view path);
  const std::vector<FieldRequirement>& requirements() const { return requirements_; }

 private:
  std::vector<FieldRequirement> requirements_;  // all must hold
};

// The parts of an object that label and field selectors of its kind may look at, and nothing else.
boost::json::object selectable_part(const api::Kind& kind, const boost::json::object& object);

}  // namespace margay::apiserver
