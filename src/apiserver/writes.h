#pragma once

// The verbs that change objects: create, update, patch, delete. Each reads, decides by pure
// functions (kind_rules.h, deletion.h, api::prepare) and writes by compare-and-swap; a lost race is
// tried again where the client set no condition. Safe from any thread; calls block on the store.

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "api/kind.h"
#include "apiserver/deletion.h"
#include "apiserver/namespaces.h"
#include "apiserver/negotiate.h"
#include "apiserver/status.h"
#include "base/clock.h"
#include "store/store.h"

namespace margay::apiserver {

// The object or collection a verb is about.
struct ObjectRef {
  const api::Kind* kind = nullptr;
  std::string ns = {};
  std::string name = {};
  bool status = false;  // its /status
};

struct WriteOptions {
  bool dry_run = false;
  api::UnknownFields unknown_fields = api::UnknownFields::warn;
};

struct Written {
  store::Entry entry;  // revision 0 after a dry-run creation
  std::vector<std::string> warnings = {};
};

class Writes {
 public:
  Writes(store::Store& store, const base::Clock& clock, Namespaces& namespaces)
      : store_(store), clock_(clock), namespaces_(namespaces) {}

  Answer<Written> create(const ObjectRef& ref, json::object object, const WriteOptions& options);
  Answer<Written> update(const ObjectRef& ref, const json::object& object,
                         const WriteOptions& options);
  // `patch`: the parsed body, of the given type.
  Answer<Written> patch(const ObjectRef& ref, PatchType type, const json::value& patch,
                        const WriteOptions& options);

  struct Removed {
    store::Entry entry;  // the last value, or the object that is now being deleted
    bool gone = true;
  };
  Answer<Removed> remove(const ObjectRef& ref, const DeleteOptions& options);

  // The service account that pods of the namespace have when they name none.
  Answer<> ensure_default_service_account(const std::string& ns);

  // Called after an object has gone from a namespace on the thread that removed
  // it. To be set before the first write.
  void on_removed(std::function<void(const store::Key&)> call) { on_removed_ = std::move(call); }
  // Called when a namespace began to be deleted.
  void on_terminating(std::function<void(const std::string& ns)> call) {
    on_terminating_ = std::move(call);
  }

 private:
  using Change = std::function<Answer<json::object>(const json::object& current)>;

  Answer<Written> change(const ObjectRef& ref, const Change& make, const WriteOptions& options);
  Answer<std::optional<Written>> try_change(const ObjectRef& ref, const Change& make,
                                            const WriteOptions& options);
  Answer<std::optional<Removed>> try_remove(const ObjectRef& ref, const DeleteOptions& options);
  Answer<Written> create_named(const ObjectRef& ref, json::object object,
                               const WriteOptions& options);
  Status why_not_entered(const ObjectRef& ref, const std::string& name) const;
  Answer<Removed> mark_deleted(const ObjectRef& ref, const store::Entry& entry,
                               const json::object& marked, bool dry_run);
  base::Result<store::Entry> take_away(const store::Key& key, store::Revision expected);

  std::mutex pool_creation_;
  store::Store& store_;
  const base::Clock& clock_;
  Namespaces& namespaces_;
  std::function<void(const store::Key&)> on_removed_;
  std::function<void(const std::string&)> on_terminating_;
};

store::Key key_of(const ObjectRef& ref);

}  // namespace margay::apiserver
