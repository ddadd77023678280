#include "apiserver/namespaces.h"

namespace margay::apiserver {

Namespaces::Entry::Entry(Entry&& other) noexcept
    : owner_(std::exchange(other.owner_, nullptr)), name_(std::move(other.name_)) {}

Namespaces::Entry::~Entry() {
  if (owner_ != nullptr) owner_->leave(name_);
}

Namespaces::Closing::Closing(Namespaces& owner, std::string_view name)
    : owner_(owner), name_(name) {
  const std::lock_guard lock(owner_.mutex_);
  if (const auto found = owner_.slots_.find(name_); found != owner_.slots_.end())
    ++found->second.closing;
}

Namespaces::Closing::~Closing() {
  const std::lock_guard lock(owner_.mutex_);
  if (const auto found = owner_.slots_.find(name_);
      found != owner_.slots_.end() && found->second.closing > 0)
    --found->second.closing;
}

std::optional<Namespaces::Entry> Namespaces::enter(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto found = slots_.find(name);
  if (found == slots_.end()) return std::nullopt;
  if (found->second.state != State::active || found->second.closing > 0) return std::nullopt;
  ++found->second.entered;
  return Entry(*this, std::string(name));
}

std::optional<Namespaces::State> Namespaces::state(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = slots_.find(name);
  if (found == slots_.end()) return std::nullopt;
  return found->second.state;
}

void Namespaces::set(std::string_view name, State state) {
  const std::lock_guard lock(mutex_);
  slots_[std::string(name)].state = state;
}

void Namespaces::forget(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto found = slots_.find(name);
  if (found != slots_.end()) slots_.erase(found);
}

void Namespaces::wait_until_left(std::string_view name) {
  std::unique_lock lock(mutex_);
  left_.wait(lock, [&] {
    const auto found = slots_.find(name);
    return found == slots_.end() || found->second.entered == 0;
  });
}

void Namespaces::leave(const std::string& name) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = slots_.find(name);
    if (found == slots_.end() || --found->second.entered > 0) return;
  }
  left_.notify_all();
}

}  // namespace margay::apiserver
