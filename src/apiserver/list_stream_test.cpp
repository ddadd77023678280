#include "apiserver/list_stream.h"

#include <gmock/gmock.h>

#include "api/codec.h"
#include "apiserver/router_fixture.h"

namespace margay::apiserver {
namespace {

using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;

class ListStreamTest : public RouterFixture {
 protected:
  static constexpr auto k_url = "/api/v1/namespaces/default/configmaps";

  void create(const std::string& name, const std::string& tier = "x") {
    const auto made =
        post(k_url, R"({"metadata":{"name":")" + name + R"(","labels":{"tier":")" + tier + "\"}}}");
    ASSERT_EQ(made.code(), 201) << made.response.body;
  }
  ListOptions options() { return {.scope = {.resource = "configmaps", .ns = "default"}}; }
  Representation representation(const std::string& accept = "") {
    return {.kind = api::find_resource("configmaps"),
            .media = *negotiate(accept, Protobuf::all),
            .clock = &clock_};
  }
  struct Taken {
    std::string text;
    size_t reads = 0;
    bool cut = false;
  };
  static Taken take_all(ListStream& stream) {
    Taken taken;
    while (true) {
      const auto piece = stream.take(100);
      EXPECT_LE(piece.text.size(), 100u);
      taken.text += piece.text;
      taken.cut = piece.next == Piece::Next::cut;
      if (taken.cut || piece.next == Piece::Next::end) return taken;
      if (piece.next != Piece::Next::read) continue;
      stream.read();
      ++taken.reads;
    }
  }
  static std::vector<std::string> names(const json::value& list, const char* items = "items") {
    std::vector<std::string> out;
    for (const auto& item : list.at(items).as_array())
      out.emplace_back(text_at(item.as_object(), {"metadata", "name"}));
    return out;
  }
};

TEST_F(ListStreamTest, ReadsAPageAtATimeOfOneSnapshot) {
  for (const auto* name : {"a", "b", "c", "d"}) create(name);
  const auto revision = *store_->head();
  auto stream =
      ListStream::open(*store_, router_->set_aside(), room_, options(), representation(), 1);
  ASSERT_TRUE(stream);
  EXPECT_FALSE((*stream)->is_read());
  create("aa");  // comes too late
  remove(std::string(k_url) + "/d");
  const auto taken = take_all(**stream);
  EXPECT_EQ(taken.reads, 3u);
  const auto list = json::parse(taken.text);
  EXPECT_THAT(names(list), ElementsAre("a", "b", "c", "d"));
  EXPECT_EQ(list.at("metadata").at("resourceVersion"), json::value(std::to_string(revision)));
  EXPECT_EQ(list.at("kind"), "ConfigMapList");
}

TEST_F(ListStreamTest, FormsAreWhatOnePieceWouldBe) {
  for (const auto* name : {"a", "b", "c"}) create(name);
  for (const auto* accept :
       {"application/json", "application/yaml", "application/json;as=Table;v=v1;g=meta.k8s.io",
        "application/yaml;as=Table;v=v1;g=meta.k8s.io",
        "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}) {
    for (const size_t limit : {0, 2}) {
      auto asked = options();
      asked.limit = limit;
      const auto form = representation(accept);
      const auto whole = ListStream::open(*store_, router_->set_aside(), room_, asked, form);
      const auto pages = ListStream::open(*store_, router_->set_aside(), room_, asked, form, 1);
      ASSERT_TRUE(whole && pages) << accept;
      ASSERT_TRUE((*whole)->is_read());
      const auto text = take_all(**pages).text;
      EXPECT_EQ(text, (*whole)->whole()) << accept;
      const auto documents = api::parse_yaml(text);
      ASSERT_TRUE(documents && documents->size() == 1) << text;
      const auto& list = documents->front().as_object();
      const auto* items = list.contains("rows") ? "rows" : "items";
      EXPECT_EQ(list.at(items).as_array().size(), limit == 0 ? 3u : 2u) << text;
      EXPECT_EQ(list.at("metadata").as_object().contains("continue"), limit != 0) << text;
    }
  }
}

TEST_F(ListStreamTest, EmptyListsHaveAnEmptyList) {
  for (const auto* accept :
       {"application/json", "application/yaml", "application/json;as=Table;v=v1;g=meta.k8s.io"}) {
    auto stream =
        ListStream::open(*store_, router_->set_aside(), room_, options(), representation(accept));
    ASSERT_TRUE(stream);
    const auto documents = api::parse_yaml((*stream)->whole());
    ASSERT_TRUE(documents) << accept;
    const auto& list = documents->front().as_object();
    EXPECT_TRUE(list.at(list.contains("rows") ? "rows" : "items").as_array().empty()) << accept;
  }
}

TEST_F(ListStreamTest, AClientsPageSaysWhereItEndsAndHowMuchIsLeft) {
  for (const auto* name : {"a", "b", "c", "d", "e"}) create(name);
  auto asked = options();
  asked.limit = 3;
  auto stream = ListStream::open(*store_, router_->set_aside(), room_, asked, representation(), 1);
  ASSERT_TRUE(stream);
  const auto first = json::parse(take_all(**stream).text);
  EXPECT_THAT(names(first), ElementsAre("a", "b", "c"));
  EXPECT_EQ(first.at("metadata").at("remainingItemCount"), 2);
  asked.resume = first.at("metadata").at("continue").as_string();
  auto next = ListStream::open(*store_, router_->set_aside(), room_, asked, representation(), 1);
  ASSERT_TRUE(next);
  const auto second = json::parse(take_all(**next).text);
  EXPECT_THAT(names(second), ElementsAre("d", "e"));
  EXPECT_FALSE(second.at("metadata").as_object().contains("continue"));
}

TEST_F(ListStreamTest, FiltersAcrossPages) {
  for (const auto* name : {"a", "b", "c", "d"}) create(name, std::string(name) < "c" ? "x" : "y");
  auto asked = options();
  asked.filter.labels = *LabelSelector::parse("tier=y");
  auto stream = ListStream::open(*store_, router_->set_aside(), room_, asked, representation(), 1);
  ASSERT_TRUE(stream);
  EXPECT_THAT(names(json::parse(take_all(**stream).text)), ElementsAre("c", "d"));
}

TEST_F(ListStreamTest, IsCutWhenItsSnapshotIsGone) {
  for (const auto* name : {"a", "b", "c"}) create(name);
  auto stream =
      ListStream::open(*store_, router_->set_aside(), room_, options(), representation(), 1);
  ASSERT_TRUE(stream);
  create("d");
  create("e");
  ASSERT_TRUE(store_->compact(*store_->head()));
  EXPECT_TRUE(take_all(**stream).cut) << "a list without its end must not look like a whole one";
}

TEST_F(ListStreamTest, WhatCannotBeReadIsSetAsideByName) {
  std::vector<std::string> named;
  router_->set_aside().on_new([&](const store::Key& key) { named.push_back(key.name); });
  create("a");
  std::string deep;
  for (size_t i = 0; i <= api::k_max_object_depth; ++i) deep += R"({"a":)";
  deep += "1" + std::string(api::k_max_object_depth + 1, '}');
  const std::vector<std::pair<std::string, std::string>> bad{
      {"bad-text", "{\"metadata\":{\"name\":\"\xff\"}}"},
      {"cut-off", "{\"metadata\":{"},
      {"empty", ""},
      {"list", "[]"},
      {"too-deep", deep}};
  for (const auto& [name, value] : bad)
    ASSERT_TRUE(store_->create({"configmaps", "default", name}, value));
  create("z");
  for (const auto* accept :
       {"application/json", "application/yaml", "application/json;as=Table;v=v1;g=meta.k8s.io"}) {
    const auto reply = get(k_url, accept);
    EXPECT_EQ(reply.code(), 200) << accept;
    EXPECT_THAT(reply.response.body, AnyOf(HasSubstr("\"z\""), HasSubstr("name: z\n"))) << accept;
  }
  EXPECT_THAT(names(get(k_url).body), ElementsAre("a", "z"));
  EXPECT_THAT(named, ElementsAre("bad-text", "cut-off", "empty", "list", "too-deep"));
  EXPECT_EQ(get(std::string(k_url) + "/cut-off").code(), 500);
  for (const auto& [name, value] : bad)
    EXPECT_EQ(remove(std::string(k_url) + "/" + name).code(), 200) << "one can be rid of " << name;
  EXPECT_EQ(get(std::string(k_url) + "/cut-off").code(), 404);
}

TEST_F(ListStreamTest, ObjectsThatCannotBeReadBackAreNotStored) {
  std::string deep;
  for (size_t i = 0; i < 60; ++i) deep += R"({"nodeSelectorTerms":[)";
  deep += "1";
  for (size_t i = 0; i < 60; ++i) deep += "]}";
  const auto refused = post("/api/v1/namespaces/default/pods",
                            R"({"metadata":{"name":"deep"},"spec":{"affinity":)" + deep +
                                R"(,"containers":[{"name":"a","image":"b"}]}})");
  EXPECT_EQ(refused.code(), 400);
  EXPECT_THAT(refused.text({"message"}), HasSubstr("does not parse"));
  std::string allowed;
  for (size_t i = 0; i < 40; ++i) allowed += R"({"a":[)";
  allowed += "1";
  for (size_t i = 0; i < 40; ++i) allowed += "]}";
  const auto created = post("/api/v1/namespaces/default/pods?fieldValidation=Ignore",
                            R"({"metadata":{"name":"allowed"},"spec":{"affinity":)" + allowed +
                                R"(,"containers":[{"name":"a","image":"b"}]}})");
  EXPECT_EQ(created.code(), 201) << created.response.body;
  EXPECT_THAT(names(get("/api/v1/namespaces/default/pods").body), ElementsAre("allowed"));
  EXPECT_EQ(get("/api/v1/namespaces/default/pods", "application/yaml").code(), 200);
  EXPECT_EQ(
      get("/api/v1/namespaces/default/pods", "application/json;as=Table;v=v1;g=meta.k8s.io").code(),
      200);
}

// In protobuf a list has to be whole before it is sent.
TEST_F(ListStreamTest, LongListsInProtobufGoOutAsJsonOrPageByPage) {
  const std::string text(200'000, 'x');
  for (int i = 0; i < 25; ++i)
    ASSERT_EQ(post(k_url, R"({"metadata":{"name":"big)" + std::to_string(i) +
                              R"("},"data":{"k":")" + text + "\"}}")
                  .code(),
              201);
  const std::string protobuf = "application/vnd.kubernetes.protobuf";
  const auto either = get(k_url, protobuf + ",application/json");
  EXPECT_EQ(either.response.content_type, "application/json");
  EXPECT_EQ(names(either.body).size(), 25u);
  EXPECT_EQ(get(k_url, protobuf).code(), 406);
  const auto page = get(std::string(k_url) + "?limit=10", protobuf);
  EXPECT_EQ(page.code(), 200);
  EXPECT_EQ(page.response.content_type, protobuf);
}

TEST_F(ListStreamTest, OneBadNamespaceDoesNotKeepTheServerFromStarting) {
  ASSERT_TRUE(store_->create({"namespaces", "", "bad"}, "{\"metadata\":{\"name\":\"\xff\"}}"));
  Writes writes(*store_, clock_, room_);
  NamespaceSweeper sweeper(*store_, writes, room_);
  KnownNamespaces known;
  const auto restored = restore_namespaces(*store_, writes);
  ASSERT_TRUE(restored) << restored.error().message;
  EXPECT_EQ(read_namespace(*store_, room_, known, "default")->state, Namespace::State::active);
}

}  // namespace
}  // namespace margay::apiserver
