#pragma once

// The one thread that writes. Callers hand in a write and wait; the thread takes everything that
// waits, applies it in one transaction and answers all after its commit (group commit), so that
// the cost of making a commit durable is shared by all who write at the same time.

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "store/sqlite/compaction.h"
#include "store/sqlite/database.h"
#include "store/sqlite/disk_reserve.h"
#include "store/sqlite/schema.h"

namespace margay::store::sqlite {

class Writer {
 public:
  struct Options {
    CompactionOptions compaction;
    // Told the new head after each commit, on the writer's thread.
    std::function<void(Revision head)> on_commit;
    // Compaction never passes this: changes after it are still to be handed to watches.
    std::function<Revision()> dispatched;
    // Runs the work while nobody reads.
    std::function<void(const std::function<void()>& work)> without_readers;
    std::string reserve = {};  // the file of the disk's reserve
    size_t reserve_bytes = 16 << 20;
  };

  Writer(Database database, Extent extent, Options options);
  // Finishes what has been submitted.
  ~Writer();

  // Any thread; blocks until the writes are durable, all in one commit, or one of them is refused:
  // then nothing of them is kept. An IO error fails everything in its transaction as `unavailable`.
  // So are creations while the disk is full; removals and changes are taken as long as can be.
  base::Result<std::vector<Entry>> submit(std::vector<Write> writes);
  base::Result<> compact_to(Revision revision);

 private:
  struct Request {
    std::vector<Write> writes;
    Revision compact_to = 0;  // 0: it is one to write
    base::Result<std::vector<Entry>> result = {};
    bool done = false;
    std::condition_variable wake = {};
  };

  base::Result<std::vector<Entry>> wait_for(Request& request);
  void run();
  std::vector<Request*> take_requests(CompactionSchedule::Time deadline);
  void commit(const std::vector<Request*>& batch);
  base::Result<> commit_transaction(const std::vector<Request*>& batch);
  void answer(const std::vector<Request*>& batch);
  // Its error is of the storage and ends the transaction; a refusal only sets the result.
  base::Result<> apply(Request& request);
  base::Result<> apply_all(Request& request);
  // Nothing: it is written, and `entry` is set. Else why it is refused.
  base::Result<std::optional<base::Error>> apply(Write& write, Entry& entry);
  // The last write to the key, if history has one.
  struct Last {
    Revision revision = 0;
    bool removed = true;
  };
  base::Result<Last> last_of(const Key& key);
  base::Result<Entry> append(Write& write, Revision previous);
  base::Result<std::string> value_of(Revision revision);
  base::Result<> point_object_at(const Write& write, Revision revision);
  base::Result<> count_objects(const Write& write);
  base::Result<> compact(Revision up_to);
  void compact_on_schedule();
  bool has_free_pages();
  void look_at_the_disk();
  void make_room();
  void move_log();
  void keep_log_short();

  Database database_;
  Options options_;
  CompactionSchedule schedule_;
  // Of the transaction under way, which takes it back when it fails; the writer's thread only.
  struct State {
    Extent extent;
    size_t written = 0;  // bytes of values, all in all
    size_t grown = 0;    // bytes by which objects grew on a full disk: a part of the reserve
  };
  State state_;
  Revision target_ = 0;  // where the schedule wants compaction to get to
  DiskReserve reserve_;
  // The disk is full: the reserve is used for what makes room, all history goes, and nothing is
  // created.
  bool is_full_ = false;

  std::mutex mutex_;
  std::condition_variable work_;
  std::vector<Request*> queue_;  // each lives on the stack of its waiting caller
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace margay::store::sqlite
