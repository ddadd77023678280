#include "store/sqlite/dispatcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "store/sqlite/schema.h"

namespace margay::store::sqlite {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

constexpr size_t k_catch_ups_per_round = 8;

}  // namespace

// One watch, from the dispatcher's side. Its mutex is held during each call to the watcher, so
// that whoever stops it knows that no call is running or comes.
class Subscription {
 public:
  Subscription(const Scope& watched, Revision from, Watcher& watcher)
      : scope(watched), position(from), watcher_(&watcher) {}

  const Scope scope;
  Revision position;  // delivered up to here; the dispatcher's thread only

  void deliver(std::span<const Event> events) {
    const auto fresh = std::upper_bound(
        events.begin(), events.end(), position,
        [](Revision revision, const Event& event) { return revision < event.entry.revision; });
    if (fresh == events.end()) return;
    position = events.back().entry.revision;
    call([&](Watcher& watcher) { watcher.on_events({fresh, events.end()}); });
  }
  void progress(Revision revision) {
    position = std::max(position, revision);
    call([&](Watcher& watcher) { watcher.on_progress(position); });
  }
  void end(const Error& error) {
    call([&](Watcher& watcher) { watcher.on_end(error); });
    stop();
  }
  void stop() {
    const std::lock_guard lock(mutex_);
    watcher_ = nullptr;
  }

 private:
  void call(const auto& function) {
    const std::lock_guard lock(mutex_);
    if (watcher_ != nullptr) function(*watcher_);
  }

  std::mutex mutex_;
  Watcher* watcher_;  // null: stopped
};

class Dispatcher::Handle final : public Watch {
 public:
  Handle(std::shared_ptr<Subscription> subscription, std::shared_ptr<Mailbox> mailbox)
      : subscription_(std::move(subscription)), mailbox_(std::move(mailbox)) {}
  ~Handle() override {
    subscription_->stop();
    {
      const std::lock_guard lock(mailbox_->mutex);
      mailbox_->leaving.push_back(std::move(subscription_));
    }
    mailbox_->wake.notify_one();
  }

 private:
  std::shared_ptr<Subscription> subscription_;
  std::shared_ptr<Mailbox> mailbox_;
};

Dispatcher::Dispatcher(Database database, Revision head,
                       std::chrono::milliseconds progress_interval)
    : database_(std::move(database)),
      progress_interval_(progress_interval),
      mailbox_(std::make_shared<Mailbox>()),
      head_(head),
      dispatched_(head),
      next_progress_(std::chrono::steady_clock::now() + progress_interval) {
  mailbox_->head = head;
  mailbox_->dispatched = head;
  thread_ = std::thread([this] { run(); });
}

Dispatcher::~Dispatcher() {
  {
    const std::lock_guard lock(mailbox_->mutex);
    mailbox_->stopping = true;
  }
  mailbox_->wake.notify_one();
  thread_.join();
}

void Dispatcher::committed(Revision head) {
  {
    const std::lock_guard lock(mailbox_->mutex);
    mailbox_->head = head;
  }
  mailbox_->wake.notify_one();
}

Revision Dispatcher::dispatched() const {
  const std::lock_guard lock(mailbox_->mutex);
  return mailbox_->dispatched;
}

void Dispatcher::wait_until_dispatched(Revision revision) {
  std::unique_lock lock(mailbox_->mutex);
  mailbox_->moved.wait(lock,
                       [&] { return mailbox_->dispatched >= revision || mailbox_->stopping; });
}

std::unique_ptr<Watch> Dispatcher::watch(const Scope& scope, Revision from, Watcher& watcher) {
  auto subscription = std::make_shared<Subscription>(scope, from, watcher);
  {
    const std::lock_guard lock(mailbox_->mutex);
    mailbox_->joining.push_back(subscription);
  }
  mailbox_->wake.notify_one();
  return std::make_unique<Handle>(std::move(subscription), mailbox_);
}

void Dispatcher::run() {
  while (wait()) {
    if (const auto read = dispatch_new_rows(); !read) end_all(read.error());
    catch_up_some();
    if (std::chrono::steady_clock::now() >= next_progress_) tell_progress();
  }
  end_all({ErrorCode::unavailable, "the store is closing", {}});
}

bool Dispatcher::wait() {
  std::vector<std::shared_ptr<Subscription>> joining;
  std::vector<std::shared_ptr<Subscription>> leaving;
  bool stopping = false;
  {
    std::unique_lock lock(mailbox_->mutex);
    const auto has_work = [this] {
      return mailbox_->stopping || mailbox_->head > dispatched_ || !mailbox_->joining.empty() ||
             !mailbox_->leaving.empty() || !catching_up_.empty();
    };
    mailbox_->wake.wait_until(lock, next_progress_, has_work);
    head_ = mailbox_->head;
    joining.swap(mailbox_->joining);
    leaving.swap(mailbox_->leaving);
    stopping = mailbox_->stopping;
  }
  for (auto& subscription : joining) join(std::move(subscription));
  for (const auto& subscription : leaving) leave(subscription);
  return !stopping;
}

