#include "apiserver/open_connections.h"

#include "apiserver/connection.h"

namespace margay::apiserver {

bool OpenConnections::add(const std::shared_ptr<Connection>& connection) {
  std::shared_ptr<Connection> oldest;
  {
    const std::lock_guard lock(mutex_);
    if (slots_.size() >= most_) return false;
    if (unknown_.size() >= most_unknown_) {
      // Its end may be under way: then there is nothing to cut.
      auto& slot = slots_.at(unknown_.front());
      oldest = slot.connection.lock();
      slot.unknown = unknown_.end();
      unknown_.pop_front();
    }
    const auto place = unknown_.insert(unknown_.end(), connection.get());
    slots_.emplace(connection.get(), Slot{connection, place});
  }
  if (oldest) oldest->cut();
  return true;
}

void OpenConnections::set_known(const Connection& connection) {
  const std::lock_guard lock(mutex_);
  const auto found = slots_.find(&connection);
  if (found == slots_.end() || found->second.unknown == unknown_.end()) return;
  unknown_.erase(found->second.unknown);
  found->second.unknown = unknown_.end();
}

void OpenConnections::remove(const Connection& connection) {
  const std::lock_guard lock(mutex_);
  const auto found = slots_.find(&connection);
  if (found == slots_.end()) return;
  if (found->second.unknown != unknown_.end()) unknown_.erase(found->second.unknown);
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
