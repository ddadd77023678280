#include "apiserver/pool_overlap.h"

#include <fmt/format.h>

#include "api/codec.h"
#include "apiserver/object.h"
#include "base/address.h"

namespace margay::apiserver {

base::Result<> check_pool_overlap(store::Store& store, std::string_view name,
                                  const boost::json::object& pool) {
  const std::string text(text_at(pool, {"spec", "cidr"}));
  MARGAY_TRY(const auto cidr, base::Prefix::parse(text));
  MARGAY_TRY(const auto existing, store.list({.resource = "ippools.projectcalico.org"}));
  for (const auto& entry : existing.entries) {
    if (entry.key.name == name) continue;
    // Nobody takes addresses from a pool that cannot be read.
    const auto value = api::parse_json(entry.value);
    if (!value || !value->is_object()) continue;
    const auto other = base::Prefix::parse(text_at(value->as_object(), {"spec", "cidr"}));
    if (!other || !other->overlaps(cidr)) continue;
    return base::fail({base::FieldError{
        .path = "spec.cidr",
        .value = fmt::format("\"{}\"", text),
        .detail = fmt::format("overlaps {} of IPPool {}", other->to_string(), entry.key.name)}});
  }
  return {};
}

}  // namespace margay::apiserver
