#pragma once

// Where objects live. One interface over every backend (sqlite/, kubernetes/, later etcd/), with
// the guarantees everything above relies on:
//
// * Every write gets a revision larger than any before it, in the whole store.
// * A list is a consistent snapshot, and says the revision it was taken at.
// * A watch from revision R delivers every later change, each once, in order of revision; or
//   ends with `too_old` when history no longer reaches back to R: then list again.
// * update and remove with an expected revision succeed only while that is the object's revision
//   (compare-and-swap); else `conflict`.
//
// Calls block; they are safe from any thread. The value is the object's JSON text; the store does
// not read it, except that the kubernetes backend sends and receives it.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace margay::store {

using Revision = int64_t;  // 0: none

struct Key {
  std::string resource;  // "networkpolicies.projectcalico.org": api::Kind::resource()
  std::string ns;        // empty for cluster-scoped
  std::string name;
  auto operator<=>(const Key&) const = default;
};

struct Entry {
  Key key;
  std::string value;
  Revision revision = 0;  // of the last write to this object
};

// What a list or watch is about: a resource, and optionally one namespace and one name of it.
struct Scope {
  std::string resource;
  std::string ns = {};    // empty: all
  std::string name = {};  // empty: all
  // A store that does not have the resource, or does not let us see it, is one without objects of
  // it, until it has. What was known of it before is kept (store/syncer.h).
  bool optional = false;
  bool contains(const Key& key) const {
    return key.resource == resource && (ns.empty() || key.ns == ns) &&
           (name.empty() || key.name == name);
  }
};

struct ListOptions {
  // Only the objects whose names begin so, found by a look at each namespace of the scope, whatever
  // else there is in it.
  std::string name_prefix = {};
  size_t limit = 0;         // 0: everything
  std::string resume = {};  // `resume` of the page before: the same snapshot goes on
  // The page also ends with the entry whose value brings it to this; 0: values do not count. A
  // backend that cannot count them may return more.
  size_t bytes = 0;
  // Where the snapshot of `resume` is compacted: go on from its place in what there is now, instead
  // of `too_old`. Another API server's store cannot.
  bool or_now = false;
};

struct List {
  std::vector<Entry> entries;  // by namespace, then name, as bytes
  Revision revision = 0;
  std::string resume;               // empty: that was all
  std::optional<size_t> remaining;  // after this page
};

struct Event {
  enum class Type : uint8_t { created, updated, removed };
  Type type = Type::created;
  Entry entry;  // removed: the last value, with the revision of the removal
  // updated: the value before. Empty where a store cannot tell: that of another API server.
  std::string previous = {};
};

// One write of several that are made together: create(), update() or remove() with these arguments.
struct Write {
  enum class Type : uint8_t { create, update, remove };
  Type type = Type::create;
  Key key;
  std::string value = {};                 // of create and update
  std::optional<Revision> expected = {};  // of update and remove
};

// A piece of history.
struct Changes {
  std::vector<Event> events;  // by revision
  Revision up_to = 0;         // every change up to here is in `events`, or came before
};

// Receives a watch. Calls come from the backend's thread, one at a time, and must not block for
// long nor call back into the watch.
class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual void on_events(std::span<const Event> events) = 0;
  // There is nothing to deliver up to this revision: a later watch may start from it.
  virtual void on_progress(Revision revision) { static_cast<void>(revision); }
  // Ends the watch; nothing comes after. `too_old`, `unavailable`, ...
  virtual void on_end(const base::Error& error) = 0;
};

// Stops the watch when destroyed: once the destructor has returned, no call is running or comes.
class Watch {
 public:
  virtual ~Watch() = default;
};

class Store {
 public:
  virtual ~Store() = default;

  virtual base::Result<Entry> get(const Key& key) = 0;
  virtual base::Result<List> list(const Scope& scope, const ListOptions& options = {}) = 0;

  // `already_exists` when the key is taken. Returns the entry with its revision.
  virtual base::Result<Entry> create(const Key& key, std::string value) = 0;
  // `not_found`, or `conflict` when `expected` is given and is not the object's revision.
  virtual base::Result<Entry> update(const Key& key, std::string value,
                                     std::optional<Revision> expected) = 0;
  // Returns the last value, with the revision of the removal.
  virtual base::Result<Entry> remove(const Key& key, std::optional<Revision> expected) = 0;

  // Makes the writes in their order; the first that fails ends it, with its error. Returns their
  // entries.
  //
  // A store that can makes them in one commit: it is durable at the cost of one write, others see
  // all or nothing, and a failure leaves nothing behind. With any other store what came before the
  // failed write stays, and so it does when the program dies between two. So callers order them
  // such that each is right without those after it, and gain speed, never correctness.
  virtual base::Result<std::vector<Entry>> write(const std::vector<Write>& writes);

  // Merges `patch` (RFC 7396), a JSON object with a status and annotations or labels, into the
  // object. Behind an API server this is a PATCH of its /status, which needs no right to change the
  // rest of it. A metadata.resourceVersion or uid in the patch must be the object's; else
  // `conflict`.
  virtual base::Result<Entry> patch_status(const Key& key, const std::string& patch);

  // Delivers every change after `from`. The watcher must outlive the Watch.
  virtual base::Result<std::unique_ptr<Watch>> watch(const Scope& scope, Revision from,
                                                     Watcher& watcher) = 0;

  // The changes after `from`, oldest first, for whoever takes them at its own pace: at most those
  // whose values reach `bytes`, at least one if there is one. `too_old` as of a watch, and from a
  // backend that keeps no history itself.
  virtual base::Result<Changes> changes(const Scope& scope, Revision from, size_t bytes) {
    static_cast<void>(scope);
    static_cast<void>(bytes);
    return base::fail(base::ErrorCode::too_old,
                      "this store has no changes after revision " + std::to_string(from));
  }
};

}  // namespace margay::store
