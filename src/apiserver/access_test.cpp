// Who asks reaches the authorizer and the audit sink with every request.

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>

#include "apiserver/authenticate.h"
#include "apiserver/router_fixture.h"
#include "apiserver/testing/rule_table.h"

namespace margay::apiserver {
namespace {

constexpr auto k_config_maps = "/api/v1/namespaces/default/configmaps";
constexpr auto k_reviews = "/apis/authorization.k8s.io/v1/";

const User k_alice{.name = "alice",
                   .groups = {"readers", "system:authenticated"},
                   .uid = "u-1",
                   .extra = {{"scopes", {"a", "b"}}}};

class RecordingAudit final : public AuditSink {
 public:
  void record(const AuditEvent& event) override { lines.push_back(to_json(event)); }
  json::object last() const {
    return lines.empty() ? json::object() : json::parse(lines.back()).as_object();
  }
  std::vector<std::string> lines;
};

class AccessTest : public RouterFixture {
 protected:
  AccessTest()
      : guarded_(Router::Services{.store = *store_,
                                  .writes = *writes_,
                                  .clock = clock_,
                                  .documents = documents(),
                                  .authorizer = rules_,
                                  .audit = audit_,
                                  .room = room_,
                                  .is_ready = [] { return true; },
                                  .metrics_text = [] { return "metrics"; }}) {}

  Reply ask(Method method, const std::string& target, const std::string& body = "",
            const User& user = k_alice) {
    Request request{.method = method, .target = target, .body = body};
    request.user = user;
    request.source = "192.0.2.7";
    request.user_agent = "kubectl/v1.37";
    RequestLabels labels;
    Reply reply{guarded_.handle(request, labels)};
    boost::system::error_code error;
    auto value = json::parse(reply.response.body, error);
    if (!error && value.is_object()) reply.body = std::move(value.as_object());
    return reply;
  }

  RuleTable rules_{
      {{.subject = "readers",
        .ns = "default",
        .rules = {.resources = {{.verbs = {"get", "list", "create"},
                                 .api_groups = {""},
                                 .resources = {"configmaps"}}}}},
       {.subject = "system:authenticated",
        .ns = "",
        .rules = {.resources = {{.verbs = {"create"},
                                 .api_groups = {"authorization.k8s.io", "authentication.k8s.io"},
                                 .resources = {"*"}}},
                  .paths = {{.verbs = {"get"}, .paths = {"/api", "/version"}}}}}}};
  RecordingAudit audit_;
  Router guarded_;
};

TEST_F(AccessTest, RefusalsSayWhoMayNotDoWhat) {
  struct {
    Method method;
    const char* target;
    int code;
    const char* message;
  } const cases[] = {
      {Method::get, k_config_maps, 200, ""},
      {Method::get, "/api", 200, ""},
      {Method::get, "/healthz", 200, ""},
      {Method::get, "/api/v1/namespaces/default/pods", 403,
       R"(pods is forbidden: User "alice" cannot list resource "pods" in API group "" in the namespace "default")"},
      {Method::get, "/api/v1/namespaces/default/pods?watch=1", 403,
       R"(pods is forbidden: User "alice" cannot watch resource "pods" in API group "" in the namespace "default")"},
      {Method::get, "/api/v1/namespaces/default/configmaps?watch=yes", 403,
       R"(configmaps is forbidden: User "alice" cannot watch resource "configmaps" in API group "" in the namespace "default")"},
      {Method::get, "/api/v1/namespaces/default/configmaps/a?watch", 403,
       R"(configmaps "a" is forbidden: User "alice" cannot watch resource "configmaps" in API group "" in the namespace "default")"},
      {Method::get, "/api/v1/namespaces/default/configmaps?watch=0", 200, ""},
      {Method::get, "/api/v1/namespaces/default/configmaps?watch=False", 200, ""},
      {Method::patch, "/api/v1/namespaces/default/pods/p/status", 403,
       R"(pods "p" is forbidden: User "alice" cannot patch resource "pods/status" in API group "" in the namespace "default")"},
      {Method::remove, "/api/v1/namespaces/other/configmaps", 403,
       R"(configmaps is forbidden: User "alice" cannot deletecollection resource "configmaps" in API group "" in the namespace "other")"},
      {Method::get, "/apis/projectcalico.org/v3/ippools/a", 403,
       R"(ippools.projectcalico.org "a" is forbidden: User "alice" cannot get resource "ippools" in API group "projectcalico.org" at the cluster scope)"},
      {Method::get, "/api/v1/namespaces/other", 403,
       R"(namespaces "other" is forbidden: User "alice" cannot get resource "namespaces" in API group "" in the namespace "other")"},
      {Method::get, "/apis/unheard.of/v1/things", 403,
       R"(things.unheard.of is forbidden: User "alice" cannot list resource "things" in API group "unheard.of" at the cluster scope)"},
      {Method::get, "/metrics", 403, R"(forbidden: User "alice" cannot get path "/metrics")"},
  };
  for (const auto& test : cases) {
    SCOPED_TRACE(test.target);
    const auto reply = ask(test.method, test.target);
    EXPECT_EQ(reply.code(), test.code);
    if (test.code != 403) continue;
    EXPECT_EQ(reply.text({"message"}), test.message);
    EXPECT_EQ(reply.text({"reason"}), "Forbidden");
    EXPECT_EQ(reply.text({"status"}), "Failure");
  }
}

TEST_F(AccessTest, RefusedRequestsChangeNothing) {
  const auto body = R"({"metadata":{"name":"n"}})";
  EXPECT_EQ(ask(Method::post, "/api/v1/namespaces", body).code(), 403);
  EXPECT_EQ(get("/api/v1/namespaces/n").code(), 404);
}

TEST_F(AccessTest, ReviewsAnswerForTheUserWhoAsks) {
  const auto who = ask(Method::post, "/apis/authentication.k8s.io/v1/selfsubjectreviews", "{}");
  ASSERT_EQ(who.code(), 201) << who.response.body;
  EXPECT_EQ(*find_at(who.body, {"status", "userInfo"}), json::value(user_info(k_alice)));
  EXPECT_EQ(who.text({"kind"}), "SelfSubjectReview");

  const auto may = [&](const std::string& spec) {
    const auto reply = ask(Method::post, std::string(k_reviews) + "selfsubjectaccessreviews",
                           R"({"spec":)" + spec + "}");
    EXPECT_EQ(reply.code(), 201) << reply.response.body;
    return *find_at(reply.body, {"status", "allowed"}) == json::value(true);
  };
  EXPECT_TRUE(may(R"({"resourceAttributes":{"verb":"get","resource":"configmaps",
                      "namespace":"default","name":"a"}})"));
  EXPECT_FALSE(may(R"({"resourceAttributes":{"verb":"delete","resource":"configmaps",
                       "namespace":"default"}})"));
  EXPECT_FALSE(may(R"({"resourceAttributes":{"verb":"get","resource":"configmaps"}})"));
  EXPECT_TRUE(may(R"({"nonResourceAttributes":{"verb":"get","path":"/version"}})"));
  EXPECT_FALSE(may(R"({"nonResourceAttributes":{"verb":"get","path":"/metrics"}})"));

