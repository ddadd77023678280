// The two views of one object: projectcalico.org/v3 and Calico's stored form of it.

#include "apiserver/stored_form.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <chrono>
#include <thread>

#include "api/codec.h"
#include "api/stored_form.h"
#include "apiserver/router_fixture.h"

namespace margay::apiserver {
namespace {

using testing::HasSubstr;

const std::string k_shown = "/apis/projectcalico.org/v3/namespaces/default/networkpolicies";
const std::string k_stored = "/apis/crd.projectcalico.org/v1/namespaces/default/networkpolicies";
const std::string k_stored_pools = "/apis/crd.projectcalico.org/v1/ippools";
const std::string k_shown_pools = "/apis/projectcalico.org/v3/ippools";

class StoredFormTest : public RouterFixture {
 protected:
  // The annotation's content, as Calico's client reads it.
  static json::object held(const json::object& object) {
    const auto text = text_at(object, {"metadata", "annotations", api::k_metadata_annotation});
    const auto value = api::parse_json(text);
    EXPECT_TRUE(value && value->is_object()) << text;
    return value && value->is_object() ? value->as_object() : json::object();
  }
  Reply make_shown(const std::string& name, const std::string& metadata = "") {
    auto reply = post(k_shown, fmt::format(R"({{"metadata":{{"name":"{}"{}}}}})", name, metadata));
    EXPECT_EQ(reply.code(), 201) << reply.response.body;
    return reply;
  }
  Reply make_stored(const std::string& name, const std::string& metadata = "") {
    auto reply = post(k_stored, fmt::format(R"({{"metadata":{{"name":"{}"{}}}}})", name, metadata));
    EXPECT_EQ(reply.code(), 201) << reply.response.body;
    return reply;
  }
  static std::string list_text(const json::object& object) {
    const auto* list = find_at(object, {"metadata", "finalizers"});
    return list == nullptr ? "none" : json::serialize(*list);
  }
  // The next `count` events, each as "ADDED web".
  static std::vector<std::string> events(EventStream& stream, size_t count) {
    std::vector<std::string> out;
    std::string text;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (out.size() < count && std::chrono::steady_clock::now() < deadline) {
      const auto piece = stream.take();
      text += piece.text;
      if (piece.next == Piece::Next::read) stream.read();
      if (piece.next == Piece::Next::wait) std::this_thread::yield();
      for (size_t end; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1)) {
        const auto event = json::parse(text.substr(0, end)).as_object();
        out.push_back(fmt::format("{} {}", text_at(event, {"type"}),
                                  text_at(event, {"object", "metadata", "name"})));
      }
    }
    return out;
  }
  std::vector<std::string> names(const std::string& target) {
    std::vector<std::string> out;
    const auto reply = get(target);
    EXPECT_EQ(reply.code(), 200) << reply.response.body;
    for (const auto& item : reply.body.at("items").as_array())
      out.emplace_back(text_at(item.as_object(), {"metadata", "name"}));
    return out;
  }
};

TEST_F(StoredFormTest, WhatIsWrittenInOneViewIsInTheOther) {
  const auto shown = make_shown("web", R"(,"labels":{"a":"b"},"annotations":{"c":"d"})");
  const auto stored = get(k_stored + "/default.web");
  ASSERT_EQ(stored.code(), 200) << stored.response.body;
  EXPECT_EQ(stored.text({"apiVersion"}), "crd.projectcalico.org/v1");
  EXPECT_EQ(stored.text({"metadata", "name"}), "default.web");
  for (const char* same : {"uid", "creationTimestamp", "resourceVersion"})
    EXPECT_EQ(stored.text({"metadata", same}), shown.text({"metadata", same})) << same;
  EXPECT_EQ(stored.text({"metadata", "labels", "a"}), "b");
  EXPECT_EQ(stored.text({"metadata", "annotations", "c"}), "d");
  EXPECT_EQ(stored.body.at("spec"), shown.body.at("spec"));
  const auto metadata = held(stored.body);
  EXPECT_EQ(text_at(metadata, {"uid"}), shown.text({"metadata", "uid"}));
  EXPECT_EQ(text_at(metadata, {"creationTimestamp"}),
            shown.text({"metadata", "creationTimestamp"}));
  for (const char* elsewhere : {"name", "namespace", "resourceVersion", "labels", "annotations"})
    EXPECT_FALSE(metadata.contains(elsewhere)) << elsewhere;

  const auto made = make_stored("default.db");
  EXPECT_EQ(made.text({"metadata", "name"}), "default.db");
  const auto seen = get(k_shown + "/db");
  ASSERT_EQ(seen.code(), 200);
  EXPECT_FALSE(seen.body.at("metadata").as_object().contains("annotations"));
  EXPECT_EQ(seen.text({"metadata", "uid"}), made.text({"metadata", "uid"}));
  EXPECT_THAT(names(k_stored), testing::ElementsAre("default.db", "default.web"));
  EXPECT_THAT(names(k_shown), testing::ElementsAre("db", "web"));
}

TEST_F(StoredFormTest, OneRevisionCountsForBoth) {
  make_shown("web");
  auto old = get(k_stored + "/default.web").body;
  patch(k_shown + "/web", "merge-patch+json", R"({"spec":{"order":1}})");
  EXPECT_EQ(put(k_stored + "/default.web", old).code(), 409);
  auto current = get(k_stored + "/default.web").body;
  EXPECT_EQ(current.at("spec").at("order"), 1);
  const auto revision = text_at(current, {"metadata", "resourceVersion"});
  EXPECT_EQ(put(k_stored + "/default.web", current).text({"metadata", "resourceVersion"}), revision)
      << "no change writes nothing";
  current.at("spec").as_object()["order"] = 2;
  EXPECT_EQ(put(k_stored + "/default.web", current).code(), 200);
  EXPECT_EQ(get(k_shown + "/web").body.at("spec").at("order"), 2);
  EXPECT_EQ(remove(k_stored + "/default.web").code(), 200);
  EXPECT_EQ(get(k_shown + "/web").code(), 404);
}

TEST_F(StoredFormTest, NamesThatNoPolicyCanHave) {
  for (const char* name : {"web", "default.", "default.a.b"}) {
    EXPECT_EQ(get(k_stored + "/" + name).code(), 404) << name;
    EXPECT_EQ(remove(k_stored + "/" + name).code(), 404) << name;
    EXPECT_TRUE(names(k_stored + "?fieldSelector=metadata.name%3D" + name).empty()) << name;
    const auto reply = post(k_stored, fmt::format(R"({{"metadata":{{"name":"{}"}}}})", name));
    EXPECT_EQ(reply.code(), 422) << name;
    EXPECT_THAT(reply.text({"message"}), HasSubstr("must be default. and the policy's name"));
  }
  make_shown("web");
  EXPECT_THAT(names(k_stored + "?fieldSelector=metadata.name%3Ddefault.web"),
              testing::ElementsAre("default.web"));
  EXPECT_TRUE(names(k_stored + "?fieldSelector=metadata.name%3Dweb").empty());
  EXPECT_TRUE(names(k_shown + "?fieldSelector=metadata.name%3Ddefault.web").empty());
}

TEST_F(StoredFormTest, RulesHoldWhicheverWayAnObjectComes) {
  EXPECT_EQ(post(k_stored, R"({"metadata":{"name":"default.w"},"spec":{"selector":"("}})").code(),
            422);
  EXPECT_EQ(post(k_stored, R"({"metadata":{"name":"knp.default.w"}})").code(), 422)
      << "the server derives it";
  EXPECT_EQ(
      post(k_shown_pools, R"({"metadata":{"name":"a"},"spec":{"cidr":"10.0.0.0/16"}})").code(),
      201);
  const auto overlapping =
      post(k_stored_pools, R"({"metadata":{"name":"b"},"spec":{"cidr":"10.0.1.0/24"}})");
  EXPECT_EQ(overlapping.code(), 422) << overlapping.response.body;
  const auto taken =
      post(k_stored_pools, R"({"metadata":{"name":"a"},"spec":{"cidr":"10.1.0.0/16"}})");
  EXPECT_EQ(taken.code(), 409);
  const auto other =
      post(k_stored_pools, R"({"metadata":{"name":"c"},"spec":{"cidr":"10.2.0.1/16"}})");
  EXPECT_EQ(other.text({"spec", "cidr"}), "10.2.0.0/16");
  EXPECT_EQ(get(k_shown_pools + "/c").text({"spec", "nodeSelector"}), "all()") << "defaults too";
}

TEST_F(StoredFormTest, ABrokenAnnotationIsRefusedAndNothingIsLost) {
  make_shown("web");
  const auto before = get(k_stored + "/default.web").body;
  for (const char* broken : {"{", "[]", "no", ""}) {
    auto object = before;
    object.at("metadata").at("annotations").as_object()[api::k_metadata_annotation] = broken;
    const auto reply = put(k_stored + "/default.web", object);
    EXPECT_EQ(reply.code(), 422) << broken;
    EXPECT_THAT(reply.text({"message"}),
                HasSubstr("metadata.annotations[projectcalico.org/metadata]: Invalid value"));
    EXPECT_EQ(get(k_stored + "/default.web").body, before);
  }
  EXPECT_EQ(post(k_stored, R"({"metadata":{"name":"default.x","annotations":)"
                           R"({"projectcalico.org/metadata":"{"}}})")
                .code(),
            422);
  const auto in_v3 = post(k_shown, R"({"metadata":{"name":"x","annotations":)"
                                   R"({"projectcalico.org/metadata":"{}"}}})");
  EXPECT_EQ(in_v3.code(), 422);
  EXPECT_THAT(in_v3.text({"message"}), HasSubstr("it is for the stored form"));
  EXPECT_EQ(patch(k_shown + "/web", "merge-patch+json",
                  R"({"metadata":{"annotations":{"projectcalico.org/metadata":"{}"}}})")
                .code(),
            422);
}

// As objects that were taken before anybody looked have it.
TEST_F(StoredFormTest, AnAnnotationThatV3AlwaysHadMayStay) {
  ASSERT_TRUE(store_->create(
      {"networkpolicies.projectcalico.org", "default", "old"},
      R"({"apiVersion":"projectcalico.org/v3","kind":"NetworkPolicy","metadata":{"name":"old",)"
      R"("namespace":"default","uid":"u","finalizers":["a.b/c"],)"
      R"("annotations":{"projectcalico.org/metadata":"{\"uid\":\"x\"}"}},"spec":{}})"));
  const auto change = [&](const char* metadata) {
    return patch(k_shown + "/old", "merge-patch+json",
                 fmt::format(R"({{"metadata":{}}})", metadata))
        .code();
  };
  EXPECT_EQ(change(R"({"labels":{"a":"b"}})"), 200);
  EXPECT_EQ(change(R"({"annotations":{"projectcalico.org/metadata":"{}"}})"), 422);
  EXPECT_EQ(remove(k_shown + "/old").code(), 200);
  EXPECT_EQ(change(R"({"finalizers":null})"), 200);
  EXPECT_EQ(get(k_shown + "/old").code(), 404);
}

// Calico's client has all of v3's metadata in the annotation, and sends no creationTimestamp.
TEST_F(StoredFormTest, MetadataOfCalicosClientsIsInTheAnnotation) {
  const auto made = make_stored(
      "default.web",
      R"(,"creationTimestamp":null,"uid":"11111111-1111-1111-1111-111111111111","annotations":{)"
      R"("projectcalico.org/metadata":"{\"uid\":\"11111111-1111-1111-1111-111111111111\",)"
      R"(\"creationTimestamp\":\"2001-01-01T00:00:00Z\",\"finalizers\":[\"a.b/c\"]}"})");
  EXPECT_EQ(made.text({"metadata", "creationTimestamp"}), base::to_rfc3339(clock_.wall_time()))
      << "the server says when";
  EXPECT_NE(made.text({"metadata", "uid"}), "11111111-1111-1111-1111-111111111111");
  EXPECT_EQ(list_text(get(k_shown + "/web").body), R"(["a.b/c"])");

  auto object = get(k_stored + "/default.web").body;
  auto& metadata = object.at("metadata").as_object();
  metadata.erase("creationTimestamp");
  metadata.erase("finalizers");
  EXPECT_EQ(put(k_stored + "/default.web", object).code(), 200);
  EXPECT_EQ(list_text(get(k_shown + "/web").body), R"(["a.b/c"])") << "not lost";

  EXPECT_EQ(remove(k_stored + "/default.web").code(), 200);
  EXPECT_FALSE(get(k_shown + "/web").text({"metadata", "deletionTimestamp"}).empty());
  EXPECT_EQ(
      patch(k_stored + "/default.web", "merge-patch+json", R"({"metadata":{"finalizers":null}})")
          .code(),
      200)
      << "Kubernetes' clients have it in the metadata";
  EXPECT_EQ(get(k_shown + "/web").code(), 404) << "the last finalizer has gone";
}

TEST_F(StoredFormTest, DryRunsLeaveNothing) {
  const auto made = post(k_stored + "?dryRun=All", R"({"metadata":{"name":"default.web"}})");
  EXPECT_EQ(made.code(), 201);
  EXPECT_EQ(made.text({"metadata", "name"}), "default.web");
  EXPECT_EQ(text_at(held(made.body), {"uid"}), made.text({"metadata", "uid"}));
  EXPECT_EQ(get(k_shown + "/web").code(), 404);
  make_shown("web");
  auto object = get(k_stored + "/default.web").body;
  object["spec"] = json::object{{"order", 5}};
  EXPECT_EQ(put(k_stored + "/default.web?dryRun=All", object).body.at("spec").at("order"), 5);
  EXPECT_FALSE(get(k_shown + "/web").body.at("spec").as_object().contains("order"));
  EXPECT_EQ(remove(k_stored + "/default.web?dryRun=All").code(), 200);
  EXPECT_EQ(get(k_shown + "/web").code(), 200);
}

TEST_F(StoredFormTest, SelectorsPagesAndCollectionsOfTheStoredForm) {
  for (const char* name : {"a", "b", "c"}) make_shown(name, R"(,"labels":{"keep":"no"})");
  make_shown("d", R"(,"labels":{"keep":"yes"})");
  EXPECT_THAT(names(k_stored + "?labelSelector=keep%3Dyes"), testing::ElementsAre("default.d"));
  std::vector<std::string> seen;
  std::string resume;
  do {
    const auto page = get(k_stored + "?limit=3&continue=" + resume);
    ASSERT_EQ(page.code(), 200) << page.response.body;
    for (const auto& item : page.body.at("items").as_array())
      seen.emplace_back(text_at(item.as_object(), {"metadata", "name"}));
    resume = page.text({"metadata", "continue"});
    for (size_t at = 0; (at = resume.find_first_of(":", at)) != std::string::npos;)
      resume.replace(at, 1, "%3A");
  } while (!resume.empty());
  EXPECT_THAT(seen, testing::ElementsAre("default.a", "default.b", "default.c", "default.d"));
  const auto removed = remove(k_stored + "?labelSelector=keep%3Dno");
  EXPECT_EQ(removed.code(), 200) << removed.response.body;
  EXPECT_EQ(removed.body.at("items").as_array().size(), 3U);
  EXPECT_THAT(names(k_shown), testing::ElementsAre("d"));
}

TEST_F(StoredFormTest, WatchesOfEitherViewSeeEveryWrite) {
  const auto watch = [&](const std::string& target) {
    return get(target +
               "?watch=true&resourceVersion=" + get(target).text({"metadata", "resourceVersion"}))
        .response.stream;
  };
  const auto shown = watch(k_shown);
  const auto stored = watch(k_stored);
  ASSERT_TRUE(shown && stored);
  make_shown("web");
  make_stored("default.db");
  patch(k_stored + "/default.web", "merge-patch+json", R"({"spec":{"order":1}})");
  remove(k_shown + "/db");
  EXPECT_THAT(events(*shown, 4),
              testing::ElementsAre("ADDED web", "ADDED db", "MODIFIED web", "DELETED db"));
  EXPECT_THAT(events(*stored, 4),
              testing::ElementsAre("ADDED default.web", "ADDED default.db", "MODIFIED default.web",
                                   "DELETED default.db"));
}

TEST_F(StoredFormTest, WatchesWithSelectorsToldByTheValuesBeforeAndAfter) {
  make_shown("web", R"(,"labels":{"in":"yes"})");
  make_shown("db", R"(,"labels":{"in":"yes"})");
  const auto revision = get(k_stored).text({"metadata", "resourceVersion"});
  const auto by_label =
      get(k_stored + "?watch=true&labelSelector=in%3Dyes&resourceVersion=" + revision)
          .response.stream;
  const auto by_name = get(k_stored + "?watch=true&fieldSelector=metadata.name%3Ddefault.web" +
                           "&resourceVersion=" + revision)
                           .response.stream;
  ASSERT_TRUE(by_label && by_name);
  patch(k_shown + "/web", "merge-patch+json", R"({"metadata":{"labels":{"in":"no"}}})");
  remove(k_shown + "/db");
  patch(k_stored + "/default.web", "merge-patch+json", R"({"metadata":{"labels":{"in":"yes"}}})");
  EXPECT_THAT(
      events(*by_label, 3),
      testing::ElementsAre("DELETED default.web", "DELETED default.db", "ADDED default.web"));
  EXPECT_THAT(events(*by_name, 2),
              testing::ElementsAre("MODIFIED default.web", "MODIFIED default.web"));
}

TEST_F(StoredFormTest, AnObjectThatCannotBeReadTakesNobodysListAway) {
  make_shown("web");
  ASSERT_TRUE(store_->create({"networkpolicies.projectcalico.org", "default", "bad"}, "{"));
  EXPECT_THAT(names(k_stored), testing::ElementsAre("default.web"));
  EXPECT_EQ(get(k_stored + "/default.bad").code(), 500);
  EXPECT_EQ(remove(k_stored + "/default.bad").code(), 200) << "it can be deleted";
}

// v3.19's programs would take "ops.web" for the policy "web" of tier default.
TEST_F(StoredFormTest, PoliciesOfOtherTiersAreNotInIt) {
  ASSERT_EQ(post("/apis/projectcalico.org/v3/tiers", R"({"metadata":{"name":"ops"}})").code(), 201);
  const auto make_in_ops = [&](const std::string& name) {
    const auto body = R"({"metadata":{"name":")" + name + R"("},"spec":{"tier":"ops"}})";
    EXPECT_EQ(post(k_shown, body).code(), 201) << name;
  };
  make_shown("web");
  const auto stream = get(k_stored + "?watch=true&resourceVersion=" +
                          get(k_stored).text({"metadata", "resourceVersion"}))
                          .response.stream;
  make_in_ops("ops.web");
  make_in_ops("ops.z");
  const auto hidden = k_stored + "/ops.web";
  EXPECT_EQ(get(hidden).code(), 404);
  EXPECT_EQ(remove(hidden).code(), 404);
  EXPECT_THAT(names(k_stored), testing::ElementsAre("default.web"));
  EXPECT_TRUE(names(k_stored + "?fieldSelector=metadata.name%3Dops.web").empty());
  EXPECT_EQ(find_at(get(k_stored + "?limit=1").body, {"metadata", "remainingItemCount"}), nullptr);

  for (const auto& reply :
       {post(k_stored, R"({"metadata":{"name":"ops.x"}})"),
        post(k_stored, R"({"metadata":{"generateName":"ops.x-"}})"),
        put(hidden, json::object{{"metadata", json::object{{"name", "ops.web"}}}}),
        patch(hidden, "merge-patch+json", R"({"spec":{"order":1}})")}) {
    EXPECT_EQ(reply.code(), 422) << reply.response.body;
    EXPECT_THAT(reply.text({"message"}), HasSubstr("policies of other tiers are in"));
  }
  for (const auto& reply :
       {post(k_stored, R"({"metadata":{"name":"default.x"},"spec":{"tier":"ops"}})"),
        patch(k_stored + "/default.web", "merge-patch+json", R"({"spec":{"tier":"ops"}})")}) {
    EXPECT_EQ(reply.code(), 422) << reply.response.body;
    EXPECT_THAT(reply.text({"message"}), HasSubstr("spec.tier: Invalid value: \"ops\": must be"));
  }

  EXPECT_EQ(remove(k_stored).code(), 200);
  EXPECT_THAT(names(k_shown), testing::ElementsAre("ops.web", "ops.z"));
  make_stored("default.last");
  EXPECT_THAT(events(*stream, 2),
              testing::ElementsAre("DELETED default.web", "ADDED default.last"));
}

// A watch that begins in history, and one that has the state first.
TEST_F(StoredFormTest, WatchesPassOverPoliciesOfOtherTiers) {
  ASSERT_EQ(post("/apis/projectcalico.org/v3/tiers", R"({"metadata":{"name":"ops"}})").code(), 201);
  const auto from = get(k_stored).text({"metadata", "resourceVersion"});
  post(k_shown, R"({"metadata":{"name":"ops.web"},"spec":{"tier":"ops"}})");
  const auto past = get(k_stored + "?watch=true&resourceVersion=" + from).response.stream;
  const auto state = get(k_stored +
                         "?watch=true&sendInitialEvents=true&allowWatchBookmarks=true"
                         "&resourceVersionMatch=NotOlderThan")
                         .response.stream;
  ASSERT_TRUE(past && state);
  make_shown("web");
  EXPECT_THAT(events(*past, 1), testing::ElementsAre("ADDED default.web"));
  EXPECT_THAT(events(*state, 2), testing::ElementsAre("ADDED default.web", "BOOKMARK "));
}

// Calico's client reads into structs that have no such field, and writes what it read.
TEST_F(StoredFormTest, FieldsThatV319DoesNotHaveSurviveItsWrites) {
  const auto made =
      post(k_shown_pools,
           R"({"metadata":{"name":"a"},"spec":{"cidr":"10.0.0.0/16","allowedUses":["Tunnel"]}})");
  ASSERT_EQ(made.code(), 201);
  auto object = get(k_stored_pools + "/a").body;
  auto& spec = object.at("spec").as_object();
  spec.erase("allowedUses");
  spec["natOutgoing"] = true;
  EXPECT_EQ(put(k_stored_pools + "/a?dryRun=All", object).body.at("spec").at("allowedUses"),
            json::parse(R"(["Tunnel"])"));
  ASSERT_EQ(put(k_stored_pools + "/a", object).code(), 200);
  const auto now = get(k_shown_pools + "/a").body.at("spec").as_object();
  EXPECT_EQ(now.at("natOutgoing"), true);
  EXPECT_EQ(now.at("allowedUses"), json::parse(R"(["Tunnel"])"));

  EXPECT_EQ(patch(k_stored_pools + "/a", "merge-patch+json", R"({"spec":{"allowedUses":null}})")
                .body.at("spec")
                .as_object()
                .contains("allowedUses"),
            false)
      << "who mentions it removes it";
  object = get(k_shown_pools + "/a").body;
  object.at("spec").as_object()["allowedUses"] = json::parse(R"(["Workload"])");
  ASSERT_EQ(put(k_shown_pools + "/a", object).code(), 200);
  object = get(k_shown_pools + "/a").body;
  object.at("spec").as_object().erase("allowedUses");
  EXPECT_FALSE(
      put(k_shown_pools + "/a", object).body.at("spec").as_object().contains("allowedUses"))
      << "v3 is as it is written";
}

// Who has begun to read is what the server knows, whatever the client says.
TEST_F(StoredFormTest, NobodyWaitsOnAHandlerForRoom) {
  const auto from = get(k_stored).text({"metadata", "resourceVersion"});
  make_shown("a");
  make_shown("b", R"(,"annotations":{"k":")" + std::string(8'000, ',') + "\"}");
  auto resume = get(k_stored + "?limit=1").text({"metadata", "continue"});
  for (size_t at = 0; (at = resume.find(':', at)) != std::string::npos;)
    resume.replace(at, 1, "%3A");
  ASSERT_FALSE(resume.empty());
  for (const auto& [target, code] : {std::pair("/default.b", 503),
                                     {"?limit=1", 200},
                                     {"", 503},
                                     {"?limit=1&continue=", 503},
                                     {"?watch=true&resourceVersion=", 200},
                                     {"?watch=true", 200}}) {
    auto whole = k_stored + target;
    if (whole.ends_with("continue=")) whole += resume;
    if (whole.ends_with("resourceVersion=")) whole += from;
    const auto reply = while_busy([&] { return get(whole); });
    ASSERT_TRUE(reply) << target;
    EXPECT_EQ(reply->code(), code) << target << reply->response.body;
  }
}

// The thread that brings all watches their changes makes no forms: whoever sends a change does.
TEST_F(StoredFormTest, FormsAreMadeWhereTheyAreSent) {
  const auto stream = get(k_stored + "?watch=true&resourceVersion=" +
                          get(k_stored).text({"metadata", "resourceVersion"}))
                          .response.stream;
  const auto plain = get(k_shown + "?watch=true&resourceVersion=" +
                         get(k_shown).text({"metadata", "resourceVersion"}))
                         .response.stream;
  ASSERT_TRUE(stream && plain);
  make_shown("a", R"(,"annotations":{"k":")" + std::string(8'000, ',') + "\"}");
  EXPECT_THAT(events(*plain, 1), testing::ElementsAre("ADDED a"));
  auto piece = stream->take();
  while (piece.next == Piece::Next::wait && piece.text.empty()) piece = stream->take();
  EXPECT_EQ(piece.text, "");
  EXPECT_EQ(piece.next, Piece::Next::read) << "on a thread that may take its time";
  const auto read = [&] {
    stream->read();
    return Reply{};
  };
  EXPECT_FALSE(while_busy(read)) << "it takes room";
  EXPECT_THAT(events(*stream, 1), testing::ElementsAre("ADDED default.a"));
}

