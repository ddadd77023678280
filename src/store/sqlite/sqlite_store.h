#pragma once

// The embedded store: one SQLite file in WAL mode (docs/decisions/0003-sqlite-store.md).
//
// One process opens it at a time; any thread calls. Writes of all threads share commits; reads run
// beside them. Revisions start at 2 and are never used twice, also after a crash. An acknowledged
// write survives kill -9, and with Durability::power_loss the machine's end too.
//
// A full disk or a failing one refuses writes with `unavailable`, keeps what was acknowledged and
// goes on when it has recovered. A reserve of the disk is kept for that: when it is full history is
// dropped, and objects can still be changed and removed.

#include <memory>
#include <string>

#include "store/sqlite/compaction.h"
#include "store/store.h"

namespace margay::store::sqlite {

enum class Durability {
  power_loss,     // each commit waits for the disk
  process_crash,  // the kernel has it; losing power may lose the last commits and their revisions
};

struct Options {
  std::string path;  // the file; its folder exists. Beside it: -wal, -shm, .lock, .reserve
  Durability durability = Durability::power_loss;
  CompactionOptions compaction = {};
  // How long another process that has the store is waited for.
  std::chrono::milliseconds patience{0};
  // How often a watch that has nothing to deliver tells its progress.
  std::chrono::milliseconds progress_interval{std::chrono::seconds(5)};
};

class SqliteStore final : public Store {
 public:
  // Creates the file when there is none. Open in another process, after `patience`: `unavailable`.
  // A file of another program: `invalid`; of a later version: `unsupported`; damaged: `internal`.
  static base::Result<std::unique_ptr<SqliteStore>> open(const Options& options);
  // No call may be under way. Watches that are left end as `unavailable`.
  ~SqliteStore() override;

  base::Result<Entry> get(const Key& key) override;
  // A page's snapshot lasts as long as history reaches back to it; then `too_old`.
  base::Result<List> list(const Scope& scope, const ListOptions& options = {}) override;
  base::Result<Entry> create(const Key& key, std::string value) override;
  base::Result<Entry> update(const Key& key, std::string value,
                             std::optional<Revision> expected) override;
  base::Result<Entry> remove(const Key& key, std::optional<Revision> expected) override;
  // All of them in one commit, or none.
  base::Result<std::vector<Entry>> write(const std::vector<Write>& writes) override;
  // A revision that the store has not reached (of a store that was replaced) is `too_old` as well.
  base::Result<std::unique_ptr<Watch>> watch(const Scope& scope, Revision from,
                                             Watcher& watcher) override;
  base::Result<Changes> changes(const Scope& scope, Revision from, size_t bytes) override;

  // The revision of the last write.
  base::Result<Revision> head();
  // Drops history before `revision` now, without waiting for the schedule. Later than the head:
  // `invalid`.
  base::Result<> compact(Revision revision);

 private:
  struct Engine;
  explicit SqliteStore(std::unique_ptr<Engine> engine);
  base::Result<Entry> write_one(Write write);
  std::unique_ptr<Engine> engine_;
};

}  // namespace margay::store::sqlite
