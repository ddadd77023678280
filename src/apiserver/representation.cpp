#include "apiserver/representation.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "api/codec.h"
#include "api/table.h"
#include "apiserver/object.h"

namespace margay::apiserver {
namespace {

constexpr std::string_view k_initial_events_end = "k8s.io/initial-events-end";

json::object list_metadata(const Representation::ListMeta& meta) {
  json::object out{{"resourceVersion", std::to_string(meta.revision)}};
  if (!meta.resume.empty()) out["continue"] = meta.resume;
  if (meta.remaining && *meta.remaining > 0) out["remainingItemCount"] = *meta.remaining;
  return out;
}

}  // namespace

Answer<std::string> Representation::object(const store::Entry& entry) const {
  MARGAY_TRY(auto text, object_json(entry, true));
  return finish(std::move(text));
}

Answer<std::string> Representation::list(std::span<const store::Entry> entries,
                                         const ListMeta& meta) const {
  std::string out = list_head();
  for (const auto& entry : entries) {
    MARGAY_TRY(const auto item, list_item(entry, &entry == entries.data()));
    out += item;
  }
  return out + list_tail(meta, entries.empty());
}

std::string Representation::list_head() const {
  json::object head;
  if (media.shape == Shape::object)
    head = {{"kind", kind->name + "List"}, {"apiVersion", kind->api_version()}};
  else
    head = {{"kind", media.shape == Shape::table ? "Table" : "PartialObjectMetadataList"},
            {"apiVersion", "meta.k8s.io/" + media.version}};
  if (media.shape == Shape::table) head["columnDefinitions"] = api::table_columns(*kind);
  if (media.format == Format::yaml) return api::to_yaml(head);
  auto text = json::serialize(head);
  text.back() = ',';  // the object goes on
  return fmt::format("{}\"{}\":[", text, items_member());
}

Answer<std::string> Representation::list_item(const store::Entry& entry, bool first) const {
  std::string text;
  if (media.shape == Shape::table) {
    MARGAY_TRY(const auto object, row(entry));
    text = json::serialize(object);
  } else {
    MARGAY_TRY(text, object_json(entry, false));
  }
  if (media.format == Format::json) return first ? text : "," + text;
  MARGAY_TRY(const auto item, finish("[" + text + "]"));
  return first ? fmt::format("{}:\n{}", items_member(), item) : item;
}

std::string Representation::list_tail(const ListMeta& meta, bool empty) const {
  json::object tail;
  if (media.format == Format::yaml && empty) tail[items_member()] = json::array();
  tail["metadata"] = list_metadata(meta);
  if (media.format == Format::yaml) return api::to_yaml(tail);
  return "]," + json::serialize(tail).substr(1);
}

Answer<std::string> Representation::event(std::string_view type, const store::Entry& entry,
                                          bool with_columns) const {
  MARGAY_TRY(const auto text, object_json(entry, with_columns));
  return fmt::format("{{\"type\":\"{}\",\"object\":{}}}\n", type, text);
}

std::string Representation::bookmark(store::Revision revision, bool initial_events_end) const {
  json::object metadata{{"resourceVersion", std::to_string(revision)}};
  if (initial_events_end) metadata["annotations"] = json::object{{k_initial_events_end, "true"}};
  json::object object;
  if (media.shape == Shape::object)
    object = {{"kind", kind->name}, {"apiVersion", kind->api_version()}};
  else
    object = {{"kind", media.shape == Shape::table ? "Table" : "PartialObjectMetadata"},
              {"apiVersion", "meta.k8s.io/" + media.version}};
  object["metadata"] = std::move(metadata);
  if (media.shape == Shape::table) {
    object["columnDefinitions"] = json::array{};
    object["rows"] = json::array{};
  }
  return fmt::format("{{\"type\":\"BOOKMARK\",\"object\":{}}}\n", json::serialize(object));
}

std::string Representation::error_event(const Status& status) const {
  return fmt::format("{{\"type\":\"ERROR\",\"object\":{}}}\n", status.to_json());
}

Answer<std::string> Representation::object_json(const store::Entry& entry,
                                                bool with_columns) const {
  if (media.shape == Shape::object) return to_sent(*kind, entry.value, entry.revision);
  if (media.shape == Shape::table) {
    MARGAY_TRY(const auto object, table(entry, with_columns));
    return json::serialize(object);
  }
  MARGAY_TRY(const auto object, parse_stored(entry));
  return json::serialize(partial(object));
}

Answer<json::object> Representation::table(const store::Entry& entry, bool with_columns) const {
  MARGAY_TRY(auto one, row(entry));
  json::object out{{"kind", "Table"},
                   {"apiVersion", "meta.k8s.io/" + media.version},
                   {"metadata", list_metadata({.revision = entry.revision})}};
  out["columnDefinitions"] = with_columns ? api::table_columns(*kind) : json::array{};
  out["rows"] = json::array{std::move(one)};
  return out;
}

Answer<json::object> Representation::row(const store::Entry& entry) const {
  MARGAY_TRY(auto object, parse_stored(entry));
  json::object out{{"cells", api::table_cells(*kind, object, clock->wall_time())}};
  if (row_object == RowObject::metadata) out["object"] = partial(object);
  if (row_object == RowObject::object) out["object"] = std::move(object);
  return out;
}

json::object Representation::partial(const json::object& object) const {
  return {{"kind", "PartialObjectMetadata"},
          {"apiVersion", "meta.k8s.io/" + media.version},
          {"metadata", metadata_of(object)}};
}

Answer<std::string> Representation::finish(std::string json_text) const {
  if (media.format == Format::json) return json_text;
  const auto value = api::parse_json(json_text, api::k_max_envelope_depth);
  if (!value) return refuse(internal("an answer cannot be read back: " + value.error().message));
  return api::to_yaml(*value);
}

}  // namespace margay::apiserver
