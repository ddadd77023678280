#include "node/health.h"

namespace margay::node {

void Health::add_part(const std::string& name, std::chrono::milliseconds timeout) {
  const std::scoped_lock lock(mutex_);
  parts_[name] = {.timeout = timeout, .last_report = clock_.now()};
}

void Health::report(const std::string& name, bool ready, std::string detail) {
  const std::scoped_lock lock(mutex_);
  Part& part = parts_.at(name);
  part.last_report = clock_.now();
  part.ready = ready;
  part.detail = std::move(detail);
}

bool Health::is_live(const Part& part) const {
  return part.timeout.count() == 0 || clock_.now() - part.last_report <= part.timeout;
}

Health::Answer Health::live() const {
  const std::scoped_lock lock(mutex_);
  Answer answer{.good = true};
  for (const auto& [name, part] : parts_) {
    const bool live = is_live(part);
    answer.good = answer.good && live;
    answer.text += name + ": " + (live ? "live" : "has not reported in time") + "\n";
  }
  return answer;
}

Health::Answer Health::ready() const {
  const std::scoped_lock lock(mutex_);
  Answer answer{.good = true};
  for (const auto& [name, part] : parts_) {
    const bool ready = part.ready && is_live(part);
    answer.good = answer.good && ready;
    answer.text += name + ": " + (ready ? "ready" : "not ready");
    if (!part.detail.empty()) answer.text += " (" + part.detail + ")";
    answer.text += "\n";
  }
  return answer;
}

}  // namespace margay::node
