#pragma once

// For tests: a store that hands everything on to another. What counts, interrupts or refuses
// derives from it and says that alone. What a store need not do itself, several writes in one among
// it, is done as store.h does it.

#include <memory>
#include <string>
#include <utility>

#include "store/store.h"

namespace margay::store {

class ForwardingStore : public Store {
 public:
  explicit ForwardingStore(Store& store) : store_(store) {}  // outlives this

  base::Result<Entry> get(const Key& key) override { return store_.get(key); }
  base::Result<List> list(const Scope& scope, const ListOptions& options) override {
    return store_.list(scope, options);
  }
  base::Result<Entry> create(const Key& key, std::string value) override {
    return store_.create(key, std::move(value));
  }
  base::Result<Entry> update(const Key& key, std::string value,
                             std::optional<Revision> expected) override {
    return store_.update(key, std::move(value), expected);
  }
  base::Result<Entry> remove(const Key& key, std::optional<Revision> expected) override {
    return store_.remove(key, expected);
  }
  base::Result<std::unique_ptr<Watch>> watch(const Scope& scope, Revision from,
                                             Watcher& watcher) override {
    return store_.watch(scope, from, watcher);
  }

 protected:
  Store& store_;
};

}  // namespace margay::store
