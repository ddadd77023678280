#include "apiserver/representation.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "api/codec.h"
#include "api/table.h"
#include "apiserver/object.h"
#include "apiserver/protobuf_body.h"
#include "apiserver/protobuf_message.h"
#include "apiserver/protobuf_wire.h"

namespace margay::apiserver {
namespace {

constexpr std::string_view k_initial_events_end = "k8s.io/initial-events-end";

json::object list_metadata(const Representation::ListMeta& meta) {
  json::object out{{"resourceVersion", std::to_string(meta.revision)}};
  if (!meta.resume.empty()) out["continue"] = meta.resume;
  if (meta.remaining && *meta.remaining > 0) out["remainingItemCount"] = *meta.remaining;
  return out;
}

std::string json_event(std::string_view type, std::string_view object) {
  return fmt::format("{{\"type\":\"{}\",\"object\":{}}}\n", type, object);
}

}  // namespace

Answer<std::string> Representation::object(const store::Entry& entry) const {
  if (media.format == Format::protobuf) {
    MARGAY_TRY(const auto message, protobuf_message(entry));
    return seal_protobuf(api_version(), kind_name(), message);
  }
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
  return finish_list(out + list_tail(meta, entries.empty()));
}

std::string Representation::finish_list(std::string parts) const {
  if (media.format != Format::protobuf) return parts;
  return seal_protobuf(api_version(), kind_name() + "List", parts);
}

std::string Representation::list_head() const {
  if (media.format == Format::protobuf) return {};
  const bool is_table = media.shape == Shape::table;
  json::object head{{"kind", kind_name() + (is_table ? "" : "List")},
                    {"apiVersion", api_version()}};
  if (media.shape == Shape::table) head["columnDefinitions"] = api::table_columns(*kind);
  if (media.format == Format::yaml) return api::to_yaml(head);
  auto text = json::serialize(head);
  text.back() = ',';  // the object goes on
  return fmt::format("{}\"{}\":[", text, items_member());
}

Answer<std::string> Representation::list_item(const store::Entry& entry, bool first) const {
  if (media.format == Format::protobuf) {
    MARGAY_TRY(const auto message, protobuf_message(entry));
    WireWriter list;
    list.bytes(2, message);
    return std::move(list).take();
  }
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
  if (media.format == Format::protobuf) {
    WireWriter list;
    list.bytes(1, encode_message(*find_message("ListMeta"), list_metadata(meta)).value());
    return std::move(list).take();
  }
  json::object tail;
  if (media.format == Format::yaml && empty) tail[items_member()] = json::array();
  tail["metadata"] = list_metadata(meta);
  if (media.format == Format::yaml) return api::to_yaml(tail);
  return "]," + json::serialize(tail).substr(1);
}

Answer<std::string> Representation::event(std::string_view type, const store::Entry& entry,
                                          bool with_columns) const {
  if (media.format == Format::protobuf) {
    MARGAY_TRY(const auto body, object(entry));
    return protobuf_event(type, body);
  }
  MARGAY_TRY(const auto text, object_json(entry, with_columns));
  return json_event(type, text);
}

std::string Representation::bookmark(store::Revision revision, bool initial_events_end) const {
  const auto object = bookmark_object(revision, initial_events_end);
  if (media.format != Format::protobuf) return json_event("BOOKMARK", json::serialize(object));
  // A bookmark is a message that has metadata only, whatever the kind.
  const auto message = encode_message(*find_message("PartialObjectMetadata"), object);
  return protobuf_event("BOOKMARK", seal_protobuf(api_version(), kind_name(), message.value()));
}

json::object Representation::bookmark_object(store::Revision revision,
                                             bool initial_events_end) const {
  json::object metadata{{"resourceVersion", std::to_string(revision)}};
  if (initial_events_end) metadata["annotations"] = json::object{{k_initial_events_end, "true"}};
  json::object object{{"kind", kind_name()}, {"apiVersion", api_version()}};
  object["metadata"] = std::move(metadata);
  if (media.shape == Shape::table) {
    object["columnDefinitions"] = json::array{};
    object["rows"] = json::array{};
  }
  return object;
}

std::string Representation::error_event(const Status& status) const {
  const auto object = status.to_object();
  if (media.format != Format::protobuf) return json_event("ERROR", json::serialize(object));
  const auto message = encode_message(*find_message("Status"), object);
  return protobuf_event("ERROR", seal_protobuf("v1", "Status", message.value()));
}

std::string Representation::stream_content_type() const {
  return std::string(media.content_type()) +
         (media.format == Format::protobuf ? ";stream=watch" : "");
}

std::string Representation::api_version() const {
  return media.shape == Shape::object ? kind->api_version() : "meta.k8s.io/" + media.version;
}

std::string Representation::kind_name() const {
  if (media.shape == Shape::object) return kind->name;
  return media.shape == Shape::table ? "Table" : "PartialObjectMetadata";
}

Answer<std::string> Representation::protobuf_message(const store::Entry& entry) const {
  const bool whole = media.shape == Shape::object;
  const auto* message = whole ? find_message(*kind) : find_message("PartialObjectMetadata");
  if (message == nullptr) return refuse(not_acceptable("application/json"));
  MARGAY_TRY(const auto object, parse_stored(entry));
  auto bytes = encode_message(*message, object);
  if (!bytes)
    return refuse(internal(fmt::format("{} {}/{} has no protobuf form: {}", entry.key.resource,
                                       entry.key.ns, entry.key.name, bytes.error().message)));
  return std::move(*bytes);
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
  const auto value = api::parse_json(json_text, api::k_envelope_limits);
  if (!value) return refuse(internal("an answer cannot be read back: " + value.error().message));
  return api::to_yaml(*value);
}

}  // namespace margay::apiserver
