// Scopes that may be missing: what a server has not, or does not let us see.

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <functional>
#include <sstream>
#include <thread>

#include "store/syncer.h"
#include "store/testing/syncer_fixture.h"

namespace margay::store {
namespace {

using namespace std::chrono_literals;
using base::ErrorCode;
using base::fail;
using base::Result;
using testing::CheckingSink;
using testing::FlakyStore;
using testing::k_fast;
using testing::SyncerTest;

using OptionalScopeTest = SyncerTest;

// A store without "later" things, until it has them.
class EarlierStore final : public FlakyStore {
 public:
  EarlierStore(Store& store, ErrorCode says) : FlakyStore(store, {}, 1), says_(says) {}
  Result<List> list(const Scope& scope, const ListOptions& options) override {
    if (scope.resource == "later" && !knows_later) {
      ++refused;
      refused.notify_all();
      return fail(says_, "no such resource");
    }
    return FlakyStore::list(scope, options);
  }
  std::atomic<bool> knows_later = false;
  std::atomic<int> refused = 0;

 private:
  const ErrorCode says_;
};

TEST_F(OptionalScopeTest, IsInSyncWithoutAResourceThatMayBeMissing) {
  ASSERT_TRUE(store_->create(key(1), ""));
  ASSERT_TRUE(store_->create({"later", "", "a"}, ""));
  auto options = k_fast;
  options.presence_check = 1ms;
  for (const auto says : {ErrorCode::not_found, ErrorCode::forbidden}) {
    EarlierStore store(*store_, says);
    CheckingSink sink;
    const Syncer syncer(store, {{"things"}, {.resource = "later", .optional = true}}, sink,
                        queue_.executor(), options);
    ASSERT_TRUE(queue_.run_until([&] { return sink.in_sync; }));
    EXPECT_EQ(sink.objects.size(), 1U);
    store.knows_later = true;
    ASSERT_TRUE(queue_.run_until([&] { return sink.objects.size() == 2; }));
  }
}

// However seldom it is looked for.
TEST_F(OptionalScopeTest, IsInSyncWithoutItAsSoonAsTheOthersAreListed) {
  ASSERT_TRUE(store_->create(key(1), ""));
  const SyncerOptions seldom{.backoff = {.initial = 1h, .max = 1h}, .presence_check = 1h};
  EarlierStore store(*store_, ErrorCode::not_found);
  const Syncer syncer(store, {{.resource = "later", .optional = true}, {"things"}}, sink_,
                      queue_.executor(), seldom);
  EXPECT_TRUE(queue_.run_until([&] { return sink_.in_sync; }));
}

// A server that starts: it does not know our rights yet, and takes its time for the rest.
class StartingStore final : public FlakyStore {
 public:
  explicit StartingStore(Store& store) : FlakyStore(store, {}, 1) {}
  Result<List> list(const Scope& scope, const ListOptions& options) override {
    if (scope.resource == "things") has_started.wait(false);
    if (has_started) return FlakyStore::list(scope, options);
    refused = true;
    refused.notify_all();
    return fail(ErrorCode::forbidden, "no such role");
  }
  void start() {
    has_started = true;
    has_started.notify_all();
  }
  std::atomic<bool> has_started = false;
  std::atomic<bool> refused = false;
};

TEST_F(OptionalScopeTest, DoesNotBelieveAnAbsenceFromBeforeTheOthersWereListed) {
  ASSERT_TRUE(store_->create(key(1), ""));
  ASSERT_TRUE(store_->create({"later", "", "a"}, ""));
  const SyncerOptions seldom{.backoff = {.initial = 1h, .max = 1h}, .presence_check = 1h};
  StartingStore store(*store_);
  const Syncer syncer(store, {{"things"}, {.resource = "later", .optional = true}}, sink_,
                      queue_.executor(), seldom);
  store.refused.wait(false);
  store.start();
  ASSERT_TRUE(queue_.run_until([&] { return sink_.in_sync; }));
  EXPECT_EQ(sink_.at_in_sync.size(), 2U);
}

TEST_F(OptionalScopeTest, WaitsForAnUnreachableResourceThatMayBeMissing) {
  ASSERT_TRUE(store_->create({"later", "", "a"}, ""));
  EarlierStore store(*store_, ErrorCode::unavailable);
  const Syncer syncer(store, {{.resource = "later", .optional = true}}, sink_, queue_.executor(),
                      k_fast);
  for (int times = 0; times < 3; times = store.refused) store.refused.wait(times);
  EXPECT_FALSE(sink_.in_sync);
  store.knows_later = true;
  ASSERT_TRUE(queue_.run_until([&] { return sink_.in_sync; }));
  EXPECT_EQ(sink_.at_in_sync.size(), 1U) << "whoever is late may have tiers";
}

// Ten "later" things, a list of which takes two pages, each answered by what the test says.
class PagedLaterTest : public SyncerTest {
 protected:
  class PagedStore final : public FlakyStore {
   public:
    // Of a page of the list, the first or another: the error instead, if any.
    using Answers = std::function<std::optional<ErrorCode>(bool is_first)>;
    PagedStore(Store& store, Answers answers)
        : FlakyStore(store, {.watch_ends = 1, .too_old = 1}, 1), answers_(std::move(answers)) {}
    Result<List> list(const Scope& scope, const ListOptions& options) override {
      if (const auto error = answers_(options.resume.empty())) return fail(*error, "not now");
      return FlakyStore::list(scope, options);
    }

