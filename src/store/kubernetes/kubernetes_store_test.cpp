// How the client side behaves against a FAKE server that misbehaves (fake_api_server.h). What the
// store does with a real API server is in that server's tests, by the conformance suite.

#include "store/kubernetes/kubernetes_store.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>

#include "store/kubernetes/fake_api_server.h"
#include "store/testing/recording_watcher.h"
#include "store/testing/temporary_folder.h"

namespace margay::store::kubernetes {
namespace {

using namespace std::chrono_literals;
using base::ErrorCode;
using testing::RecordingWatcher;

const Key k_key{"configmaps", "alpha", "a"};
const std::string k_path = "/api/v1/namespaces/alpha/configmaps";

std::string config_map(std::string_view name, Revision revision) {
  return fmt::format(R"({{"metadata":{{"name":"{}","namespace":"alpha","resourceVersion":"{}"}}}})",
                     name, revision);
}
std::string event_line(std::string_view type, std::string_view name, Revision revision) {
  return fmt::format(R"({{"type":"{}","object":{}}})", type, config_map(name, revision)) + "\n";
}
std::string status(int code, std::string_view reason) {
  return fmt::format(
      R"({{"kind":"Status","status":"Failure","reason":"{}","code":{},"message":"{}"}})", reason,
      code, reason);
}

std::unique_ptr<KubernetesStore> connect(const FakeApiServer& server, Options options = {}) {
  options.access.server = server.url();
  options.access.ca_pem = server.ca_pem();
  options.retry_for = options.retry_for == Options{}.retry_for ? 2s : options.retry_for;
  return KubernetesStore::create(options).value();
}

// ---- requests -----------------------------------------------------------------------------------

TEST(KubernetesStore, AsksForAnObjectWithItsToken) {
  std::string head;
  FakeApiServer server([&](const FakeRequest& request, FakeConnection& client) {
    head = request.head;
    client.respond(200, config_map("a", 7));
  });
  const auto store = connect(server, {.access = {.token = "secret"}});
  const auto entry = store->get(k_key);
  ASSERT_TRUE(entry) << entry.error().message;
  EXPECT_EQ(entry->key, k_key);
  EXPECT_EQ(entry->revision, 7);
  EXPECT_NE(entry->value.find(R"("kind":"ConfigMap")"), std::string::npos) << entry->value;
  EXPECT_TRUE(head.starts_with("GET " + k_path + "/a HTTP/1.1\r\n")) << head;
  EXPECT_NE(head.find("\r\nAuthorization: Bearer secret"), std::string::npos) << head;
}

TEST(KubernetesStore, UsesARenewedTokenOfItsFileAtOnce) {
  std::vector<std::string> heads;
  FakeApiServer server([&](const FakeRequest& request, FakeConnection& client) {
    heads.push_back(request.head);
    client.respond(200, config_map("a", 7));
  });
  const testing::TemporaryFolder folder;
  const auto store = connect(server, {.access = {.token_file = folder.file("token")}});
  for (const std::string token : {"first", "second"}) {
    std::ofstream(folder.file("token")) << token << "\n";
    ASSERT_TRUE(store->get(k_key));
    EXPECT_NE(heads.back().find("\r\nAuthorization: Bearer " + token), std::string::npos)
        << heads.back();
  }
}

TEST(KubernetesStore, SendsTheExpectedRevisionOrNone) {
  std::vector<std::string> bodies;
  FakeApiServer server([&](const FakeRequest& request, FakeConnection& client) {
    bodies.push_back(request.body);
    client.respond(200, config_map("a", 8));
  });
  const auto store = connect(server);
  ASSERT_TRUE(store->update(k_key, config_map("a", 3), 5));
  ASSERT_TRUE(store->update(k_key, config_map("a", 3), {}));
  ASSERT_TRUE(store->create(k_key, config_map("a", 3)));
  EXPECT_NE(bodies[0].find(R"("resourceVersion":"5")"), std::string::npos) << bodies[0];
  EXPECT_EQ(bodies[1].find("resourceVersion"), std::string::npos) << bodies[1];
  EXPECT_EQ(bodies[2].find("resourceVersion"), std::string::npos) << bodies[2];
  EXPECT_EQ(
      server.requests(),
      (std::vector<std::string>{"PUT " + k_path + "/a", "PUT " + k_path + "/a", "POST " + k_path}));
}

TEST(KubernetesStore, PatchesAStatusWithoutWritingTheObject) {
  FakeRequest seen;
  FakeApiServer server([&](const FakeRequest& request, FakeConnection& client) {
    seen = request;
    client.respond(200, config_map("a", 8));
  });
  const auto store = connect(server);
  ASSERT_TRUE(store->patch_status({"pods", "alpha", "a"}, R"({"metadata":{"labels":{"a":"b"}}})"));
  EXPECT_EQ(seen.method + " " + seen.target, "PATCH /api/v1/namespaces/alpha/pods/a/status");
  EXPECT_NE(seen.head.find("application/merge-patch+json"), std::string::npos) << seen.head;
  EXPECT_EQ(seen.body, R"({"metadata":{"labels":{"a":"b"}}})");
}

TEST(KubernetesStore, ListsByPrefixAlsoWhereTheServerDoesNotKnowOfIt) {
  FakeApiServer server([&](const FakeRequest&, FakeConnection& client) {
    client.respond(200,
                   fmt::format(R"({{"metadata":{{"resourceVersion":"9"}},"items":[{},{},{}]}})",
                               config_map("a", 1), config_map("ab", 2), config_map("b", 3)));
  });
  const auto store = connect(server);
  const auto list = store->list({"configmaps", "alpha"}, {.name_prefix = "a"});
  ASSERT_TRUE(list) << list.error().message;
  ASSERT_EQ(list->entries.size(), 2U);
  EXPECT_EQ(list->entries[1].key.name, "ab");
  EXPECT_EQ(server.requests(), std::vector{"GET " + k_path + "?limit=500&namePrefix=a"});
}

TEST(KubernetesStore, PatchesASubresource) {
  FakeRequest seen;
  FakeApiServer server([&](const FakeRequest& request, FakeConnection& client) {
    seen = request;
    client.respond(200, config_map("a", 8));
  });
  const auto store = connect(server);
  ASSERT_TRUE(store->patch(k_key, PatchType::merge, R"({"status":{}})", "status"));
  EXPECT_EQ(seen.method, "PATCH");
  EXPECT_EQ(seen.target, k_path + "/a/status");
  EXPECT_NE(seen.head.find("Content-Type: application/merge-patch+json"), std::string::npos);
}

TEST(KubernetesStore, RemovesWhatItReadEvenWhenTheAnswerIsAStatus) {
  std::string body;
  FakeApiServer server([&](const FakeRequest& request, FakeConnection& client) {
    if (request.method == "GET") return client.respond(200, config_map("a", 7));
    body = request.body;
    client.respond(200, R"({"kind":"Status","status":"Success"})");
  });
  const auto removed = connect(server)->remove(k_key, {});
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_EQ(removed->key, k_key);
  EXPECT_NE(body.find(R"("preconditions":{"resourceVersion":"7"})"), std::string::npos) << body;
}

TEST(KubernetesStore, RefusesWhatHasNoPath) {
  FakeApiServer server([](const FakeRequest&, FakeConnection& client) { client.cut(); });
  const auto store = connect(server);
  EXPECT_EQ(store->get({"gadgets", "", "a"}).error().code, ErrorCode::unsupported);
  EXPECT_EQ(store->get({"configmaps", "", "a"}).error().code, ErrorCode::invalid);
  EXPECT_EQ(store->get({"configmaps", "alpha", ""}).error().code, ErrorCode::invalid);
  EXPECT_EQ(server.connections(), 0);
}

// ---- lists --------------------------------------------------------------------------------------

TEST(KubernetesStore, ListsPageByPage) {
  FakeApiServer server([](const FakeRequest& request, FakeConnection& client) {
    const bool first = request.target.find("continue=") == std::string::npos;
    client.respond(200, fmt::format(R"({{"metadata":{{"resourceVersion":"9"{}}},"items":[{}]}})",
                                    first ? R"(,"continue":"n&xt")" : "",
                                    first ? config_map("a", 3) : config_map("b", 4)));
  });
  const auto list = connect(server, {.page_size = 1})->list({"configmaps", "alpha"});
  ASSERT_TRUE(list) << list.error().message;
  EXPECT_EQ(list->revision, 9);
  ASSERT_EQ(list->entries.size(), 2U);
  EXPECT_EQ(list->entries[1].key.name, "b");
  EXPECT_EQ(server.requests().back(), "GET " + k_path + "?limit=1&continue=n%26xt");
}

TEST(KubernetesStore, TakesAListWholeWhenItsPagesExpire) {
  FakeApiServer server([](const FakeRequest& request, FakeConnection& client) {
    if (request.target.find("continue=") != std::string::npos)
      return client.respond(410, status(410, "Expired"));
    const bool paged = request.target.find("limit=") != std::string::npos;
    client.respond(200, fmt::format(R"({{"metadata":{{"resourceVersion":"9"{}}},"items":[{}]}})",
                                    paged ? R"(,"continue":"next")" : "", config_map("a", 3)));
  });
  const auto list = connect(server, {.page_size = 1})->list({"configmaps", "alpha"});
  ASSERT_TRUE(list) << list.error().message;
  EXPECT_EQ(list->entries.size(), 1U);
  EXPECT_TRUE(list->resume.empty());
}

// ---- failures -----------------------------------------------------------------------------------

TEST(KubernetesStore, KeepsItsConnection) {
  FakeApiServer server(
      [](const FakeRequest&, FakeConnection& client) { client.respond(200, config_map("a", 7)); });
  const auto store = connect(server);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(store->get(k_key));
  EXPECT_EQ(server.connections(), 1);
}

TEST(KubernetesStore, ReadsAgainOnANewConnectionWhenAKeptOneIsCut) {
  std::atomic<int> requests = 0;
  FakeApiServer server([&](const FakeRequest&, FakeConnection& client) {
    if (++requests == 2) return client.cut();
    client.respond(200, config_map("a", 7));
  });
  const auto store = connect(server);
  ASSERT_TRUE(store->get(k_key));
  const auto again = store->get(k_key);
  EXPECT_TRUE(again) << again.error().message;
  EXPECT_EQ(server.connections(), 2);
}

TEST(KubernetesStore, NeverWritesTwiceWhatMayHaveBeenDone) {
  FakeApiServer server([](const FakeRequest&, FakeConnection& client) { client.cut(); });
  const auto written = connect(server)->update(k_key, config_map("a", 3), 3);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::timeout);
  EXPECT_NE(written.error().message.find("unknown"), std::string::npos) << written.error().message;
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST(KubernetesStore, GivesUpOnAServerThatDoesNotAnswer) {
  FakeApiServer server(
      [](const FakeRequest&, FakeConnection& client) { client.wait_until_client_leaves(); });
  const auto read = connect(server, {.timeout = 100ms})->get(k_key);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::timeout);
}

TEST(KubernetesStore, ComesBackWhenTheServerAsksToWait) {
  std::atomic<int> requests = 0;
  FakeApiServer server([&](const FakeRequest&, FakeConnection& client) {
    if (++requests == 1)
      return client.respond(429, status(429, "TooManyRequests"), "Retry-After: 0\r\n");
    client.respond(200, config_map("a", 7));
  });
  EXPECT_TRUE(connect(server)->update(k_key, config_map("a", 3), {}));
  EXPECT_EQ(requests, 2);
}

TEST(KubernetesStore, SaysThatNobodyListens) {
  Options options{.retry_for = 100ms};
  options.access.server = "https://127.0.0.1:1";
  options.access.insecure_skip_verify = true;
  const auto read = KubernetesStore::create(options).value()->get(k_key);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::unavailable);
  EXPECT_NE(read.error().message.find("127.0.0.1:1"), std::string::npos) << read.error().message;
}

