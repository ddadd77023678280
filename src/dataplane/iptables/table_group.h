#pragma once

// Brings the tables of one family to what is desired of them: one iptables-save and one
// iptables-restore for all together, since each run costs milliseconds and nft reads the whole rule
// set for it.
//
// What fails together is tried table by table, and in a table that still fails, the chains that the
// kernel refuses are closed (Table::refuse) so that the rest of the table is programmed. One
// thread.

#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "dataplane/iptables/commands.h"
#include "dataplane/iptables/post_write_check.h"
#include "dataplane/iptables/table.h"

namespace margay::dataplane::iptables {

class TableGroup {
 public:
  // The tables and `commands` outlive this.
  TableGroup(policy::IPFamily family, std::vector<Table*> tables, Commands& commands,
             PostWriteCheck check = PostWriteCheck(std::chrono::seconds(1)))
      : family_(family), tables_(std::move(tables)), commands_(commands), check_(check) {}

  // Reads the kernel's tables if what they hold is not known or a check is due, writes the
  // difference, and after a first or repaired state reads again to verify. On error a table that
  // could not be written has the state it had. Refused chains are no error: see Table::refused().
  // `done_without`: the tables that those behind them do without. Where another one cannot be
  // written, those behind it are not tried: packets would be let through there for a mark that an
  // older state sets.
  base::Result<> apply(const std::set<std::string>& done_without = {});
  // The same, each table for itself: to take ours away.
  base::Result<> apply_each();
  // How long until apply() is to be called for a check.
  std::optional<std::chrono::milliseconds> check_due_in() const {
    return check_.due_in(PostWriteCheck::Clock::now());
  }
  // By name, the tables that the last apply() tried and could not write: all, where it came to
  // none.
  const std::set<std::string>& unwritten() const { return unwritten_; }
  // Reads what is not known.
  base::Result<> load();
  // The next apply() reads the kernel's tables anew, and tries again what was refused.
  void forget();

 private:
  base::Result<> apply_together();
  base::Result<> apply_one_by_one(const std::set<std::string>& done_without);
  base::Result<> apply_alone(Table& table);
  // Whether the kernel has what was written to it.
  base::Result<> verify();
  base::Result<> restore(const std::string& input);
  std::string difference() const;
  void unlearn();
  void note_all_unwritten();

  policy::IPFamily family_;
  std::vector<Table*> tables_;
  Commands& commands_;
  std::set<std::string> unwritten_;
  PostWriteCheck check_;
  bool verify_ = false;
};

}  // namespace margay::dataplane::iptables
