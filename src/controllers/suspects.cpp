#include "controllers/suspects.h"

#include <utility>

namespace margay::controllers {

std::vector<ipam::Holding> Suspects::due(std::vector<ipam::Holding> orphans,
                                         base::Clock::Steady now, std::chrono::milliseconds grace) {
  const auto before = std::exchange(since_, {});
  std::vector<ipam::Holding> due;
  if (grace.count() == 0) return due;
  for (auto& orphan : orphans) {
    const auto known = before.find(orphan.handle_id);
    const bool is_known = known != before.end() && known->second.holding == orphan;
    const auto since = is_known ? known->second.since : now;
    if (is_known && now - since >= grace) due.push_back(orphan);
    std::string handle = orphan.handle_id;
    since_.emplace(std::move(handle), Suspect{std::move(orphan), since});
  }
  return due;
}

}  // namespace margay::controllers
