#include "vector/rcu.h"

#include <cstdlib>
#include <new>

namespace margay::vector {

void Rcu::Free::operator()(rte_rcu_qsbr* state) const { std::free(state); }

Rcu::Rcu(unsigned max_workers) {
  const size_t size = rte_rcu_qsbr_get_memsize(max_workers);
  const size_t whole_lines = (size + RTE_CACHE_LINE_SIZE - 1) & ~size_t{RTE_CACHE_LINE_SIZE - 1};
  state_.reset(static_cast<rte_rcu_qsbr*>(std::aligned_alloc(RTE_CACHE_LINE_SIZE, whole_lines)));
  if (!state_ || rte_rcu_qsbr_init(state_.get(), max_workers) != 0) throw std::bad_alloc();
}

Rcu::~Rcu() {
  for (auto& each : deferred_) each.release();
}

void Rcu::online(unsigned worker) {
  rte_rcu_qsbr_thread_register(state_.get(), worker);
  rte_rcu_qsbr_thread_online(state_.get(), worker);
}

void Rcu::offline(unsigned worker) {
  rte_rcu_qsbr_thread_offline(state_.get(), worker);
  rte_rcu_qsbr_thread_unregister(state_.get(), worker);
}

void Rcu::defer(std::function<void()> release) {
  deferred_.push_back({rte_rcu_qsbr_start(state_.get()), std::move(release)});
}

size_t Rcu::reclaim() {
  while (!deferred_.empty() &&
         rte_rcu_qsbr_check(state_.get(), deferred_.front().token, false) == 1) {
    const auto due = std::move(deferred_.front().release);
    deferred_.pop_front();
    due();
  }
  return deferred_.size();
}

void Rcu::synchronize() {
  rte_rcu_qsbr_synchronize(state_.get(), RTE_QSBR_THRID_INVALID);
  reclaim();
}

}  // namespace margay::vector
