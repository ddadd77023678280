#pragma once

// Kubernetes' messages in its protobuf form: which JSON field has which number and type. The
// numbers are Kubernetes' own (the generated.proto files of k8s.io/api); the table
// (kubernetes_messages.inc) is printed from its Go types by tests/kubectl/messages, and a test
// holds it to the release that go.mod names there.

#include <cstdint>
#include <string_view>
#include <vector>

#include "api/kind.h"

namespace margay::apiserver {

struct Message;

struct MessageField {
  enum class Type : uint8_t {
    text,
    integer,
    boolean,
    bytes,          // base64 in JSON
    time,           // RFC 3339 in JSON
    micro_time,     // the same, to the microsecond
    quantity,       // {string = 1}
    int_or_string,  // {type = 1, intVal = 2, strVal = 3}
    message,
    ignored,  // what the server does not keep
  };
  enum class Shape : uint8_t { single, list, map, map_of_lists };

  std::string_view name;  // in JSON; empty: its members stand where the message's own do
  uint32_t number = 0;
  Type type = Type::text;
  Shape shape = Shape::single;
  bool keeps_zero = false;  // zero is a value, not "unset"
  bool shows_zero = false;  // the zero says nothing, but JSON has it (Go: without omitempty)
  const Message* message = nullptr;
};

struct Message {
  std::string_view name;
  std::vector<MessageField> fields;
};

// By Kubernetes' name, with the first word of its group for what is neither in the core group nor
// of meta.k8s.io: "Pod", "discovery.EndpointSlice". Null: none.
const Message* find_message(std::string_view name);
// Of a kind; null for kinds that have no protobuf form (Calico's, as any custom resource).
const Message* find_message(const api::Kind& kind);
const Message* find_message(std::string_view api_version, std::string_view kind);

}  // namespace margay::apiserver
