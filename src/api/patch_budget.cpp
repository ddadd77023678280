#include "api/patch_budget.h"

#include <algorithm>

#include "api/codec.h"

namespace margay::api {
namespace {

namespace json = boost::json;

constexpr size_t k_scalar = 5;       // "true,"
constexpr size_t k_punctuation = 3;  // quotes or brackets, and a comma

Extent extent_below(const json::value& value, size_t depth_left) {
  if (const auto* text = value.if_string()) return {text->size() + k_punctuation, 1, 0};
  if (!value.is_structured()) return {k_scalar, 1, 0};
  Extent sum{k_punctuation, 1, 1};
  if (depth_left == 0) return sum;
  const auto add = [&](size_t keys, size_t key, const json::value& member) {
    const auto below = extent_below(member, depth_left - 1);
    sum.bytes += key + below.bytes;
    sum.values += keys + below.values;
    sum.depth = std::max(sum.depth, below.depth + 1);
  };
  if (const auto* array = value.if_array())
    for (const auto& item : *array) add(0, 0, item);
  else
    for (const auto& [key, member] : value.get_object()) add(1, key.size() + k_punctuation, member);
  return sum;
}

}  // namespace

Extent extent_of(const json::value& value) { return extent_below(value, k_max_object_depth + 1); }

base::Result<> PatchBudget::spend(size_t steps) {
  if (steps > left_)
    return base::fail(base::ErrorCode::invalid,
                      "the patch takes too many steps to apply: send smaller ones, or the object");
  left_ -= steps;
  return {};
}

}  // namespace margay::api
