#pragma once

// For tests: the router over a real SQLite store in a folder of its own, without sockets.

#include <gtest/gtest.h>
#include <stdlib.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <functional>
#include <future>
#include <optional>
#include <thread>

#include "apiserver/documents.h"
#include "apiserver/event_stream.h"
#include "apiserver/list_stream.h"
#include "apiserver/namespace_sweeper.h"
#include "apiserver/object.h"
#include "apiserver/router.h"
#include "apiserver/tiers.h"
#include "store/sqlite/sqlite_store.h"

namespace margay::apiserver {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    auto name = (std::filesystem::temp_directory_path() / "margay-apiserver-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct Reply {
  Response response;
  json::object body = {};
  int code() const { return response.code; }
  std::string text(JsonPath path) const { return std::string(text_at(body, path)); }
  std::string header(std::string_view name) const {
    for (const auto& [key, value] : response.headers)
      if (key == name) return value;
    return {};
  }
};

// All of the room for parsing is taken, and as many wait for it as may.
class BusyRoom {
 public:
  explicit BusyRoom(ParsingRoom& room) : room_(room), held_(room.wait(k_all)) {
    for (size_t i = 0; i < ParsingRoom::Limits{}.waiting; ++i)
      waiters_.emplace_back([&room] { room.wait(k_all); });
    while (!has_others(0)) std::this_thread::yield();
  }
  ~BusyRoom() { end(); }
  void end() { held_.leave(); }
  // Whether so many more wait.
  bool has_others(size_t count) const { return room_.waiting() >= waiters_.size() + count; }

 private:
  static constexpr size_t k_all = 24 << 20;
  ParsingRoom& room_;
  ParsingRoom::Place held_;
  std::vector<std::jthread> waiters_;
};

class RouterFixture : public testing::Test {
 protected:
  RouterFixture() {
    auto opened =
        store::sqlite::SqliteStore::open({.path = (folder_.path() / "store.db").string(),
                                          .durability = store::sqlite::Durability::process_crash});
    if (!opened) throw std::runtime_error(opened.error().message);
    store_ = std::move(*opened);
    writes_ = std::make_unique<Writes>(*store_, clock_, room_);
    sweeper_ = std::make_unique<NamespaceSweeper>(*store_, *writes_, room_);
    const auto restored = restore_namespaces(*store_, *writes_);
    if (!restored) throw std::runtime_error(restored.error().message);
    const auto tiers = restore_tiers(*store_, *writes_);
    if (!tiers) throw std::runtime_error(tiers.error().message);
    router_ = std::make_unique<Router>(Router::Services{.store = *store_,
                                                        .writes = *writes_,
                                                        .clock = clock_,
                                                        .documents = documents(),
                                                        .authorizer = authorizer_,
                                                        .audit = audit_,
                                                        .room = room_,
                                                        .is_ready = [] { return true; },
                                                        .metrics_text = [] { return "metrics"; }});
  }
  ~RouterFixture() override { sweeper_.reset(); }

  static const Documents& documents() {
    static const Documents documents;
    return documents;
  }

  Reply call(const Request& request) {
    RequestLabels labels;
    Reply reply{router_->handle(request, labels)};
    while (reply.response.unfinished)
      reply.response = router_->go_on(request, std::move(reply.response.unfinished));
    while (reply.response.list) {
      const auto piece = reply.response.list->take();
      reply.response.body += piece.text;
      if (piece.next == Piece::Next::read) reply.response.list->read();
      if (piece.next == Piece::Next::end || piece.next == Piece::Next::cut)
        reply.response.list.reset();
    }
    boost::system::error_code error;
    auto value = json::parse(reply.response.body, error, {}, {.max_depth = 120});
    if (!error && value.is_object()) reply.body = std::move(value.as_object());
    return reply;
  }
  Reply get(const std::string& target, const std::string& accept = "") {
    return call({.method = Method::get, .target = target, .accept = accept});
  }
  Reply post(const std::string& target, const std::string& body) {
    return call({.method = Method::post, .target = target, .body = body});
  }
  Reply put(const std::string& target, const json::object& body) {
    return call({.method = Method::put, .target = target, .body = json::serialize(body)});
  }
  Reply patch(const std::string& target, const std::string& type, const std::string& body) {
    return call({.method = Method::patch,
                 .target = target,
                 .content_type = "application/" + type,
                 .body = body});
  }
  Reply remove(const std::string& target, const std::string& body = "") {
    return call({.method = Method::remove, .target = target, .body = body});
  }

  // The answer, though the room is busy; none where it waits for that to end.
  std::optional<Reply> while_busy(const std::function<Reply()>& ask) {
    BusyRoom busy(room_);
    auto reply = std::async(std::launch::async, ask);
    const auto is_answered = [&] {
      return reply.wait_for(std::chrono::milliseconds(1)) == std::future_status::ready;
    };
    while (!is_answered() && !busy.has_others(1)) {
    }
    if (is_answered()) return reply.get();
    busy.end();
    reply.get();
    return std::nullopt;
  }

  TemporaryFolder folder_;
  base::FakeClock clock_;
  ParsingRoom room_;
  std::unique_ptr<store::sqlite::SqliteStore> store_;
  std::unique_ptr<Writes> writes_;
  std::unique_ptr<NamespaceSweeper> sweeper_;
  AllowAll authorizer_;
  NoAudit audit_;
  std::unique_ptr<Router> router_;
};

}  // namespace margay::apiserver
