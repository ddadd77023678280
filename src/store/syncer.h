#pragma once

// Turns a set of resources of a store into one ordered stream: a snapshot, `in sync`, then changes.
// A watch that is lost is taken up from where it was; history that is gone becomes a new list, of
// which only the differences are told. What receives the stream never sees a gap, a repeat or an
// error: an unreachable store only makes it late.
//
//   a thread for each scope: list, watch, read objects --tasks--> executor: act on them, in order

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
  using Task = std::function<void()>;

  virtual ~SyncerSink() = default;
  // The object as it is now; no entry: it is gone. Called on threads of the store and the syncer,
  // several scopes at once, those of one scope in the order of their changes. What needs nothing
  // but the object is done here; the rest is the task, which runs on the executor in that order.
  virtual Task on_change(const Key& key, std::optional<Entry> entry) = 0;
  // On the executor, once: everything that existed at the start has been told. That an optional
  // scope is missing is believed of an answer to what was asked after all others had been listed,
  // not of one amid a list. From one that goes missing later nothing is removed: what it held may
  // well be there.
  virtual void on_in_sync() = 0;
};

struct SyncerOptions {
  base::Backoff::Options backoff{std::chrono::milliseconds(100), std::chrono::seconds(10)};
  size_t page_size = 500;  // of a list
  // How often an optional scope that is not there is looked for, after a first minute of backoff.
  std::chrono::milliseconds presence_check{60'000};
};

class Syncer {
 public:
  // Runs the given task later, tasks in the order given, one at a time: an event loop's post().
  // Called from any thread; must not wait for a task to run.
  using Executor = std::function<void(std::function<void()>)>;

  // Starts. Store and sink must outlive this. A snapshot is read no faster than the executor takes
  // it: a few pages of each scope wait.
  Syncer(Store& store, std::vector<Scope> scopes, SyncerSink& sink, Executor executor,
         const SyncerOptions& options = {});
  // The sink is not called, and none of its tasks run, once this returns: those that are still
  // queued do nothing, and may run later. A call of the store that is under way is waited for. Not
  // from SyncerSink::on_change.
  ~Syncer();

 private:
  class Outlet;
  class Source;
  std::shared_ptr<Outlet> outlet_;
  std::vector<std::unique_ptr<Source>> sources_;
};

}  // namespace margay::store