TEST(KubernetesStore, TalksOnlyToAServerItTrusts) {
  const auto respond = [](const FakeRequest&, FakeConnection& client) {
    client.respond(200, config_map("a", 7));
  };
  FakeApiServer server(respond);
  const FakeApiServer other(respond);
  struct Case {
    const char* name;
    ClusterAccess access;
    bool trusted;
  };
  const Case cases[] = {
      {"its authority", {.ca_pem = server.ca_pem()}, true},
      {"another authority", {.ca_pem = other.ca_pem()}, false},
      {"the system's authorities", {}, false},
      {"another name", {.ca_pem = server.ca_pem(), .server_name = "example.org"}, false},
      {"told not to verify", {.insecure_skip_verify = true}, true},
  };
  for (const auto& [name, access, trusted] : cases) {
    Options options{.access = access, .retry_for = 0ms};
    options.access.server = server.url();
    const auto read = KubernetesStore::create(options).value()->get(k_key);
    ASSERT_EQ(read.has_value(), trusted) << name;
    if (!trusted) {
      EXPECT_EQ(read.error().code, ErrorCode::unauthorized) << name;
    }
  }
  EXPECT_EQ(server.requests().size(), 2U) << "asked a server it does not trust";
}

TEST(KubernetesStore, SaysWhatIsWrongWithAnAnswer) {
  struct Case {
    const char* name;
    std::string body;
  };
  const Case cases[] = {
      {"not JSON", "<html>"},
      {"not an object", "[]"},
      {"no metadata", "{}"},
      {"no revision", R"({"metadata":{"name":"a"}})"},
      {"a revision that is no number", R"({"metadata":{"name":"a","resourceVersion":"x"}})"}};
  for (const auto& [name, body] : cases) {
    FakeApiServer server(
        [&](const FakeRequest&, FakeConnection& client) { client.respond(200, body); });
    const auto read = connect(server)->get(k_key);
    ASSERT_FALSE(read) << name;
    EXPECT_EQ(read.error().code, ErrorCode::internal) << name;
  }
}

