#pragma once

// The connections a server has open, with a bound on those whose client is not known yet. Where
// that bound is reached the oldest of the unknown gives way: a flood of connections that say
// nothing cannot keep a client out that says who it is within milliseconds.
// Safe from any thread.

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

  // As unknown. False: there are too many, and it is to be closed at once. What was added must be
  // removed before its memory is used again.
  bool add(const std::shared_ptr<Connection>& connection);
  // Its client has said who it is.
  void set_known(const Connection& connection);
  void remove(const Connection& connection);

  std::vector<std::shared_ptr<Connection>> all() const;
  // False: some were left after `patience`.
  bool wait_until_empty(std::chrono::milliseconds patience);

 private:
  using Unknown = std::list<const Connection*>;  // oldest first; each has its slot
  struct Slot {
    std::weak_ptr<Connection> connection;
    Unknown::iterator unknown;  // end(): known, or giving way
  };

  const size_t most_;
  const size_t most_unknown_;
  mutable std::mutex mutex_;
  std::condition_variable emptied_;
  std::unordered_map<const Connection*, Slot> slots_;
  Unknown unknown_;
};

}  // namespace margay::apiserver