  const auto rules = ask(Method::post, std::string(k_reviews) + "selfsubjectrulesreviews",
                         R"({"spec":{"namespace":"default"}})");
  EXPECT_EQ(find_at(rules.body, {"status", "resourceRules"})->as_array().size(), 2u);
  EXPECT_EQ(find_at(rules.body, {"status", "nonResourceRules"})->as_array().size(), 1u);
  EXPECT_EQ(*find_at(rules.body, {"status", "incomplete"}), json::value(false));
}

// An empty verb or resource in place of one that cannot be read would be another question.
TEST_F(AccessTest, ReviewsThatCannotBeReadAreNotAnswered) {
  const struct {
    const char* spec;
    const char* message;
  } k_cases[] = {
      {R"({"resourceAttributes":{"verb":7}})",
       "spec.resourceAttributes.verb: Invalid value: 7: must be a string"},
      {R"({"resourceAttributes":["get"]})",
       R"(spec.resourceAttributes: Invalid value: ["get"]: must be an object)"},
      {R"({"nonResourceAttributes":{"path":[]}})",
       "spec.nonResourceAttributes.path: Invalid value: []: must be a string"},
      {R"("all")", R"(spec: Invalid value: "all": must be an object)"},
  };
  for (const auto& [spec, message] : k_cases) {
    const auto reply = ask(Method::post, std::string(k_reviews) + "selfsubjectaccessreviews",
                           std::string(R"({"spec":)") + spec + "}");
    EXPECT_EQ(reply.code(), 400) << spec;
    EXPECT_EQ(reply.text({"message"}), message) << spec;
  }
}

TEST_F(AccessTest, ReviewsThatAskNothingAreRefused) {
  const auto at = [&](const char* plural, const char* body) {
    return ask(Method::post, std::string(k_reviews) + plural, body).code();
  };
  EXPECT_EQ(at("selfsubjectaccessreviews", "{}"), 422);
  EXPECT_EQ(at("selfsubjectaccessreviews",
               R"({"spec":{"resourceAttributes":{},"nonResourceAttributes":{}}})"),
            422);
  EXPECT_EQ(at("selfsubjectaccessreviews", R"({"kind":"Pod"})"), 400);
  EXPECT_EQ(at("selfsubjectrulesreviews", "{}"), 400);
  EXPECT_EQ(ask(Method::post, std::string(k_reviews) + "selfsubjectaccessreviews", "[]").code(),
            400);
}

