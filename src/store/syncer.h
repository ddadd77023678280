#pragma once

// Turns a set of resources of a store into one ordered stream: a snapshot, `in sync`, then changes.
// A watch that is lost is taken up from where it was; history that is gone becomes a new list, of
// which only the differences are told. What receives the stream never sees a gap, a repeat or an
// error: an unreachable store only makes it late.

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/backoff.h"
#include "store/store.h"

namespace margay::store {

class SyncerSink {
 public:
  virtual ~SyncerSink() = default;
  // The object as it is now; no entry: it is gone. For each key in the order of its changes.
  virtual void on_change(const Key& key, std::optional<Entry> entry) = 0;
  // Once: everything that existed at the start has been told.
  virtual void on_in_sync() = 0;
};

struct SyncerOptions {
  base::Backoff::Options backoff{std::chrono::milliseconds(100), std::chrono::seconds(10)};
  size_t page_size = 500;  // of a list
};

class Syncer {
 public:
  // Runs the given task later, tasks in the order given, one at a time: an event loop's post().
  // Called from any thread; must not wait for a task to run.
  using Executor = std::function<void(std::function<void()>)>;

  // Starts. The sink is called in the executor's tasks only. Store and sink must outlive this.
  Syncer(Store& store, std::vector<Scope> scopes, SyncerSink& sink, Executor executor,
         const SyncerOptions& options = {});
  // The sink is not called any more once this returns; tasks that are still queued do nothing, and
  // may run later. A call of the store that is under way is waited for.
  ~Syncer();

 private:
  class Outlet;
  class Source;
  std::shared_ptr<Outlet> outlet_;
  std::vector<std::unique_ptr<Source>> sources_;
};

}  // namespace margay::store
