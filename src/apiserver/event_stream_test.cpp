#include "apiserver/event_stream.h"

#include <gmock/gmock.h>

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
      size_t begin = 0;
      for (size_t end; (end = piece.text.find('\n', begin)) != std::string::npos; begin = end + 1)
        lines_.push_back(json::parse(piece.text.substr(begin, end - begin)).as_object());
      ended_ = ended_ || piece.ended;
      if (!piece.more) return;
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool ready_ = false;
  bool ended_ = false;
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

TEST_F(EventStreamTest, SlowClientIsCutNotBufferedForever) {
  const ListOptions options{.scope = {.resource = "configmaps"}, .watch = true};
  const Representation representation{.kind = api::find_resource("configmaps"), .clock = &clock_};
  auto opened = EventStream::open(*store_, options, representation, {.pending_bytes = 2000});
  ASSERT_TRUE(opened);
  for (int i = 0; i < 30; ++i) create("c" + std::to_string(i));
  Reader reader(std::move(*opened));
  EXPECT_EQ(reader.next_name(), "ADDED c0") << "what was kept is still told";
  EXPECT_TRUE(reader.ended());
}

TEST_F(EventStreamTest, LongStatesComeInPieces) {
  for (int i = 0; i < 20; ++i) create("c" + std::to_string(i));
  const ListOptions options{.scope = {.resource = "configmaps"}, .watch = true};
  const Representation representation{.kind = api::find_resource("configmaps"), .clock = &clock_};
  auto stream = EventStream::open(*store_, options, representation, {.piece_bytes = 500});
  ASSERT_TRUE(stream);
  const auto first = (*stream)->take();
  EXPECT_TRUE(first.more);
  EXPECT_LT(first.text.size(), 1500u);
  Reader reader(std::move(*stream));
  for (int i = 0; i < 17; ++i) EXPECT_EQ(text_at(reader.next(), {"type"}), "ADDED") << i;
}

TEST_F(EventStreamTest, BadQueriesAreRefused) {
  for (const auto* query :
       {"sendInitialEvents=true", "resourceVersion=x", "labelSelector=a%20like",
        "sendInitialEvents=true&resourceVersionMatch=NotOlderThan", "timeoutSeconds=soon"})
    EXPECT_EQ(get(std::string(k_url) + "?watch=true&" + query).code(), 400) << query;
}

}  // namespace
}  // namespace margay::apiserver
