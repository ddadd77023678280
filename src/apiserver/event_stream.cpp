#include "apiserver/event_stream.h"

#include <fmt/format.h>
#include <openssl/rand.h>

#include <boost/json/parse.hpp>
#include <utility>

namespace margay::apiserver {
namespace {

// A client that sets no timeout is cut after 30 to 60 minutes, as in Kubernetes, so that load
// spreads again; it goes on from where it was.
std::chrono::seconds default_timeout() {
  constexpr int64_t k_least = 1800;
  uint16_t random = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&random), sizeof random);
  return std::chrono::seconds(k_least + random % k_least);
}

size_t size_of(const store::Event& event) {
  return sizeof(event) + event.entry.value.size() + event.entry.key.name.size();
}

std::string error_line(const Status& status) {
  return fmt::format("{{\"type\":\"ERROR\",\"object\":{}}}\n", status.to_json());
}

}  // namespace

EventStream::EventStream(const ListOptions& options, const Representation& representation,
                         const Limits& limits)
    : representation_(representation),
      filter_(options.filter),
      bookmarks_(options.bookmarks),
      timeout_(options.timeout.value_or(default_timeout())),
      limits_(limits) {}

EventStream::~EventStream() { watch_.reset(); }

// ---- start -------------------------------------------------------------------------------------

Answer<std::shared_ptr<EventStream>> EventStream::open(store::Store& store,
                                                       const ListOptions& options,
                                                       const Representation& representation,
                                                       const Limits& limits) {
  std::shared_ptr<EventStream> stream(new EventStream(options, representation, limits));
  MARGAY_CHECK(stream->start(store, options));
  return stream;
}

Answer<> EventStream::start(store::Store& store, const ListOptions& options) {
  const auto& kind = *representation_.kind;
  const bool from_now = options.revision.value_or(0) == 0;
  const bool show_state = options.initial_events || from_now;
  // A filtered watch must know which objects the client has, to tell it of those that stop
  // matching.
  const bool need_state = show_state || !filter_.empty();
  store::Revision from = options.revision.value_or(0);
  if (need_state) {
    auto list = store.list(options.scope);
    if (!list) return refuse(from_error(kind, {}, list.error()));
    if (options.revision.value_or(0) > list->revision)
      return refuse(revision_too_large(*options.revision, list->revision));
    remember(*list, show_state ? list->revision : from);
    if (show_state) {
      from = list->revision;
      initial_ = std::move(list->entries);
      initial_revision_ = from;
      end_of_initial_due_ = options.initial_events;
    }
  }
  seen_ = bookmarked_ = from;
  auto watch = store.watch(options.scope, from, *this);
  if (!watch && watch.error().code == base::ErrorCode::too_old)
    return refuse(
        expired(fmt::format("too old resource version: {} ({})", from, watch.error().message)));
  if (!watch) return refuse(from_error(kind, {}, watch.error()));
  watch_ = std::move(*watch);
  return {};
}

void EventStream::remember(const store::List& list, store::Revision from) {
  if (filter_.empty()) return;
  history_end_ = list.revision;
  for (const auto& entry : list.entries)
    if (entry.revision <= from && matches(entry)) shown_.emplace(entry.key.ns, entry.key.name);
}

bool EventStream::matches(const store::Entry& entry) const {
  boost::system::error_code error;
  const auto object = boost::json::parse(entry.value, error);
  return !error && object.is_object() && filter_.matches(object.as_object());
}

// ---- from the store ----------------------------------------------------------------------------

void EventStream::on_events(std::span<const store::Event> events) {
  {
    const std::lock_guard lock(mutex_);
    if (overrun_) return;
    for (const auto& event : events) {
      // What came before is still delivered, so that a client that resumes has come further.
      overrun_ = !pending_.empty() && pending_bytes_ + size_of(event) > limits_.pending_bytes;
      if (overrun_) break;
      pending_bytes_ += size_of(event);
      pending_.push_back(event);
      seen_ = event.entry.revision;
    }
  }
  notify();
}

void EventStream::on_progress(store::Revision revision) {
  const std::lock_guard lock(mutex_);
  if (!overrun_) seen_ = std::max(seen_, revision);
}

void EventStream::on_end(const base::Error& error) {
  {
    const std::lock_guard lock(mutex_);
    end_ = error;
  }
  notify();
}