// ---- watches ------------------------------------------------------------------------------------

TEST(KubernetesStore, WatchesFromARevisionAndTellsBookmarks) {
  FakeApiServer server([](const FakeRequest&, FakeConnection& client) {
    client.start_chunks();
    const auto lines = event_line("ADDED", "a", 11) + event_line("MODIFIED", "a", 12);
    client.chunk(lines.substr(0, 30));  // lines and chunks need not meet
    client.chunk(lines.substr(30));
    client.chunk(event_line("DELETED", "a", 13) + event_line("BOOKMARK", "", 20));
    client.wait_until_client_leaves();
  });
  const auto store = connect(server);
  RecordingWatcher watcher;
  const auto watch = store->watch({"configmaps", "alpha"}, 10, watcher);
  ASSERT_TRUE(watch) << watch.error().message;
  ASSERT_TRUE(watcher.wait_for_events(3));
  EXPECT_TRUE(watcher.wait_for_progress(20));
  const auto events = watcher.events();
  EXPECT_EQ(events[0].type, Event::Type::created);
  EXPECT_EQ(events[1].type, Event::Type::updated);
  EXPECT_EQ(events[2].type, Event::Type::removed);
  EXPECT_EQ(events[2].entry.revision, 13);
  const auto asked = server.requests().front();
  for (const auto* part : {"watch=true", "resourceVersion=10", "allowWatchBookmarks=true"})
    EXPECT_NE(asked.find(part), std::string::npos) << asked;
}

