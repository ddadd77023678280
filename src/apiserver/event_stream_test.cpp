#include "apiserver/event_stream.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <condition_variable>

#include "apiserver/router_fixture.h"

namespace margay::apiserver {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Takes a stream's lines on the test's thread, with a deadline.
class Reader {
 public:
  explicit Reader(std::shared_ptr<EventStream> stream) : stream_(std::move(stream)) {
    stream_->on_ready([this] {
      const std::lock_guard lock(mutex_);
      ready_ = true;
      changed_.notify_all();
    });
  }
  ~Reader() { stream_.reset(); }

  // The next line; an empty object at the end of the stream or when none came in time.
  json::object next() {
    while (lines_.empty() && !ended_ && wait()) take();
    if (lines_.empty()) return {};
    auto line = std::move(lines_.front());
    lines_.erase(lines_.begin());
    return line;
  }
  // "ADDED a"
  std::string next_name() {
    const auto line = next();
    return std::string(text_at(line, {"type"})) + " " +
           std::string(text_at(line, {"object", "metadata", "name"}));
  }
  bool ended() {
    while (!ended_ && wait()) take();
    return ended_;
  }
  EventStream& stream() { return *stream_; }

 private:
  bool wait() {
    std::unique_lock lock(mutex_);
    const bool came = changed_.wait_for(lock, std::chrono::seconds(20), [this] { return ready_; });
    ready_ = false;
    return came;
  }
  void take() {
    while (true) {
      const auto piece = stream_->take();
      text_ += piece.text;
      for (size_t end; (end = text_.find('\n')) != std::string::npos; text_.erase(0, end + 1))
        lines_.push_back(json::parse(text_.substr(0, end)).as_object());
      ended_ = ended_ || piece.next == Piece::Next::end;
      if (piece.next == Piece::Next::read) stream_->read();
      if (ended_ || piece.next == Piece::Next::wait) return;
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool ready_ = false;
  bool ended_ = false;
  std::string text_;  // of a line that has not ended
  std::vector<json::object> lines_;
  std::shared_ptr<EventStream> stream_;
};

class EventStreamTest : public RouterFixture {
 protected:
  static constexpr auto k_url = "/api/v1/namespaces/default/configmaps";

  Reply create(const std::string& name, const std::string& tier = "x") {
    return post(k_url,
                R"({"metadata":{"name":")" + name + R"(","labels":{"tier":")" + tier + "\"}}}");
  }
  void move(const std::string& name, const std::string& tier) {
    patch(std::string(k_url) + "/" + name, "merge-patch+json",
          R"({"metadata":{"labels":{"tier":")" + tier + "\"}}}");
  }
  Reader watch(const std::string& query, const std::string& accept = "") {
    const auto reply = get(std::string(k_url) + "?watch=true&" + query, accept);
    EXPECT_TRUE(reply.response.stream) << reply.response.body;
    return Reader(reply.response.stream);
  }
  Answer<std::shared_ptr<EventStream>> open(EventFeeds& feeds,
                                            const EventStream::Limits& limits = {},
                                            store::Revision from = 0) {
    ListOptions options{.scope = {.resource = "configmaps"}, .watch = true};
    if (from != 0) options.revision = from;
    const Representation representation{.kind = api::find_resource("configmaps"), .clock = &clock_};
    return EventStream::open(feeds, router_->set_aside(), room_, options, representation, limits);
  }
  // The same of which the state, nothing yet, has been read.
  Answer<std::shared_ptr<EventStream>> begin(EventFeeds& feeds,
                                             const EventStream::Limits& limits = {}) {
    auto stream = open(feeds, limits);
    if (!stream) return stream;
    EXPECT_EQ((*stream)->take().next, Piece::Next::read);
    (*stream)->read();
    return stream;
  }
  std::string revision() { return get(k_url).text({"metadata", "resourceVersion"}); }
};

TEST_F(EventStreamTest, WithoutARevisionBeginsWithWhatThereIs) {
  create("a");
  auto reader = watch("");
  create("b");
  EXPECT_EQ(reader.next_name(), "ADDED a");
  EXPECT_EQ(reader.next_name(), "ADDED b");
  move("a", "y");
  EXPECT_EQ(reader.next_name(), "MODIFIED a");
  remove(std::string(k_url) + "/b");
  const auto removed = reader.next();
  EXPECT_EQ(text_at(removed, {"type"}), "DELETED");
  EXPECT_EQ(text_at(removed, {"object", "metadata", "resourceVersion"}), revision());
}

TEST_F(EventStreamTest, FromARevisionTellsWhatCameAfter) {
  create("a");
  const auto from = revision();
  create("b");
  auto reader = watch("resourceVersion=" + from);
  EXPECT_EQ(reader.next_name(), "ADDED b");
}

// Few bytes that weigh much: take() waits for nobody's turn.
TEST_F(EventStreamTest, AnObjectThatMustWaitForRoomIsLeftToRead) {
  const auto heavy = std::string(8'000, ',');
  ASSERT_EQ(post(k_url,
                 R"({"metadata":{"name":"a","labels":{"tier":"x"}},"data":{"k":")" + heavy + "\"}}")
                .code(),
            201);
  const auto reply = get(std::string(k_url) + "?watch=true&labelSelector=tier%3Dx");
  auto& stream = *reply.response.stream;
  const auto held = room_.wait(size_t{24} << 20);
  EXPECT_EQ(stream.take().next, Piece::Next::read);
}

TEST_F(EventStreamTest, SelectorTurnsChangesIntoAdditionsAndDeletions) {
  create("a", "x");
  create("b", "y");
  auto reader = watch("labelSelector=tier%3Dx");
  EXPECT_EQ(reader.next_name(), "ADDED a");
  move("b", "x");
  EXPECT_EQ(reader.next_name(), "ADDED b");
  move("a", "y");
  EXPECT_EQ(reader.next_name(), "DELETED a");
  move("a", "z");  // seen by nobody
  create("c", "y");
  create("d", "x");
  EXPECT_EQ(reader.next_name(), "ADDED d");
}

TEST_F(EventStreamTest, SelectorFromARevisionForgetsNothingTheClientMayHave) {
  create("moved", "x");
  create("removed", "x");
  create("kept", "x");
  create("other", "y");
  const auto from = revision();
  move("moved", "y");
  remove(std::string(k_url) + "/removed");
  move("moved", "z");
  auto reader = watch("labelSelector=tier%3Dx&resourceVersion=" + from);
  EXPECT_EQ(reader.next_name(), "DELETED moved");
  EXPECT_EQ(reader.next_name(), "DELETED removed");
  move("other", "z");
  move("kept", "y");
  EXPECT_EQ(reader.next_name(), "DELETED kept");
}

TEST_F(EventStreamTest, SelectorFromARevisionKnowsWhatEachChangeWasBefore) {
  for (const auto* name : {"stays", "leaves"}) create(name, "x");
  for (const auto* name : {"comes", "elsewhere", "elsewhere-removed"}) create(name, "y");
  const auto from = revision();
  patch(std::string(k_url) + "/stays", "merge-patch+json", R"({"data":{"a":"b"}})");
  move("elsewhere", "z");
  remove(std::string(k_url) + "/elsewhere-removed");
  move("comes", "x");
  move("leaves", "y");
  auto reader = watch("labelSelector=tier%3Dx&resourceVersion=" + from);
  EXPECT_EQ(reader.next_name(), "MODIFIED stays");
  EXPECT_EQ(reader.next_name(), "ADDED comes");
  EXPECT_EQ(reader.next_name(), "DELETED leaves");
}

// As Kubernetes sends it: what was shown last, with the revision at which it left.
TEST_F(EventStreamTest, WhatLeavesASelectorGoesAsItWas) {
  create("a", "x");
  auto reader = watch("labelSelector=tier%3Dx");
  reader.next();
  move("a", "y");
  const auto deleted = reader.next();
  EXPECT_EQ(text_at(deleted, {"type"}), "DELETED");
  EXPECT_EQ(text_at(deleted, {"object", "metadata", "labels", "tier"}), "x");
  EXPECT_EQ(text_at(deleted, {"object", "metadata", "resourceVersion"}),
            get(std::string(k_url) + "/a").text({"metadata", "resourceVersion"}));
}

TEST_F(EventStreamTest, SelectorsThatContradictTheUrlMatchNothing) {
  create("a");
  auto reader = watch(
      "fieldSelector=metadata.namespace%3Dother&sendInitialEvents=true&"
      "resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true");
  EXPECT_EQ(text_at(reader.next(), {"type"}), "BOOKMARK");
}

TEST_F(EventStreamTest, InitialEventsEndWithABookmark) {
  create("a");
  auto reader =
      watch("sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true");
  EXPECT_EQ(reader.next_name(), "ADDED a");
  const auto bookmark = reader.next();
  EXPECT_EQ(text_at(bookmark, {"type"}), "BOOKMARK");
  EXPECT_EQ(text_at(bookmark, {"object", "metadata", "annotations", "k8s.io/initial-events-end"}),
            "true");
  EXPECT_EQ(text_at(bookmark, {"object", "metadata", "resourceVersion"}), revision());
}

TEST_F(EventStreamTest, BookmarksTellOnlyNews) {
  auto reader = watch("allowWatchBookmarks=true");
  create("a");
  EXPECT_EQ(reader.next_name(), "ADDED a");
  EXPECT_THAT(reader.stream().take_bookmark(),
              HasSubstr("\"resourceVersion\":\"" + revision() + "\""));
  EXPECT_EQ(reader.stream().take_bookmark(), "");
  auto without = watch("");
  create("b");
  EXPECT_EQ(without.next_name(), "ADDED a");
  EXPECT_EQ(without.stream().take_bookmark(), "");
}

TEST_F(EventStreamTest, TablesHaveColumnsInTheFirstEventOnly) {
  create("a");
  auto reader = watch("", "application/json;as=Table;v=v1;g=meta.k8s.io");
  const auto first = reader.next();
  create("b");
  const auto second = reader.next();
  EXPECT_EQ(text_at(first, {"object", "kind"}), "Table");
  EXPECT_FALSE(find_at(first, {"object", "columnDefinitions"})->as_array().empty());
  EXPECT_TRUE(find_at(second, {"object", "columnDefinitions"})->as_array().empty());
  EXPECT_EQ(find_at(second, {"object", "rows"})->at(0).at("cells").at(0), "b");
}

TEST_F(EventStreamTest, HistoryThatIsGoneIs410) {
  create("a");
  const auto from = revision();
  create("b");
  create("c");
  ASSERT_TRUE(store_->compact(*store_->head()));
  const auto reply = get(std::string(k_url) + "?watch=true&resourceVersion=" + from);
  EXPECT_EQ(reply.code(), 410);
  EXPECT_EQ(reply.text({"reason"}), "Expired");
}

TEST_F(EventStreamTest, SlowClientGoesOnFromHistory) {
  EventFeeds feeds(*store_, {.bytes = 2000});
  auto opened = begin(feeds);
  ASSERT_TRUE(opened);
  const auto prompt = open(feeds);  // holds the feed, as other watches do
  for (int i = 0; i < 30; ++i) create("c" + std::to_string(i));
  Reader reader(std::move(*opened));
  for (int i = 0; i < 30; ++i) EXPECT_EQ(reader.next_name(), "ADDED c" + std::to_string(i));
  create("last");
  EXPECT_EQ(reader.next_name(), "ADDED last");
}

TEST_F(EventStreamTest, SlowClientWhoseHistoryIsGoneIsToldToListAgain) {
  EventFeeds feeds(*store_, {.bytes = 2000});
  auto opened = begin(feeds);
  ASSERT_TRUE(opened);
  for (int i = 0; i < 30; ++i) create("c" + std::to_string(i));
  ASSERT_TRUE(store_->compact(*store_->head()));
  Reader reader(std::move(*opened));
  const auto last = reader.next();
  EXPECT_EQ(text_at(last, {"type"}), "ERROR");
  EXPECT_EQ(text_at(last, {"object", "reason"}), "Expired");
  EXPECT_EQ(integer_at(last, {"object", "code"}), 410);
  EXPECT_TRUE(reader.ended());
}

TEST_F(EventStreamTest, AWatchFromThePastMissesNothingOnItsWayToThePresent) {
  EventFeeds feeds(*store_, {.bytes = 2000});
  const auto from = *store_->head();
  for (int i = 0; i < 10; ++i) create("before" + std::to_string(i));
  const auto prompt = open(feeds);
  for (int i = 0; i < 10; ++i) create("between" + std::to_string(i));
  auto opened = open(feeds, {.page_bytes = 300}, from);
  ASSERT_TRUE(opened);
  Reader reader(std::move(*opened));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(reader.next_name(), "ADDED before" + std::to_string(i));
  for (int i = 0; i < 10; ++i) create("after" + std::to_string(i));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(reader.next_name(), "ADDED between" + std::to_string(i));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(reader.next_name(), "ADDED after" + std::to_string(i));
}

TEST_F(EventStreamTest, WatchesShareTheTextOfAnEvent) {
  const store::Event event{
      store::Event::Type::created,
      {{"configmaps", "default", "a"}, R"({"apiVersion":"v1","kind":"ConfigMap"})", 7}};
  const auto& kind = *api::find_resource("configmaps");
  const Change change(kind, event);
  const Representation representation{.kind = &kind, .clock = &clock_};
  const auto& text = change.text(representation);
  ASSERT_TRUE(text);
  EXPECT_EQ(text->data(), change.text(representation)->data());
}

TEST_F(EventStreamTest, OfALargeEventOnlyAPieceIsTakenAtOnce) {
  EventFeeds feeds(*store_);
  const auto opened = begin(feeds);
  ASSERT_TRUE(opened);
  post(k_url, R"({"metadata":{"name":"big"},"data":{"k":")" + std::string(1 << 20, 'x') + "\"}}");
  Piece piece;
  std::string text;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!text.ends_with("\n") && std::chrono::steady_clock::now() < deadline) {
    piece = (*opened)->take();
    if (piece.next == Piece::Next::read) (*opened)->read();
    EXPECT_LE(piece.text.size(), k_piece_bytes);
    text += piece.text;
    EXPECT_EQ((*opened)->is_within_event(), !text.empty() && !text.ends_with("\n"));
    const auto unread = (*opened)->unread();
    EXPECT_EQ(unread.own, 0) << "the event is every watch's";
    const bool is_held = piece.next == Piece::Next::read || (*opened)->is_within_event();
    EXPECT_EQ(unread.shared.size(), is_held ? 1 : 0);
  }
  EXPECT_GT(text.size(), 1u << 20);
  EXPECT_EQ(text_at(json::parse(text).as_object(), {"object", "metadata", "name"}), "big");
}

