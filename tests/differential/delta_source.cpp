#include "differential/delta_source.h"

namespace margay::differential {

using base::Result;
using policy::Delta;

Result<std::vector<Delta>> DeltaSource::start(const policy::Model& model) {
  for (const auto& change : model.changes()) graph_.on_change(change);
  graph_.on_in_sync();
  return flush();
}

Result<std::vector<Delta>> DeltaSource::change(const std::vector<policy::ModelChange>& changes) {
  for (const auto& change : changes) graph_.on_change(change);
  return flush();
}

Result<std::vector<Delta>> DeltaSource::flush() {
  auto deltas = graph_.flush();
  for (const auto& delta : deltas) MARGAY_CHECK(program_.apply(delta));
  return deltas;
}

}  // namespace margay::differential
