#include "apiserver/event_stream.h"

#include <fmt/format.h>
#include <openssl/rand.h>
#include <spdlog/spdlog.h>

#include <boost/json/serialize.hpp>
#include <utility>

#include "api/stored_form.h"
#include "apiserver/stored_form.h"

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

}  // namespace

EventStream::EventStream(EventFeeds& feeds, SetAside& set_aside, ParsingRoom& room,
                         const ListOptions& options, const Representation& representation,
                         const Limits& limits)
    : store_(feeds.store()),
      feeds_(feeds),
      set_aside_(set_aside),
      room_(room),
      options_(options),
      representation_(representation),
      timeout_(options.timeout.value_or(default_timeout())),
      limits_(limits) {}

// ---- start -------------------------------------------------------------------------------------

Answer<std::shared_ptr<EventStream>> EventStream::open(EventFeeds& feeds, SetAside& set_aside,
                                                       ParsingRoom& room,
                                                       const ListOptions& options,
                                                       const Representation& representation,
                                                       const Limits& limits) {
  std::shared_ptr<EventStream> stream(
      new EventStream(feeds, set_aside, room, options, representation, limits));
  MARGAY_CHECK(stream->start());
  return stream;
}

Answer<> EventStream::start() {
  const auto& kind = *representation_.kind;
  const auto from = options_.revision.value_or(0);
  MARGAY_TRY(feed_, feeds_.of(kind));
  if (options_.initial_events || from == 0) {
    MARGAY_CHECK(begin_with_state(from));
  } else {
    // Says at once when history does not reach that far.
    const auto reached = store_.changes(stored_scope(kind, {.resource = kind.resource()}), from, 1);
    if (!reached && reached.error().code == base::ErrorCode::too_old)
      return refuse(
          expired(fmt::format("too old resource version: {} ({})", from, reached.error().message)));
    if (!reached) return refuse(from_error(*representation_.kind, {}, reached.error()));
    position_ = from;
  }
  bookmarked_ = position_;
  subscription_ = std::make_unique<EventFeed::Subscription>(feed_, options_.scope, position_,
                                                            [ready = ready_] { (*ready)(); });
  return {};
}

Answer<store::List> EventStream::next_page(const std::string& resume, size_t bytes) const {
  auto page = store_.list(stored_scope(*representation_.kind, options_.scope),
                          {.resume = resume, .bytes = bytes});
  if (page) return std::move(*page);
  if (page.error().code == base::ErrorCode::too_old)
    return refuse(expired("the state to begin with is gone: " + page.error().message));
  return refuse(from_error(*representation_.kind, {}, page.error()));
}

// Nothing of the state is held until there is a thread to read it: many watches may begin at once.
Answer<> EventStream::begin_with_state(store::Revision asked) {
  const auto& kind = *representation_.kind;
  const auto first = store_.list(stored_scope(kind, {.resource = kind.resource()}), {.limit = 1});
  if (!first) return refuse(from_error(*representation_.kind, {}, first.error()));
  if (asked > first->revision) return refuse(revision_too_large(asked, first->revision));
  position_ = first->revision;
  state_left_ = true;
  end_of_state_due_ = options_.initial_events;
  return {};
}

void EventStream::Ready::operator()() {
  std::function<void()> told;
  {
    const std::lock_guard lock(mutex);
    told = call;
  }
  if (told) told();
}

void EventStream::on_ready(std::function<void()> call) {
  {
    const std::lock_guard lock(ready_->mutex);
    ready_->call = std::move(call);
  }
  (*ready_)();
}

// ---- from the store ----------------------------------------------------------------------------

void EventStream::read() {
  if (next_loaded_ < loaded_.size())
    render_next();
  else if (state_left_)
    read_state();
  else if (std::exchange(behind_, false))
    read_history();
}

// A page, put into the client's form at once: as much is held as there are threads to read.
void EventStream::read_state() {
  auto page = next_page(resume_, limits_.page_bytes);
  if (!page) return end_with(page.error());
  position_ = page->revision;  // of all pages the same, and what is shown is of it
  resume_ = std::move(page->resume);
  state_left_ = !resume_.empty();
  for (auto& entry : page->entries)
    if (add({store::Event::Type::created, std::move(entry)})) render_next();
}

void EventStream::read_history() {
  auto changes = store_.changes(stored_scope(*representation_.kind, options_.scope), position_,
                                limits_.page_bytes);
  if (!changes) return end(changes.error());
  for (auto& event : changes->events) add(std::move(event));
  position_ = changes->up_to;
}

// False: the form that is watched does not have it.
bool EventStream::add(store::Event event) {
  const auto& kind = *representation_.kind;
  if (!api::has_form(kind, event.entry.key.name)) return false;
  loaded_.push_back(std::make_shared<const Change>(kind, std::move(event)));
  return true;
}

void EventStream::end(const base::Error& error) {
  if (error.code == base::ErrorCode::too_old)
    return end_with(expired("too old resource version: " + error.message));
  spdlog::debug("a watch of {} ends: {}", options_.scope.resource, error.message);
  ended_ = true;
}

void EventStream::end_with(const Status& status) {
  sendable_.push(representation_.error_event(status));
  ended_ = true;
}

// ---- to the client -----------------------------------------------------------------------------

Piece EventStream::take() {
  Piece piece;
  while (piece.text.size() < limits_.piece_bytes) {
    if (!sendable_.empty()) {
      sendable_.take(piece.text, limits_.piece_bytes);
    } else if (const auto next = load()) {
      piece.next = *next;
      return piece;
    }
  }
  return piece;
}

