#pragma once

// Virtual reassembly: fragments are not put together, but each learns the ports of its packet's
// first fragment, so that policy and NAT treat all of them alike. Fragments that come before the
// first are held until it does.
//
// One object a worker; nothing is locked, and nothing allocated behind the constructor. Fragments
// of one packet must come to one worker: hash addresses only, not ports.
//
// RFC 791 3.2 and RFC 8200 4.5: packets are told apart by addresses, identification and, in IPv4,
// protocol. RFC 5722, held to in IPv4 as well: when fragments overlap, the whole packet is dropped
// with all that still comes of it; an exact repetition is dropped alone. Where a limit is met, the
// fragment that met it is dropped with its whole packet: it could not be completed any more.

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "vector/drop_reason.h"
#include "vector/parsed.h"

namespace margay::vector {

class Reassembly {
 public:
  // A packet that is held, as the caller knows it (an mbuf's address).
  using Handle = uint64_t;

  static constexpr size_t k_max_fragments = 64;  // 65,535 bytes at a MTU of 1,280 are 53

  struct Limits {
    uint32_t packets = 1024;               // in reassembly at a time
    uint32_t fragments = k_max_fragments;  // of a packet; at most k_max_fragments
    uint32_t held = 512;                   // fragments held, of all packets
    uint32_t held_of_packet = 16;          // fragments held, of one
    uint64_t timeout_ms = 30'000;          // from the fragment that came first
  };

  enum class Fate : uint8_t { forward, hold, drop };

  struct Verdict {
    Fate fate;
    DropReason reason = DropReason::none;
  };

  // Handles that leave the hold, in the order they had come in.
  struct Released {
    std::array<Handle, k_max_fragments> handles;
    uint32_t count = 0;

    std::span<const Handle> all() const { return std::span(handles).first(count); }
  };

  // `seed` keeps senders from choosing keys that collide.
  Reassembly(const Limits& limits, uint64_t seed);

  // One fragment that `parse` has accepted (k_fragment). Times never go back.
  //   forward: go on with it; a later fragment now has its first one's protocol and ports in
  //            `parsed`. `released` are held ones that go on too: `follow` makes their Parsed.
  //   hold:    the handle is ours now; a later call gives it back, exactly once.
  //   drop:    with the reason, and so are all in `released`.
  // Expired packets leave only through `expire`: call it first.
  Verdict add(uint64_t now_ms, std::span<const uint8_t> packet, Parsed& parsed, Handle handle,
              Released& released);

  // Makes `later`, parsed of a later fragment, know what its first fragment knew.
  static void follow(const Parsed& first, Parsed& later);

  // Forgets one packet whose time is over; `released` are its held fragments, to be dropped
  // (fragment_timeout). Call until false.
  bool expire(uint64_t now_ms, Released& released);

  // Forgets one packet, timed out or not: for shutting down. Call until false.
  bool clear(Released& released);

  uint32_t packets() const { return packets_; }
  uint32_t held() const { return held_; }
  const Limits& limits() const { return limits_; }

 private:
  static constexpr uint32_t k_nil = UINT32_MAX;

  struct Key {
    std::array<uint64_t, 4> addresses{};
    uint32_t id = 0;
    uint8_t family = 0;
    uint8_t protocol = 0;  // IPv6: 0

    bool operator==(const Key&) const = default;
  };
  // Bytes [begin, end) of the packet's fragmentable part.
  struct Range {
    uint16_t begin, end;
    bool operator==(const Range&) const = default;
  };
  struct Entry {
    Key key;
    uint64_t deadline_ms;
    uint32_t bucket, next_in_bucket;  // chained
    uint32_t older, newer;            // by age; `newer` also chains free entries
    uint32_t first_held, last_held;   // in `holds_`
    uint32_t held, fragments;
    uint32_t bytes;   // of all ranges
    uint16_t length;  // of the whole; 0 while the last fragment has not come
    uint8_t protocol;
    uint8_t icmp_type, icmp_code;
    uint16_t source_port, destination_port;
    bool first_seen;
    DropReason poisoned;  // all that comes is dropped with this
    std::array<Range, k_max_fragments> ranges;
  };
  struct Hold {
    Handle handle;
    uint32_t next;
  };
  struct Piece {
    Key key;
    Range range;
    bool last;
  };

  static Piece piece_of(std::span<const uint8_t> packet, const Parsed& parsed);
  uint32_t bucket_of(const Key& key) const;
  uint32_t find(const Key& key, uint32_t bucket) const;
  uint32_t insert(const Key& key, uint32_t bucket, uint64_t now_ms);
  void erase(uint32_t index);
  DropReason account(Entry& entry, const Piece& piece) const;
  bool hold(Entry& entry, Handle handle);
  void release(Entry& entry, Released& released);
  Verdict poison(Entry& entry, DropReason reason, Released& released);

  Limits limits_;
  uint64_t seed_;
  uint32_t packets_ = 0, held_ = 0;
  uint32_t oldest_ = k_nil, newest_ = k_nil;
  uint32_t free_entry_ = k_nil, free_hold_ = k_nil;
  std::vector<uint32_t> buckets_;  // a power of two
  std::vector<Entry> entries_;
  std::vector<Hold> holds_;
};

}  // namespace margay::vector
