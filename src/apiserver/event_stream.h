#pragma once

// A watch on its way to one client: the store's changes, filtered and put into the client's form.
// It knows nothing of sockets: whoever sends it takes a piece at a time and is told when there is
// something to take.
//
// It holds no queue: it is a position among the changes that all watches of its kind share
// (event_feed.h), and goes on from the store's history when it has fallen behind those. When that
// is gone as well it ends with an ERROR event, 410 Expired: the client lists again. Nor does it
// remember objects: what a change means to a client with a selector is told by the values before
// and after it.

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "apiserver/event_feed.h"
#include "apiserver/list_options.h"
#include "apiserver/parsing_room.h"
#include "apiserver/representation.h"
#include "apiserver/sendable.h"
#include "apiserver/set_aside.h"
#include "store/store.h"

namespace margay::apiserver {

class EventStream {
 public:
  struct Limits {
    size_t piece_bytes = k_piece_bytes;
    size_t page_bytes = k_page_bytes;
    size_t large_bytes = 16 << 10;  // what read() puts into the client's form, and not take()
  };

  // Blocks on the store. `feeds`, `set_aside` and `room` must outlive the stream.
  static Answer<std::shared_ptr<EventStream>> open(EventFeeds& feeds, SetAside& set_aside,
                                                   ParsingRoom& room, const ListOptions& options,
                                                   const Representation& representation,
                                                   const Limits& limits);
  static Answer<std::shared_ptr<EventStream>> open(EventFeeds& feeds, SetAside& set_aside,
                                                   ParsingRoom& room, const ListOptions& options,
                                                   const Representation& representation) {
    return open(feeds, set_aside, room, options, representation, Limits{});
  }

  // `call` is called from any thread, and must neither block nor destroy the stream, when take()
  // has something new; and once now.
  void on_ready(std::function<void()> call);

  // One thread at a time. take() neither blocks nor works for long; read() may do both.
  Piece take();
  void read();
  // A bookmark at the last revision seen, when the client wants bookmarks and it is news to it.
  std::string take_bookmark();

  // Between two calls of take(): whether what was taken ends within an event, and what of the rest
  // is in memory.
  bool is_within_event() const { return sendable_.is_within_part(); }
  Unread unread() const;

  std::chrono::seconds timeout() const { return timeout_; }

 private:
  EventStream(EventFeeds& feeds, SetAside& set_aside, ParsingRoom& room, const ListOptions& options,
              const Representation& representation, const Limits& limits);

  using Changes = std::vector<std::shared_ptr<const Change>>;

  Answer<> start();
  Answer<> begin_with_state(store::Revision asked);
  Answer<store::List> next_page(const std::string& resume, size_t bytes) const;
  void read_state();
  void read_history();
  bool add(store::Event event);

  // What take() does next when nothing is left to send; nothing: go on.
  std::optional<Piece::Next> load();
  void render_next();
  size_t parsed_bytes_of(const Change& change) const;
  void render(const std::shared_ptr<const Change>& change);
  void render_text(const std::shared_ptr<const Change>& change, std::string_view type);
  void render_removal(const store::Key& key, store::Revision revision);
  std::string_view classify(const Change& change) const;
  bool matches(const Change& change) const;
  void end_with(const Status& status);
  void end(const base::Error& error);

  store::Store& store_;
  EventFeeds& feeds_;
  SetAside& set_aside_;
  ParsingRoom& room_;
  const ListOptions options_;
  const Representation representation_;
  const std::chrono::seconds timeout_;
  const Limits limits_;

  // Called by the feed, which may do so while the stream is being destroyed.
  struct Ready {
    std::mutex mutex;
    std::function<void()> call;
    void operator()();
  };

  std::shared_ptr<EventFeed> feed_;
  const std::shared_ptr<Ready> ready_ = std::make_shared<Ready>();
  std::unique_ptr<EventFeed::Subscription> subscription_;
  store::Revision position_ = 0;  // taken from the feed or the store up to here
  store::Revision bookmarked_ = 0;

  // The state that is shown first: what is left of it, page by page.
  bool state_left_ = false;
  std::string resume_;
  bool end_of_state_due_ = false;  // the closing bookmark of sendInitialEvents
  bool behind_ = false;            // the next read is of history

  Changes loaded_;  // read, not yet put into the client's form
  size_t next_loaded_ = 0;
  Sendable sendable_;
  bool columns_sent_ = false;
  bool ended_ = false;
};

}  // namespace margay::apiserver
