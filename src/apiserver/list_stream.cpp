#include "apiserver/list_stream.h"

#include <spdlog/spdlog.h>

#include <limits>

#include "apiserver/object.h"

namespace margay::apiserver {

ListStream::ListStream(const Reads& reads, SetAside& set_aside, ParsingRoom& room,
                       const ListOptions& options, const Representation& representation,
                       size_t page_bytes)
    : reads_(reads),
      set_aside_(set_aside),
      room_(room),
      options_(options),
      representation_(representation),
      page_bytes_(page_bytes),
      resume_(options.resume),
      left_(options.limit) {}

Answer<std::shared_ptr<ListStream>> ListStream::open(const Reads& reads, SetAside& set_aside,
                                                     ParsingRoom& room, const ListOptions& options,
                                                     const Representation& representation,
                                                     size_t page_bytes) {
  std::shared_ptr<ListStream> stream(
      new ListStream(reads, set_aside, room, options, representation, page_bytes));
  MARGAY_CHECK(stream->read_page());
  stream->opened_ = true;
  return stream;
}

Answer<> ListStream::read_page() {
  MARGAY_TRY(auto page, read_list_page(reads_.at(opened_), *representation_.kind, options_, resume_,
                                       {.limit = left_, .bytes = page_bytes_}));
  if (first_ && resume_ == options_.resume && sendable_.empty())
    sendable_.push(representation_.list_head());
  for (const auto& entry : page.entries) MARGAY_CHECK(append(entry));
  resume_ = std::move(page.resume);
  const bool at_limit = options_.limit != 0 && page.entries.size() == left_;
  left_ -= std::min(left_, page.entries.size());
  done_ = at_limit || resume_.empty();
  if (!done_) return {};
  Representation::ListMeta meta{.revision = page.revision, .resume = resume_};
  if (options_.filter.empty()) meta.remaining = page.remaining;  // with a filter nobody knows
  sendable_.push(representation_.list_tail(meta, first_));
  return {};
}

Answer<ParsingRoom::Place> ListStream::place_for(const store::Entry& entry) {
  const bool parses = !options_.filter.empty() || representation_.parses();
  const std::string_view parsed = parses ? entry.value : std::string_view();
  if (opened_) return room_.wait(parsed);
  return room_.enter(parsed);
}

// One row that cannot be read takes nobody's list away.
Answer<> ListStream::append(const store::Entry& entry) {
  MARGAY_TRY(const auto place, place_for(entry));
  if (const auto readable = check_stored(entry); !readable) {
    set_aside_.add(entry, readable.error());
    return {};
  }
  if (!options_.filter.empty() && !matches(options_.filter, entry)) return {};
  auto text = representation_.list_item(entry, first_);
  if (!text) {  // it has no form in this format
    set_aside_.add(entry, text.error());
    return {};
  }
  first_ = false;
  sendable_.push(std::move(*text));
  return {};
}

Piece ListStream::take(size_t bytes) {
  Piece piece;
  sendable_.take(piece.text, bytes);
  if (!sendable_.empty()) return piece;
  if (failed_)
    piece.next = Piece::Next::cut;
  else
    piece.next = done_ ? Piece::Next::end : Piece::Next::read;
  return piece;
}

Unread ListStream::unread() const {
  Unread unread;
  sendable_.add_to(unread);
  return unread;
}

void ListStream::read() {
  const auto read = read_page();
  if (read) return;
  spdlog::warn("a list of {} cannot be finished: {}", options_.scope.resource,
               read.error().message);
  failed_ = true;
}

std::string ListStream::whole() {
  return representation_.finish_list(take(std::numeric_limits<size_t>::max()).text);
}

}  // namespace margay::apiserver