TEST(KubernetesStore, GoesOnFromWhereItWasWhenTheServerEndsAWatch) {
  FakeApiServer server([](const FakeRequest& request, FakeConnection& client) {
    const bool first = request.target.find("resourceVersion=10&") != std::string::npos;
    client.start_chunks();
    client.chunk(event_line("ADDED", first ? "a" : "b", first ? 11 : 12));
    if (!first) return client.wait_until_client_leaves();
    client.end_chunks();
  });
  const auto store = connect(server);
  RecordingWatcher watcher;
  const auto watch = store->watch({"configmaps", "alpha"}, 10, watcher).value();
  ASSERT_TRUE(watcher.wait_for_events(2));
  EXPECT_EQ(watcher.events()[1].entry.key.name, "b");
  EXPECT_NE(server.requests()[1].find("resourceVersion=11&"), std::string::npos);
}

TEST(KubernetesStore, EndsAWatchWithWhyItEnded) {
  struct Case {
    const char* name;
    std::function<void(FakeConnection&)> stream;
    ErrorCode code;
  };
  const Case cases[] = {
      {"history is gone",
       [](FakeConnection& client) {
         client.chunk(R"({"type":"ERROR","object":)" + status(410, "Expired") + "}\n");
       },
       ErrorCode::too_old},
      {"cut in the middle of a line",
       [](FakeConnection& client) { client.chunk(event_line("ADDED", "b", 12).substr(0, 20)); },
       ErrorCode::unavailable},
      {"not JSON", [](FakeConnection& client) { client.chunk("<html>\n"); }, ErrorCode::internal},
      {"an event without an object",
       [](FakeConnection& client) { client.chunk("{\"type\":\"ADDED\"}\n"); }, ErrorCode::internal},
  };
  for (const auto& [name, stream, code] : cases) {
    FakeApiServer server([&](const FakeRequest&, FakeConnection& client) {
      client.start_chunks();
      client.chunk(event_line("ADDED", "a", 11));
      stream(client);
      client.cut();
    });
    const auto store = connect(server);
    RecordingWatcher watcher;
    const auto watch = store->watch({"configmaps", "alpha"}, 10, watcher).value();
    const auto end = watcher.wait_for_end();
    ASSERT_TRUE(end) << name;
    EXPECT_EQ(end->code, code) << name << ": " << end->message;
    EXPECT_EQ(watcher.events().size(), 1U) << name << ": what came before it counts";
  }
}

