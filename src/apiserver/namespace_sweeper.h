#pragma once

// Ends namespaces: once one is terminating, whichever server of the store marked it so, everything
// in it is deleted, and when nothing is left the namespace itself goes. It also keeps the service
// account `default` in the namespaces that live on. A thread of its own; woken by what happens to
// namespaces, by what this server removes from them, and now and then for what nobody tells (a
// finalizer that another client removes by an update). Several sweepers of one store do each other
// no harm: each step is a compare-and-swap, and what another has done already is done.

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "apiserver/writes.h"
#include "store/store.h"
#include "store/syncer.h"

namespace margay::apiserver {

class NamespaceSweeper {
 public:
  // Listens to `writes` from here on, which must not have removed anything before.
  NamespaceSweeper(store::Store& store, Writes& writes, ParsingRoom& room);
  ~NamespaceSweeper();

 private:
  class Changes;  // of namespaces, from the store
  // From `writes`, on any thread.
  void on_removed(const store::Key& key);
  // Looks at the namespace soon.
  void wake(const std::string& ns);

  void run();
  // Whether there is nothing left to do for the namespace.
  bool sweep(const std::string& ns);
  // How many objects of the kind are left.
  base::Result<size_t> sweep_kind(const api::Kind& kind, const std::string& ns);
  bool finish(const std::string& ns);

  store::Store& store_;
  Writes& writes_;
  ParsingRoom& room_;
  KnownNamespaces known_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;  // of the syncer
  std::set<std::string> woken_;
  std::set<std::string> unfinished_;
  bool stopping_ = false;
  std::thread thread_;
  std::unique_ptr<Changes> changes_;
  std::unique_ptr<store::Syncer> syncer_;  // last: stops before what it calls goes
};

// Makes the four namespaces that always exist, where they are missing.
Answer<> restore_initial_namespaces(store::Store& store, Writes& writes);

// The same, and the default service accounts that a killed server left unmade: reads every
// namespace, and writes nothing where nothing is missing.
Answer<> restore_namespaces(store::Store& store, Writes& writes);

}  // namespace margay::apiserver
