#include "apiserver/namespace_sweeper.h"

#include <spdlog/spdlog.h>

#include <array>

#include "apiserver/object.h"

namespace margay::apiserver {
namespace {

constexpr std::chrono::seconds k_retry{1};
constexpr size_t k_page = 500;
constexpr auto k_initial =
    std::to_array<std::string_view>({"default", "kube-system", "kube-public", "kube-node-lease"});

const api::Kind& namespace_kind() { return *api::find_resource("namespaces"); }

base::Result<std::vector<store::Entry>> list_all(store::Store& store, const store::Scope& scope) {
  std::vector<store::Entry> all;
  store::ListOptions options{.limit = k_page};
  while (true) {
    MARGAY_TRY(auto page, store.list(scope, options));
    for (auto& entry : page.entries) all.push_back(std::move(entry));
    if (page.resume.empty()) return all;
    options.resume = std::move(page.resume);
  }
}

base::Error to_error(const Status& status) {
  return {base::ErrorCode::internal, status.message, {}};
}

}  // namespace

NamespaceSweeper::NamespaceSweeper(store::Store& store, Writes& writes, Namespaces& namespaces)
    : store_(store), writes_(writes), namespaces_(namespaces), thread_([this] { run(); }) {}

NamespaceSweeper::~NamespaceSweeper() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void NamespaceSweeper::wake(const std::string& ns) {
  {
    const std::lock_guard lock(mutex_);
    woken_.insert(ns);
  }
  changed_.notify_all();
}

void NamespaceSweeper::run() {
  std::set<std::string> unfinished;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto ready = [&] { return stopping_ || !woken_.empty(); };
    if (unfinished.empty())
      changed_.wait(lock, ready);
    else
      changed_.wait_for(lock, k_retry, ready);
    unfinished.merge(woken_);
    woken_.clear();
    if (stopping_) return;
    lock.unlock();
    std::erase_if(unfinished, [this](const std::string& ns) { return sweep(ns); });
    lock.lock();
  }
}

bool NamespaceSweeper::sweep(const std::string& ns) {
  if (namespaces_.state(ns) != Namespaces::State::terminating) return true;
  namespaces_.wait_until_left(ns);
  size_t left = 0;
  for (const auto& kind : api::kinds()) {
    if (!kind.namespaced) continue;
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
  MARGAY_TRY(const auto entries, list_all(store_, {.resource = kind.resource(), .ns = ns}));
  size_t left = 0;
  for (const auto& entry : entries) {
    const auto removed =
        writes_.remove({.kind = &kind, .ns = ns, .name = entry.key.name}, DeleteOptions{});
    if (!removed && removed.error().reason != "NotFound")
      return base::fail(to_error(removed.error()));
    if (removed && !removed->gone) ++left;
  }
  return left;
}

bool NamespaceSweeper::finish(const std::string& ns) {
  const store::Key key{namespace_kind().resource(), {}, ns};
  const auto entry = store_.get(key);
  if (!entry && entry.error().code == base::ErrorCode::not_found) return true;
  if (!entry) return false;
  const auto object = parse_stored(*entry);
  if (!object) return false;
  const auto* finalizers = find_at(*object, {"metadata", "finalizers"});
  if (finalizers != nullptr && finalizers->is_array() && !finalizers->get_array().empty())
    return false;
  // Forgotten first: a namespace of the same name made right after the removal is a new one.
  namespaces_.forget(ns);
  if (store_.remove(key, entry->revision)) return true;
  namespaces_.set(ns, Namespaces::State::terminating);
  return false;
}

base::Result<> restore_namespaces(store::Store& store, Writes& writes, Namespaces& namespaces,
                                  NamespaceSweeper& sweeper) {
  const auto& kind = namespace_kind();
  MARGAY_TRY(const auto entries, list_all(store, {.resource = kind.resource()}));
  for (const auto& entry : entries) {
    const auto object = parse_stored(entry);
    // One row that cannot be read must not keep the server from starting: the namespace exists.
    if (!object) spdlog::error("{}", object.error().message);
    const bool deleting = object && !text_at(*object, {"metadata", "deletionTimestamp"}).empty();
    namespaces.set(entry.key.name,
                   deleting ? Namespaces::State::terminating : Namespaces::State::active);
    if (deleting) {
      sweeper.wake(entry.key.name);
      continue;
    }
    const auto account = writes.ensure_default_service_account(entry.key.name);
    if (!account)
      spdlog::error("default service account of {}: {}", entry.key.name, account.error().message);
  }
  for (const auto name : k_initial) {
    if (namespaces.state(name)) continue;
    const auto made = writes.create({.kind = &kind, .name = std::string(name)}, {}, {});
    if (!made) return base::fail(to_error(made.error()));
  }
  return {};
}

}  // namespace margay::apiserver
