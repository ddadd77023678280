#pragma once

// The connections a server has open, with bounds on how many, and on how many of those whose client
// is not known yet. Where a bound is reached the oldest of the unknown, or the known one that has
// been idle for longest, gives way: neither a flood of connections that say nothing nor clients
// that keep many for later lock out one that says who it is. Safe from any thread.

#include <chrono>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace margay::apiserver {

class Connection;

class OpenConnections {
 public:
  OpenConnections(size_t most, size_t most_unknown) : most_(most), most_unknown_(most_unknown) {}

  // As unknown. False: there are too many, all of them being served, and it is to be closed at
  // once. What was added must be removed before its memory is used again.
  bool add(const std::shared_ptr<Connection>& connection);
  // Its client has said who it is.
  void set_known(const Connection& connection);
  // Whether a known one waits for its next request.
  void set_idle(const Connection& connection, bool idle);
  void remove(const Connection& connection);

  std::vector<std::shared_ptr<Connection>> all() const;
  // False: some were left after `patience`.
  bool wait_until_empty(std::chrono::milliseconds patience);

 private:
  using Line = std::list<const Connection*>;  // who came first is first; each has its slot
  struct Slot {
    std::weak_ptr<Connection> connection;
    Line* line;  // null: it is served, or giving way
    Line::iterator place;
    bool gives_way = false;
  };
  // The connection that gives way, unless its end is under way.
  std::shared_ptr<Connection> take_first(Line& line);
  static void enter(Slot& slot, Line& line, const Connection& connection);
  static void leave(Slot& slot);

  const size_t most_;
  const size_t most_unknown_;
  mutable std::mutex mutex_;
  std::condition_variable emptied_;
  std::unordered_map<const Connection*, Slot> slots_;
  size_t giving_way_ = 0;
  Line unknown_;
  Line idle_;
};

}  // namespace margay::apiserver