std::optional<Piece::Next> EventStream::load() {
  if (ended_) return Piece::Next::end;
  if (next_loaded_ < loaded_.size()) {
    const auto& next = *loaded_[next_loaded_];
    if (next.bytes() > limits_.large_bytes || !room_.is_small(parsed_bytes_of(next)))
      return Piece::Next::read;
    render_next();
    return std::nullopt;
  }
  loaded_.clear();
  next_loaded_ = 0;
  if (state_left_ || behind_) return Piece::Next::read;
  if (std::exchange(end_of_state_due_, false)) {
    sendable_.push(representation_.bookmark(position_, true));
    return std::nullopt;
  }
  auto tail = feed_->after(*subscription_, position_, limits_.piece_bytes);
  position_ = tail.up_to;
  behind_ = tail.behind;
  if (behind_) return Piece::Next::read;
  loaded_ = std::move(tail.changes);
  if (!loaded_.empty()) return std::nullopt;
  if (!tail.end) return Piece::Next::wait;
  end(*tail.end);
  return std::nullopt;
}

void EventStream::render_next() {
  const auto change = std::exchange(loaded_[next_loaded_++], nullptr);
  const auto place = room_.wait(parsed_bytes_of(*change));
  render(change);
}

// Of the values that render() parses, or makes the form of, one after the other.
size_t EventStream::parsed_bytes_of(const Change& change) const {
  if (change.form_weight() != 0) return change.form_weight();
  const auto& event = change.event();
  if (!options_.filter.empty())
    return parsed_bytes(event.entry.value) + parsed_bytes(event.previous);
  return representation_.parses() ? parsed_bytes(event.entry.value) : 0;
}

bool EventStream::matches(const Change& change) const {
  return options_.filter.matches(change.selectable(*representation_.kind));
}

// What the change means to this client, by whether it was shown the object before and still should
// be. Where the value before is not known it may have been: deleting what a client does not have is
// harmless, keeping what no longer matches is not.
std::string_view EventStream::classify(const Change& change) const {
  if (options_.filter.empty()) return change.type();
  const bool matching = matches(change);
  if (change.event().type != store::Event::Type::updated) return matching ? change.type() : "";
  const auto& before = change.selectable_before(*representation_.kind);
  const bool was_shown = !before || options_.filter.matches(*before);
  if (matching) return was_shown ? "MODIFIED" : "ADDED";
  return was_shown ? "DELETED" : "";
}

void EventStream::render(const std::shared_ptr<const Change>& change) {
  const auto& readable = change->readable();
  if (!readable && change->event().type == store::Event::Type::removed)
    return render_removal(change->event().entry.key, change->event().entry.revision);
  // Whoever has the object keeps its last state: what cannot be read says nothing.
  if (!readable) return set_aside_.add(change->event().entry, readable.error());
  const auto type = classify(*change);
  if (!type.empty()) render_text(change, type);
}

void EventStream::render_text(const std::shared_ptr<const Change>& change, std::string_view type) {
  const auto& entry = change->event().entry;
  // What only this watch has (of the state, or of history) would keep its value beside its text.
  const bool is_shared = change.use_count() > 1;
  if (is_shared && representation_.media.shape == Shape::object && type == change->type()) {
    const auto& shared = change->text(representation_);
    if (shared) return sendable_.push(change, change->bytes(), *shared);
    return set_aside_.add(entry, shared.error());
  }
  // What leaves a selector goes as it was last shown, with the revision at which it left.
  const bool leaves = type == "DELETED" && change->event().type == store::Event::Type::updated;
  const bool is_known = leaves && change->selectable_before(*representation_.kind);
  const store::Entry last{entry.key, is_known ? change->event().previous : "", entry.revision};
  auto own =
      representation_.event(type, is_known ? last : entry, !std::exchange(columns_sent_, true));
  if (own) return sendable_.push(std::move(*own));
  set_aside_.add(entry, own.error());
}

Unread EventStream::unread() const {
  Unread unread;
  sendable_.add_to(unread);
  for (size_t i = next_loaded_; i < loaded_.size(); ++i)
    if (loaded_[i].use_count() > 1)
      unread.shared.emplace_back(loaded_[i].get(), loaded_[i]->bytes());
    else
      unread.own += loaded_[i]->bytes();
  return unread;
}

// Of an object that could not be read at its end: whoever had it from before learns that it is
// gone.
void EventStream::render_removal(const store::Key& key, store::Revision revision) {
  json::object metadata{{"name", key.name}};
  if (!key.ns.empty()) metadata["namespace"] = key.ns;
  const auto& kind = *representation_.kind;
  const json::object bare{
      {"apiVersion", kind.api_version()}, {"kind", kind.name}, {"metadata", std::move(metadata)}};
  const store::Entry entry{key, json::serialize(bare), revision};
  auto text = representation_.event("DELETED", entry, !std::exchange(columns_sent_, true));
  if (text) return sendable_.push(std::move(*text));
  set_aside_.add(entry, text.error());
}

std::string EventStream::take_bookmark() {
  if (!options_.bookmarks || ended_) return {};
  // Only once everything before it has been taken.
  if (!sendable_.empty() || next_loaded_ < loaded_.size() || state_left_ || behind_) return {};
  if (position_ <= bookmarked_) return {};
  bookmarked_ = position_;
  return representation_.bookmark(position_, false);
}

}  // namespace margay::apiserver
