#include "store/syncer.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/symbol_table.h"
#include "store/absence.h"

namespace margay::store {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

// Of a snapshot and scope, read but not yet taken by the executor.
constexpr size_t k_pages_ahead = 2;

using Task = SyncerSink::Task;

// How many pages of a source the executor has not taken yet. Shared, since tasks outlive sources.
class Backlog {
 public:
  void add() {
    const std::lock_guard lock(mutex_);
    ++pages_;
  }
  void take() {
    {
      const std::lock_guard lock(mutex_);
      --pages_;
    }
    taken_.notify_all();
  }
  // False: closed.
  bool wait_for_room() {
    std::unique_lock lock(mutex_);
    taken_.wait(lock, [this] { return closed_ || pages_ < k_pages_ahead; });
    return !closed_;
  }
  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    taken_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable taken_;
  size_t pages_ = 0;
  bool closed_ = false;
};

// The objects of a scope that have been told, each with the revision it had then.
class Told {
 public:
  using Object = base::Symbol;

  explicit Told(std::string resource) : resource_(std::move(resource)) {}

  // True: it was not told yet.
  std::pair<Object, bool> put(const Key& key, Revision revision) {
    name(key);
    const auto known = names_.find(name_);
    const Object object = known ? *known : names_.acquire(name_);
    if (object == revisions_.size()) revisions_.push_back(0);
    const Revision before = std::exchange(revisions_[object], revision);
    return {object, !known || before != revision};
  }
  void erase(const Key& key) {
    name(key);
    if (const auto object = names_.find(name_)) names_.release(*object);
  }
  bool empty() const { return names_.size() == 0; }
  // Those whose places in `listed` are not true.
  std::vector<Key> keys_besides(const std::vector<bool>& listed) const {
    std::vector<Key> keys;
    for (Object object = 0; object < names_.end(); ++object) {
      if (!names_.in_use(object) || (object < listed.size() && listed[object])) continue;
      const std::string_view name = names_.text(object);
      const size_t slash = name.find('/');
      keys.push_back(
          {resource_, std::string(name.substr(0, slash)), std::string(name.substr(slash + 1))});
    }
    return keys;
  }

 private:
  // What a namespace is called has no slash.
  void name(const Key& key) {
    name_.assign(key.ns);
    name_ += '/';
    name_ += key.name;
  }

  const std::string resource_;
  base::SymbolTable names_;
  std::vector<Revision> revisions_;  // by object
  std::string name_;                 // of the object in hand
};

bool tells_absence(const Error& error) {
  return error.code == ErrorCode::not_found || error.code == ErrorCode::forbidden;
}

std::string describe(const Scope& scope) {
  std::string text = scope.resource;
  if (!scope.ns.empty()) text += " in namespace " + scope.ns;
  if (!scope.name.empty()) text += " named " + scope.name;
  return text;
}

}  // namespace

// Where the sources' streams become one, on the executor.
class Syncer::Outlet : public std::enable_shared_from_this<Outlet> {
 public:
  // Of `sources` snapshots, `required` are of scopes that must be there: once these have been
  // posted, `when_listed` is called, on a thread of theirs.
  Outlet(SyncerSink& sink, Executor executor, size_t sources, size_t required,
         std::function<void()> when_listed)
      : sink_(&sink),
        reading_sink_(sink),
        executor_(std::move(executor)),
        behind_(sources),
        unlisted_(required),
        when_listed_(std::move(when_listed)) {}

  // Of a source's thread, which ends before the sink does.
  SyncerSink& sink() const { return reading_sink_; }

  // `backlog`, when there is one, is told that the executor has taken them.
  void post(std::vector<Task> tasks, std::shared_ptr<Backlog> backlog = nullptr) {
    if (tasks.empty()) return;
    if (backlog) backlog->add();
    // Shared, since a std::function's target must be copyable.
    const auto shared = std::make_shared<std::vector<Task>>(std::move(tasks));
    post_task([shared, backlog = std::move(backlog)](const Outlet& outlet) {
      for (auto& task : *shared)
        if (outlet.sink_ != nullptr) std::exchange(task, {})();
      if (backlog) backlog->take();
    });
  }

