#pragma once

// Calico's node controller: sees to it that nothing of a node that is gone stays, and that an
// address whose pod is gone is taken back. What may be taken is ipam/collection.h's to decide;
// here is when: at every look what gone nodes had, and what seems leaked on others after a grace.
//
// Any number may run at a time. One thread, except where it says otherwise.

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <span>

#include "base/clock.h"
#include "base/result.h"
#include "controllers/suspects.h"
#include "ipam/collection.h"
#include "store/store.h"

namespace margay::controllers {

class NodeController final : private store::Watcher {
 public:
  struct Options {
    std::chrono::milliseconds leak_grace = std::chrono::minutes(15);  // 0: leaks are left alone
    // Called when a node has gone from Kubernetes, from a thread of the store's.
    std::function<void()> on_node_gone;
  };
  NodeController(store::Store& store, const base::Clock& clock, Options options);
  ~NodeController() override;

  struct Look {
    ipam::Collected collected;
    size_t suspects = 0;
    // A node that is gone still has pods: it is worth looking again soon.
    bool is_waiting_for_pods = false;
  };
  // Looks at everything and takes what may be. An error: nothing is known, and nothing was taken.
  base::Result<Look> look();
  // There is no look this time. As after one that failed, the grace of what seems leaked begins
  // anew: while the API server is away, kubelets do not hear which pods they are to take down.
  void skip() { suspects_.forget(); }

 private:
  base::Result<ipam::CollectionPlan> plan();
  base::Result<> watch_nodes();
  // The store's threads.
  void on_events(std::span<const store::Event> events) override;
  void on_end(const base::Error& error) override;

  store::Store& store_;
  const base::Clock& clock_;
  const Options options_;
  Suspects suspects_;
  std::atomic<bool> is_watching_ = false;
  std::unique_ptr<store::Watch> watch_;  // last: calls into the above
};

}  // namespace margay::controllers
