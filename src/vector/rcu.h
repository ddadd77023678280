#pragma once

// Read-copy-update between one control thread and the workers: the control thread publishes new
// versions by one pointer store and keeps the old ones until every worker has passed a quiescent
// state (rte_rcu_qsbr: DPDK programmer's guide, "RCU Library").

#include <rte_rcu_qsbr.h>

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>

namespace margay::vector {

class Rcu {
 public:
  explicit Rcu(unsigned max_workers);
  // Runs everything deferred: no worker reads any more.
  ~Rcu();
  Rcu(const Rcu&) = delete;
  Rcu& operator=(const Rcu&) = delete;

  // A worker's own thread. Between `online` and `offline` it must call `quiescent` regularly, at a
  // moment when it holds no pointer to anything published.
  void online(unsigned worker);
  void offline(unsigned worker);
  void quiescent(unsigned worker) { rte_rcu_qsbr_quiescent(state_.get(), worker); }

  // The control thread. Runs `release` once no worker can still see what was unpublished before
  // this call: in a later `reclaim`, `synchronize`, or the destructor; in the order of the calls.
  void defer(std::function<void()> release);
  // Runs what is due, without waiting; returns how many are left.
  size_t reclaim();
  // Waits for every worker's next quiescent state, then runs everything deferred.
  void synchronize();

 private:
  struct Free {
    void operator()(rte_rcu_qsbr* state) const;
  };
  struct Deferred {
    uint64_t token;
    std::function<void()> release;
  };
  std::unique_ptr<rte_rcu_qsbr, Free> state_;
  std::deque<Deferred> deferred_;
};

}  // namespace margay::vector