TEST_F(AccessTest, EveryRequestLeavesARecord) {
  ask(Method::post, k_config_maps, R"({"metadata":{"generateName":"a-"}})");
  auto event = audit_.last();
  EXPECT_EQ(text_at(event, {"apiVersion"}), "audit.k8s.io/v1");
  EXPECT_EQ(text_at(event, {"stage"}), "ResponseComplete");
  EXPECT_EQ(text_at(event, {"verb"}), "create");
  EXPECT_EQ(text_at(event, {"requestURI"}), k_config_maps);
  ASSERT_TRUE(event.contains("user"));
  EXPECT_EQ(event.at("user"), json::value(user_info(k_alice)));
  EXPECT_EQ(event.at("sourceIPs"), (json::array{"192.0.2.7"}));
  EXPECT_EQ(text_at(event, {"userAgent"}), "kubectl/v1.37");
  EXPECT_EQ(text_at(event, {"objectRef", "resource"}), "configmaps");
  EXPECT_THAT(std::string(text_at(event, {"objectRef", "name"})), testing::StartsWith("a-"));
  EXPECT_EQ(integer_at(event, {"responseStatus", "code"}), 201);
  EXPECT_EQ(text_at(event, {"annotations", "authorization.k8s.io/decision"}), "allow");
  EXPECT_EQ(text_at(event, {"annotations", "authorization.k8s.io/reason"}), "a rule for readers");
  EXPECT_EQ(text_at(event, {"auditID"}).size(), 36u);

  ask(Method::remove, std::string(k_config_maps) + "/x");
  event = audit_.last();
  EXPECT_EQ(integer_at(event, {"responseStatus", "code"}), 403);
  EXPECT_EQ(text_at(event, {"responseStatus", "reason"}), "Forbidden");
  EXPECT_EQ(text_at(event, {"annotations", "authorization.k8s.io/decision"}), "forbid");

  const auto before = audit_.lines.size();
  ask(Method::get, "/healthz", "", anonymous());
  EXPECT_EQ(audit_.lines.size(), before) << "health is nobody's business";
}

