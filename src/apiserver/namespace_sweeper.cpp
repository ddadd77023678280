#include "apiserver/namespace_sweeper.h"

#include <spdlog/spdlog.h>

#include <array>

#include "apiserver/namespaces.h"
#include "apiserver/object.h"
#include "apiserver/reads.h"

namespace margay::apiserver {
namespace {

constexpr std::chrono::seconds k_retry{1};
constexpr auto k_initial =
    std::to_array<std::string_view>({"default", "kube-system", "kube-public", "kube-node-lease"});

const api::Kind& namespace_kind() { return *api::find_resource("namespaces"); }

base::Error to_error(const Status& status) {
  return {base::ErrorCode::internal, status.message, {}};
}

}  // namespace

class NamespaceSweeper::Changes final : public store::SyncerSink {
 public:
  explicit Changes(NamespaceSweeper& sweeper) : sweeper_(sweeper) {}
  Task on_change(const store::Key& key, std::optional<store::Entry> entry) override {
    if (!entry) return [] {};
    return [this, ns = key.name] { sweeper_.wake(ns); };  // whatever it is: sweep() looks
  }
  void on_in_sync() override {}

 private:
  NamespaceSweeper& sweeper_;
};

NamespaceSweeper::NamespaceSweeper(store::Store& store, Writes& writes, ParsingRoom& room)
    : store_(store), writes_(writes), room_(room), thread_([this] { run(); }) {
  writes_.on_removed([this](const store::Key& key) { on_removed(key); });
  const auto executor = [this](std::function<void()> task) {
    {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    changed_.notify_all();
  };
  changes_ = std::make_unique<Changes>(*this);
  syncer_ = std::make_unique<store::Syncer>(
      store_, std::vector<store::Scope>{{.resource = namespace_kind().resource()}}, *changes_,
      executor);
}

NamespaceSweeper::~NamespaceSweeper() {
  syncer_.reset();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void NamespaceSweeper::on_removed(const store::Key& key) {
  if (key.ns.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    if (unfinished_.contains(key.ns)) woken_.insert(key.ns);
  }
  changed_.notify_all();
  if (key.name != "default" || key.resource != "serviceaccounts") return;
  // Refused where the namespace goes, or has gone: then it needs none.
  const auto made = writes_.ensure_default_service_account(key.ns);
  if (!made && made.error().code != 403 && made.error().code != 404)
    spdlog::error("default service account of {}: {}", key.ns, made.error().message);
}

void NamespaceSweeper::wake(const std::string& ns) {
  {
    const std::lock_guard lock(mutex_);
    woken_.insert(ns);
  }
  changed_.notify_all();
}

void NamespaceSweeper::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto ready = [&] { return stopping_ || !woken_.empty() || !tasks_.empty(); };
    if (unfinished_.empty())
      changed_.wait(lock, ready);
    else
      changed_.wait_for(lock, k_retry, ready);
    if (stopping_) return;
    const auto tasks = std::exchange(tasks_, {});
    unfinished_.merge(woken_);
    woken_.clear();
    auto done = unfinished_;
    lock.unlock();
    for (const auto& task : tasks) task();
    std::erase_if(done, [this](const std::string& ns) { return !sweep(ns); });
    lock.lock();
    for (const auto& ns : done) unfinished_.erase(ns);
  }
}

bool NamespaceSweeper::sweep(const std::string& ns) {
  const auto now = read_namespace(store_, room_, known_, ns);
  if (!now) {
    spdlog::warn("namespace {} cannot be read: {}", ns, now.error().message);
    return false;
  }
  if (now->state != Namespace::State::terminating) return true;
  size_t left = 0;
  for (const auto& kind : api::kinds()) {
    if (!kind.namespaced || !kind.shows.empty()) continue;
    const auto remaining = sweep_kind(kind, ns);
    if (!remaining) {
      spdlog::warn("namespace {} cannot be emptied yet: {}", ns, remaining.error().message);
      return false;
    }
    left += *remaining;
  }
  return left == 0 && finish(ns);
}

base::Result<size_t> NamespaceSweeper::sweep_kind(const api::Kind& kind, const std::string& ns) {
  size_t left = 0;
  const auto remove = [&](const store::Entry& entry) -> base::Result<> {
    const auto removed =
        writes_.remove({.kind = &kind, .ns = ns, .name = entry.key.name}, DeleteOptions{});
    if (!removed && removed.error().reason != "NotFound")
      return base::fail(to_error(removed.error()));
    if (removed && !removed->gone) ++left;
    return {};
  };
  MARGAY_CHECK(each_entry(store_, {.resource = kind.resource(), .ns = ns}, remove));
  return left;
}

bool NamespaceSweeper::finish(const std::string& ns) {
  const store::Key key{namespace_kind().resource(), {}, ns};
  const auto entry = store_.get(key);
  if (!entry && entry.error().code == base::ErrorCode::not_found) return true;
  if (!entry) return false;
  const auto place = room_.wait(entry->value);
  const auto object = parse_stored(*entry);
  if (!object) return false;
  const auto* finalizers = find_at(*object, {"metadata", "finalizers"});
  if (finalizers != nullptr && finalizers->is_array() && !finalizers->get_array().empty())
    return false;
  return store_.remove(key, entry->revision).has_value();
}

Answer<> restore_initial_namespaces(store::Store& store, Writes& writes) {
  const auto& kind = namespace_kind();
  for (const auto name : k_initial) {
    if (store.get({kind.resource(), {}, std::string(name)})) continue;
    const auto made = writes.create({.kind = &kind, .name = std::string(name)}, {}, {});
    // Another server may be as quick.
    if (!made && made.error().reason != "AlreadyExists") return refuse(made.error());
  }
  return {};
}

Answer<> restore_namespaces(store::Store& store, Writes& writes) {
  MARGAY_CHECK(restore_initial_namespaces(store, writes));
  const auto& kind = namespace_kind();
  const auto looked = each_entry(
      store, {.resource = kind.resource()}, [&](const store::Entry& entry) -> base::Result<> {
        if (to_namespace(entry).state != Namespace::State::active) return {};
        const auto made = writes.ensure_default_service_account(entry.key.name);
        if (!made)
          spdlog::error("default service account of {}: {}", entry.key.name, made.error().message);
        return {};
      });
  if (looked) return {};
  return refuse(from_error(kind, {}, looked.error()));
}

}  // namespace margay::apiserver
