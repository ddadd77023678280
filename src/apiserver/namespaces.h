#pragma once

// Which namespaces exist and which are being deleted, in memory: the one server of a store decides
// here whether an object may be created, without a look into the store, and knows when the last
// creation that was let in before a deletion has ended.

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace margay::apiserver {

class Namespaces {
 public:
  enum class State { active, terminating };

  // Permission for one creation. While it lives, the namespace's content is not swept.
  class Entry {
   public:
    Entry(Entry&& other) noexcept;
    Entry& operator=(Entry&&) = delete;
    ~Entry();

   private:
    friend class Namespaces;
    Entry(Namespaces& owner, std::string name) : owner_(&owner), name_(std::move(name)) {}
    Namespaces* owner_;
    std::string name_;
  };

  // Keeps creations out while a deletion is being written, whether it then succeeds or not.
  class Closing {
   public:
    Closing(Namespaces& owner, std::string_view name);
    Closing(const Closing&) = delete;
    Closing& operator=(const Closing&) = delete;
    ~Closing();

   private:
    Namespaces& owner_;
    const std::string name_;
  };

  // Nothing for a namespace that does not exist or is terminating: state() tells which.
  std::optional<Entry> enter(std::string_view name);
  std::optional<State> state(std::string_view name) const;

  void set(std::string_view name, State state);
  void forget(std::string_view name);
  // Waits until every creation let in has ended. To be called once the state is terminating.
  void wait_until_left(std::string_view name);

 private:
  struct Slot {
    State state = State::active;
    size_t entered = 0;  // creations under way
    size_t closing = 0;  // deletions being written
  };
  void leave(const std::string& name);

  mutable std::mutex mutex_;
  std::condition_variable left_;
  std::map<std::string, Slot, std::less<>> slots_;
};

}  // namespace margay::apiserver
