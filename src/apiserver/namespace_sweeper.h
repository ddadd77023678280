#pragma once

// Ends namespaces: once one is terminating, everything in it is deleted, and when nothing is left
// the namespace itself goes. A thread of its own; woken by what happens, and now and then for what
// nobody tells (a finalizer that another client removes by an update).

#include <condition_variable>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "apiserver/namespaces.h"
#include "apiserver/writes.h"
#include "store/store.h"

namespace margay::apiserver {

class NamespaceSweeper {
 public:
  NamespaceSweeper(store::Store& store, Writes& writes, Namespaces& namespaces);
  ~NamespaceSweeper();

  // Any thread. Looks at the namespace soon.
  void wake(const std::string& ns);

 private:
  void run();
  // Whether the namespace has gone.
  bool sweep(const std::string& ns);
  // How many objects of the kind are left.
  base::Result<size_t> sweep_kind(const api::Kind& kind, const std::string& ns);
  bool finish(const std::string& ns);

  store::Store& store_;
  Writes& writes_;
  Namespaces& namespaces_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::string> woken_;
  bool stopping_ = false;
  std::thread thread_;
};

// Reads which namespaces there are, makes the four that always exist, and finishes what a killed
// server left: default service accounts, and terminating namespaces (given to the sweeper).
base::Result<> restore_namespaces(store::Store& store, Writes& writes, Namespaces& namespaces,
                                  NamespaceSweeper& sweeper);

}  // namespace margay::apiserver
