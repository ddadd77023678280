#pragma once

// Hands every change to the watches that want it. One thread reads each new row of the log once,
// however many watches there are; a watch that starts in the past is first given the log from
// there, a piece at a time between the live changes, and goes live without a gap or a repeat.

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_map>
#include <vector>

#include "store/sqlite/database.h"
#include "store/store.h"

namespace margay::store::sqlite {

class Subscription;

class Dispatcher {
 public:
  // Starts at `head`: changes after it are live. `progress_interval`: how often a watch without
  // events is told how far it is.
  Dispatcher(Database database, Revision head, std::chrono::milliseconds progress_interval);
  // Ends every watch that is left as `unavailable`.
  ~Dispatcher();

  // Any thread.
  void committed(Revision head);
  // Everything up to here has been handed to the live watches.
  Revision dispatched() const;
  void wait_until_dispatched(Revision revision);
  // The caller has checked that history reaches back to `from`.
  std::unique_ptr<Watch> watch(const Scope& scope, Revision from, Watcher& watcher);

 private:
  using Subscriptions = std::set<std::shared_ptr<Subscription>>;
  // The live watches of one resource, by what of it they watch.
  using Scopes = std::map<Key, Subscriptions>;

  // What other threads and the dispatcher's say to each other. Shared with the watches, which may
  // outlive the dispatcher.
  struct Mailbox {
    std::mutex mutex;
    std::condition_variable wake;
    std::condition_variable moved;
    Revision head = 0;
    Revision dispatched = 0;
    std::vector<std::shared_ptr<Subscription>> joining;
    std::vector<std::shared_ptr<Subscription>> leaving;
    bool stopping = false;
  };
  class Handle;

  void run();
  bool wait();  // false: stop
  void join(std::shared_ptr<Subscription> subscription);
  void leave(const std::shared_ptr<Subscription>& subscription);
  base::Result<> dispatch_new_rows();
  void deliver(Changes changes);
  void catch_up_some();
  base::Result<bool> catch_up(Subscription& subscription);
  void tell_progress();
  void end_all(const base::Error& error);

  Database database_;
  const std::chrono::milliseconds progress_interval_;
  std::shared_ptr<Mailbox> mailbox_;

  // The dispatcher's thread only.
  Revision head_;
  Revision dispatched_;
  std::unordered_map<std::string, Scopes> live_;
  std::deque<std::shared_ptr<Subscription>> catching_up_;
  std::chrono::steady_clock::time_point next_progress_;

  std::thread thread_;
};

}  // namespace margay::store::sqlite
