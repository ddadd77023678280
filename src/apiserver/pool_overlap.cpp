#include "apiserver/pool_overlap.h"

#include <fmt/format.h>

#include "api/codec.h"
#include "apiserver/object.h"

namespace margay::apiserver {
namespace {

constexpr size_t k_most = 10'000;     // pools
constexpr size_t k_page = 256 << 10;  // bytes

store::Scope all_pools() { return {.resource = "ippools.projectcalico.org"}; }

std::optional<base::Prefix> prefix_of(const store::Entry& entry) {
  const auto value = api::parse_json(entry.value);
  if (!value || !value->is_object()) return std::nullopt;
  const auto prefix = base::Prefix::parse(text_at(value->as_object(), {"spec", "cidr"}));
  return prefix ? std::optional(*prefix) : std::nullopt;
}

std::unexpected<base::Error> too_many() {
  return base::fail(base::ErrorCode::forbidden,
                    fmt::format("there are {} pools, as many as may be", k_most));
}

}  // namespace

base::Result<> KnownPools::check(std::string_view name, const boost::json::object& pool) {
  MARGAY_CHECK(catch_up());
  if (pools_.size() >= k_most && !pools_.contains(name)) return too_many();
  const std::string text(text_at(pool, {"spec", "cidr"}));
  MARGAY_TRY(const auto cidr, base::Prefix::parse(text));
  for (const auto& [other, prefix] : pools_) {
    if (other == name || !prefix || !prefix->overlaps(cidr)) continue;
    return base::fail({base::FieldError{
        .path = "spec.cidr",
        .value = fmt::format("\"{}\"", text),
        .detail = fmt::format("overlaps {} of IPPool {}", prefix->to_string(), other)}});
  }
  return {};
}

base::Result<> KnownPools::catch_up() {
  if (position_ == 0) return read_all();
  auto followed = follow();
  if (!followed && followed.error().code == base::ErrorCode::too_old) return read_all();
  return followed;
}

base::Result<> KnownPools::follow() {
  for (bool is_done = false; !is_done;) {
    MARGAY_TRY(const auto changes, store_.changes(all_pools(), position_, k_page));
    for (const auto& event : changes.events) {
      if (event.type == store::Event::Type::removed)
        pools_.erase(event.entry.key.name);
      else
        put(event.entry);
    }
    position_ = changes.up_to;
    is_done = changes.events.empty();
  }
  return {};
}

base::Result<> KnownPools::read_all() {
  position_ = 0;
  pools_.clear();
  store::ListOptions options{.bytes = k_page};
  store::Revision revision = 0;
  do {
    MARGAY_TRY(auto page, store_.list(all_pools(), options));
    for (const auto& entry : page.entries) put(entry);
    if (pools_.size() > 2 * k_most) return too_many();  // of a store that others wrote
    revision = page.revision;
    options.resume = std::move(page.resume);
  } while (!options.resume.empty());
  position_ = revision;
  return {};
}

void KnownPools::put(const store::Entry& entry) {
  const auto place = room_.wait(entry.value);
  pools_.insert_or_assign(entry.key.name, prefix_of(entry));
}

}  // namespace margay::apiserver
