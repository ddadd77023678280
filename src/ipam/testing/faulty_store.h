#pragma once

// A store that goes wrong when told to: for tests of what survives a crash or a bad connection.

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "store/store.h"

namespace margay::ipam::testing {

enum class Fault {
  none,
  conflict,      // refused, as if somebody else had just written
  unavailable,   // never reached the store
  lost_answer,   // took effect, but the caller hears of a timeout
  crash_before,  // the calling program dies before the call takes effect
  crash_after,   // ... after it
};

// Stands for the end of the calling program: nothing between the call and the test may catch it.
struct Crash {};

// What the store behind it promises beyond the least that every store does.
enum class Writes {
  together,   // several in one commit, as the embedded store and our API server do
  in_order,   // one by one
  unchanged,  // one by one, and one that changes nothing makes no revision, as Kubernetes' does
};

// `choose` is asked at each write, from the caller's thread: once for all that are made together.
class FaultyStore final : public store::Store {
 public:
  using Choose = std::function<Fault()>;
  FaultyStore(store::Store& store, Choose choose, Writes writes = Writes::together)
      : store_(store), choose_(std::move(choose)), writes_(writes) {}

  base::Result<store::Entry> get(const store::Key& key) override { return store_.get(key); }
  base::Result<store::List> list(const store::Scope& scope,
                                 const store::ListOptions& options = {}) override {
    return store_.list(scope, options);
  }
  base::Result<store::Entry> create(const store::Key& key, std::string value) override {
    return try_to([&] { return store_.create(key, std::move(value)); });
  }
  base::Result<store::Entry> update(const store::Key& key, std::string value,
                                    std::optional<store::Revision> expected) override {
    return try_to([&] { return update_as_told(key, std::move(value), expected); });
  }
  base::Result<store::Entry> remove(const store::Key& key,
                                    std::optional<store::Revision> expected) override {
    return try_to([&] { return store_.remove(key, expected); });
  }
  base::Result<std::vector<store::Entry>> write(const std::vector<store::Write>& writes) override {
    if (writes_ != Writes::together) return Store::write(writes);
    return try_to([&] { return store_.write(writes); });
  }
  base::Result<std::unique_ptr<store::Watch>> watch(const store::Scope& scope, store::Revision from,
                                                    store::Watcher& watcher) override {
    return store_.watch(scope, from, watcher);
  }

 private:
  base::Result<store::Entry> update_as_told(const store::Key& key, std::string value,
                                            std::optional<store::Revision> expected) {
    if (writes_ == Writes::unchanged) {
      auto current = store_.get(key);
      const bool as_expected = current && expected.value_or(current->revision) == current->revision;
      if (as_expected && current->value == value) return current;
    }
    return store_.update(key, std::move(value), expected);
  }
  template <typename Call>
  auto try_to(Call&& call) -> decltype(call()) {
    const Fault fault = choose_();
    switch (fault) {
      case Fault::none:
        return call();
      case Fault::conflict:
        return base::fail(base::ErrorCode::conflict, "injected conflict");
      case Fault::unavailable:
        return base::fail(base::ErrorCode::unavailable, "injected: connection refused");
      case Fault::crash_before:
        throw Crash{};
      case Fault::lost_answer:
      case Fault::crash_after:
        break;
    }
    [[maybe_unused]] const auto untold = call();
    if (fault == Fault::crash_after) throw Crash{};
    return base::fail(base::ErrorCode::timeout, "injected: no answer");
  }

  store::Store& store_;
  Choose choose_;
  Writes writes_;
};

// The `nth` write (from 1) gets `fault`, all others none.
class NthWrite {
 public:
  NthWrite(int nth, Fault fault) : nth_(nth), fault_(fault) {}
  Fault operator()() { return ++*count_ == nth_ ? fault_ : Fault::none; }
  int writes() const { return *count_; }

 private:
  int nth_;
  Fault fault_;
  std::shared_ptr<std::atomic<int>> count_ = std::make_shared<std::atomic<int>>(0);
};

}  // namespace margay::ipam::testing
