#include "apiserver/namespaces.h"

#include "apiserver/object.h"

namespace margay::apiserver {

Namespace to_namespace(const store::Entry& entry) {
  const auto object = parse_stored(entry);
  if (!object) return {.state = Namespace::State::active};
  const bool deleting = !text_at(*object, {"metadata", "deletionTimestamp"}).empty();
  return {.state = deleting ? Namespace::State::terminating : Namespace::State::active,
          .uid = std::string(text_at(*object, {"metadata", "uid"}))};
}

base::Result<Namespace> read_namespace(store::Store& store, ParsingRoom& room,
                                       KnownNamespaces& known, std::string_view name) {
  const auto entry = store.get({"namespaces", {}, std::string(name)});
  if (entry) return known.get(*entry, room, to_namespace);
  if (entry.error().code == base::ErrorCode::not_found) return Namespace{};
  return std::unexpected(entry.error());
}

}  // namespace margay::apiserver
