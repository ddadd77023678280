#pragma once

// The verbs that change objects: create, update, patch, delete. Each reads, decides by pure
// functions (kind_rules.h, deletion.h, api::prepare) and writes by compare-and-swap; a lost race is
// tried again until it is won where the client set no condition (resourceVersion, uid). Safe from
// any thread; calls block on the store.

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "api/kind.h"
#include "apiserver/deletion.h"
#include "apiserver/namespaces.h"
#include "apiserver/negotiate.h"
#include "apiserver/parsing_room.h"
#include "apiserver/pool_overlap.h"
#include "apiserver/status.h"
#include "apiserver/tiers.h"
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
  // All of them outlive this.
  Writes(store::Store& store, const base::Clock& clock, ParsingRoom& room)
      : store_(store), clock_(clock), room_(room), known_pools_(store, room), tiers_(store, room) {}

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
  // A refusal (429) where the server is busy, unless it waits for its turn however long: what was
  // begun is finished.
  Answer<Removed> remove(const ObjectRef& ref, const DeleteOptions& options, bool waits = false);

  // The service account that pods of the namespace have when they name none. Where it is there,
  // nothing is written.
  Answer<> ensure_default_service_account(const std::string& ns);

  // Called after this server removed an object, on the thread that did. To be set before the first
  // removal.
  void on_removed(std::function<void(const store::Key&)> call) { on_removed_ = std::move(call); }

 private:
  struct Change {
    std::function<Answer<json::object>(const json::object& current)> make;
    // What it makes of an object takes no more memory than that and what the client sent, but for
    // so many copies of parts of them.
    size_t copies = 0;
    size_t sent_bytes = 0;  // parsed; of what is copied with it
  };

  Answer<Written> change(const ObjectRef& ref, const Change& wanted, const WriteOptions& options);
  Answer<std::optional<Written>> try_change(const ObjectRef& ref, const Change& wanted,
                                            const WriteOptions& options);
  Answer<std::optional<Removed>> try_remove(const ObjectRef& ref, const DeleteOptions& options,
                                            bool waits);
  Answer<Written> create_named(const ObjectRef& ref, json::object object,
                               const WriteOptions& options);
  // What was written, in the form that the client has it in.
  Written told_as(const ObjectRef& form, Written written);
  // The namespace, if objects may be created in it.
  Answer<Namespace> enter(const ObjectRef& ref, const std::string& name);
  // Whether what else there is lets it be created.
  Answer<> check_others(const ObjectRef& ref, const std::string& name, const json::object& object);
  // What had to hold before a creation must hold after it too, or it is taken back: of two that
  // could not know of each other, the one that came later sees the other here.
  Answer<> confirm(const ObjectRef& ref, const store::Entry& created, const json::object& object,
                   const std::optional<Namespace>& home);
  void take_back(const store::Entry& created, const json::object& object);
  Answer<Removed> mark_deleted(const ObjectRef& ref, const store::Entry& entry,
                               const json::object& marked, bool dry_run);
  base::Result<store::Entry> remove_entry(const store::Key& key, store::Revision expected);

  store::Store& store_;
  const base::Clock& clock_;
  ParsingRoom& room_;
  KnownNamespaces known_namespaces_;
  KnownPools known_pools_;  // under pool_creation_
  Tiers tiers_;
  // So that of the pools created through this server none is seen that is then taken back.
  std::mutex pool_creation_;
  std::function<void(const store::Key&)> on_removed_;
};

store::Key key_of(const ObjectRef& ref);

}  // namespace margay::apiserver