  // A snapshot has been posted. After the last one comes `in sync`.
  void posted_snapshot(bool is_required) {
    if (is_required && --unlisted_ == 0) when_listed_();
    if (--behind_ != 0) return;
    post_task([](const Outlet& outlet) {
      if (outlet.sink_ != nullptr) outlet.sink_->on_in_sync();
    });
  }

  // Whether all that must be there is.
  bool is_listed() const { return unlisted_ == 0; }

  void close() {
    const std::lock_guard lock(mutex_);
    sink_ = nullptr;
  }

 private:
  void post_task(auto task) {
    executor_([self = shared_from_this(), task = std::move(task)]() mutable {
      const std::lock_guard lock(self->mutex_);
      task(*self);
    });
  }

  std::recursive_mutex mutex_;  // the sink may destroy the syncer
  SyncerSink* sink_;            // of the executor's tasks; null: closed
  SyncerSink& reading_sink_;
  const Executor executor_;
  std::atomic<size_t> behind_;
  std::atomic<size_t> unlisted_;
  const std::function<void()> when_listed_;
};

// One scope: a thread that lists, watches, and starts over when that ends.
class Syncer::Source final : public Watcher {
 public:
  Source(Store& store, Scope scope, Outlet& outlet, const SyncerOptions& options)
      : store_(store),
        scope_(std::move(scope)),
        outlet_(outlet),
        page_size_(options.page_size),
        backoff_(options.backoff),
        absence_(options.backoff, options.presence_check),
        told_(scope_.resource) {}

  void start() {
    thread_ = std::thread([this] { run(); });
  }
  void request_stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    backlog_->close();
  }
  void join() { thread_.join(); }
  // All that must be there has been listed: an absence can be believed now.
  void on_listed() {
    {
      const std::lock_guard lock(mutex_);
      others_listed_ = true;
    }
    wake_.notify_all();
  }

 private:
  void on_events(std::span<const Event> events) override;
  void on_progress(Revision revision) override;
  void on_end(const Error& error) override;

  void run();
  bool begin();
  Result<> list();
  void forget_besides(const std::vector<bool>& listed);
  Error watch();
  bool pause(const Error& error);
  bool wait_for_presence(const Error& error, bool is_believed);
  Task read(const Key& key, std::optional<Entry> entry) {
    return outlet_.sink().on_change(key, std::move(entry));
  }

  Store& store_;
  const Scope scope_;
  Outlet& outlet_;
  const size_t page_size_;
  base::Backoff backoff_;
  Absence absence_;

  // Of this thread while it lists, of the watch's while there is one.
  Told told_;
  Revision position_ = 0;  // told up to here; 0: list first
  bool in_sync_ = false;
  bool told_absent_ = false;
  bool began_list_ = false;  // the last list has told something
  bool moved_ = false;       // the watch works: it has delivered something

  std::mutex mutex_;
  std::condition_variable wake_;
  std::optional<Error> end_;  // of the watch under way
  bool others_listed_ = false;
  bool stopping_ = false;
  const std::shared_ptr<Backlog> backlog_ = std::make_shared<Backlog>();
  std::thread thread_;
};

void Syncer::Source::on_events(std::span<const Event> events) {
  std::vector<Task> tasks;
  tasks.reserve(events.size());
  for (const auto& event : events) {
    position_ = event.entry.revision;
    if (event.type == Event::Type::removed) {
      told_.erase(event.entry.key);
      tasks.push_back(read(event.entry.key, std::nullopt));
    } else {
      told_.put(event.entry.key, event.entry.revision);
      tasks.push_back(read(event.entry.key, event.entry));
    }
  }
  moved_ = true;
  outlet_.post(std::move(tasks));
}

void Syncer::Source::on_progress(Revision revision) {
  position_ = std::max(position_, revision);
  moved_ = true;
}

void Syncer::Source::on_end(const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    end_ = error;
  }
  wake_.notify_all();
}

void Syncer::Source::run() {
  for (;;) {
    if (position_ == 0 && !begin()) return;
    if (position_ == 0) continue;
    const Error end = watch();
    if (std::exchange(moved_, false)) backoff_.reset();
    if (end.code == ErrorCode::too_old) position_ = 0;
    if (!pause(end)) return;
  }
}

