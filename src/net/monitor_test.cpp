#include "net/monitor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <vector>

#include "net/testing/scratch_namespace.h"

namespace margay::net {
namespace {

using base::IPAddress;
using testing::ScratchNamespace;
using namespace std::chrono_literals;

// Keeps what it is told, and can be made to dawdle.
class Recorder final : public Monitor::Listener {
 public:
  void on_events(std::span<const MonitorEvent> events) override {
    std::unique_lock lock(mutex_);
    events_.insert(events_.end(), events.begin(), events.end());
    changed_.notify_all();
    changed_.wait(lock, [this] { return !held_; });
  }
  void hold(bool held) {
    const std::scoped_lock lock(mutex_);
    held_ = held;
    changed_.notify_all();
  }
  bool wait_for(const std::function<bool(const std::vector<MonitorEvent>&)>& condition,
                std::chrono::milliseconds deadline = 10s) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, deadline, [&] { return condition(events_); });
  }
  void forget() {
    const std::scoped_lock lock(mutex_);
    events_.clear();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<MonitorEvent> events_;
  bool held_ = false;
};

bool has_resync(const std::vector<MonitorEvent>& events) {
  return std::ranges::any_of(events,
                             [](const auto& e) { return std::holds_alternative<Resync>(e); });
}

auto has_link(std::string name, bool removed) {
  return [=](const std::vector<MonitorEvent>& events) {
    return std::ranges::any_of(events, [&](const MonitorEvent& event) {
      const auto* link = std::get_if<LinkEvent>(&event);
      return link != nullptr && link->link.name == name && link->removed == removed;
    });
  };
}

class MonitorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = testing::why_no_namespaces(); !why.empty()) GTEST_SKIP() << why;
    scratch_ = std::make_unique<ScratchNamespace>();
    socket_ = std::make_unique<NetlinkSocket>(scratch_->socket());
  }

  std::unique_ptr<ScratchNamespace> scratch_;
  std::unique_ptr<NetlinkSocket> socket_;
  Recorder recorder_;
};

TEST_F(MonitorTest, BeginsWithAResyncThenTellsOfLinksAddressesAndRoutes) {
  const auto monitor = Monitor::start(scratch_->get(), recorder_, {});
  ASSERT_TRUE(monitor);
  EXPECT_TRUE(recorder_.wait_for(has_resync));

  ASSERT_TRUE(create_veth(*socket_, {.near = {.name = "a"}, .far = {.name = "b"}}));
  EXPECT_TRUE(recorder_.wait_for(has_link("a", false)));
  for (const char* name : {"a", "b"}) ASSERT_TRUE(change_link(*socket_, name, {.up = true}));
  const int link = get_link(*socket_, "a").value().index;
  const auto address = IPAddress::parse("10.0.0.1").value();
  ASSERT_TRUE(add_address(*socket_, {.link = link, .address = address, .prefix_length = 24}));
  EXPECT_TRUE(recorder_.wait_for([&](const auto& events) {
    return std::ranges::any_of(events, [&](const MonitorEvent& event) {
      const auto* added = std::get_if<AddressEvent>(&event);
      return added != nullptr && added->address.address == address && !added->removed;
    });
  }));
  const Route route{.destination = base::Prefix::parse("10.9.0.0/16").value(),
                    .link = link,
                    .scope = RouteScope::link};
  ASSERT_TRUE(add_route(*socket_, route));
  EXPECT_TRUE(recorder_.wait_for([&](const auto& events) {
    return std::ranges::any_of(events, [&](const MonitorEvent& event) {
      const auto* added = std::get_if<RouteEvent>(&event);
      return added != nullptr && added->route == route && !added->removed;
    });
  }));
  ASSERT_TRUE(delete_link(*socket_, "a"));
  EXPECT_TRUE(recorder_.wait_for(has_link("a", true)));
}

TEST_F(MonitorTest, AfterAnOverrunSubscribesAgainAndAsksForAResync) {
  const auto monitor = Monitor::start(scratch_->get(), recorder_, {.receive_buffer = 2048});
  ASSERT_TRUE(monitor);
  ASSERT_TRUE(recorder_.wait_for(has_resync));
  recorder_.forget();

  recorder_.hold(true);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(create_bridge(*socket_, "br" + std::to_string(i)));
  recorder_.hold(false);
  EXPECT_TRUE(recorder_.wait_for(has_resync));

  // So small a buffer may overrun again: what counts is that sooner or later a change arrives.
  bool goes_on = false;
  for (int i = 0; i < 20 && !goes_on; ++i) {
    const std::string name = "after" + std::to_string(i);
    ASSERT_TRUE(create_bridge(*socket_, name));
    goes_on = recorder_.wait_for(has_link(name, false), 1s);
  }
  EXPECT_TRUE(goes_on);
}

TEST_F(MonitorTest, AsksForAResyncAsOftenAsItIsTold) {
  const auto monitor = Monitor::start(scratch_->get(), recorder_, {.resync_interval = 10ms});
  ASSERT_TRUE(monitor);
  EXPECT_TRUE(recorder_.wait_for([](const std::vector<MonitorEvent>& events) {
    return std::ranges::count_if(events, [](const MonitorEvent& event) {
             const auto* resync = std::get_if<Resync>(&event);
             return resync != nullptr && resync->is_periodic;
           }) >= 3;
  }));
  ASSERT_TRUE(create_bridge(*socket_, "br"));
  EXPECT_TRUE(recorder_.wait_for(has_link("br", false))) << "events come all the same";
}

TEST_F(MonitorTest, TellsOnlyOfWhatWasAskedFor) {
  const auto monitor =
      Monitor::start(scratch_->get(), recorder_, {.links = false, .routes = false});
  ASSERT_TRUE(monitor);
  ASSERT_TRUE(create_bridge(*socket_, "br"));
  const int link = get_link(*socket_, "br").value().index;
  ASSERT_TRUE(add_address(
      *socket_, {.link = link, .address = IPAddress::v4(0x0a000001), .prefix_length = 32}));
  EXPECT_TRUE(recorder_.wait_for([](const std::vector<MonitorEvent>& events) {
    return std::ranges::any_of(
        events, [](const auto& e) { return std::holds_alternative<AddressEvent>(e); });
  }));
  EXPECT_TRUE(recorder_.wait_for([](const std::vector<MonitorEvent>& events) {
    return std::ranges::none_of(events,
                                [](const auto& e) { return std::holds_alternative<LinkEvent>(e); });
  }));
}

}  // namespace
}  // namespace margay::net
