#pragma once

// Objects, lists and watch events in the form a client negotiated: the objects themselves, a table
// for printing, or their metadata alone; as JSON, YAML or protobuf. As JSON objects of the stored
// text nothing is parsed.

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "api/kind.h"
#include "apiserver/negotiate.h"
#include "apiserver/status.h"
#include "base/clock.h"
#include "store/store.h"

namespace margay::apiserver {

// What each row of a table carries of its object (includeObject).
enum class RowObject { none, metadata, object };

struct Representation {
  const api::Kind* kind = nullptr;
  Media media;
  RowObject row_object = RowObject::metadata;
  const base::Clock* clock = nullptr;  // for ages in tables

  // Whether objects are parsed for it; their text is enough where they are sent as they are.
  bool parses() const { return media.shape != Shape::object || media.format != Format::json; }

  Answer<std::string> object(const store::Entry& entry) const;

  struct ListMeta {
    store::Revision revision = 0;
    std::string resume;  // metadata.continue
    std::optional<size_t> remaining;
  };
  Answer<std::string> list(std::span<const store::Entry> entries, const ListMeta& meta) const;
  // The same in parts, for a list that is made while it is sent. The metadata comes last, where
  // it is known how far the list went.
  std::string list_head() const;
  Answer<std::string> list_item(const store::Entry& entry, bool first) const;
  std::string list_tail(const ListMeta& meta, bool empty) const;
  // All the parts as the answer. A list in protobuf begins with its length, so that it can only be
  // sent when it is whole.
  std::string finish_list(std::string parts) const;

  // One event of a watch: in JSON a line, {"type":"ADDED","object":...}. The first table of a watch
  // has the column definitions, the others need not.
  Answer<std::string> event(std::string_view type, const store::Entry& entry,
                            bool with_columns) const;
  // `initial_events_end`: the bookmark that closes the initial events of sendInitialEvents.
  std::string bookmark(store::Revision revision, bool initial_events_end) const;
  // The event that says why a watch ends.
  std::string error_event(const Status& status) const;
  // Of a stream of events.
  std::string stream_content_type() const;

 private:
  Answer<json::object> table(const store::Entry& entry, bool with_columns) const;
  std::string_view items_member() const { return media.shape == Shape::table ? "rows" : "items"; }
  Answer<std::string> protobuf_message(const store::Entry& entry) const;
  Answer<json::object> row(const store::Entry& entry) const;
  json::object partial(const json::object& object) const;
  Answer<std::string> object_json(const store::Entry& entry, bool with_columns) const;
  // What an object, a list or a bookmark is called in its apiVersion and kind.
  std::string api_version() const;
  std::string kind_name() const;
  json::object bookmark_object(store::Revision revision, bool initial_events_end) const;
  Answer<std::string> finish(std::string json_text) const;
};

}  // namespace margay::apiserver