TEST_F(EventStreamTest, WhatIsLargeIsNotMadeWhileItIsSent) {
  EventFeeds feeds(*store_);
  const auto stream = begin(feeds, {.large_bytes = 5'000});
  ASSERT_TRUE(stream);
  create("small");
  post(k_url, R"({"metadata":{"name":"big"},"data":{"k":")" + std::string(5'000, 'x') + "\"}}");
  std::string text;
  Piece piece;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (piece.next != Piece::Next::read && std::chrono::steady_clock::now() < deadline)
    text += (piece = (*stream)->take()).text;
  EXPECT_THAT(text, testing::HasSubstr("small"));
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("big")));
  (*stream)->read();
  EXPECT_THAT((*stream)->take().text, testing::HasSubstr("big"));
}

TEST_F(EventStreamTest, LongStatesComeInPieces) {
  for (int i = 0; i < 20; ++i) create("c" + std::to_string(i));
  EventFeeds feeds(*store_);
  auto stream = open(feeds, {.piece_bytes = 500, .page_bytes = 700});
  ASSERT_TRUE(stream);
  EXPECT_EQ((*stream)->unread().own, 0U) << "nothing is held before it is read";
  EXPECT_EQ((*stream)->take().next, Piece::Next::read);
  (*stream)->read();
  const auto first = (*stream)->take();
  EXPECT_EQ(first.next, Piece::Next::take);
  EXPECT_EQ(first.text.size(), 500u);
  std::string text = first.text;
  while (std::ranges::count(text, '\n') < 20) {
    const auto piece = (*stream)->take();
    EXPECT_LE(piece.text.size(), 500u);
    text += piece.text;
    if (piece.next == Piece::Next::read) (*stream)->read();
    if (piece.next == Piece::Next::wait) break;
  }
  EXPECT_EQ(std::ranges::count(text, '\n'), 20) << text;
}