void EventStream::notify() {
  std::function<void()> call;
  {
    const std::lock_guard lock(mutex_);
    call = ready_;
  }
  if (call) call();
}

void EventStream::on_ready(std::function<void()> call) {
  {
    const std::lock_guard lock(mutex_);
    ready_ = call;
  }
  if (call) call();
}

// ---- to the client -----------------------------------------------------------------------------

EventStream::Piece EventStream::take() {
  Piece piece;
  if (ended_) return {.ended = true};
  append_initial(piece);
  if (next_initial_ < initial_.size()) return {std::move(piece.text), true, false};
  if (next_taken_ == taken_.size()) {
    taken_.clear();
    next_taken_ = 0;
    const std::lock_guard lock(mutex_);
    taken_.swap(pending_);
    pending_bytes_ = 0;
  }
  while (next_taken_ < taken_.size() && piece.text.size() < limits_.piece_bytes && !ended_)
    append(piece, taken_[next_taken_++]);
  piece.more = next_taken_ < taken_.size();
  if (!piece.more) append_end(piece);
  piece.ended = ended_;
  return piece;
}

void EventStream::append_initial(Piece& piece) {
  while (next_initial_ < initial_.size() && piece.text.size() < limits_.piece_bytes) {
    const auto& entry = initial_[next_initial_++];
    if (filter_.empty() || shown_.contains({entry.key.ns, entry.key.name}))
      append_line(piece, "ADDED", entry);
  }
  if (next_initial_ < initial_.size()) return;
  initial_.clear();
  next_initial_ = 0;
  if (!std::exchange(end_of_initial_due_, false)) return;
  piece.text += representation_.bookmark(initial_revision_, true);
}

// What the event means to this client, by whether it saw the object before and still should.
std::string_view EventStream::classify(const store::Event& event) {
  using Type = store::Event::Type;
  if (filter_.empty()) {
    if (event.type == Type::removed) return "DELETED";
    return event.type == Type::created ? "ADDED" : "MODIFIED";
  }
  const Name name(event.entry.key.ns, event.entry.key.name);
  const bool matching = matches(event.entry);
  const bool was_unknown = is_first_in_history(event, name);
  if (event.type == Type::removed) {
    // Its last value is what it was when the watch began, if this is the first that is heard of it.
    const bool was_shown = shown_.erase(name) > 0 || (was_unknown && matching);
    return was_shown ? "DELETED" : "";
  }
  if (matching) return shown_.insert(name).second ? "ADDED" : "MODIFIED";
  // Deleting what a client does not have is harmless; keeping what no longer matches is not.
  const bool may_be_shown = shown_.erase(name) > 0 || (was_unknown && event.type == Type::updated);
  return may_be_shown ? "DELETED" : "";
}

bool EventStream::is_first_in_history(const store::Event& event, const Name& name) {
  if (event.entry.revision > history_end_) {
    judged_.clear();
    return false;
  }
  return judged_.insert(name).second && !shown_.contains(name);
}

void EventStream::append(Piece& piece, const store::Event& event) {
  const auto type = classify(event);
  if (!type.empty()) append_line(piece, type, event.entry);
}

void EventStream::append_line(Piece& piece, std::string_view type, const store::Entry& entry) {
  const auto line = representation_.event(type, entry, !columns_sent_);
  columns_sent_ = true;
  if (line) {
    piece.text += *line;
    return;
  }
  piece.text += error_line(line.error());
  ended_ = true;
}

void EventStream::append_end(Piece& piece) {
  const std::lock_guard lock(mutex_);
  if (!pending_.empty()) {  // what came meanwhile goes first
    piece.more = true;
    return;
  }
  ended_ = ended_ || overrun_ || end_.has_value();
  if (overrun_ || !end_) return;
  if (end_->code == base::ErrorCode::too_old)
    piece.text += error_line(expired("too old resource version: " + end_->message));
}

std::string EventStream::take_bookmark() {
  if (!bookmarks_ || ended_) return {};
  const std::lock_guard lock(mutex_);
  // Only once everything before it has been taken.
  if (!pending_.empty() || next_taken_ < taken_.size() || next_initial_ < initial_.size())
    return {};
  if (seen_ <= bookmarked_ || overrun_) return {};
  bookmarked_ = seen_;
  return representation_.bookmark(seen_, false);
}

}  // namespace margay::apiserver
