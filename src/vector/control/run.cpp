#include "vector/control/run.h"

#include <fmt/format.h>
#include <sched.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/event_loop.h"
#include "vector/control/configured.h"
#include "vector/control/ports.h"
#include "vector/control/requests.h"
#include "vector/eal.h"

namespace margay::vector {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

// The workers' cores: those asked for, or the last ones, so that the first is left for the rest.
Result<std::vector<unsigned>> choose_cores(const RunOptions& options) {
  const auto allowed = allowed_cores();
  if (options.cores.empty()) {
    std::vector<unsigned> cores;
    for (unsigned i = 0; i < options.workers && i < allowed.size(); ++i)
      cores.push_back(allowed[allowed.size() - 1 - i]);
    if (cores.size() < options.workers)
      return fail(ErrorCode::invalid, fmt::format("--workers: {} is more than there are cores: {}",
                                                  options.workers, allowed.size()));
    return cores;
  }
  if (options.cores.size() != options.workers)
    return fail(ErrorCode::invalid,
                fmt::format("--cores: must name one for each of {} workers", options.workers));
  for (const unsigned core : options.cores)
    if (std::ranges::find(allowed, core) == allowed.end())
      return fail(ErrorCode::invalid,
                  fmt::format("--cores: {} is none that this process may run on", core));
  return options.cores;
}

// The EAL binds its caller to one core; the control thread need not stay there.
Result<> start_eal_unbound(const EalOptions& options) {
  cpu_set_t before;
  sched_getaffinity(0, sizeof(before), &before);
  auto started = start_eal(options);
  sched_setaffinity(0, sizeof(before), &before);
  return started;
}

Result<> read_again(const std::string& path, Configured& configured) {
  MARGAY_TRY(auto next, read_configuration(path));
  return configured.change_to(std::move(next));
}

Result<> reload(const std::string& path, Configured& configured) {
  auto done = read_again(path, configured);
  if (done)
    spdlog::info("{} has been read again", path);
  else
    spdlog::error("nothing is changed: {}", done.error().message);
  return done;
}

class Hangups {
 public:
  Hangups(base::EventLoop& loop, std::function<void()> on_hangup)
      : signals_(loop.context(), SIGHUP), on_hangup_(std::move(on_hangup)) {
    wait();
  }

 private:
  void wait() {
    signals_.async_wait([this](const boost::system::error_code& error, int) {
      if (error) return;
      on_hangup_();
      wait();
    });
  }
  boost::asio::signal_set signals_;
  std::function<void()> on_hangup_;
};

// Has memory ready ahead of the workers' tables, and frees what they see no more.
class Upkeep {
 public:
  Upkeep(base::EventLoop& loop, Engine& engine) : timer_(loop.context()), engine_(engine) {
    round();
  }

 private:
  static constexpr auto k_pause = std::chrono::milliseconds(10);

  void round() {
    engine_.populate();
    engine_.reclaim();
    timer_.expires_after(k_pause);
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) round();
    });
  }
  boost::asio::steady_timer timer_;
  Engine& engine_;
};

// Whatever ends the program, ports are stopped when no worker polls them any more.
struct StopAtEnd {
  Engine& engine;
  ~StopAtEnd() {
    engine.stop();
    stop_ports();
  }
};

}  // namespace

std::vector<unsigned> allowed_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof(set), &set);
  std::vector<unsigned> cores;
  for (unsigned core = 0; core < CPU_SETSIZE; ++core)
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  return cores;
}

Result<int> run_engine(const RunOptions& options) {
  MARGAY_TRY(auto configuration, read_configuration(options.configuration));
  MARGAY_TRY(const auto cores, choose_cores(options));
  EalOptions eal{.memory_mib = options.memory_mib, .main_core = allowed_cores().front()};
  for (const auto& interface : configuration.interfaces) eal.devices.push_back(interface.device);
  MARGAY_CHECK(start_eal_unbound(eal));

  base::EventLoop loop;
  MARGAY_TRY(const auto engine,
             Engine::create({.workers = options.workers, .buffers = options.buffers}));
  const StopAtEnd stop_at_end{*engine};
  Configured configured(*engine);
  MARGAY_CHECK(configured.start(std::move(configuration)));
  const auto on_reload = [&] { return reload(options.configuration, configured); };
  const Hangups hangups(loop, on_reload);
  const Upkeep upkeep(loop, *engine);
  Requests requests(loop, *engine, configured, on_reload);
  MARGAY_TRY(const auto socket,
             ControlSocket::open(loop, options.socket, [&](const auto& request, const auto& reply) {
               requests.handle(request, reply);
             }));
  MARGAY_CHECK(engine->start(cores));
  spdlog::info("{} workers; {} answers", options.workers, options.socket);
  const int status = loop.run();
  engine->stop();  // before what its workers' answers go to is gone
  return status;
}

}  // namespace margay::vector
