#pragma once

// The API server's side of api/stored_form.h: objects of projectcalico.org/v3 read and written as
// those of crd.projectcalico.org/v1. There is one stored object, under its v3 key; so one revision
// counts for both, a watch of either sees every write, and all rules hold whichever way it came.

#include "apiserver/parsing_room.h"
#include "apiserver/status.h"
#include "apiserver/writes.h"
#include "store/store.h"

namespace margay::apiserver {

// What a verb about `ref`, in stored form, is about: the v3 object. 404 when there cannot be one.
Answer<ObjectRef> behind(const ObjectRef& ref);
// 422 then, with the rule: for whoever wants to write one.
Answer<> check_stored_name(const ObjectRef& ref);

// The v3 object that a client means; 422 when it means none.
Answer<json::object> from_stored_form(const ObjectRef& ref, json::object object);

// A stored v3 object under the key, and with the value, of the stored form `kind`. A value that
// cannot be read stays as it is: whoever reads it says so.
store::Entry in_stored_form(const api::Kind& kind, store::Entry entry);
store::Key key_in_stored_form(const api::Kind& kind, store::Key key);
std::string text_in_stored_form(const api::Kind& kind, std::string text);

// Where the objects of `kind` in the scope, and so their history, are stored: for a stored form
// among those of v3, with others that the form may not have (api::has_form()).
store::Scope stored_scope(const api::Kind& kind, const store::Scope& scope);

// A store in which the kinds of the stored form have their objects too, made of those of v3 as they
// are read. For get() and list(): writes to them go through Writes, and their changes are v3's
// (event_feed.h). Everything else is the store's below. Safe from any thread, as that is.
class StoredFormStore final : public store::Store {
 public:
  // What get() and list() do where many wait for room.
  enum class Busy {
    refuse,  // they are `unavailable`: for what a client begins
    wait,    // for their turn, however long: for what has begun and must be finished
  };
  // Both outlive it. Objects are parsed in `room`.
  StoredFormStore(store::Store& store, ParsingRoom& room, Busy busy)
      : store_(store), room_(room), busy_(busy) {}

  base::Result<store::Entry> get(const store::Key& key) override;
  base::Result<store::List> list(const store::Scope& scope,
                                 const store::ListOptions& options) override;
  base::Result<store::Entry> create(const store::Key& key, std::string value) override;
  base::Result<store::Entry> update(const store::Key& key, std::string value,
                                    std::optional<store::Revision> expected) override;
  base::Result<store::Entry> remove(const store::Key& key,
                                    std::optional<store::Revision> expected) override;
  base::Result<std::unique_ptr<store::Watch>> watch(const store::Scope& scope, store::Revision from,
                                                    store::Watcher& watcher) override;
  base::Result<store::Changes> changes(const store::Scope& scope, store::Revision from,
                                       size_t bytes) override;

 private:
  base::Result<ParsingRoom::Place> place_for(const store::Entry& entry);

  store::Store& store_;
  ParsingRoom& room_;
  const Busy busy_;
};

}  // namespace margay::apiserver
