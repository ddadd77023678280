#pragma once

// A watch on its way to one client: the store's changes, filtered and put into the client's form.
// It knows nothing of sockets: whoever sends it is told when there is something to take, and takes
// it a piece at a time. What a slow client has not taken is bounded; beyond the bound the stream
// ends, and the client watches again from the last revision it saw.

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "apiserver/list_options.h"
#include "apiserver/representation.h"
#include "store/store.h"

namespace margay::apiserver {

class EventStream final : private store::Watcher {
 public:
  struct Limits {
    size_t pending_bytes = 16 << 20;
    size_t piece_bytes = 256 << 10;  // about how much take() returns at once
  };

  // Lists what is to be shown first and starts the watch. Blocks on the store.
  static Answer<std::shared_ptr<EventStream>> open(store::Store& store, const ListOptions& options,
                                                   const Representation& representation,
                                                   const Limits& limits);
  static Answer<std::shared_ptr<EventStream>> open(store::Store& store, const ListOptions& options,
                                                   const Representation& representation) {
    return open(store, options, representation, Limits{});
  }
  ~EventStream() override;

  // `call` is called from any thread, and must not block, when take() has something new. Calls it
  // at once if that is so already.
  void on_ready(std::function<void()> call);

  struct Piece {
    std::string text;
    bool more = false;   // take() again at once
    bool ended = false;  // nothing comes after `text`
  };
  // One thread at a time.
  Piece take();
  // A bookmark at the last revision seen, when the client wants bookmarks and it is news to it.
  std::string take_bookmark();

  std::chrono::seconds timeout() const { return timeout_; }

 private:
  EventStream(const ListOptions& options, const Representation& representation,
              const Limits& limits);

  Answer<> start(store::Store& store, const ListOptions& options);
  void remember(const store::List& list, store::Revision from);

  void on_events(std::span<const store::Event> events) override;
  void on_progress(store::Revision revision) override;
  void on_end(const base::Error& error) override;
  void notify();

  void append_initial(Piece& piece);
  void append(Piece& piece, const store::Event& event);
  void append_line(Piece& piece, std::string_view type, const store::Entry& entry);
  void append_end(Piece& piece);
  using Name = std::pair<std::string, std::string>;  // namespace, name
  std::string_view classify(const store::Event& event);
  bool is_first_in_history(const store::Event& event, const Name& name);
  bool matches(const store::Entry& entry) const;

  const Representation representation_;
  const Filter filter_;
  const bool bookmarks_;
  const std::chrono::seconds timeout_;
  const Limits limits_;

  // The taker's.
  std::vector<store::Entry> initial_;
  size_t next_initial_ = 0;
  store::Revision initial_revision_ = 0;
  bool end_of_initial_due_ = false;  // the closing bookmark of sendInitialEvents
  bool columns_sent_ = false;
  // With a filter: what the client is known to have. Of objects that changed between the revision
  // it starts from and `history_end_` that is known only after their first event.
  std::set<Name> shown_;
  std::set<Name> judged_;
  store::Revision history_end_ = 0;
  store::Revision bookmarked_ = 0;
  std::vector<store::Event> taken_;  // moved out of pending_, in order
  size_t next_taken_ = 0;
  bool ended_ = false;

  // Shared with the store's thread.
  std::mutex mutex_;
  std::vector<store::Event> pending_;
  size_t pending_bytes_ = 0;
  store::Revision seen_ = 0;
  std::optional<base::Error> end_;
  bool overrun_ = false;
  std::function<void()> ready_;

  std::unique_ptr<store::Watch> watch_;  // last: stops before what it calls goes
};

}  // namespace margay::apiserver
