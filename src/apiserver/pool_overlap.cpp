#include "apiserver/pool_overlap.h"

#include <fmt/format.h>

#include "api/codec.h"
#include "apiserver/object.h"
#include "apiserver/reads.h"

namespace margay::apiserver {
namespace {

std::optional<base::Prefix> prefix_of(const store::Entry& entry) {
  const auto value = api::parse_json(entry.value);
  if (!value || !value->is_object()) return std::nullopt;
  const auto prefix = base::Prefix::parse(text_at(value->as_object(), {"spec", "cidr"}));
  return prefix ? std::optional(*prefix) : std::nullopt;
}

}  // namespace

base::Result<> check_pool_overlap(store::Store& store, ParsingRoom& room, KnownPools& known,
                                  std::string_view name, const boost::json::object& pool) {
  const std::string text(text_at(pool, {"spec", "cidr"}));
  MARGAY_TRY(const auto cidr, base::Prefix::parse(text));
  const auto check = [&](const store::Entry& entry) -> base::Result<> {
    if (entry.key.name == name) return {};
    const auto other = known.get(entry, room, prefix_of);
    if (!other || !other->overlaps(cidr)) return {};
    return base::fail({base::FieldError{
        .path = "spec.cidr",
        .value = fmt::format("\"{}\"", text),
        .detail = fmt::format("overlaps {} of IPPool {}", other->to_string(), entry.key.name)}});
  };
  return each_entry(store, {.resource = "ippools.projectcalico.org"}, check);
}

}  // namespace margay::apiserver
