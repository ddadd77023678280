#pragma once

// The latest changes of one kind, read from the store once and shared by every watch of that kind:
// a ring that is bounded in bytes, whatever watchers there are and however slow. A watch is a
// position in it. One that falls behind its beginning goes on from the store's history, and where
// that is gone too it has to list again (docs/decisions/0040-events-are-shared.md).

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "apiserver/representation.h"
#include "store/store.h"

namespace margay::apiserver {

// A change, immutable, with its forms made once, when the first watch needs them.
class Change {
 public:
  // `event` is as it is stored: where `kind` shows another's objects (api/stored_form.h) it is
  // about one of those, which that form has.
  Change(const api::Kind& kind, store::Event event);

  const store::Key& key() const { return event_.entry.key; }
  store::Revision revision() const { return event_.entry.revision; }
  // In the kind's form, which making takes room for form_weight() (parsing_room.h); 0: it is as it
  // is stored.
  const store::Event& event() const;
  size_t form_weight() const { return form_weight_; }
  // The type a watch without selectors sends: ADDED, MODIFIED, DELETED.
  std::string_view type() const;
  // An `internal` refusal that names the object when its value cannot be read.
  const Answer<>& readable() const;
  // The whole object's event of that type, in the representation's format; readable ones only.
  const Answer<std::string>& text(const Representation& representation) const;
  // What selectors may look at (selectable_part()); readable ones only.
  const json::object& selectable(const api::Kind& kind) const;
  // The same of the value before an update; nothing when that cannot be read.
  const std::optional<json::object>& selectable_before(const api::Kind& kind) const;
  size_t bytes() const { return bytes_; }

 private:
  const api::Kind* const form_;  // of the values; null: they are as they are stored
  const size_t form_weight_;
  const size_t bytes_;
  mutable store::Event event_;  // its values, until they are in the form, as they are stored
  mutable std::once_flag in_form_;
  struct Text {
    std::once_flag made;
    Answer<std::string> text;
  };
  mutable std::array<Text, 3> texts_;  // by Format
  mutable std::once_flag checked_;
  mutable Answer<> readable_;
  mutable std::once_flag selectable_made_;
  mutable json::object selectable_;
  mutable std::once_flag selectable_before_made_;
  mutable std::optional<json::object> selectable_before_;
};

class EventFeed final : private store::Watcher {
 public:
  struct Limits {
    size_t bytes = 4 << 20;
  };

  // Begins at the store's present revision. Blocks on the store.
  static Answer<std::shared_ptr<EventFeed>> start(store::Store& store, const api::Kind& kind,
                                                  const Limits& limits);
  ~EventFeed() override;

  // One watch of the changes in `scope` after `position`. `ready` is called from any thread, and
  // must neither block nor destroy a watch, when there is something to take.
  class Subscription {
   public:
    Subscription(std::shared_ptr<EventFeed> feed, store::Scope scope, store::Revision position,
                 std::function<void()> ready);
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;
    ~Subscription();

   private:
    friend class EventFeed;
    const std::shared_ptr<EventFeed> feed_;
    const store::Scope scope_;
    const std::function<void()> ready_;
    // Changes in scope come no earlier than this; 0: there are none. Under the feed's mutex.
    store::Revision first_pending_ = 0;
  };

  struct Tail {
    std::vector<std::shared_ptr<const Change>> changes;  // in scope
    store::Revision up_to = 0;                           // complete up to here
    bool behind = false;             // the ring begins after the position: read the store's history
    std::optional<base::Error> end;  // nothing comes after `changes`
  };
  // The changes after `position`, until they reach `bytes`.
  Tail after(Subscription& subscription, store::Revision position, size_t bytes) const;

  bool ended() const;

 private:
  EventFeed(const api::Kind& kind, const Limits& limits, store::Revision begin)
      : kind_(kind), limits_(limits), begin_(begin), up_to_(begin) {}

  void on_events(std::span<const store::Event> events) override;
  void on_progress(store::Revision revision) override;
  void on_end(const base::Error& error) override;
  std::vector<std::function<void()>> add(std::span<const store::Event> events);
  void forget_oldest();

  const api::Kind& kind_;
  const Limits limits_;
  mutable std::mutex mutex_;
  std::deque<std::shared_ptr<const Change>> ring_;
  size_t bytes_ = 0;
  store::Revision begin_;  // every change after this is in the ring
  store::Revision up_to_;
  std::optional<base::Error> end_;
  std::vector<Subscription*> subscriptions_;

  std::unique_ptr<store::Watch> watch_;  // last: stops before what it calls goes
};

// The feeds of the kinds that are being watched. Safe from any thread.
class EventFeeds {
 public:
  explicit EventFeeds(store::Store& store, const EventFeed::Limits& limits = {})
      : store_(store), limits_(limits) {}

  store::Store& store() const { return store_; }
  // Blocks on the store when the kind is the first time, or again, being watched.
  Answer<std::shared_ptr<EventFeed>> of(const api::Kind& kind);

 private:
  store::Store& store_;
  const EventFeed::Limits limits_;
  // Each kind's is started under a lock of its own: a slow store keeps only those waiting who need
  // the same.
  struct Slot {
    std::mutex mutex;
    std::weak_ptr<EventFeed> feed;
  };
  std::mutex mutex_;
  std::map<const api::Kind*, Slot> slots_;  // none is ever removed
};

}  // namespace margay::apiserver
