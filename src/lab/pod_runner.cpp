#include "lab/pod_runner.h"

#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <map>
#include <memory>
#include <optional>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/event_loop.h"
#include "lab/cluster.h"
#include "lab/pod.h"
#include "lab/pod_status.h"
#include "lab/pod_worker.h"
#include "store/syncer.h"

namespace margay::lab {
namespace {

namespace asio = boost::asio;
using base::fail;
using base::Result;
using std::chrono::milliseconds;

constexpr size_t k_workers = 4;
constexpr milliseconds k_first_retry{100};
constexpr milliseconds k_longest_retry{5000};
constexpr milliseconds k_check_servers{1000};

// Where a pod stands. Known by uid, so that a pod that is made again under its name is another one.
struct Slot {
  explicit Slot(asio::io_context& context) : retry(context) {}

  std::optional<json::object> pod;  // unset: the object is gone
  std::optional<PodRecord> running;
  bool busy = false;   // a worker has it
  bool again = false;  // it changed while a worker had it
  base::Backoff backoff{k_first_retry, k_longest_retry};
  asio::steady_timer retry;
};

bool should_run(const json::object& pod) {
  const auto view = PodView::read(pod);
  return view && !view->deleting && !view->finished();
}

class PodRunner : store::SyncerSink {
 public:
  PodRunner(Cluster& cluster, const Sandboxes& sandboxes, const PodRunnerOptions& options)
      : sandboxes_(sandboxes),
        options_(options),
        cluster_(cluster),
        worker_(cluster, sandboxes, options),
        syncer_(cluster.store(),
                {{.resource = "pods"}, {.resource = "nodes", .name = options.node}}, *this,
                [this](std::function<void()> task) { loop_.post(std::move(task)); }) {}

  Result<> run() {
    check_servers();
    const int status = loop_.run();
    workers_.join();
    if (status != 0) return fail(base::ErrorCode::internal, "the event loop ended");
    return {};
  }

 private:
  // ---- what the API server has, on the loop -----------------------------------------------------

  Task on_change(const store::Key& key, std::optional<store::Entry> entry) override {
    return [this, key, entry = std::move(entry)] { note(key, entry); };
  }

  void note(const store::Key& key, const std::optional<store::Entry>& entry) {
    if (key.resource == "nodes") return entry ? on_node(*entry) : void();
    if (!entry) return forget(key);
    auto object = parse_object(entry->value);
    const auto view = object ? PodView::read(*object) : fail(object.error());
    if (!view) {
      spdlog::error("pod {}/{}: {}", key.ns, key.name, view.error().message);
      return;
    }
    const auto known = uid_of_.find(key);
    if (known != uid_of_.end() && known->second != view->uid) forget(key);
    if (view->node_name != options_.node) return;
    uid_of_[key] = view->uid;
    slot(view->uid).pod = *std::move(object);
    reconcile(view->uid);
  }

  // Whoever made the Node could not know whether pods can run.
  void on_node(const store::Entry& entry) {
    asio::post(workers_, [this, text = entry.value] {
      const auto node = parse_object(text);
      const auto now = base::to_rfc3339(base::SystemClock().wall_time());
      const auto ready = node ? with_ready_condition(*node, now) : std::nullopt;
      if (!ready) return;
      // A node that has changed meanwhile is on its way here.
      const auto told = cluster_.set_node_status(*ready);
      if (!told) spdlog::info("node {}: {}", options_.node, told.error().message);
    });
  }

  void forget(const store::Key& key) {
    const auto known = uid_of_.find(key);
    if (known == uid_of_.end()) return;
    const std::string uid = known->second;
    uid_of_.erase(known);
    slot(uid).pod.reset();
    reconcile(uid);
  }

  // What runs here and is nowhere in the API server was deleted while nobody looked.
  void on_in_sync() override {
    const auto records = sandboxes_.records();
    if (!records) {
      spdlog::error("records: {}", records.error().message);
      return;
    }
    for (const auto& record : *records) {
      if (!slots_.contains(record.uid)) reconcile(record.uid);
    }
  }

  // ---- what is to be done about it --------------------------------------------------------------

  Slot& slot(const std::string& uid) {
    auto& slot = slots_[uid];
    if (!slot) slot = std::make_unique<Slot>(loop_.context());
    return *slot;
  }

  void reconcile(const std::string& uid) {
    Slot& one = slot(uid);
    one.retry.cancel();
    one.again = one.busy;
    if (one.busy) return;
    one.busy = true;
    asio::post(workers_, [this, uid, pod = one.pod] {
      auto done = work(uid, pod);
      loop_.post([this, uid, done = std::move(done)]() mutable { finish(uid, std::move(done)); });
    });
  }

  // On a worker thread.
  Result<std::optional<PodRecord>> work(const std::string& uid,
                                        const std::optional<json::object>& pod) const {
    if (pod && should_run(*pod)) {
      MARGAY_TRY(auto record, worker_.run(*pod));
      return record;
    }
    MARGAY_CHECK(worker_.stop(uid, pod));
    return std::nullopt;
  }

  void finish(const std::string& uid, Result<std::optional<PodRecord>> done) {
    Slot& one = slot(uid);
    one.busy = false;
    if (done) {
      one.running = *std::move(done);
      one.backoff.reset();
      if (one.again) return reconcile(uid);
      if (!one.pod && !one.running) slots_.erase(uid);
      return;
    }
    if (one.again) return reconcile(uid);
    const auto pause = one.backoff.next();
    spdlog::warn("pod {}: {}; again in {} ms", uid, done.error().message, pause.count());
    one.retry.expires_after(pause);
    one.retry.async_wait([this, uid](const boost::system::error_code& error) {
      if (!error) reconcile(uid);
    });
  }

  // A server that died is started again, as a container would be.
  void check_servers() {
    for (const auto& [uid, one] : slots_) {
      if (!one->busy && one->running && !sandboxes_.is_serving(*one->running)) reconcile(uid);
    }
    server_check_.expires_after(k_check_servers);
    server_check_.async_wait([this](const boost::system::error_code& error) {
      if (!error) check_servers();
    });
  }

  const Sandboxes& sandboxes_;
  const PodRunnerOptions& options_;
  Cluster& cluster_;
  const PodWorker worker_;
  base::EventLoop loop_;
  asio::steady_timer server_check_{loop_.context()};
  std::map<store::Key, std::string> uid_of_;
  std::map<std::string, std::unique_ptr<Slot>> slots_;  // by uid
  asio::thread_pool workers_{k_workers};
  store::Syncer syncer_;  // last: stops before what its calls reach
};

}  // namespace

Result<> run_pods(Cluster& cluster, const Sandboxes& sandboxes, const PodRunnerOptions& options) {
  PodRunner runner(cluster, sandboxes, options);
  return runner.run();
}

}  // namespace margay::lab
