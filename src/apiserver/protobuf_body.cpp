#include "apiserver/protobuf_body.h"

#include <fmt/format.h>

#include <optional>

#include "apiserver/protobuf_message.h"
#include "apiserver/protobuf_wire.h"
#include "base/utf8.h"

namespace margay::apiserver {
namespace {

constexpr std::string_view k_magic("k8s\0", 4);

std::unexpected<Status> malformed(std::string_view why) {
  return refuse(bad_request(fmt::format("the body is not valid Kubernetes protobuf: {}", why)));
}

// runtime.Unknown{typeMeta = 1: {apiVersion = 1, kind = 2}, raw = 2, contentEncoding = 3}.
struct Envelope {
  std::string_view api_version;
  std::string_view kind;
  std::string_view raw;
  std::string_view encoding;
};

bool open_type(std::string_view bytes, Envelope& out) {
  for (WireReader reader(bytes); !reader.at_end();) {
    const auto field = reader.next();
    if (!field) return false;
    if (field->number == 1) out.api_version = field->bytes;
    if (field->number == 2) out.kind = field->bytes;
  }
  return base::is_utf8(out.api_version) && base::is_utf8(out.kind);
}

std::optional<Envelope> open_envelope(std::string_view bytes) {
  Envelope out;
  for (WireReader reader(bytes); !reader.at_end();) {
    const auto field = reader.next();
    if (!field) return std::nullopt;
    if (field->number == 1 && !open_type(field->bytes, out)) return std::nullopt;
    if (field->number == 2) out.raw = field->bytes;
    if (field->number == 3) out.encoding = field->bytes;
  }
  return out;
}

// The first fault, with where it is.
std::string first_fault(const base::Error& error) {
  const auto& field = error.fields.front();
  return field.path.empty() ? field.detail : fmt::format("{}: {}", field.path, field.detail);
}

// Options come under the group of the client that sends them.
const Message* message_of(const Envelope& envelope) {
  if (envelope.kind == "DeleteOptions") return find_message(envelope.kind);
  return find_message(envelope.api_version, envelope.kind);
}

}  // namespace

Answer<json::object> parse_protobuf(std::string_view body) {
  if (!body.starts_with(k_magic)) return malformed("it does not begin with \"k8s\\0\"");
  const auto envelope = open_envelope(body.substr(k_magic.size()));
  if (!envelope) return malformed("its envelope is malformed");
  if (!envelope->encoding.empty()) return malformed("its envelope names an encoding");
  const auto* message = message_of(*envelope);
  if (message == nullptr)
    return refuse(unsupported_media_type(
        fmt::format("protobuf of a {} {}", envelope->api_version, envelope->kind),
        "application/json, application/yaml"));
  auto object = decode_message(*message, envelope->raw);
  if (!object) return malformed(first_fault(object.error()));
  (*object)["apiVersion"] = envelope->api_version;
  (*object)["kind"] = envelope->kind;
  return std::move(*object);
}

std::string seal_protobuf(std::string_view api_version, std::string_view kind,
                          std::string_view message) {
  WireWriter type;
  type.bytes(1, api_version);
  type.bytes(2, kind);
  WireWriter envelope;
  envelope.message(1, type);
  envelope.bytes(2, message);
  // contentEncoding and contentType, as Go writes them: empty.
  envelope.bytes(3, "");
  envelope.bytes(4, "");
  return std::string(k_magic) + std::move(envelope).take();
}

Answer<std::string> to_protobuf(std::string_view api_version, std::string_view kind,
                                const json::object& object) {
  const auto* message = find_message(api_version, kind);
  if (message == nullptr)
    return refuse(internal(fmt::format("{} {} has no protobuf form", api_version, kind)));
  const auto bytes = encode_message(*message, object);
  if (!bytes)
    return refuse(
        internal(fmt::format("a {} has no protobuf form: {}", kind, first_fault(bytes.error()))));
  return seal_protobuf(api_version, kind, *bytes);
}

std::string protobuf_event(std::string_view type, std::string_view body) {
  WireWriter object;
  object.bytes(1, body);
  WireWriter event;
  event.bytes(1, type);
  event.message(2, object);
  const auto& text = event.text();
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(text.size() >> shift);
  return out + text;
}

}  // namespace margay::apiserver
