#pragma once

// What a namespace lets be created in it, read from the store each time. What is kept in memory of
// it is of one revision: several servers may stand on one store, and whichever of them marked a
// namespace as terminating, all must see it (docs/decisions/0046).

#include <string>
#include <string_view>

#include "apiserver/parsing_room.h"
#include "apiserver/read_once.h"
#include "base/result.h"
#include "store/store.h"

namespace margay::apiserver {

struct Namespace {
  enum class State { absent, active, terminating };
  State state = State::absent;
  std::string uid = {};  // tells it from another of that name, before or after
  bool operator==(const Namespace&) const = default;
};

using KnownNamespaces = ReadOnce<Namespace>;

// An object that cannot be read is a namespace all the same: active, so that one damaged row does
// not lock everybody out of it.
base::Result<Namespace> read_namespace(store::Store& store, ParsingRoom& room,
                                       KnownNamespaces& known, std::string_view name);
Namespace to_namespace(const store::Entry& entry);

}  // namespace margay::apiserver
