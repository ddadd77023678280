#include "later_fields.h"

#include <algorithm>

namespace margay::peers {
namespace {

void compare(const api::Schema& ours, const GoField& theirs, const std::string& path,
             std::vector<std::string>& misplaced) {
  if (ours.items && !theirs.parts.empty())
    compare(*ours.items, theirs.parts.front(), path + "[]", misplaced);
  for (const auto& field : ours.fields) {
    const std::string here = (path.empty() ? "" : path + ".") + field.name;
    const auto found = std::ranges::find(theirs.parts, field.name, &GoField::name);
    const bool is_theirs = found != theirs.parts.end();
    if (is_theirs == field.is_beyond_v3_19)
      misplaced.push_back(here + (is_theirs ? ": is in v3.19, though described as beyond it"
                                            : ": is beyond v3.19, and not described so"));
    if (is_theirs) compare(*field.schema, *found, here, misplaced);
  }
}

}  // namespace

std::vector<std::string> misplaced_fields(const api::Schema& ours, const GoField& theirs) {
  std::vector<std::string> misplaced;
  compare(ours, theirs, {}, misplaced);
  return misplaced;
}

}  // namespace margay::peers
