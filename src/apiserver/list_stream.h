#pragma once

// A list on its way to one client, read from the store page by page while it is sent: of a list of
// a gigabyte the server holds a page. All pages are of one snapshot, whose revision the list has.
// When history no longer reaches back to it (the client took longer than compaction waits), the
// list cannot be finished, and its connection is cut.

#include <memory>
#include <string>

#include "apiserver/list_options.h"
#include "apiserver/parsing_room.h"
#include "apiserver/reads.h"
#include "apiserver/representation.h"
#include "apiserver/sendable.h"
#include "apiserver/set_aside.h"
#include "store/store.h"

namespace margay::apiserver {

class ListStream {
 public:
  // Reads the first page. Blocks on the store, which must outlive the stream, as `set_aside` and
  // `room` must.
  static Answer<std::shared_ptr<ListStream>> open(const Reads& reads, SetAside& set_aside,
                                                  ParsingRoom& room, const ListOptions& options,
                                                  const Representation& representation,
                                                  size_t page_bytes = k_page_bytes);

  // One thread at a time. take() never blocks.
  Piece take(size_t bytes = k_piece_bytes);
  void read();
  // What of the rest is in memory.
  Unread unread() const;
  // Whether all of it has been read; then whole() is the rest of the text.
  bool is_read() const { return done_; }
  std::string whole();

 private:
  ListStream(const Reads& reads, SetAside& set_aside, ParsingRoom& room, const ListOptions& options,
             const Representation& representation, size_t page_bytes);
  Answer<> read_page();
  Answer<> append(const store::Entry& entry);
  Answer<ParsingRoom::Place> place_for(const store::Entry& entry);

  const Reads reads_;
  SetAside& set_aside_;
  ParsingRoom& room_;
  const ListOptions options_;
  const Representation representation_;
  const size_t page_bytes_;

  std::string resume_;
  size_t left_;  // of the limit
  bool first_ = true;
  bool opened_ = false;  // the answer has begun: it can be refused no more
  bool done_ = false;
  bool failed_ = false;
  Sendable sendable_;
};

}  // namespace margay::apiserver
