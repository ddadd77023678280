#include "apiserver/event_feed.h"

#include <algorithm>

#include "api/stored_form.h"
#include "apiserver/field_selector.h"
#include "apiserver/object.h"
#include "apiserver/parsing_room.h"
#include "apiserver/stored_form.h"

namespace margay::apiserver {

// ---- a change ----------------------------------------------------------------------------------

Change::Change(const api::Kind& kind, store::Event event)
    : form_(kind.shows.empty() ? nullptr : &kind),
      form_weight_(
          form_ == nullptr ? 0 : parsed_bytes(event.entry.value) + parsed_bytes(event.previous)),
      // With the text that a watch will ask for, which is about the value again. The stored form
      // says metadata twice.
      bytes_(sizeof(Change) +
             (form_ == nullptr ? 1 : 2) * (2 * event.entry.value.size() + event.previous.size())),
      event_(std::move(event)) {
  if (form_ != nullptr) event_.entry.key = key_in_stored_form(kind, std::move(event_.entry.key));
}

const store::Event& Change::event() const {
  if (form_ == nullptr) return event_;
  std::call_once(in_form_, [&] {
    for (auto* value : {&event_.entry.value, &event_.previous})
      if (!value->empty()) *value = text_in_stored_form(*form_, std::move(*value));
  });
  return event_;
}

std::string_view Change::type() const {
  using Type = store::Event::Type;
  if (event_.type == Type::removed) return "DELETED";
  return event_.type == Type::created ? "ADDED" : "MODIFIED";
}

const Answer<>& Change::readable() const {
  std::call_once(checked_, [&] { readable_ = check_stored(event().entry); });
  return readable_;
}

const Answer<std::string>& Change::text(const Representation& representation) const {
  auto& slot = texts_.at(static_cast<size_t>(representation.media.format));
  std::call_once(slot.made,
                 [&] { slot.text = representation.event(type(), event().entry, false); });
  return slot.text;
}

const json::object& Change::selectable(const api::Kind& kind) const {
  std::call_once(selectable_made_, [&] {
    if (const auto object = parse_stored(event().entry))
      selectable_ = selectable_part(kind, *object);
  });
  return selectable_;
}

const std::optional<json::object>& Change::selectable_before(const api::Kind& kind) const {
  std::call_once(selectable_before_made_, [&] {
    const store::Entry before{key(), event().previous, revision()};
    if (const auto object = parse_stored(before))
      selectable_before_ = selectable_part(kind, *object);
  });
  return selectable_before_;
}

// ---- the ring ----------------------------------------------------------------------------------

Answer<std::shared_ptr<EventFeed>> EventFeed::start(store::Store& store, const api::Kind& kind,
                                                    const Limits& limits) {
  const auto all = stored_scope(kind, {.resource = kind.resource()});
  const auto now = store.list(all, {.bytes = 1});  // for its revision
  if (!now) return refuse(from_error(kind, {}, now.error()));
  std::shared_ptr<EventFeed> feed(new EventFeed(kind, limits, now->revision));
  auto watch = store.watch(all, now->revision, *feed);
  if (!watch) return refuse(from_error(kind, {}, watch.error()));
  feed->watch_ = std::move(*watch);
  return feed;
}

EventFeed::~EventFeed() { watch_.reset(); }

EventFeed::Subscription::Subscription(std::shared_ptr<EventFeed> feed, store::Scope scope,
                                      store::Revision position, std::function<void()> ready)
    : feed_(std::move(feed)), scope_(std::move(scope)), ready_(std::move(ready)) {
  const std::lock_guard lock(feed_->mutex_);
  feed_->subscriptions_.push_back(this);
  if (position < feed_->up_to_) first_pending_ = position + 1;
}

EventFeed::Subscription::~Subscription() {
  const std::lock_guard lock(feed_->mutex_);
  std::erase(feed_->subscriptions_, this);
}

void EventFeed::on_events(std::span<const store::Event> events) {
  for (const auto& ready : add(events)) ready();
}

// Who is to be told.
std::vector<std::function<void()>> EventFeed::add(std::span<const store::Event> events) {
  std::vector<std::shared_ptr<const Change>> changes;
  for (const auto& event : events)
    if (api::has_form(kind_, event.entry.key.name))
      changes.push_back(std::make_shared<const Change>(kind_, event));
  std::vector<std::function<void()>> told;
  const std::lock_guard lock(mutex_);
  for (const auto& change : changes) {
    bytes_ += change->bytes();
    ring_.push_back(change);
  }
  up_to_ = events.back().entry.revision;
  forget_oldest();
  for (auto* subscription : subscriptions_) {
    if (subscription->first_pending_ != 0) continue;  // it knows
    const auto news = std::ranges::find_if(
        changes, [&](const auto& change) { return subscription->scope_.contains(change->key()); });
    if (news == changes.end()) continue;
    subscription->first_pending_ = (*news)->revision();
    told.push_back(subscription->ready_);
  }
  return told;
}

// The last change always stays, however large.
void EventFeed::forget_oldest() {
  while (bytes_ > limits_.bytes && ring_.size() > 1) {
    bytes_ -= ring_.front()->bytes();
    begin_ = ring_.front()->revision();
    ring_.pop_front();
  }
}

void EventFeed::on_progress(store::Revision revision) {
  const std::lock_guard lock(mutex_);
  up_to_ = std::max(up_to_, revision);
}

void EventFeed::on_end(const base::Error& error) {
  std::vector<std::function<void()>> told;
  {
    const std::lock_guard lock(mutex_);
    end_ = error;
    for (const auto* subscription : subscriptions_) told.push_back(subscription->ready_);
  }
  for (const auto& ready : told) ready();
}

bool EventFeed::ended() const {
  const std::lock_guard lock(mutex_);
  return end_.has_value();
}

EventFeed::Tail EventFeed::after(Subscription& subscription, store::Revision position,
                                 size_t bytes) const {
  const std::lock_guard lock(mutex_);
  Tail tail{.changes = {}, .up_to = std::max(position, up_to_), .behind = false, .end = {}};
  if (subscription.first_pending_ == 0) {
    tail.end = end_;
    return tail;
  }
  if (position < begin_ && subscription.first_pending_ <= begin_) {
    tail.up_to = position;
    tail.behind = true;
    return tail;
  }
  auto next = std::ranges::upper_bound(ring_, position, {},
                                       [](const auto& change) { return change->revision(); });
  size_t taken = 0;
  for (; next != ring_.end() && taken < bytes; ++next) {
    if (!subscription.scope_.contains((*next)->key())) continue;
    taken += (*next)->bytes();
    tail.changes.push_back(*next);
  }
  const bool all = next == ring_.end();
  if (!all) tail.up_to = (*next)->revision() - 1;
  subscription.first_pending_ = all ? 0 : (*next)->revision();
  if (all) tail.end = end_;
  return tail;
}

// ---- feeds -------------------------------------------------------------------------------------

Answer<std::shared_ptr<EventFeed>> EventFeeds::of(const api::Kind& kind) {
  const auto slot_of = [&]() -> Slot& {
    const std::lock_guard lock(mutex_);
    return slots_[&kind];
  };
  Slot& slot = slot_of();
  const std::lock_guard lock(slot.mutex);
  if (auto feed = slot.feed.lock(); feed && !feed->ended()) return feed;
  MARGAY_TRY(auto feed, EventFeed::start(store_, kind, limits_));
  slot.feed = feed;
  return feed;
}

}  // namespace margay::apiserver
