#pragma once

// The store of a data directory as its API server shows it, for a program that works on it while no
// server runs: writes go through what judges and completes every write (writes.h), reads have both
// forms of each object (stored_form.h). The namespaces and tiers that always exist are made before
// the first write that is no removal, where they are missing, and the default service account of a
// namespace before the first in that: what a write costs goes not by how many namespaces there are.
// On a full disk updates and removals work all the same. Safe from any thread.
//
// Nobody finishes what a server does by itself later, or at its start: a namespace that is deleted
// here is emptied when a server next runs.

#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "apiserver/parsing_room.h"
#include "apiserver/stored_form.h"
#include "apiserver/writes.h"
#include "base/clock.h"
#include "store/store.h"

namespace margay::apiserver {

class LocalStore final : public store::Store {
 public:
  explicit LocalStore(std::unique_ptr<store::Store> store);

  base::Result<store::Entry> get(const store::Key& key) override;
  base::Result<store::List> list(const store::Scope& scope,
                                 const store::ListOptions& options) override;
  // Refusals come as the errors that a client of the server's HTTPS gets.
  base::Result<store::Entry> create(const store::Key& key, std::string value) override;
  base::Result<store::Entry> update(const store::Key& key, std::string value,
                                    std::optional<store::Revision> expected) override;
  base::Result<store::Entry> remove(const store::Key& key,
                                    std::optional<store::Revision> expected) override;
  base::Result<std::unique_ptr<store::Watch>> watch(const store::Scope& scope, store::Revision from,
                                                    store::Watcher& watcher) override;

 private:
  // For a write in the namespace, or in none.
  base::Result<> prepare(const std::string& ns);

  const std::unique_ptr<store::Store> store_;
  base::SystemClock clock_;
  ParsingRoom room_;
  StoredFormStore reads_;
  Writes writes_;
  std::mutex preparing_;
  bool has_initial_ = false;
  std::set<std::string> has_account_;  // namespaces
};

}  // namespace margay::apiserver
