#include "vector/parse/reassembly.h"

#include <algorithm>
#include <bit>

#include "base/folded_multiply.h"
#include "vector/parse/bytes.h"
#include "vector/parse/ip_protocol.h"

namespace margay::vector {
namespace {

// Odd constants keep a zero word from making the product zero whatever the other.
uint64_t mixed(uint64_t a, uint64_t b) {
  return base::folded_multiply(a ^ 0x9e3779b97f4a7c15, b ^ 0xd1b54a32d192ed03);
}

}  // namespace

Reassembly::Reassembly(const Limits& limits, uint64_t seed)
    : limits_(limits),
      seed_(seed),
      buckets_(std::bit_ceil(std::max(limits.packets, 1u)), k_nil),
      entries_(limits.packets),
      holds_(limits.held) {
  limits_.fragments = std::min<uint32_t>(limits_.fragments, k_max_fragments);
  limits_.held_of_packet = std::min<uint32_t>(limits_.held_of_packet, k_max_fragments);
  for (uint32_t i = limits_.packets; i-- > 0;) {
    entries_[i].newer = free_entry_;
    free_entry_ = i;
  }
  for (uint32_t i = limits_.held; i-- > 0;) {
    holds_[i].next = free_hold_;
    free_hold_ = i;
  }
}

// Where in its packet a fragment is. `parse` has checked the offset and that it does not reach
// beyond 65,535 bytes.
Reassembly::Piece Reassembly::piece_of(std::span<const uint8_t> packet, const Parsed& parsed) {
  const uint8_t* ip = packet.data() + parsed.l3_offset;
  const uint8_t* header = packet.data() + parsed.fragment_offset;
  Piece piece{};
  uint16_t field;
  size_t payload_at;  // in the IP packet
  piece.key.family = parsed.family;
  if (parsed.family == 4) {
    piece.key.addresses[0] = load<uint64_t>(ip + 12);
    piece.key.id = load_be<uint16_t>(ip + 4);
    piece.key.protocol = ip[9];
    const auto flags = load_be<uint16_t>(ip + 6);
    field = static_cast<uint16_t>((flags & 0x1fff) << 3 | (flags >> 13 & 1));
    payload_at = size_t{ip[0] & 0x0fu} * 4;
  } else {
    std::memcpy(piece.key.addresses.data(), ip + 8, 32);
    piece.key.id = load_be<uint32_t>(header + 4);
    field = load_be<uint16_t>(header + 2);
    payload_at = size_t{parsed.fragment_offset} + k_fragment_header - parsed.l3_offset;
  }
  piece.range.begin = field & 0xfff8;
  piece.range.end = static_cast<uint16_t>(piece.range.begin + parsed.l3_length - payload_at);
  piece.last = (field & 1) == 0;
  return piece;
}

uint32_t Reassembly::bucket_of(const Key& key) const {
  uint64_t hash = mixed(seed_, uint64_t{key.id} << 16 | uint64_t{key.protocol} << 8 | key.family);
  hash = mixed(hash ^ key.addresses[0], seed_ ^ key.addresses[1]);
  hash = mixed(hash ^ key.addresses[2], seed_ ^ key.addresses[3]);
  return static_cast<uint32_t>(hash) & static_cast<uint32_t>(buckets_.size() - 1);
}

uint32_t Reassembly::find(const Key& key, uint32_t bucket) const {
  uint32_t at = buckets_[bucket];
  while (at != k_nil && entries_[at].key != key) at = entries_[at].next_in_bucket;
  return at;
}

uint32_t Reassembly::insert(const Key& key, uint32_t bucket, uint64_t now_ms) {
  const uint32_t index = free_entry_;
  if (index == k_nil) return k_nil;
  auto& entry = entries_[index];
  free_entry_ = entry.newer;
  entry.key = key;
  entry.deadline_ms = now_ms + limits_.timeout_ms;
  entry.bucket = bucket;
  entry.next_in_bucket = buckets_[bucket];
  buckets_[bucket] = index;
  entry.older = newest_;
  entry.newer = k_nil;
  (newest_ == k_nil ? oldest_ : entries_[newest_].newer) = index;
  newest_ = index;
  entry.first_held = entry.last_held = k_nil;
  entry.held = entry.fragments = entry.bytes = 0;
  entry.length = 0;
  entry.first_seen = false;
  entry.poisoned = DropReason::none;
  ++packets_;
  return index;
}

// Its held fragments have been released.
void Reassembly::erase(uint32_t index) {
  auto& entry = entries_[index];
  uint32_t* link = &buckets_[entry.bucket];
  while (*link != index) link = &entries_[*link].next_in_bucket;
  *link = entry.next_in_bucket;
  (entry.older == k_nil ? oldest_ : entries_[entry.older].newer) = entry.newer;
  (entry.newer == k_nil ? newest_ : entries_[entry.newer].older) = entry.older;
  entry.newer = free_entry_;
  free_entry_ = index;
  --packets_;
}

// Takes the fragment into the packet's account. A repetition is an overlap here; `add` tells them
// apart.
DropReason Reassembly::account(Entry& entry, const Piece& piece) const {
  const auto& [begin, end] = piece.range;
  for (uint32_t i = 0; i < entry.fragments; ++i) {
    const auto& other = entry.ranges[i];
    if (begin < other.end && other.begin < end) return DropReason::fragment_overlap;
    if (piece.last && other.end > end) return DropReason::fragment_bad;  // behind the last one
  }
  if (entry.length != 0 && end > entry.length) return DropReason::fragment_bad;
  if (entry.fragments == limits_.fragments) return DropReason::fragment_too_many;
  if (piece.last) entry.length = end;
  entry.ranges[entry.fragments++] = piece.range;
  entry.bytes += static_cast<uint32_t>(end - begin);
  return DropReason::none;
}

bool Reassembly::hold(Entry& entry, Handle handle) {
  const uint32_t index = free_hold_;
  if (index == k_nil || entry.held == limits_.held_of_packet) return false;
  free_hold_ = holds_[index].next;
  holds_[index] = {handle, k_nil};
  (entry.last_held == k_nil ? entry.first_held : holds_[entry.last_held].next) = index;
  entry.last_held = index;
  ++entry.held;
  ++held_;
  return true;
}

void Reassembly::release(Entry& entry, Released& released) {
  while (entry.first_held != k_nil) {
    const uint32_t index = entry.first_held;
    released.handles[released.count++] = holds_[index].handle;
    entry.first_held = holds_[index].next;
    holds_[index].next = free_hold_;
    free_hold_ = index;
    --held_;
  }
  entry.last_held = k_nil;
  entry.held = 0;
}

Reassembly::Verdict Reassembly::poison(Entry& entry, DropReason reason, Released& released) {
  entry.poisoned = reason;
  release(entry, released);
  return {Fate::drop, reason};
}

void Reassembly::follow(const Parsed& first, Parsed& later) {
  later.protocol = first.protocol;
  later.icmp_type = first.icmp_type;
  later.icmp_code = first.icmp_code;
  later.source_port = first.source_port;
  later.destination_port = first.destination_port;
}

Reassembly::Verdict Reassembly::add(uint64_t now_ms, std::span<const uint8_t> packet,
                                    Parsed& parsed, Handle handle, Released& released) {
  released.count = 0;
  const auto piece = piece_of(packet, parsed);
  const uint32_t bucket = bucket_of(piece.key);
  uint32_t index = find(piece.key, bucket);
  if (index == k_nil) index = insert(piece.key, bucket, now_ms);
  if (index == k_nil) return {Fate::drop, DropReason::fragment_too_many};

  auto& entry = entries_[index];
  if (entry.poisoned != DropReason::none) return {Fate::drop, entry.poisoned};
  const auto reason = account(entry, piece);
  if (reason != DropReason::none) {
    const auto known = std::span<const Range>(entry.ranges).first(entry.fragments);
    if (std::ranges::find(known, piece.range) != known.end())
      return {Fate::drop, DropReason::fragment_overlap};
    return poison(entry, reason, released);
  }

  const bool is_first = (parsed.flags & k_later_fragment) == 0;
  if (is_first) {
    entry.first_seen = true;
    entry.protocol = parsed.protocol;
    entry.icmp_type = parsed.icmp_type;
    entry.icmp_code = parsed.icmp_code;
    entry.source_port = parsed.source_port;
    entry.destination_port = parsed.destination_port;
    release(entry, released);
  } else if (!entry.first_seen) {
    if (!hold(entry, handle)) return poison(entry, DropReason::fragment_too_many, released);
    return {Fate::hold};
  } else {
    const Parsed first{.protocol = entry.protocol,
                       .icmp_type = entry.icmp_type,
                       .icmp_code = entry.icmp_code,
                       .source_port = entry.source_port,
                       .destination_port = entry.destination_port};
    follow(first, parsed);
  }
  if (entry.length != 0 && entry.bytes == entry.length) erase(index);  // all have come
  return {Fate::forward};
}

bool Reassembly::clear(Released& released) {
  released.count = 0;
  if (oldest_ == k_nil) return false;
  const uint32_t index = oldest_;
  release(entries_[index], released);
  erase(index);
  return true;
}

bool Reassembly::expire(uint64_t now_ms, Released& released) {
  released.count = 0;
  if (oldest_ == k_nil || entries_[oldest_].deadline_ms > now_ms) return false;
  return clear(released);
}

}  // namespace margay::vector