   private:
    const Answers answers_;
  };

  PagedLaterTest() {
    for (int i = 0; i < 10; ++i)
      EXPECT_TRUE(store_->create({"later", "", std::to_string(i)}, "")) << i;
  }

  const std::vector<Scope> scopes_{{.resource = "later", .optional = true}};
};

TEST_F(PagedLaterTest, IsNotMissingWhenRefusedAmidAList) {
  int pages = 0;
  PagedStore store(*store_, [&](bool is_first) {
    return !is_first && ++pages <= 3 ? std::optional(ErrorCode::forbidden) : std::nullopt;
  });
  const Syncer syncer(store, scopes_, sink_, queue_.executor(), k_fast);
  ASSERT_TRUE(queue_.run_until([&] { return sink_.in_sync; }));
  EXPECT_EQ(sink_.at_in_sync.size(), 10U);
}

TEST_F(PagedLaterTest, IsMissingAltogetherAfterAListThatBroke) {
  std::atomic<bool> is_there = true;
  PagedStore store(*store_, [&](bool is_first) -> std::optional<ErrorCode> {
    if (!is_first)
      return is_there.exchange(false) ? std::optional(ErrorCode::unavailable) : std::nullopt;
    return is_there ? std::nullopt : std::optional(ErrorCode::forbidden);
  });
  auto options = k_fast;
  options.presence_check = 1ms;
  const Syncer syncer(store, scopes_, sink_, queue_.executor(), options);
  ASSERT_TRUE(queue_.run_until([&] { return sink_.in_sync; }));
  EXPECT_EQ(sink_.at_in_sync.size(), 0U) << "a part of what there is";
}

TEST_F(PagedLaterTest, StaysAsItWasWhenItGoesMissing) {
  std::ostringstream said;
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>(
      "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(said)));
  std::atomic<bool> is_there = true;
  std::atomic<int> refusals = 0;
  {
    PagedStore store(*store_, [&](bool) -> std::optional<ErrorCode> {
      if (is_there) return std::nullopt;
      ++refusals;
      refusals.notify_all();
      return ErrorCode::not_found;
    });
    auto options = k_fast;
    options.presence_check = 1ms;
    const Syncer syncer(store, scopes_, sink_, queue_.executor(), options);
    ASSERT_TRUE(queue_.run_until([&] { return sink_.in_sync; }));
    is_there = false;
    ASSERT_TRUE(store_->remove({"later", "", "3"}, {})) << "its watch is too old from here on";
    for (int seen = 0; seen < 2; seen = refusals) refusals.wait(seen);
    EXPECT_EQ(sink_.objects.size(), 10U);
    is_there = true;
    ASSERT_TRUE(queue_.run_until([&] { return sink_.objects.size() == 9; }));
  }
  spdlog::set_default_logger(before);
  EXPECT_NE(said.str().find("what was known of it is kept"), std::string::npos) << said.str();
}

}  // namespace
}  // namespace margay::store
