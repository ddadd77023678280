#include "apiserver/collection_removal.h"

#include <algorithm>

#include "apiserver/object.h"

namespace margay::apiserver {
namespace {

constexpr size_t k_step = 32;               // objects
constexpr size_t k_most_told = 4 << 20;     // bytes of them
constexpr size_t k_lease = 64 << 10;        // bytes, at a time
constexpr size_t k_large_bytes = 64 << 10;  // a page is one object when they are so large

}  // namespace

CollectionRemoval::CollectionRemoval(const Services& services, Asked asked)
    : services_(services),
      asked_(std::move(asked)),
      left_(asked_.selection.limit),
      meta_{.revision = 0, .resume = asked_.selection.resume, .remaining = {}} {}

Answer<> CollectionRemoval::step() {
  const auto most = left_ == 0 ? k_step : std::min(left_, k_step);
  const bool goes_on = meta_.revision != 0;
  MARGAY_TRY(
      const auto page,
      read_list_page(services_.reads.at(is_begun_), *asked_.collection.kind, asked_.selection,
                     meta_.resume, {.limit = most, .bytes = k_large_bytes, .or_now = goes_on}));
  for (const auto& entry : page.entries) MARGAY_CHECK(remove(entry));
  meta_ = {.revision = page.revision, .resume = page.resume, .remaining = {}};
  const bool at_limit = left_ != 0 && page.entries.size() == left_;
  if (left_ != 0) left_ -= page.entries.size();
  done_ = at_limit || meta_.resume.empty();
  return {};
}

Answer<> CollectionRemoval::remove(const store::Entry& entry) {
  MARGAY_TRY(const bool selected, is_selected(entry));
  if (!selected) return {};
  auto ref = asked_.collection;
  ref.ns = entry.key.ns;
  ref.name = entry.key.name;
  const auto removed = services_.writes.remove(ref, asked_.options, is_begun_);
  if (!removed && removed.error().reason != "NotFound") return refuse(removed.error());
  is_begun_ = true;
  if (removed) tell(entry);
  return {};
}

Answer<bool> CollectionRemoval::is_selected(const store::Entry& entry) {
  const auto& filter = asked_.selection.filter;
  if (filter.empty()) return true;
  auto& room = services_.room;
  MARGAY_TRY(const auto place, is_begun_ ? room.wait(entry.value) : room.enter(entry.value));
  return matches(filter, entry);
}

// One that cannot be read goes unnamed.
void CollectionRemoval::tell(const store::Entry& entry) {
  if (is_too_much_ || !check_stored(entry)) return;
  const auto& representation = asked_.representation;
  const auto place =
      services_.room.wait(representation.parses() ? entry.value : std::string_view());
  const auto item = representation.list_item(entry, items_.empty());
  if (!item) return;
  if (has_room_for(item->size())) {
    items_ += *item;
  } else {
    is_too_much_ = true;
    items_ = {};
    leases_.clear();
  }
}

bool CollectionRemoval::has_room_for(size_t bytes) {
  if (items_.size() + bytes > k_most_told) return false;
  if (items_.size() + bytes <= leased_) return true;
  const auto more = std::max(bytes, k_lease);
  auto lease = services_.telling.take(more);
  if (!lease) return false;
  leases_.push_back(std::move(*lease));
  leased_ += more;
  items_.reserve(leased_);
  return true;
}

Response CollectionRemoval::answer() const {
  const auto& representation = asked_.representation;
  if (is_too_much_) return {.body = deleted_json(*asked_.collection.kind, {}, {})};
  return {.content_type = std::string(representation.media.content_type()),
          .body = representation.finish_list(representation.list_head() + items_ +
                                             representation.list_tail(meta_, items_.empty()))};
}

}  // namespace margay::apiserver
