#include "apiserver/open_connections.h"

#include <utility>

#include "apiserver/connection.h"

namespace margay::apiserver {

bool OpenConnections::add(const std::shared_ptr<Connection>& connection) {
  std::shared_ptr<Connection> idle;
  std::shared_ptr<Connection> unknown;
  {
    const std::lock_guard lock(mutex_);
    const bool is_full = slots_.size() - giving_way_ >= most_;
    if (is_full && idle_.empty() && unknown_.empty()) return false;
    if (is_full && !idle_.empty())
      idle = take_first(idle_);
    else if (is_full || unknown_.size() >= most_unknown_)
      unknown = take_first(unknown_);
    auto& slot = slots_.emplace(connection.get(), Slot{connection, nullptr, {}}).first->second;
    enter(slot, unknown_, *connection);
  }
  if (idle) idle->stop();  // its next request may have come just now
  if (unknown) unknown->cut();
  return true;
}

std::shared_ptr<Connection> OpenConnections::take_first(Line& line) {
  auto& slot = slots_.at(line.front());
  leave(slot);
  slot.gives_way = true;
  ++giving_way_;
  return slot.connection.lock();
}

void OpenConnections::enter(Slot& slot, Line& line, const Connection& connection) {
  slot.line = &line;
  slot.place = line.insert(line.end(), &connection);
}

void OpenConnections::leave(Slot& slot) {
  if (slot.line != nullptr) std::exchange(slot.line, nullptr)->erase(slot.place);
}

void OpenConnections::set_known(const Connection& connection) {
  const std::lock_guard lock(mutex_);
  const auto found = slots_.find(&connection);
  if (found != slots_.end()) leave(found->second);
}

void OpenConnections::set_idle(const Connection& connection, bool idle) {
  const std::lock_guard lock(mutex_);
  const auto found = slots_.find(&connection);
  if (found == slots_.end() || found->second.gives_way) return;
  leave(found->second);
  if (idle) enter(found->second, idle_, connection);
}

void OpenConnections::remove(const Connection& connection) {
  const std::lock_guard lock(mutex_);
  const auto found = slots_.find(&connection);
  if (found == slots_.end()) return;
  leave(found->second);
  if (found->second.gives_way) --giving_way_;
  slots_.erase(found);
  if (slots_.empty()) emptied_.notify_all();
}

std::vector<std::shared_ptr<Connection>> OpenConnections::all() const {
  std::vector<std::shared_ptr<Connection>> out;
  const std::lock_guard lock(mutex_);
  for (const auto& [key, slot] : slots_)
    if (auto connection = slot.connection.lock()) out.push_back(std::move(connection));
  return out;
}

bool OpenConnections::wait_until_empty(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  return emptied_.wait_for(lock, patience, [this] { return slots_.empty(); });
}

}  // namespace margay::apiserver