TEST(KubernetesStore, EndsAWatchThatTheServerEndsAtOnceEachTime) {
  FakeApiServer server([](const FakeRequest&, FakeConnection& client) {
    client.start_chunks();
    client.end_chunks();
  });
  const auto store = connect(server);
  RecordingWatcher watcher;
  const auto watch = store->watch({"configmaps", "alpha"}, 10, watcher).value();
  const auto end = watcher.wait_for_end();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, ErrorCode::unavailable);
}

TEST(KubernetesStore, RefusesAWatchAtOnceWhenTheServerDoes) {
  FakeApiServer server(
      [](const FakeRequest&, FakeConnection& client) { client.respond(410, status(410, "Gone")); });
  const auto store = connect(server);
  RecordingWatcher watcher;
  EXPECT_EQ(store->watch({"configmaps"}, 10, watcher).error().code, ErrorCode::too_old);
  EXPECT_EQ(store->watch({"configmaps"}, 0, watcher).error().code, ErrorCode::too_old);
}

TEST(KubernetesStore, StopsAWatchThatSaysNothing) {
  FakeApiServer server([](const FakeRequest&, FakeConnection& client) {
    client.start_chunks();
    client.wait_until_client_leaves();
  });
  const auto store = connect(server);
  RecordingWatcher watcher;
  auto watch = store->watch({"configmaps"}, 10, watcher).value();
  const auto begin = std::chrono::steady_clock::now();
  watch.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
  EXPECT_EQ(watcher.calls(), 0U) << "stopping is not an end to tell";
}

}  // namespace
}  // namespace margay::store::kubernetes