void Dispatcher::join(std::shared_ptr<Subscription> subscription) {
  if (subscription->position < dispatched_) {
    catching_up_.push_back(std::move(subscription));
    return;
  }
  subscription->progress(dispatched_);
  const Scope& scope = subscription->scope;
  live_[scope.resource][{scope.resource, scope.ns, scope.name}].insert(std::move(subscription));
}

void Dispatcher::leave(const std::shared_ptr<Subscription>& subscription) {
  std::erase(catching_up_, subscription);
  const auto scopes = live_.find(subscription->scope.resource);
  if (scopes == live_.end()) return;
  const Scope& scope = subscription->scope;
  const auto found = scopes->second.find({scope.resource, scope.ns, scope.name});
  if (found == scopes->second.end()) return;
  found->second.erase(subscription);
  if (found->second.empty()) scopes->second.erase(found);
  if (scopes->second.empty()) live_.erase(scopes);
}

Result<> Dispatcher::dispatch_new_rows() {
  if (dispatched_ == head_) return {};
  Changes changes{.events = {}, .up_to = head_};
  Result<> done;
  if (!live_.empty()) {
    auto read = read_log(database_, {}, {.after = dispatched_, .up_to = head_});
    // The caller ends every watch then: nobody is left to miss these rows.
    if (!read) done = base::fail(std::move(read).error());
    if (read) changes = *std::move(read);
  }
  deliver(std::move(changes));
  {
    const std::lock_guard lock(mailbox_->mutex);
    mailbox_->dispatched = dispatched_;
  }
  mailbox_->moved.notify_all();
  return done;
}

void Dispatcher::deliver(Changes changes) {
  dispatched_ = changes.up_to;
  std::unordered_map<std::string_view, std::vector<Event>> by_resource;
  for (auto& event : changes.events) {
    const auto watched = live_.find(event.entry.key.resource);
    if (watched != live_.end()) by_resource[watched->first].push_back(std::move(event));
  }
  for (const auto& [resource, of_it] : by_resource) {
    for (const auto& [key, subscriptions] : live_.at(std::string(resource))) {
      const Scope scope{key.resource, key.ns, key.name};
      const bool whole_resource = key.ns.empty() && key.name.empty();
      std::vector<Event> matching;
      if (!whole_resource)
        std::ranges::copy_if(of_it, std::back_inserter(matching),
                             [&](const Event& event) { return scope.contains(event.entry.key); });
      for (const auto& subscription : subscriptions)
        subscription->deliver(whole_resource ? of_it : matching);
    }
  }
}

void Dispatcher::catch_up_some() {
  const size_t count = std::min(catching_up_.size(), k_catch_ups_per_round);
  for (size_t i = 0; i < count; ++i) {
    // From the front to the back of the queue: everyone gets a turn.
    auto subscription = std::move(catching_up_.front());
    catching_up_.pop_front();
    const auto live = catch_up(*subscription);
    if (!live)
      subscription->end(live.error());
    else if (*live)
      join(std::move(subscription));
    else
      catching_up_.push_back(std::move(subscription));
  }
}

// Delivers the next piece of history; true when that was the last.
Result<bool> Dispatcher::catch_up(Subscription& subscription) {
  MARGAY_TRY(auto transaction, Transaction::begin(database_, Transaction::Type::read));
  MARGAY_TRY(const auto extent, read_extent(database_));
  if (subscription.position < extent.compacted)
    return base::fail(ErrorCode::too_old,
                      fmt::format("the changes after revision {} are compacted up to {}",
                                  subscription.position, extent.compacted));
  MARGAY_TRY(const auto changes, read_log(database_, subscription.scope,
                                          {.after = subscription.position, .up_to = dispatched_}));
  subscription.deliver(changes.events);
  subscription.position = changes.up_to;
  return changes.up_to == dispatched_;
}

void Dispatcher::tell_progress() {
  next_progress_ = std::chrono::steady_clock::now() + progress_interval_;
  for (const auto& [resource, scopes] : live_) {
    for (const auto& [key, subscriptions] : scopes) {
      for (const auto& subscription : subscriptions)
        if (subscription->position < dispatched_) subscription->progress(dispatched_);
    }
  }
}

void Dispatcher::end_all(const Error& error) {
  for (const auto& subscription : std::exchange(catching_up_, {})) subscription->end(error);
  for (const auto& [resource, scopes] : std::exchange(live_, {})) {
    for (const auto& [key, subscriptions] : scopes) {
      for (const auto& subscription : subscriptions) subscription->end(error);
    }
  }
}

}  // namespace margay::store::sqlite