TEST_F(EventStreamTest, WhatCannotBeReadIsSetAside) {
  std::vector<std::string> named;
  router_->set_aside().on_new([&](const store::Key& key) { named.push_back(key.name); });
  create("good");
  ASSERT_TRUE(
      store_->create({"configmaps", "default", "bad"}, "{\"metadata\":{\"name\":\"\xff\"}}"));
  auto reader = watch("");
  EXPECT_EQ(reader.next_name(), "ADDED good");
  ASSERT_TRUE(store_->update({"configmaps", "default", "bad"}, "nonsense", {}));
  create("later");
  EXPECT_EQ(reader.next_name(), "ADDED later");
  EXPECT_THAT(named, ElementsAre("bad", "bad")) << "each of its versions once";
}

TEST_F(EventStreamTest, WhatCouldNotBeReadAtItsEndIsStillDeletedForThoseWhoHadIt) {
  for (const char* query : {"", "labelSelector=tier%3Dx"}) {
    create("a");
    auto reader = watch(query);
    EXPECT_EQ(reader.next_name(), "ADDED a");
    ASSERT_TRUE(store_->update({"configmaps", "default", "a"}, "nonsense", {}));
    const auto removed = store_->remove({"configmaps", "default", "a"}, {});
    ASSERT_TRUE(removed);
    const auto line = reader.next();
    EXPECT_EQ(text_at(line, {"type"}), "DELETED") << query;
    EXPECT_EQ(text_at(line, {"object", "kind"}), "ConfigMap");
    EXPECT_EQ(text_at(line, {"object", "metadata", "namespace"}), "default");
    EXPECT_EQ(text_at(line, {"object", "metadata", "name"}), "a");
    EXPECT_EQ(text_at(line, {"object", "metadata", "resourceVersion"}),
              std::to_string(removed->revision));
  }
}

TEST_F(EventStreamTest, BadQueriesAreRefused) {
  for (const auto* query : {"sendInitialEvents=true", "resourceVersion=x", "labelSelector=a%20like",
                            "sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
                            "timeoutSeconds=soon", "namePrefix=a"})
    EXPECT_EQ(get(std::string(k_url) + "?watch=true&" + query).code(), 400) << query;
}

}  // namespace
}  // namespace margay::apiserver
