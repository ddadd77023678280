#include "store/kubernetes/watch_stream.h"

#include <fmt/format.h>

#include <random>
#include <vector>

#include "api/json_path.h"
#include "store/kubernetes/object.h"
#include "store/kubernetes/status.h"

namespace margay::store::kubernetes {
namespace {

namespace json = boost::json;
using base::ErrorCode;
using base::fail;
using base::Result;

// Over what the server was told, when it does not keep to it.
constexpr std::chrono::seconds k_grace{30};
// A stream that ends sooner, without having told anything, is not one that ran its time.
constexpr std::chrono::seconds k_shortest{1};

std::string target(const api::Kind& kind, const Scope& scope, Revision from,
                   std::chrono::seconds timeout) {
  auto text =
      fmt::format("{}?watch=true&allowWatchBookmarks=true&resourceVersion={}&timeoutSeconds={}",
                  collection_path(kind, scope.ns), from, timeout.count());
  if (!scope.name.empty()) text += "&fieldSelector=" + escape("metadata.name=" + scope.name);
  return text;
}

// Between the timeout and twice that, so that many watches don't come back together.
std::chrono::seconds spread(std::chrono::seconds timeout) {
  std::minstd_rand random(std::random_device{}());
  return timeout + std::chrono::seconds(random() % static_cast<uint64_t>(timeout.count() + 1));
}

base::Error error_line(const json::object& status) {
  return to_error(status, static_cast<unsigned>(api::integer_at(status, {"code"}).value_or(500)));
}

}  // namespace

Result<WatchLine> parse_watch_line(const api::Kind& kind, std::string_view line) {
  MARGAY_TRY(auto parsed, parse_answer(line));
  const auto name = api::text_at(parsed, {"type"});
  auto* object = parsed.if_contains("object");
  if (name.empty() || object == nullptr || !object->is_object())
    return fail(ErrorCode::internal, "the watch sent an event without type or object");
  if (name == "ERROR") return fail(error_line(object->get_object()));
  WatchLine result;
  MARGAY_TRY(result.revision, revision_of(object->get_object()));
  if (name == "BOOKMARK") return result;

  Event event;
  if (name == "ADDED")
    event.type = Event::Type::created;
  else if (name == "MODIFIED")
    event.type = Event::Type::updated;
  else if (name == "DELETED")
    event.type = Event::Type::removed;
  else
    return fail(ErrorCode::internal, fmt::format("the watch sent an event of type \"{}\"", name));
  MARGAY_TRY(event.entry, to_entry(kind, std::move(object->get_object())));
  result.event = std::move(event);
  return result;
}

Result<std::unique_ptr<Watch>> WatchStream::start(ApiClient& client, const api::Kind& kind,
                                                  const Scope& scope, Revision from,
                                                  std::chrono::seconds timeout, Watcher& watcher) {
  std::unique_ptr<WatchStream> watch(new WatchStream(client, kind, scope, from, timeout, watcher));
  MARGAY_CHECK(watch->open());
  watch->thread_ = std::thread([self = watch.get()] { self->run(); });
  return watch;
}

WatchStream::~WatchStream() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (stream_) stream_->cancel();
  }
  if (thread_.joinable()) thread_.join();
}

Result<> WatchStream::open() {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return fail(ErrorCode::unavailable, "the watch is stopped");
    stream_ = client_.stream();
  }
  return client_.open(*stream_, {.target = target(kind_, scope_, position_, spread(timeout_)),
                                 .headers = {{"Accept", "application/json"}}});
}

void WatchStream::run() {
  for (;;) {
    const auto opened = std::chrono::steady_clock::now();
    const Revision from = position_;
    auto ended = follow();
    const bool told = position_ != from;
    if (ended && !told && std::chrono::steady_clock::now() - opened < k_shortest)
      ended = fail(ErrorCode::unavailable, "the server ended the watch at once");
    if (ended) ended = open();
    if (ended) continue;
    const bool stopping = [this] {
      const std::lock_guard lock(mutex_);
      return stopping_;
    }();
    if (!stopping) watcher_.on_end(ended.error());
    return;
  }
}

// Reads the stream to its end; no error when the server ended it in order.
Result<> WatchStream::follow() {
  std::string received;
  for (;;) {
    MARGAY_TRY(const auto bytes, stream_->read(2 * timeout_ + k_grace));
    if (bytes.empty()) return {};
    received += bytes;
    MARGAY_CHECK(deliver(received));
  }
}

// Takes the whole lines off `received`.
Result<> WatchStream::deliver(std::string& received) {
  std::vector<Event> events;
  Revision bookmark = 0;
  Result<> error;
  size_t begin = 0;
  for (size_t end = 0; error && (end = received.find('\n', begin)) != std::string::npos;
       begin = end + 1) {
    auto line = parse_watch_line(kind_, std::string_view(received).substr(begin, end - begin));
    if (!line) {
      error = fail(std::move(line).error());
      continue;
    }
    position_ = line->revision;
    if (line->event)
      events.push_back(*std::move(line->event));
    else
      bookmark = line->revision;
  }
  received.erase(0, begin);
  const std::lock_guard lock(mutex_);
  if (stopping_) return fail(ErrorCode::unavailable, "the watch is stopped");
  if (!events.empty()) watcher_.on_events(events);
  if (bookmark != 0 && bookmark == position_) watcher_.on_progress(bookmark);
  return error;
}

}  // namespace margay::store::kubernetes
