#include "lab/supervisor.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <vector>

#include "base/event_loop.h"
#include "base/file.h"
#include "base/file_lock.h"
#include "lab/node_files.h"
#include "lab/program.h"
#include "lab/topology.h"

namespace margay::lab {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using base::Result;

class Supervisor {
 public:
  Supervisor(const Layout& layout, const Settings& settings, std::string binary)
      : layout_(layout), settings_(settings), binary_(std::move(binary)) {}

  Result<> build() {
    MARGAY_CHECK(ensure_underlay(layout_));
    for (int number = 1; number <= settings_.nodes; ++number) {
      MARGAY_CHECK(ensure_node(layout_, number));
    }
    return link_cni_plugins(layout_, binary_);
  }

  Result<> run() {
    keep(apiserver_program(layout_, binary_));
    wait_for_child();
    tend();
    if (loop_.run() != 0) return base::fail(base::ErrorCode::internal, "the event loop ended");
    return std::move(failure_);
  }

 private:
  void keep(Program program) {
    const auto log = layout_.log_of(program.name);
    programs_.emplace_back(std::move(program), log, clock_);
  }

  // The rest needs the API server's certificate, which it writes on its first start.
  Result<> keep_the_rest() {
    for (int number = 1; number <= settings_.nodes; ++number) {
      MARGAY_CHECK(write_node_files(layout_, settings_, number));
    }
    MARGAY_CHECK(write_kubeconfig(layout_));
    keep(scheduler_program(layout_, binary_));
    for (int number = 1; number <= settings_.nodes; ++number) {
      keep(agent_program(layout_, settings_, binary_, number));
      keep(pod_runner_program(layout_, binary_, number));
    }
    return {};
  }

  void wait_for_child() {
    child_ended_.async_wait([this](const boost::system::error_code& error, int) {
      if (error) return;
      tend();
      wait_for_child();
    });
  }

  void tend() {
    if (programs_.size() == 1 && has_credentials(layout_)) {
      if (auto kept = keep_the_rest(); !kept) {
        failure_ = std::move(kept);
        return loop_.stop();
      }
    }
    bool changed = false;
    for (auto& program : programs_) changed |= program.tend();
    if (changed) publish();
    schedule();
  }

  // The next time tend() has work that no signal will announce.
  void schedule() {
    constexpr auto k_credentials_poll = std::chrono::milliseconds(20);
    auto next = base::Clock::Steady::max();
    if (programs_.size() == 1) next = clock_.now() + k_credentials_poll;
    for (const auto& program : programs_) next = std::min(next, program.due().value_or(next));
    if (next == base::Clock::Steady::max()) return;
    timer_.expires_at(next);
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) tend();
    });
  }

  void publish() {
    json::object pids;
    for (const auto& program : programs_) {
      if (const auto pid = program.pid()) pids[program.name()] = *pid;
    }
    if (auto written = base::write_file(layout_.processes_file(), json::serialize(pids) + "\n");
        !written) {
      spdlog::error("{}", written.error().message);
    }
  }

  const Layout& layout_;
  const Settings& settings_;
  const std::string binary_;
  base::SystemClock clock_;
  base::EventLoop loop_;
  asio::signal_set child_ended_{loop_.context(), SIGCHLD};
  asio::steady_timer timer_{loop_.context()};
  std::vector<KeptProgram> programs_;
  Result<> failure_;
};

}  // namespace

Result<> supervise(const Layout& layout, const std::string& binary) {
  MARGAY_TRY(const auto settings, Settings::load(layout));
  MARGAY_CHECK(base::make_directories(layout.logs()));
  MARGAY_TRY(const auto lock, base::FileLock::acquire(layout.supervisor_lock()));
  Supervisor supervisor(layout, settings, binary);
  MARGAY_CHECK(supervisor.build());
  return supervisor.run();
}

bool is_supervised(const Layout& layout) {
  return base::FileLock::is_held(layout.supervisor_lock());
}

}  // namespace margay::lab