TEST_F(AccessTest, AuditLogHasALineForEachEventAndItsOwnersModeOnly) {
  const auto path = folder_.path() / "audit.log";
  const Request request{.target = "/api", .user = k_alice};
  const Attributes attributes{.verb = "get", .path = "/api"};
  for (int i = 0; i < 2; ++i) {  // the second opening goes on where the first ended
    auto log = AuditLog::open(path.string()).value();
    log->record({.id = "x", .request = request, .attributes = attributes});
  }
  std::ifstream file(path);
  std::string line;
  int lines = 0;
  for (; std::getline(file, line); ++lines)
    EXPECT_EQ(text_at(json::parse(line).as_object(), {"user", "username"}), "alice");
  EXPECT_EQ(lines, 2);
  EXPECT_EQ(std::filesystem::status(path).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(AccessTest, EventsThatCannotBeWrittenAreCounted) {
  auto log = AuditLog::open("/dev/full").value();
  int lost = 0;
  log->on_lost([&] { ++lost; });
  const Request request{.target = "/api"};
  const Attributes attributes{.verb = "get", .path = "/api"};
  log->record({.id = "x", .request = request, .attributes = attributes});
  EXPECT_EQ(lost, 1);
}

class AuditLogTest : public testing::Test {
 protected:
  std::vector<std::string> lines(const std::filesystem::path& path) const {
    std::ifstream file(path);
    std::vector<std::string> out;
    for (std::string line; std::getline(file, line);) out.push_back(line);
    return out;
  }
  std::vector<std::string> files() const {
    std::vector<std::string> out;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path()))
      out.push_back(entry.path().filename().string());
    std::ranges::sort(out);
    return out;
  }
  static void record(AuditLog& log, const Request& request, base::Clock::Wall at, int code = 200) {
    const Attributes attributes{.verb = "get"};
    log.record({.id = "x",
                .request = request,
                .attributes = attributes,
                .code = code,
                .received = at,
                .answered = at});
  }

  TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_.path() / "audit.log";
  base::Clock::Wall now_{std::chrono::hours(500'000)};
};

TEST_F(AuditLogTest, IsPutAsideWhenItHasGrownAndTheOldestAreRemoved) {
  std::ofstream(folder_.path() / "audit-of-mine.log") << "kept";
  const auto log = AuditLog::open(path_.string(), {.bytes = 2'000, .kept = 2}).value();
  const Request request{.target = "/" + std::string(900, 'a'), .user = k_alice};
  for (int i = 0; i < 9; ++i) record(*log, request, now_ += std::chrono::seconds(1));
  EXPECT_THAT(files(), testing::ElementsAre("audit-2027-01-15T08-00-08.000000Z.log",
                                            "audit-2027-01-15T08-00-09.000000Z.log",
                                            "audit-of-mine.log", "audit.log"));
  EXPECT_LE(std::filesystem::file_size(path_), 2'000);
}

TEST_F(AuditLogTest, OneThatSomebodyTookIsBegunAnew) {
  const auto log = AuditLog::open(path_.string(), {.bytes = 2'000, .kept = 2}).value();
  const Request request{.target = "/" + std::string(900, 'a'), .user = k_alice};
  record(*log, request, now_);
  std::filesystem::remove(path_);
  for (int i = 0; i < 4; ++i) record(*log, request, now_ += std::chrono::seconds(1));
  EXPECT_TRUE(std::filesystem::exists(path_));
  EXPECT_THAT(files(), testing::SizeIs(3)) << "and two put aside";
}

TEST_F(AuditLogTest, OneThatCouldNotBeOpenedAgainIsBegunLater) {
  const auto log = AuditLog::open(path_.string(), {.bytes = 2'000, .kept = 2}).value();
  const Request request{.target = "/" + std::string(900, 'a'), .user = k_alice};
  rlimit files_open{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files_open), 0);
  const rlimit none{.rlim_cur = 0, .rlim_max = files_open.rlim_max};
  for (int i = 0; i < 3; ++i) {
    if (i == 1) {
      ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    }
    record(*log, request, now_ += std::chrono::seconds(1));
  }
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &files_open), 0);
  ASSERT_FALSE(std::filesystem::exists(path_)) << "it was moved away, and none was opened";
  for (int i = 0; i < 3; ++i) record(*log, request, now_ += std::chrono::seconds(1));
  EXPECT_FALSE(lines(path_).empty());
}

TEST_F(AuditLogTest, WhatNobodyKnownAsksForIsBounded) {
  const auto log =
      AuditLog::open(path_.string(), {.refusals_at_once = 3, .refusals_per_second = 1}).value();
  int lost = 0;
  log->on_lost([&] { ++lost; });
  const Request nobodys{.target = "/" + std::string(15'000, 'a'), .user = anonymous()};
  for (int i = 0; i < 100; ++i) record(*log, nobodys, now_, 401);
  EXPECT_EQ(lines(path_).size(), 3u);
  EXPECT_EQ(lost, 97);
  EXPECT_LT(std::filesystem::file_size(path_), 3'000) << "and each is short";
  const Request alices{.target = "/api", .user = k_alice};
  record(*log, alices, now_);
  record(*log, nobodys, now_ + std::chrono::seconds(1), 401);
  EXPECT_EQ(lines(path_).size(), 5u);
}

TEST_F(AuditLogTest, EachLineIsJsonWhateverClientsSend) {
  const auto log = AuditLog::open(path_.string()).value();
  Request request{.target = "/\xff", .user = {.name = "a\xfe", .groups = {"\xc3"}}};
  request.user_agent = "curl\xff\n";
  record(*log, request, now_);
  const auto written = lines(path_);
  ASSERT_EQ(written.size(), 1u);
  boost::system::error_code error;
  const auto event = json::parse(written[0], error);
  ASSERT_FALSE(error) << written[0];
  EXPECT_EQ(text_at(event.as_object(), {"userAgent"}), "curl\xef\xbf\xbd\n");
}

// A disk that fills up in the middle of a line, by a limit on the size of files.
TEST_F(AuditLogTest, ALineThatWasCutOffTakesNoOtherWithIt) {
  const auto log = AuditLog::open(path_.string()).value();
  int lost = 0;
  log->on_lost([&] { ++lost; });
  const Request request{.target = "/api", .user = k_alice};
  record(*log, request, now_);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  // Of whatever file standard output is.
  const auto signalled = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{std::filesystem::file_size(path_) + 50, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  record(*log, request, now_);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, signalled);
  record(*log, request, now_);
  const auto written = lines(path_);
  ASSERT_EQ(written.size(), 3u);
  EXPECT_EQ(written[1].size(), 50u);
  EXPECT_EQ(written[2], written[0]);
  EXPECT_EQ(lost, 1);
}

}  // namespace
}  // namespace margay::apiserver
