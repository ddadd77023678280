#include "base/event_loop.h"

#include <spdlog/spdlog.h>

#include <boost/asio/signal_set.hpp>

namespace margay::base {
namespace {

constexpr int k_exit_software = 70;  // EX_SOFTWARE of sysexits.h

}  // namespace

int EventLoop::run(std::function<void()> on_signal) {
  boost::asio::signal_set signals(context_, SIGINT, SIGTERM);
  signals.async_wait([&](const boost::system::error_code& error, int number) {
    if (error) return;
    spdlog::info("stopping on signal {}", number);
    signals.async_wait([&](const boost::system::error_code& again, int) {
      if (!again) stop();
    });
    on_signal ? on_signal() : stop();
  });
  try {
    const auto work = boost::asio::make_work_guard(context_);
    context_.run();
    return 0;
  } catch (const std::exception& bug) {
    spdlog::critical("bug: {}", bug.what());
    return k_exit_software;
  }
}

}  // namespace margay::base
