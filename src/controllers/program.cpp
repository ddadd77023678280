#include "controllers/program.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <mutex>

#include "api/codec.h"
#include "base/backoff.h"
#include "base/event_loop.h"
#include "base/log.h"
#include "controllers/node_controller.h"
#include "controllers/periodic_task.h"
#include "controllers/settings.h"
#include "store/kubernetes/kubernetes_store.h"

extern char** environ;

namespace margay::controllers {
namespace {

using namespace std::chrono_literals;
using base::Result;
using std::chrono::milliseconds;

constexpr milliseconds k_health_period = 10s;
// Between looks while pods of a gone node are awaited, where the period is longer.
constexpr milliseconds k_while_waiting = 30s;
// A look at the largest clusters takes seconds.
constexpr auto k_longest_look = 10min;
constexpr const char* k_configuration = "kubecontrollersconfigurations.projectcalico.org";

class Program {
 public:
  Program(const ProgramOptions& options, Environment environment,
          std::unique_ptr<store::Store> store)
      : options_(options), environment_(std::move(environment)), store_(std::move(store)) {}

  int run() {
    report_look({false, "starting"}, 0ms);
    looks_.start();
    health_.start();
    const int status = loop_.run();
    health_.stop();
    looks_.stop();
    return status;
  }

 private:
  // The settings as they are now, and a look.
  milliseconds take_turn() {
    const auto settings = read_settings();
    if (!settings || !settings->runs_node) controller_.skip();
    if (!settings) return failed(settings.error());
    apply(*settings);
    if (!settings->runs_node) return done(settings->reconcile_every);
    const auto look = controller_.look();
    if (!look) return failed(look.error());
    if (!look->collected.error) return failed(look->collected.error.error());
    spdlog::debug("looked at everything; {} handles seem to be nobody's", look->suspects);
    return done(look->is_waiting_for_pods ? std::min(settings->reconcile_every, k_while_waiting)
                                          : settings->reconcile_every);
  }
  milliseconds done(milliseconds pause) {
    backoff_.reset();
    report_look({true, ""}, pause);
    return pause;
  }
  milliseconds failed(const base::Error& error) {
    spdlog::warn("{}; trying again", error.message);
    const milliseconds pause = backoff_.next();
    report_look({false, error.message}, pause);
    return pause;
  }
  void report_look(Condition condition, milliseconds pause) {
    const std::scoped_lock lock(mutex_);
    auto& told = readiness_["NodeController"];
    if (told != condition) health_.request();
    told = std::move(condition);
    overdue_at_ = clock_.now() + pause + k_longest_look;
  }

  Result<Settings> read_settings() const {
    const auto entry = store_->get({k_configuration, "", "default"});
    if (!entry && entry.error().code == base::ErrorCode::not_found)
      return merge(environment_, std::nullopt);
    if (!entry) return base::fail(entry.error());
    MARGAY_TRY(const auto value, api::parse_json(entry->value));
    MARGAY_TRY(auto configuration, api::decode<api::KubeControllersConfiguration>(value));
    return merge(environment_, configuration);
  }
  void apply(const Settings& settings) {
    if (settings_ == settings) return;
    if (const auto set = base::set_up_log("controllers", settings.log_level); !set)
      spdlog::warn("{}", set.error().message);
    for (const auto& warning : settings.warnings) spdlog::warn("{}", warning);
    if (!settings.runs_node) spdlog::warn("the node controller is not enabled");
    checks_health_ = settings.health_checks;
    settings_ = settings;
  }

  // Writes the file each time, since its age tells whether this program hangs.
  void check_health() {
    if (!checks_health_) return;
    const auto datastore =
        condition(store_->get({"clusterinformations.projectcalico.org", "", "default"}));
    const auto kubernetes = condition(store_->list({.resource = "nodes"}, {.limit = 1}));
    Readiness readiness;
    {
      const std::scoped_lock lock(mutex_);
      if (clock_.now() > overdue_at_) return;
      readiness_["CalicoDatastore"] = datastore;
      readiness_["KubeAPIServer"] = kubernetes;
      readiness = readiness_;
    }
    const auto written = write_status(options_.status_file, readiness);
    if (!written) spdlog::warn("{}", written.error().message);
  }
  template <typename T>
  static Condition condition(const Result<T>& answer) {
    if (answer || answer.error().code == base::ErrorCode::not_found) return {true, ""};
    return {false, answer.error().message};
  }

  const ProgramOptions options_;
  const Environment environment_;
  const std::unique_ptr<store::Store> store_;
  const base::SystemClock clock_;
  base::EventLoop loop_;

  std::mutex mutex_;  // guards these two
  Readiness readiness_;
  base::Clock::Steady overdue_at_;  // the next look's end: past it, it hangs

  std::atomic<bool> checks_health_ = true;
  PeriodicTask health_{[this] {
    check_health();
    return k_health_period;
  }};

  // The looks' own.
  std::optional<Settings> settings_;
  base::Backoff backoff_{{.initial = 1s, .max = 60s}};
  PeriodicTask looks_{[this] { return take_turn(); }};
  NodeController controller_{
      *store_, clock_, {.leak_grace = options_.leak_grace, .on_node_gone = [this] {
                          looks_.request();
                        }}};
};

}  // namespace

Result<int> run_controllers(const ProgramOptions& options) {
  MARGAY_TRY(auto environment, Environment::read(environ));
  if (environment.log_level) MARGAY_CHECK(base::set_up_log("controllers", *environment.log_level));
  MARGAY_TRY(auto access, store::kubernetes::load_access(options.kubeconfig));
  MARGAY_TRY(auto store, store::kubernetes::KubernetesStore::create({.access = std::move(access)}));
  return Program(options, std::move(environment), std::move(store)).run();
}

}  // namespace margay::controllers