TEST_F(StoredFormTest, GeneratedNamesAndNamespaces) {
  const auto made = post(k_stored, R"({"metadata":{"generateName":"default.web-"}})");
  ASSERT_EQ(made.code(), 201) << made.response.body;
  EXPECT_THAT(made.text({"metadata", "name"}), testing::StartsWith("default.web-"));
  EXPECT_EQ(post(k_stored, R"({"metadata":{"generateName":"web-"}})").code(), 422);
  EXPECT_EQ(post("/apis/crd.projectcalico.org/v1/namespaces/none/networkpolicies",
                 R"({"metadata":{"name":"default.web"}})")
                .code(),
            404);
}

TEST(StoredForm, EveryKindOfCalicosIsServed) {
  for (const char* plural :
       {"bgpconfigurations", "bgppeers", "blockaffinities", "clusterinformations",
        "felixconfigurations", "globalnetworkpolicies", "globalnetworksets", "hostendpoints",
        "ipamblocks", "ipamconfigs", "ipamhandles", "ippools", "kubecontrollersconfigurations",
        "networkpolicies", "networksets"})
    EXPECT_NE(api::find_resource(std::string(plural) + ".crd.projectcalico.org"), nullptr)
        << plural;
}

}  // namespace
}  // namespace margay::apiserver