// The state to watch from, or that there is none yet. Waits where it failed; false: stop.
bool Syncer::Source::begin() {
  const bool is_last = outlet_.is_listed();
  const auto listed = list();
  const bool is_absent =
      !listed && !began_list_ && scope_.optional && tells_absence(listed.error());
  if ((listed || (is_absent && is_last)) && !std::exchange(in_sync_, true)) {
    // What an earlier list told by the way is not all there was, and nobody has acted on it.
    if (is_absent) forget_besides({});
    outlet_.posted_snapshot(!scope_.optional);
  }
  if (is_absent) return wait_for_presence(listed.error(), is_last);
  if (!listed) return pause(listed.error());
  absence_.end();
  told_absent_ = false;
  return true;
}

// Tells what differs from what has been told. When it fails on the way, the next list goes on from
// what was told by then.
Result<> Syncer::Source::list() {
  std::vector<bool> listed;  // by their places in told_
  List page;
  began_list_ = false;
  do {
    if (!backlog_->wait_for_room()) return base::fail(ErrorCode::unavailable, "stopping");
    MARGAY_TRY(page, store_.list(scope_, {.limit = page_size_, .resume = page.resume}));
    std::vector<Task> tasks;
    for (auto& entry : page.entries) {
      const auto [object, is_new] = told_.put(entry.key, entry.revision);
      if (object >= listed.size()) listed.resize(object + 1);
      listed[object] = true;
      if (!is_new) continue;
      const Key key = entry.key;
      tasks.push_back(read(key, std::move(entry)));
    }
    outlet_.post(std::move(tasks), backlog_);
    began_list_ = true;
  } while (!page.resume.empty());
  forget_besides(listed);
  position_ = page.revision;
  return {};
}

// `listed`: by their places in told_.
void Syncer::Source::forget_besides(const std::vector<bool>& listed) {
  std::vector<Task> gone;
  for (const Key& key : told_.keys_besides(listed)) {
    told_.erase(key);
    gone.push_back(read(key, std::nullopt));
  }
  outlet_.post(std::move(gone));
}

// Returns why it ended; while stopping, anything.
Error Syncer::Source::watch() {
  {
    const std::lock_guard lock(mutex_);
    end_.reset();
  }
  const auto watch = store_.watch(scope_, position_, *this);
  if (!watch) return watch.error();
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return end_.has_value() || stopping_; });
  return end_.value_or(Error{ErrorCode::unavailable, "stopping", {}});
}

// Waits before the next try; false: stop.
bool Syncer::Source::pause(const Error& error) {
  const auto wait = backoff_.next();
  std::unique_lock lock(mutex_);
  if (stopping_) return false;
  spdlog::log(error.code == ErrorCode::too_old ? spdlog::level::debug : spdlog::level::warn,
              "syncing {}: {}; trying again in {} ms", describe(scope_), error.message,
              wait.count());
  wake_.wait_for(lock, wait, [this] { return stopping_; });
  return !stopping_;
}

bool Syncer::Source::wait_for_presence(const Error& error, bool is_believed) {
  const auto wait = absence_.next(std::chrono::steady_clock::now(), is_believed);
  std::unique_lock lock(mutex_);
  if (stopping_) return false;
  if (is_believed && !std::exchange(told_absent_, true))
    spdlog::warn("syncing {}: {}; {}, until it is there", describe(scope_), error.message,
                 told_.empty() ? "taken to be none" : "what was known of it is kept");
  wake_.wait_for(lock, wait, [&] { return stopping_ || (!is_believed && others_listed_); });
  return !stopping_;
}

Syncer::Syncer(Store& store, std::vector<Scope> scopes, SyncerSink& sink, Executor executor,
               const SyncerOptions& options)
    : outlet_(std::make_shared<Outlet>(
          sink, std::move(executor), scopes.size() + 1,
          static_cast<size_t>(std::ranges::count(scopes, false, &Scope::optional)), [this] {
            for (const auto& source : sources_) source->on_listed();
          })) {
  for (auto& scope : scopes)
    sources_.push_back(std::make_unique<Source>(store, std::move(scope), *outlet_, options));
  for (auto& source : sources_) source->start();
  outlet_->posted_snapshot(
      false);  // the one of no scope, so that nothing to sync is in sync as well
}

Syncer::~Syncer() {
  outlet_->close();
  for (auto& source : sources_) source->request_stop();
  for (auto& source : sources_) source->join();
}

}  // namespace margay::store
